"""By what several seeds are compared: the score of each, their mean with an interval, and what seeds.json holds.

A seed's score is that of its last evaluation, not of its best: the best of several looks better than it is. Without
evaluations it is the mean of the training games, and of a table that plays none its distance from the truth. Only seeds
that finished count; how many did not is said beside the mean.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rltrain import words
from rltrain.run.across_seeds import Across, across
from rltrain.verbs import metrics
from rltrain.verbs.seeds.progress import SeedProgress, SeedRow


@dataclass(frozen=True)
class Measure:
    """By what seeds are compared."""

    metric: str | None  # None: the last evaluation
    name: str  # for people
    form: metrics.Form

    def of(self, progress: SeedProgress) -> float | None:
        """The score; None where it is not known yet."""
        if self.metric is None:
            return progress.last
        value = progress.metrics.get(self.metric, math.nan)
        return value if math.isfinite(value) else None


EVALUATION = Measure(None, "last evaluation", words.score)
GAMES = Measure("return/mean", "mean of training games", words.score)


def measure_of(rows: Sequence[SeedRow]) -> Measure:
    """What scores these runs, as far as they are."""
    if any(row.progress.last is not None for row in rows):
        return EVALUATION
    values: dict[str, float] = {}
    for row in rows:
        values |= {name: value for name, value in row.progress.metrics.items() if math.isfinite(value)}
    if GAMES.metric in values:
        return GAMES
    known = metrics.chosen(values)
    if not known:
        return GAMES
    metric, (heading, form) = next(iter({**{k: v for k, v in known.items() if k in metrics.TABULAR}, **known}.items()))
    return Measure(metric, heading, form)


def together(measure: Measure, rows: Sequence[SeedRow], unfinished_too: bool = False) -> Across | None:
    """The scores of the seeds that finished, or as they stand; None while there are none."""
    scores = [measure.of(row.progress) for row in rows if unfinished_too or row.state == "finished"]
    return across([score for score in scores if score is not None])


def results(
    measure: Measure,
    rows: Sequence[SeedRow],
    codes: Mapping[int, int | None],
    folders: Mapping[int, str],
    seconds: float,
) -> dict[str, Any]:
    """What seeds.json holds: each seed, and all together. `codes`: of the processes of this session, by seed."""
    found = together(measure, rows)
    return {
        "measure": measure.metric or "evaluation",
        "of_finished_seeds": None if found is None else found.json(),
        "seconds": seconds,
        "seeds": [
            {
                "seed": row.seed,
                "run": folders[row.seed],
                "state": row.state,
                "exit_code": codes.get(row.seed),
                "counters": dict(row.progress.counters),
                "score": measure.of(row.progress),
                "best": row.progress.best,
                "seconds": row.progress.seconds if math.isfinite(row.progress.seconds) else None,
            }
            for row in rows
        ],
    }
