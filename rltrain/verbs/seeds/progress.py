"""How far a run is, from the files in its folder: the same for one that runs, has ended, or was never begun."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rltrain.launchers.job import RunState
from rltrain.plain_files import as_number, is_count, last_json_line
from rltrain.run import unverified


@dataclass(frozen=True)
class SeedProgress:
    """What the files say."""

    counters: Mapping[str, int]
    metrics: Mapping[str, float]  # of the last step; NaN where unknown
    seconds: float  # of all sessions
    last: float | None  # score of the last evaluation
    best: float | None  # of the best


@dataclass(frozen=True)
class SeedRow:
    """One seed at one moment."""

    seed: int
    state: RunState
    progress: SeedProgress


def progress(folder: Path) -> SeedProgress:
    """Of the run in this folder. What cannot be read is left out."""
    step, best = last_row(folder / "metrics.jsonl"), unverified.status(folder).best_score
    evaluated = as_number(last_row(folder / "eval.jsonl").get("mean"))
    scores = [score for score in (math.nan if best is None else best, evaluated) if math.isfinite(score)]
    return SeedProgress(
        counters={name: value for name, value in step.items() if is_count(value)},  # metrics have a point
        metrics={name: as_number(value) for name, value in step.items() if type(value) is not int},
        seconds=as_number(last_row(folder / "timings.jsonl").get("elapsed_seconds")),
        last=evaluated if math.isfinite(evaluated) else None,
        best=max(scores, default=None),
    )


def last_row(path: Path) -> Mapping[str, Any]:
    """The last whole line of a file of JSON lines; empty if there is none. Long files are read from their end."""
    try:
        return last_json_line(path)
    except (OSError, ValueError):
        return {}
