"""What all views know of metrics: which get a column, what stands above it, and how its numbers are written."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from rltrain import words
from rltrain.spelling import shown

Form = Callable[[float | None], str]
COLUMNS: dict[
    str, tuple[str, Form]
] = {  # metric -> heading and format; other metrics follow as far as the width allows
    "return/mean": ("mean", words.score),
    "root/value": ("V(root)", words.number),
    "root/exact": ("exact", words.number),
    "error/root": ("error", words.number),
    "return/min": ("min", words.score),
    "return/max": ("max", words.score),
    "population/best": ("best", words.score),
    "population/median": ("median", words.score),
    "population/sd": ("spread", words.score),
    "loss/td": ("loss", words.number),
    "q/mean": ("Q", words.number),
    "epsilon": ("epsilon", words.share),
    "value/start": ("V(start)", words.number),
    "error/max": ("error", words.number),
    "bound": ("bound", words.number),
    "policy/right": ("right", words.share),
    "regret": ("regret", words.number),
    "change/max": ("change", words.number),
}
ELSEWHERE = (
    "episodes",
    "replay/fill",
    "return/last",
    "length/mean",
    "champion/games",
)  # shown below the rows, or not worth a column
TABULAR = ("error/max", "bound")  # a metric of those that tell how far a table is from the truth
MOST_COLUMNS = 6
POPULATION = "population/best"  # a metric of those that try many policies at a time


def measure(budget: Mapping[str, int]) -> str:
    """The counter that stands for how far a run is: the first that the budget limits."""
    return next(iter(budget), "env_steps")


def is_tabular(metrics: Mapping[str, float]) -> bool:
    """Whether these are of a run that keeps a table of values, which the truth may be known of."""
    return any(name in metrics for name in TABULAR)


def chosen(metrics: Mapping[str, float]) -> dict[str, tuple[str, Form]]:
    """The metrics that get a column: those that are known first, then as many others as fit."""
    columns = {key: column for key, column in COLUMNS.items() if key in metrics}
    if is_tabular(metrics):  # without those that this world never has, and the curves of single learners
        known = [key for key in columns if not math.isnan(metrics[key])]
        return {key: columns[key] for key in known[:MOST_COLUMNS]}
    for key in metrics:
        if len(columns) < MOST_COLUMNS and key not in columns and key not in ELSEWHERE:
            columns[key] = (shown(key.rsplit("/", 1)[-1])[:9], words.number)
    return columns


def remaining(progress: Mapping[str, float], metrics: Mapping[str, float] | None = None) -> float:
    """Seconds to go, at the average speed so far; no more than `run.max_wall` allows.

    Sweeps end when their bound is proven, and seldom with their budget: of them only `run.max_wall` says anything.
    """
    share = 0.0 if metrics is not None and "bound" in metrics else progress["share"]
    left = progress["elapsed_seconds"] * (1 - share) / share if share > 0 else math.inf
    left = min(left, progress.get("wall_seconds_left", math.inf))
    return left if left < math.inf else math.nan
