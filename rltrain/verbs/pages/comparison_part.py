"""The part of a page that says which of several groups of runs is better, as `rltrain compare` does."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from rltrain import words
from rltrain.errors import RltrainError
from rltrain.progress import Progress
from rltrain.report.groups import PlotGroup
from rltrain.report.html_page import HtmlTable, PageSection
from rltrain.report.verdict import chance
from rltrain.verbs.compare import ComparedSides, compare


def compared(names: Sequence[str], runs_dir: Path, progress: Progress) -> ComparedSides | None:
    """The comparison of runs that are given by names, folders or patterns; None where they cannot be compared."""
    with suppress(RltrainError):
        return compare(names, by=None, runs_dir=runs_dir, progress=progress)
    with suppress(RltrainError):
        return compare(names, by="environment", runs_dir=runs_dir, progress=progress)
    return None


def called_alike(groups: Sequence[PlotGroup], found: ComparedSides) -> list[PlotGroup]:
    """Groups of runs under the names that their sides have, where each side is one of them: one name for one thing."""
    sides = {run: side.label for side in found.sides for run in side.runs}
    labels = [{sides.get(str(run.folder)) for run in group.runs} for group in groups]
    one = [next(iter(own)) for own in labels if len(own) == 1]
    if len(one) < len(groups) or None in one or len(set(one)) < len(groups):
        return list(groups)
    return [replace(group, label=str(label)) for group, label in zip(groups, one, strict=True)]


def section(found: ComparedSides) -> PageSection:
    """Each side with its mean, its IQM and their intervals, and what makes the comparison less than fair."""
    write = words.share if found.scale else words.score
    rows = [
        [
            side.label,
            str(sum(map(len, side.seeds.values()))),
            write(side.mean),
            "-" if side.mean_low is None else f"{write(side.mean_low)} to {write(side.mean_high)}",
            write(side.iqm),
            "-" if side.iqm_low is None else f"{write(side.iqm_low)} to {write(side.iqm_high)}",
        ]
        for side in found.sides
    ]
    head = ("", "runs", "mean", "95 % interval", "IQM", "95 % interval")
    on = f"{found.measure} on {', '.join(found.environments)}"
    text = [on + (", as shares of what there is to win" if found.scale else "")]
    for duel in found.duels:
        probability = chance(duel.probability, duel.probability_low, duel.probability_high)
        text.append(f"P({duel.better} > {duel.other}) = {probability}")
    return PageSection("Which is better", [*text, *found.notes], HtmlTable(head, rows, (False, *(True,) * 5)))
