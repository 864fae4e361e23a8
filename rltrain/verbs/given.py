"""What a program gives to a function of `api`, as the command line has it: overrides, numbers, paths and texts."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from rltrain.errors import InputError
from rltrain.spelling import described, shown
from rltrain.yaml_subset import flow

Overrides = Mapping[str, Any] | Iterable[str]
BLOCKS = ("algorithm", "environment", "run")


def settings_of(overrides: Overrides, seed: int | None = None, max_wall: str | int | None = None) -> list[str]:
    """Overrides as the command line has them. A mapping in a mapping is a block: it replaces the block.

    >>> settings_of({"algorithm.gamma": 0.9, "run": {"seed": 3}}, max_wall=90)
    ['algorithm.gamma=0.9', 'run.seed=3', 'run.max_wall=90s']
    """
    if isinstance(overrides, str):
        raise InputError(f"overrides: {shown(overrides)!r} is one text; write a list of them, or a mapping")
    if not isinstance(overrides, Mapping):
        overrides = list(overrides) if isinstance(overrides, Iterable) else [overrides]
        if wrong := [each for each in overrides if not isinstance(each, str)]:
            rule = "expected a mapping, or texts such as 'algorithm.gamma=0.95'"
            raise InputError(f"overrides: {rule}, got {described(wrong[0])}")
    given: dict[str, Any] = {}
    for key, value in overrides.items() if isinstance(overrides, Mapping) else ():
        inside = key in BLOCKS and isinstance(value, Mapping)
        given |= {f"{key}.{name}": item for name, item in value.items()} if inside else {key: value}
    if seed is not None:
        given["run.seed"] = seed
    if max_wall is not None:
        seconds = plain(max_wall)
        given["run.max_wall"] = f"{seconds}s" if type(seconds) is int else seconds
    texts = [] if isinstance(overrides, Mapping) else overrides
    return [*texts, *(f"{key}={written(key, flow, value)}" for key, value in given.items())]


def plain(value: Any) -> Any:
    """A value as YAML knows it: a scalar of numpy's is Python's, a path a text, within lists and mappings too."""
    match value:
        case np.generic():
            return value.item()
        case os.PathLike():
            return os.fspath(value)
        case list() | tuple():
            return [plain(item) for item in value]
        case Mapping():
            return {plain(key): plain(item) for key, item in value.items()}
    return value


def written(key: str, form: Callable[[Any], str], value: Any) -> str:
    """A value as YAML, in this form. InputError, which begins with the key, for what has none."""
    try:
        return form(plain(value))
    except (TypeError, RecursionError) as error:
        raise InputError(f"{key}: {error}; numbers, texts, lists and mappings have one") from error


def whole(what: str, value: Any, least: int) -> int:
    """A whole number of at least `least`. InputError for anything else, which begins with `what`."""
    number = plain(value)
    if type(number) is not int or number < least:
        raise InputError(f"{what}: expected a whole number of at least {least}, got {described(number)}")
    return number


def text_of(what: str, given: Any) -> str:
    """A path, a name or a text, as text. InputError for anything else, which begins with `what`."""
    if not isinstance(given, str | os.PathLike):
        raise InputError(f"{what}: expected a path or a text, got {described(given)}")
    return os.fspath(given)
