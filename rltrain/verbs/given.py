"""What a program gives to a function of `api`, held against its type and range: overrides, numbers, paths and texts.

The command line has types of its own; a program may give anything, and nothing of it is guessed at.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from rltrain.errors import InputError
from rltrain.spelling import described, nearest, shown
from rltrain.yaml_subset import flow

Overrides = Mapping[str, Any] | Iterable[str]
DEVICE = re.compile(r"auto|cpu|cuda(:[0-9]{1,3})?")
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


def path_of(what: str, given: Any) -> Path:
    """A path. InputError for anything else, which begins with `what`."""
    return Path(text_of(what, given))


def text_or_none(what: str, given: Any) -> str | None:
    """A text, or None. InputError for anything else, which begins with `what`."""
    if given is not None and not isinstance(given, str):
        raise InputError(f"{what}: expected a text, or None, got {described(given)}")
    return given


def yes_or_no(what: str, given: Any) -> bool:
    """True or False. InputError for anything else, which begins with `what`: "no" is no False."""
    value = plain(given)
    if not isinstance(value, bool):
        raise InputError(f"{what}: expected True or False, got {described(value)}")
    return value


def one_of(what: str, given: Any, known: Sequence[str]) -> str:
    """One of these texts. InputError for anything else, which begins with `what`, and says what is nearest."""
    if isinstance(given, str) and given in known:
        return given
    near = nearest(given, known) if isinstance(given, str) else None
    hint = "" if near is None else f"; did you mean '{near}'?"
    raise InputError(f"{what}: expected one of {', '.join(known)}, got {described(given)}{hint}")


def chance(what: str, given: Any) -> float | None:
    """A number from 0 to 1, or None. InputError for anything else, which begins with `what`."""
    value = plain(given)
    if value is None or (type(value) in (int, float) and 0 <= value <= 1):
        return value  # type: ignore[no-any-return]
    raise InputError(f"{what}: expected a number from 0 to 1, or None, got {described(value)}")


def positive(what: str, given: Any) -> float:
    """A finite number above 0. InputError for anything else, which begins with `what`."""
    value = plain(given)
    if type(value) not in (int, float) or not 0 < value < float("inf"):
        raise InputError(f"{what}: expected a number above 0, got {described(value)}")
    return float(value)


def device_of(given: Any) -> str | None:
    """A device, or None. InputError, which begins with `device`, for what no device is called."""
    if given is None or (isinstance(given, str) and DEVICE.fullmatch(given)):
        return given
    raise InputError(f"device: expected auto, cpu, cuda or cuda:N, or None, got {described(given)}")


def discount_of(given: Any) -> float | str | Fraction | None:
    """A discount as a number or a text, whose value is looked at later. InputError for what is neither."""
    value = plain(given)
    if value is None or (isinstance(value, int | float | str | Fraction) and not isinstance(value, bool)):
        return value
    raise InputError(f"discount: expected a number from 0 to 1, or '19/20', got {described(value)}")


def block(what: str, given: Any) -> dict[str, Any]:
    """A mapping as YAML knows it; None is an empty one. InputError for anything else, which begins with `what`."""
    if given is not None and not isinstance(given, Mapping):
        raise InputError(f"{what}: expected a mapping, got {described(given)}")
    found: dict[str, Any] = plain(given or {})
    return found
