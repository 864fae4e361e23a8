"""Where an id that Gymnasium does not know may come from: packages that are installed, and what the person trusts.

An installed package says which ids it has by an entry point, a function that registers them. It is called only when one
of its ids is asked for and nobody knows it yet:

    rltrain.environments      `NAME = "package.module:register"`, for ids `NAME/…`
    gymnasium.envs            `NAME = "package.module:register"`, of the days before Gymnasium 1.0; `__root__`: any ids
    gymnasium.envs.NAME       the same with the namespace in the group's name

Others must be imported by a person; of those that are widely used, the error says which one it is.
"""

from __future__ import annotations

import importlib.util
import inspect
import os
from collections.abc import Iterator, Sequence
from importlib.metadata import EntryPoint
from typing import Any, NamedTuple

from rltrain import imports, registering, source_files, trust
from rltrain.errors import EnvironmentFault, InputError, MissingError, NotBroughtError
from rltrain.guard import running

ROOT = ("__root__", "__internal__")  # names of ids without a namespace
HOW = "an environment of your own, or of another package: --import ./my_env.py, or --import my_package"


class Known(NamedTuple):
    """A package whose ids are known by how they begin."""

    module: str  # what --import takes
    package: str  # what pip takes
    prefixes: tuple[str, ...]


KNOWN = (
    Known("minigrid", "minigrid", ("MiniGrid-", "BabyAI-")),
    Known(
        "highway_env",
        "highway-env",
        ("highway-", "merge-", "roundabout-", "parking-", "intersection-", "racetrack-", "exit-v", "u-turn-"),
    ),
    Known("flappy_bird_gymnasium", "flappy-bird-gymnasium", ("FlappyBird-",)),
    Known("minatar.gym:register_envs", "minatar", ("MinAtar/",)),
    Known(
        "gymnasium_robotics",
        "gymnasium-robotics",
        ("Fetch", "HandReach", "HandManipulate", "AntMaze_", "PointMaze_", "AdroitHand", "FrankaKitchen-"),
    ),
    Known("vizdoom.gymnasium_wrapper", "vizdoom", ("Vizdoom", "VizDoom")),
    Known("miniworld", "miniworld", ("MiniWorld-",)),
    Known("miniwob", "miniwob", ("miniwob/",)),
    Known("panda_gym", "panda-gym", ("PandaReach", "PandaPush", "PandaPickAndPlace", "PandaSlide", "PandaStack")),
    Known("PyFlyt.gym_envs", "pyflyt", ("PyFlyt/",)),
    Known("pybullet_envs_gymnasium", "pybullet-envs-gymnasium", ("AntBullet", "HalfCheetahBullet", "HopperBullet")),
    Known("tetris_gymnasium.envs", "tetris-gymnasium", ("tetris_gymnasium/",)),
    Known("metaworld", "metaworld", ("Meta-World/",)),
    Known("nle", "nle", ("NetHack",)),
    Known("shimmy", "shimmy[dm-control]", ("dm_control/",)),
    Known("shimmy", "shimmy[bsuite]", ("bsuite/",)),
)


def tried(env_id: str) -> Iterator[str]:
    """Try one after the other what may know this id; after each, its fault in a sentence, or "" where it has none.

    Whoever asks looks after each whether the id is registered, and leaves when it is.
    """
    space, slash, _ = env_id.rpartition("/")
    imports.provide(env_id)
    yield ""
    for point in _points(space if slash else ROOT[0]):
        yield _called(point, space)
    try:
        trusted = trust.load()
    except InputError as error:
        yield str(error)
        return
    for given in sorted(trusted.all(), key=lambda given: _module_of(given) != space.casefold()):
        yield _trusted(given, trusted.files.get(given), ours=bool(slash) and _module_of(given) == space.casefold())


def registers(found: object) -> bool:
    """Whether what an entry point of GROUP names is a function that registers ids, and no kind of environment."""
    return inspect.isroutine(found)


def of_package(env_id: str, faults: Sequence[str]) -> MissingError | None:
    """The error for an id of a package or a file that is known by how the id begins. None for any other,
    and for what was imported already: it has no such id.

    faults   what was wrong with packages that might have known it
    """
    space = env_id.rpartition("/")[0]
    known = next((known for known in KNOWN if env_id.startswith(known.prefixes)), None)
    if env_id.startswith(imports.IN_PYTHON):
        name = env_id.removeprefix(imports.IN_PYTHON)
        rule = f"give `environment={name}` there, or --import the file that defines the class {name}"
        return MissingError(f"environment.id: {env_id} was handed over in a program; {rule}")
    if known is None and space.isidentifier():
        here = next((path for path in (f"./{space}.py", f"./{space}/__init__.py") if os.path.isfile(path)), None)
        module = (here or "").removesuffix("/__init__.py") or (space if _is_installed(space) else "")
        known = Known(module, space, ()) if module else None
    if known is None or imports.was_brought(known.module):
        return None
    if not source_files.is_file(known.module) and not _is_installed(known.module):
        more = f"pip install {known.package}, then add --import {known.module}"
        return MissingError(f"environment.id: {env_id} is of the package {known.package}: {more}")
    own = [fault for fault in faults if known.module.partition(":")[0].partition(".")[0] in fault]
    what = known.module if source_files.is_file(known.module) else f"the package {known.package}, which is installed"
    rule = f"and only you may import it; if you trust it: --import {known.module}"
    return NotBroughtError("; ".join([f"environment.id: {env_id} is of {what}, {rule}", *own]), [known.module])


def _is_installed(module: str) -> bool:
    """Whether there is such a top-level module. Nothing is imported."""
    return importlib.util.find_spec(module.partition(":")[0].partition(".")[0]) is not None


def _module_of(given: str) -> str:
    """The top-level module of what is trusted, in small letters: of /home/me/my_env.py my_env."""
    return imports.name_of(given).partition(":")[0].partition(".")[0].casefold()


def _points(space: str) -> list[EntryPoint]:
    """The entry points of installed packages that register the ids of a namespace."""
    found = []
    for point in registering.entry_points():
        name = point.group.removeprefix(registering.OLD_GROUP).removeprefix(".") or point.name
        if point.group == registering.GROUP:
            name = point.name
        if name == space or (name in ROOT and space in ROOT):
            found.append(point)
    return found


def _called(point: EntryPoint, space: str) -> str:
    """Let a package register its ids. Returns what is wrong with it, or ""."""
    what = f"the entry point '{point.name}' ({point.value}) of {point.group}"
    try:
        with running(what), registering.namespace(space or None):
            found: Any = point.load()
            if registers(found):
                found()
    except (InputError, MissingError, EnvironmentFault) as error:
        return str(error)
    return ""


def _trusted(given: str, sha256: str | None, ours: bool) -> str:
    """Import something that is trusted. Returns what is wrong with it, or ""; raises that if the id is `ours`."""
    try:
        imports.bring(given, sha256)
    except (InputError, MissingError, EnvironmentFault) as error:
        if ours:
            raise
        return str(error)
    return ""
