"""What there is to say of a sweep as a whole, in lines: what its scores are, what mattered, how far to believe it."""

from __future__ import annotations

from collections.abc import Iterator

from rltrain import words
from rltrain.spelling import shown
from rltrain.verbs.sweep import study
from rltrain.verbs.sweep.ranking import SweepReport

SCORES = {"eval": "the last evaluation", "best": "the best evaluation", "auc": "the mean of all evaluations"}


def counts(report: SweepReport) -> Iterator[str]:
    """What the score is, and how many trials have none that counts."""
    seeds = max((row.seeds for row in report.ranking), default=0)
    over = "" if seeds < 2 else f", mean of {seeds} seeds"
    if report.ranking:
        farther = "; who came farther goes before who scored more" if report.halving else ""
        yield f"score: {SCORES[report.score]}{over}{farther}"
    if report.diverged:
        yield f"diverged: {report.diverged:,}, each counted as the worst"
    if report.failed:
        yield f"failed: {report.failed:,}; what they said is in the logs of their folders"


def mattered(report: SweepReport) -> Iterator[str]:
    """How much each setting mattered."""
    if report.importances:
        keys = list(report.importances)
        shares = ", ".join(f"{shown(study.short(key, keys))} {share:.0%}" for key, share in report.importances.items())
        yield f"importance: {shares} (PED-ANOVA: how each tells the best trials from all)"
    elif report.ranking:
        yield f"no importances: {report.no_importances}"


def believed(report: SweepReport) -> Iterator[str]:
    """Why the best score is too good, and by how much."""
    scored = sum(row.rank is not None for row in report.ranking)
    if scored < 2:
        return
    found = report.luck
    if found is None:
        alone = any(row.seeds > 1 for row in report.ranking)  # at the last rung of a halving
        why = "at the rungs before its last" if alone else "and one seed a trial cannot tell by how much"
        yield f"the best of {scored:,} is optimistic: luck chose it too, {why}"
        return
    came = f"{found.candidates:,}" if found.candidates == scored else f"{found.candidates:,} that came as far"
    yield (
        f"the best of {came} is optimistic: of as many equal trials luck alone makes the best seem"
        f" {words.score(found.excess)} better than it is (seeds differ by {words.score(found.sd)}, sd;"
        f" {found.seeds} a trial)"
    )
