"""The configs that come with rltrain, and how a config is found by its name.

They lie in `configs/` of the repository, to which `rltrain/configs` links, so that the files are in the package too:
of a checkout and of a wheel, which holds copies. `mdp/` has the models that they name, `sweeps/` what sweeps try of
them; every other YAML is a config.
Beside a config may lie files of Python that it needs; like any other, they are imported by a person alone.
The comment at its head begins with a line that says what it does; `# Time: ...` says how long it takes two cores.
"""

from __future__ import annotations

import itertools
import os
import re
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import Any

from rltrain.yaml_subset import read

_PACKAGE = Path(__file__).resolve().parent.parent
_LINK = _PACKAGE / "configs"
HOME = _LINK if _LINK.is_dir() else _PACKAGE.parent / "configs"  # of a checkout whose links were lost on the way
HERE = (Path(), Path("configs"))  # where one's own are looked for, from where one stands
MODELS, SWEEPS = "mdp", "sweeps"
NAME = re.compile(r"[\w-]+(/[\w-]+)*")  # of a config, without its ending: "book/qlearn"


@dataclass(frozen=True)
class CatalogEntry:
    """A config that comes with rltrain, by what its file says."""

    name: str
    summary: str
    algorithm: str
    environment: str
    time: str  # that it takes; "" where the file does not say
    needs: tuple[str, ...] = ()  # what a person must import: modules, and files that lie beside it


def names() -> list[str]:
    """The names of the configs that come with rltrain, sorted: `dqn_cartpole`, `book/qlearn`."""
    files = [file.relative_to(HOME).with_suffix("") for file in HOME.glob("**/*.yaml")]
    return sorted(file.as_posix() for file in files if file.parts[0] not in (MODELS, SWEEPS))


def sweeps() -> list[str]:
    """The names of the sweeps that come with rltrain, sorted: `sweeps/cartpole`."""
    return sorted(file.relative_to(HOME).with_suffix("").as_posix() for file in (HOME / SWEEPS).glob("*.yaml"))


def find(path: Path) -> Path:
    """The file of a config: this one, or of this name with `.yaml` here, in ./configs, or among rltrain's own.

    A path that is none of them comes back as it is.
    """
    name = path.as_posix()
    if NAME.fullmatch(name) and not os.path.isfile(path):
        for home in (*HERE, HOME):
            if os.path.isfile(file := home / f"{name}.yaml"):
                return file
    return path


def model_file(path: PurePath) -> Path:
    """Where a model would be among rltrain's own: one that a config calls `mdp/book.yaml`, `../mdp/book.yaml`, or
    `configs/mdp/book.yaml` as they did."""
    return HOME.joinpath(*itertools.dropwhile(lambda part: part in ("..", HOME.name), path.parts))


def entries() -> list[CatalogEntry]:
    """What the configs say of themselves, by name."""
    return [entry(name) for name in names()]


def tuned(algorithm: str, environment: str) -> list[str]:
    """The names of those for this algorithm in this environment; nothing is said of another file of the same model."""
    return [entry.name for entry in entries() if (entry.algorithm, entry.environment) == (algorithm, environment)]


def entry(name: str) -> CatalogEntry:
    """What the config of this name says of itself; of a sweep, with the algorithm and environment of its config."""
    text = (HOME / f"{name}.yaml").read_text(encoding="utf-8")
    head = [line.removeprefix("#").strip() for line in re.match(r"(?:#.*\n)*", text)[0].splitlines()]  # type: ignore[index]  # it matches
    time = next((line.removeprefix("Time:").strip().rstrip(".") for line in head if line.startswith("Time:")), "")
    tree: dict[str, Any] = read(text).value
    if "sweep" in tree:
        return replace(entry(tree["sweep"]["config"]), name=name, summary=head[0].rstrip("."), time=time)
    world = tree["environment"]
    needs = world.get("needs", ()) if isinstance(world, dict) else ()
    algorithm, environment = (
        block[key] if isinstance(block := tree[part], dict) else block
        for part, key in (("algorithm", "name"), ("environment", "id"))
    )
    return CatalogEntry(name, head[0].rstrip("."), algorithm, str(environment), time, tuple(needs))
