"""status.json and config.yaml of a run folder that nobody vouches for.

The folder may be somebody else's, half written, or edited by hand. So every value is looked at before it is used, and
what is not as a run writes it is left out and reported: a fault is a line that names the file, the key, what stands
there and what belongs there. Nothing here raises for what a file holds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from rltrain import yaml_subset
from rltrain.plain_files import LARGEST, is_count, read_json, read_plain, reason
from rltrain.run import believed
from rltrain.spelling import described, shown

STATUS, CONFIG = "status.json", "config.yaml"
MOST_BYTES = 100_000  # of a file: ours have a few thousand, and a list of many runs must not wait for one
MOST_NAMES = 100  # of counters: ours have three
MOST_SECONDS = 1e11  # of the clock: the year 5138
Faults = list[str]


@dataclass(frozen=True)
class UnverifiedStatus:
    """The contents of status.json, unverified: None and empty where a value is missing or not as a run writes it."""

    state: str | None = None
    counters: Mapping[str, int] = field(default_factory=dict)
    score: float | None = None
    scored: str | None = None  # evaluation or training: what the score is of
    best_score: float | None = None  # of the best evaluation
    best_step: int | None = None  # the count at which it was made
    updated: float | None = None  # Unix time, seconds
    faults: tuple[str, ...] = ()


@dataclass(frozen=True)
class UnverifiedConfig:
    """The contents of config.yaml, unverified: None and empty where a value is missing or not as a run writes it."""

    value: Mapping[str, Any] | None = None
    algorithm: str | None = None
    environment: str | None = None
    budget: Mapping[str, int] = field(default_factory=dict)
    seed: int = 0
    faults: tuple[str, ...] = ()
    edits: tuple[str, ...] = ()  # what was edited since the newest checkpoint, which is believed: see `believed`


def status(folder: Path) -> UnverifiedStatus:
    """Read the status.json of a run. A file that is not there yet is no fault."""
    faults: Faults = []
    try:
        found = read_json(folder / STATUS, MOST_BYTES)
    except FileNotFoundError:
        return UnverifiedStatus()
    except (OSError, ValueError) as error:
        return UnverifiedStatus(faults=(f"{STATUS}: cannot be read: {shown(reason(error))}",))
    if not isinstance(found, dict):
        return UnverifiedStatus(faults=(f"{STATUS}: expected an object, found {described(found)}",))
    best = _value(found, "best", "an object", _is_object, faults) or {}
    updated = _value(found, "updated", "seconds since 1970", _is_time, faults)
    return UnverifiedStatus(
        state=_value(found, "state", "a word", _is_text, faults),
        counters=_counts(found, "counters", faults),
        score=_finite(_value(found, "score", "a number", _is_number, faults)),
        scored=_value(found, "scored", "a word", _is_text, faults),
        best_score=_finite(_value(best, "score", "a number", _is_number, faults, "best.")),
        best_step=_value(best, "step", "a whole number", is_count, faults, "best."),
        updated=None if updated is None else float(updated),
        faults=tuple(f"{STATUS}: {fault}" for fault in faults),
    )


def config(folder: Path, file: str = CONFIG) -> UnverifiedConfig:
    """Read the config.yaml of a run, or another config in its folder. What is missing or broken is in `faults`.

    Of config.yaml what was edited is not believed, and is in `edits`.
    """
    faults: Faults = []
    try:
        text = read_plain(folder / file, MOST_BYTES).decode()
        document = yaml_subset.read(text)
    except (OSError, ValueError) as error:
        return UnverifiedConfig(faults=(f"{file}: cannot be read: {shown(reason(error))}",))
    if not isinstance(document.value, dict):
        rules = [f":{fault.line}: {shown(fault.rule)}" for fault in document.faults[:1]]
        rule = rules[0] if rules else f": expected settings, found {described(document.value)}"
        return UnverifiedConfig(faults=(f"{file}{rule}",))
    found, edited = believed.settings(folder, text, document.value) if file == CONFIG else (document.value, [])
    faults += [f"line {fault.line}: {shown(fault.rule)}" for fault in document.faults[:1]]
    blocks = {name: _value(found, name, "a block of settings", _is_object, faults) or {} for name in _BLOCKS}
    name = _value(blocks["algorithm"], "name", "a name", _is_text, faults, "algorithm.", needed=True)
    world = _value(blocks["environment"], "id", "a name", _is_text, faults, "environment.", needed=True)
    budget = _counts(blocks["run"], "budget", faults, "run.", least=1)
    if not budget and not faults:
        faults.append("run.budget: expected what ends the run, found nothing")
    seed = _value(blocks["run"], "seed", "a whole number", is_count, faults, "run.") or 0
    faults = [f"{file}: {fault}" for fault in faults]
    return UnverifiedConfig(found, name, world, budget, seed, tuple(faults), tuple(edited))


_BLOCKS = ("algorithm", "environment", "run")


def _value(
    tree: Mapping[str, Any],
    key: str,
    what: str,
    fits: Callable[[Any], bool],
    faults: Faults,
    place: str = "",
    needed: bool = False,
) -> Any:
    """The value of a key; None, and a fault, for one that does not fit."""
    value = tree.get(key)
    if value is None and not needed:
        return None
    if value is not None and fits(value):
        return value
    faults.append(f"{place}{key}: expected {what}, found {described(value)}")
    return None


def _counts(tree: Mapping[str, Any], key: str, faults: Faults, place: str = "", least: int = 0) -> dict[str, int]:
    """Names and whole numbers, without those that do not fit."""
    found = _value(tree, key, "names and whole numbers", _is_object, faults, place) or {}
    counts = {}
    for name, value in islice(found.items(), MOST_NAMES):
        if is_count(value) and value >= least:
            counts[str(name)] = value
        elif value is not None:
            what = f"a whole number from {least}" if is_count(value) else "a whole number"
            faults.append(f"{place}{key}.{shown(str(name)[:60])}: expected {what}, found {described(value)}")
    return counts


def _is_object(value: Any) -> bool:
    return isinstance(value, dict)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def _is_number(value: Any) -> bool:
    """Finite, or NaN where a run has no score yet."""
    return type(value) in (int, float) and (value != value or -LARGEST <= value <= LARGEST)


def _is_time(value: Any) -> bool:
    return type(value) in (int, float) and 0 <= value < MOST_SECONDS


def _finite(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else float(value)
