"""How far a run came, by what it wrote: its state, and the counts of the last thing that stands in its folder.

status.json is written every two seconds at most, and never again by a process that is killed: it may be behind what the
run wrote, or be damaged. So the counts are those of the last row of training, the last evaluation or the newest
checkpoint, whichever is furthest, and status.json only says how the run ended.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rltrain.errors import CheckpointError
from rltrain.plain_files import is_count, json_lines, last_json_line, reason
from rltrain.run import unverified
from rltrain.run.lock import is_locked
from rltrain.run.reading import newest_meta
from rltrain.spelling import shown

KILLED = "killed"  # the state of a run that had no time to say how it ended
LOGS = ("metrics.jsonl", "eval.jsonl")


@dataclass(frozen=True)
class HowFar:
    """What a run's folder shows of its end."""

    state: str  # running, finished, interrupted, killed, diverged, crashed ...; "" where it is not known
    counters: Mapping[str, int]  # of the last that it wrote; empty: it wrote nothing
    evaluated: bool  # whether an evaluation was written there
    faults: tuple[str, ...]  # what is damaged, a file each


def state_of(folder: Path) -> str:
    """What a run says of its own state; `killed` where it had no time to, "" where status.json cannot tell."""
    if is_locked(folder):
        return "running"
    found = unverified.status(folder).state
    return KILLED if found == "running" else found or ""


def of(folder: Path, primary: str, budget: Mapping[str, int]) -> HowFar:
    """How far the run in this folder came, counted by `primary`. A run with a `budget` that is spent is at its end."""
    there = os.path.lexists(folder / unverified.STATUS)
    faults = [*unverified.status(folder).faults] if there else [f"{unverified.STATUS}: is missing"]
    reached: dict[str, dict[str, int]] = {}
    for name in LOGS:
        try:
            reached[name] = {key: value for key, value in _last_row(folder / name).items() if is_count(value)}
        except FileNotFoundError:
            continue
        except OSError as error:
            faults.append(f"{name}: cannot be read: {shown(reason(error))}")
    saved = _saved(folder)
    furthest = max([saved, *reached.values()], key=lambda counters: counters.get(primary, 0))
    evaluated = bool(furthest) and reached.get("eval.jsonl", {}).get(primary) == furthest.get(primary)
    state = state_of(folder)
    if not state and any(saved.get(name, 0) >= limit for name, limit in budget.items()):
        state = "finished"
    return HowFar(state, furthest, evaluated, tuple(faults))


def _last_row(path: Path) -> dict[str, Any]:
    """The last row of a file of JSON lines that can be read; empty if there is none. OSError."""
    with suppress(ValueError):
        return last_json_line(path)
    last: dict[str, Any] = {}
    for row in json_lines(path):
        last = row
    return last


def _saved(folder: Path) -> dict[str, int]:
    """The counts of the newest checkpoint whose manifest is whole; empty if there is none."""
    found = newest_meta(folder)
    if found is None:
        return {}
    with suppress(CheckpointError):
        counters = found[1].part("counters")
        return {key: counters.integer(key) for key in counters}
    return {}
