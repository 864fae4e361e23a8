"""A config's file and the model's file that it names: where they are looked for, and what is like them."""

from __future__ import annotations

import os
from pathlib import Path, PurePath

from rltrain.errors import InputError
from rltrain.experiment import catalog
from rltrain.experiment.settings import MODEL_FOLDER_SUFFIX
from rltrain.plain_files import reason
from rltrain.spelling import nearest, shown
from rltrain.yaml_subset import MAX_BYTES

MODEL_FOLDER = "model"  # of a run folder: its copy of the known model that it learns from


def text(path: Path) -> str:
    """The file's text. A missing file names one that is spelled like it."""
    place = shown(str(path))
    try:
        if not path.exists():
            named = " or config" if catalog.NAME.fullmatch(path.as_posix()) else ""
            raise InputError(f"{place}: no such file{named}{_near_file(path)}")
        if not path.is_file():  # a FIFO would wait for ever
            raise InputError(f"{place}: a folder or device; a config is a file")
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
        if len(raw) > MAX_BYTES:
            raise InputError(f"{place}: larger than {MAX_BYTES:,} bytes")
        return raw.decode()
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise InputError(f"{place}:{line}: not UTF-8 text: the byte 0x{raw[error.start]:02x}") from error
    except (OSError, ValueError) as error:
        raise InputError(f"{place}: cannot be read: {reason(error)}") from error


def _near_file(path: Path) -> str:
    """`; did you mean 'configs/dqn_cartpole.yaml'?`, by the name alone; rltrain's own last."""
    files = [file for folder in (path.parent, Path("configs")) for file in sorted(folder.glob("*.y*ml"))]
    files += sorted(Path("configs").glob("*/*.y*ml"))
    own = sorted(
        [*catalog.names(), *catalog.sweeps()], key=lambda name: name.count("/")
    )  # of one name in two folders the plain one
    by_name = {PurePath(name).name: name for name in reversed(own)}
    by_name |= {file.stem: str(file) for file in reversed(files)}  # the path's own folder comes first
    found = nearest(path.stem, by_name)
    return f"; did you mean '{shown(by_name[found])}'?" if found else ""


def model_file(path: Path, beside: Path, typed: bool) -> str | None:
    """Where a model's file is: in the run that has a copy, beside the config, from here, or among rltrain's own.

    One that was typed is looked for from here before it is beside the config.
    """
    near = (path, beside / path) if typed else (beside / path, path)
    for found in (beside / MODEL_FOLDER / path.name, *near, catalog.model_file(path)):
        if _is_model(found):
            short = Path(os.path.normpath(found))  # without `book/..`, unless that is a link
            return str(short if _is_model(short) and short.samefile(found) else found)
    return None


def _is_model(path: Path) -> bool:
    """Whether a file has this name, or a folder where the name is that of a model's folder."""
    return path.is_dir() if path.name.endswith(MODEL_FOLDER_SUFFIX) else path.is_file()


def needed_file(name: str, beside: Path) -> str:
    """Where a file of `environment.needs` is: beside the config, else as it is written. Nothing is imported by this."""
    found = beside / name
    try:
        return name if not found.is_file() or found.resolve() == Path(name).resolve() else os.path.normpath(found)
    except OSError:  # a name that is too long
        return name


def no_model(path: Path, beside: Path) -> str:
    """The rule that is broken where there is no such file: the places that were looked at, and the nearest name."""
    places = dict.fromkeys(os.path.normpath(place) for place in (beside / path, path))
    folders = [Path(place).parent for place in places]
    folders += [own] if (own := catalog.model_file(path).parent) != catalog.HOME else []  # there are configs
    by_name = {file.stem: file.name for folder in folders for file in sorted(folder.glob("*.*"))}
    near = nearest(path.stem, by_name)
    hint = f"; did you mean '{path.with_name(by_name[near])}'?" if near else ""
    if len(places) == 1:
        return f"no such file: '{path}'{hint}"
    one, other = (f"'{place}'" for place in places)
    return f"no such file: neither {one}, beside the config, nor {other} from here{hint}"
