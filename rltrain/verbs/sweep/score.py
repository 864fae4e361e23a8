"""What a run of a trial scored: of its evaluations the last, the best, or the mean of all."""

from __future__ import annotations

import math
import statistics
from pathlib import Path

from rltrain.errors import CheckpointError
from rltrain.plain_files import as_number, json_lines, reason
from rltrain.spelling import shown


def score_of(run: Path, kind: str) -> float:
    """The score of the run in this folder: `eval`, `best` or `auc`, the mean of all, as they are evenly spaced.

    CheckpointError if it was not evaluated.
    """
    path = run / "eval.jsonl"
    try:
        means = [as_number(row.get("mean")) for row in json_lines(path)]
    except FileNotFoundError:
        means = []
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {shown(reason(error))}") from error
    means = [mean for mean in means if math.isfinite(mean)]
    if not means:
        rule = "ended before its first evaluation, so it has no score; lower run.evaluate.every"
        raise CheckpointError(f"{run}: {rule}, or raise run.budget, in a sweep of its own")
    return {"eval": means[-1], "best": max(means), "auc": statistics.fmean(means)}[kind]
