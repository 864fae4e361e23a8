"""What came of several seeds: the score of each, their mean with an interval, and what is written into seeds.json.

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
from rltrain.cli import metrics
from rltrain.experiment.config import Experiment
from rltrain.run.across_seeds import Across, across
from rltrain.verbs.seeds.children import Child
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


def interval(found: Across, form: metrics.Form) -> str:
    """41.4 (95 % interval 40.9 to 41.9)"""
    mean = form(found.mean)
    return f"{mean} (95 % interval {form(found.ci95[0])} to {form(found.ci95[1])})" if found.ci95 else mean


def result_lines(measure: Measure, rows: Sequence[SeedRow], until: float | None = None) -> list[str]:
    """What is said of all seeds together, at the end; `until` is the score of an evaluation that ended each run."""
    found = together(measure, rows)
    left = len(rows) - sum(row.state == "finished" for row in rows)
    missing = f"; {left} unfinished not counted" if left else ""
    if until is not None:  # the same games told when to stop, so they flatter
        missing += f"; each ended by reaching {words.score(until)}: `rltrain eval` plays new games"
    return [] if found is None else across_lines(measure.name, found, measure.form, missing)


def solved_line(experiment: Experiment, rows: Sequence[SeedRow]) -> list[str]:
    """How many came to the score at which they were to end, and after how long; nothing if there is none."""
    until = experiment.run.evaluate.until
    if until is None:
        return []
    solved = [row for row in rows if row.progress.best is not None and row.progress.best >= until]
    unit = metrics.measure(experiment.run.budget or {})
    counts = across([float(row.progress.counters[unit]) for row in solved if unit in row.progress.counters])
    after = ""
    if counts is not None:
        low, high = words.count(counts.min), words.count(counts.max)
        after = f", after {words.count(counts.median)} {words.counter(unit)} (median; {low} to {high})"
    return [f"solved, at {words.score(until)}: {len(solved)} of {len(rows)} seeds{after}"]


def across_lines(what: str, found: Across, form: metrics.Form, missing: str = "") -> list[str]:
    """The numbers over seeds, and what they are; `missing` says which seeds are not in them."""
    lines = [f"{what}, {found.n} seed{'s' if found.n > 1 else ''}{missing}"]
    if found.ci95 is None or found.sd is None:
        return [*lines, f"  mean    {form(found.mean)}   (an interval needs two seeds)"]
    low, high = (form(end) for end in found.ci95)
    lines.append(f"  mean    {form(found.mean)}   (95 % interval {low} to {high}, Student's t over seeds)")
    if found.iqm is not None:
        lines.append(f"  IQM     {form(found.iqm)}   (interquartile mean: without the best and the worst quarter)")
    lines.append(
        f"  median  {form(found.median)}   min {form(found.min)}   max {form(found.max)}   sd {form(found.sd)}"
    )
    return lines


def results(
    measure: Measure, rows: Sequence[SeedRow], children: Mapping[int, Child], folders: Mapping[int, str], seconds: float
) -> dict[str, Any]:
    """What seeds.json holds: each seed, and all together."""
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
                "exit_code": children[row.seed].code,
                "counters": dict(row.progress.counters),
                "score": measure.of(row.progress),
                "best": row.progress.best,
                "seconds": row.progress.seconds if math.isfinite(row.progress.seconds) else None,
            }
            for row in rows
        ],
    }
