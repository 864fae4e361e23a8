"""What a person reads of several seeds together: their mean with an interval, and how many were solved."""

from __future__ import annotations

from collections.abc import Sequence

from rltrain import words
from rltrain.experiment.config import Experiment
from rltrain.run.across_seeds import Across, across
from rltrain.verbs import metrics
from rltrain.verbs.seeds.measure import Measure, together
from rltrain.verbs.seeds.progress import SeedRow


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
