"""How far a run is, from the files in its folder: the same for one that runs, has ended, or was never begun."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from rltrain.plain_files import last_json_line
from rltrain.run.group import status

State = Literal["waiting", "running", "finished", "stopped", "diverged", "failed"]


@dataclass(frozen=True)
class Progress:
    """What the files say."""

    counters: Mapping[str, int]
    metrics: Mapping[str, float]  # of the last step; NaN where unknown
    seconds: float  # of all sessions
    last: float | None  # score of the last evaluation
    best: float | None  # of the best


@dataclass(frozen=True)
class Row:
    """One seed at one moment."""

    seed: int
    state: State
    progress: Progress


def progress(folder: Path) -> Progress:
    """Of the run in this folder. What cannot be read is left out."""
    step, said = last_row(folder / "metrics.jsonl"), status(folder)
    evaluated = _number(last_row(folder / "eval.jsonl").get("mean"))
    known = said.get("best")
    best = _number(known.get("score")) if isinstance(known, dict) else math.nan
    scores = [score for score in (best, evaluated) if math.isfinite(score)]
    return Progress(
        counters={name: value for name, value in step.items() if type(value) is int},  # metrics have a point
        metrics={name: _number(value) for name, value in step.items() if type(value) is not int},
        seconds=_number(last_row(folder / "timings.jsonl").get("elapsed_seconds")),
        last=evaluated if math.isfinite(evaluated) else None,
        best=max(scores, default=None),
    )


def last_row(path: Path) -> Mapping[str, Any]:
    """The last whole line of a file of JSON lines; empty if there is none. Long files are read from their end."""
    try:
        return last_json_line(path)
    except (OSError, ValueError):
        return {}


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else math.nan
