"""The algorithms by name: one file of `rltrain/algos` each, and those that other packages bring by entry point.

A package registers an algorithm with an entry point of the group `rltrain.algorithms`: `name = "package.module"`. The
module holds `Config`, `Algorithm`, `TASK` and `DEFAULT_BUDGET`, and `DEFAULT_NUM_ENVS` where one environment is not the
best default. Nothing is imported before it is asked for.
"""

from __future__ import annotations

import ast
import importlib
import importlib.metadata
import importlib.util
from pathlib import Path
from types import ModuleType

from pydantic import BaseModel

from rltrain import algos
from rltrain.errors import InputError, MissingError
from rltrain.spelling import did_you_mean

GROUP = "rltrain.algorithms"
TASKS = ("env", "tabular", "mdp")  # learns from any environment, from numbered states, from a known model


def names() -> list[str]:
    """Every algorithm's name, sorted."""
    return sorted(_modules())


def summary(name: str) -> str:
    """The algorithm's one line: the first of its module's docstring, read without running the module."""
    module = _module_of(name)
    try:
        spec = importlib.util.find_spec(module)
        source = Path(spec.origin).read_bytes() if spec and spec.origin else b""
        docstring = ast.get_docstring(ast.parse(source))
    except (ImportError, OSError, SyntaxError, ValueError):  # another package's broken module must not break a listing
        return ""
    return docstring.partition("\n")[0] if docstring else ""


def load(name: str) -> ModuleType:
    """The algorithm's module. InputError with the nearest name for an unknown one, MissingError for a package."""
    path = _module_of(name)
    try:
        module = importlib.import_module(path)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == algos.__name__.partition(".")[0]:
            raise  # a module of ours is no package that a person can install
        raise MissingError(f"algorithm '{name}' needs the module '{error.name}', which is not installed") from error
    _check(name, module)
    return module


def settings(name: str) -> ModuleType:
    """The module with the algorithm's `Config`, `TASK` and `DEFAULT_BUDGET`, perhaps without the rest.

    An algorithm of ours that imports something heavy keeps these in `_NAME_config.py`, so that a config is checked at
    once.
    """
    _module_of(name)
    light = f"{algos.__name__}._{name}_config"
    return importlib.import_module(light) if importlib.util.find_spec(light) else load(name)


def _check(name: str, module: ModuleType) -> None:
    """Refuse a module that is no algorithm, now rather than in the middle of a run."""
    members = vars(module)
    lacking = [member for member in ("Config", "Algorithm", "TASK", "DEFAULT_BUDGET") if member not in members]
    if lacking:
        raise InputError(f"algorithm '{name}': the module {module.__name__} lacks {', '.join(lacking)}")
    config = members["Config"]
    if not (
        isinstance(config, type) and issubclass(config, BaseModel) and config.model_config.get("extra") == "forbid"
    ):
        raise InputError(
            f"algorithm '{name}': its Config must be a pydantic model with "
            "model_config = rltrain.experiment.config.STRICT"
        )
    if members["TASK"] not in TASKS:
        raise InputError(f"algorithm '{name}': TASK must be one of {', '.join(TASKS)}, is {members['TASK']!r}")


def _module_of(name: str) -> str:
    modules = _modules()
    if name not in modules:
        raise InputError(f"unknown algorithm {name!r}{did_you_mean(name, modules)}")
    return modules[name]


def _modules() -> dict[str, str]:
    """Name -> module. Our own come last: no package replaces them."""
    others = {point.name: point.module for point in importlib.metadata.entry_points(group=GROUP)}
    ours = {
        file.stem: f"{algos.__name__}.{file.stem}"
        for folder in algos.__path__
        for file in Path(folder).glob("[!_]*.py")
    }
    return others | ours
