"""What a run of a trial scored: of its evaluations the last, the best, or the mean of all.

Those count that it made up to the end of its budget, the one with which it came there included. So somebody who
resumes the run further, before it is scored, changes nothing.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rltrain.errors import CheckpointError, InputError
from rltrain.plain_files import as_number
from rltrain.report import row_files


def score_of(run: Path, kind: str, budget: Mapping[str, int]) -> float:
    """The score of the run in this folder: `eval`, `best` or `auc`, the mean of all, as they are evenly spaced.

    budget   {counter: limit}: evaluations after the first that reaches one of them are left out
    CheckpointError if it was not evaluated.
    """
    path = run / "eval.jsonl"
    try:
        means = [as_number(row.get("mean")) for row in _within(budget, row_files.rows(path))]
    except InputError as error:
        raise CheckpointError(str(error)) from error
    means = [mean for mean in means if math.isfinite(mean)]
    if not means:
        if damaged := row_files.damage(path):
            raise CheckpointError(f"{run}: {damaged[0]}")
        rule = "ended before its first evaluation, so it has no score; lower run.evaluate.every"
        raise CheckpointError(f"{run}: {rule}, or raise run.budget, in a sweep of its own")
    return {"eval": means[-1], "best": max(means), "auc": statistics.fmean(means)}[kind]


def _within(budget: Mapping[str, int], rows: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for row in rows:
        yield row
        if any(as_number(row.get(counter)) >= limit for counter, limit in budget.items()):
            return
