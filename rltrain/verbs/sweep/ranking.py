"""`rltrain sweep show`: the trials of a sweep from the best to the worst, and how far that order can be believed.

rank          who came farther goes before who scored more; of equal scores the lower number
importance    PED-ANOVA (Watanabe et al. 2023), of Optuna: how a setting tells the best tenth from all the others
luck          of n trials that are equally good, each the mean of k seeds with standard deviation s, the best seems
              s / sqrt(k) * E[max of n standard normals] better than it is
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rltrain.experiment.settings import environment_name
from rltrain.experiment.space import OneOf, Varied
from rltrain.run import unverified
from rltrain.run.across_seeds import student_quantile
from rltrain.run.lock import is_locked
from rltrain.verbs.sweep import dimensions
from rltrain.verbs.sweep import study as studies
from rltrain.verbs.sweep.importance import importances
from rltrain.verbs.sweep.study import TrialRow

FEWEST_FOR_IMPORTANCE = 10  # trials: below, the best tenth is one of them


@dataclass(frozen=True)
class RankedTrial:
    """A trial, its score over seeds, and its place among the others."""

    rank: int | None  # from 1; None: it has no score
    trial: str  # its name
    state: str  # running, finished, paused, diverged or failed
    rung: int | None
    counter: int | None  # how far it came
    score: float | None
    seeds: int  # that were scored
    ci95: tuple[float, float] | None  # Student's, over seeds
    settings: Mapping[str, Any]  # what it tried


@dataclass(frozen=True)
class Luck:
    """What the best of several trials owes to chance, if all were equally good."""

    candidates: int  # trials that came as far as the best
    seeds: int  # of each
    sd: float  # of the seeds of a trial, pooled over trials
    excess: float  # the expected score of the best above the true one


@dataclass(frozen=True)
class SweepReport:
    """A sweep and its trials, the best first."""

    name: str
    folder: str
    state: str  # running, finished or interrupted
    algorithm: str | None
    environment: str | None
    search: str
    score: str  # what of a run's evaluations it is: eval, best or auc
    halving: Mapping[str, Any] | None
    trials: int  # that are to be tried
    scored: int  # that have a first score; one that diverged has the worst
    ended: int  # that have come to their end, or diverged or failed
    diverged: int
    failed: int
    ranking: Sequence[RankedTrial]
    importances: Mapping[str, float] | None  # setting -> share, the sum is 1; the greatest first
    no_importances: str | None  # why there are none
    luck: Luck | None  # None: one seed each, or nothing to choose from

    def json(self) -> dict[str, Any]:
        """All of it as JSON has it."""
        return asdict(self)


def show(name: str, runs_dir: Path) -> SweepReport:
    """The trials of the sweep of this name or path. InputError, or CheckpointError for damaged files."""
    study = studies.read(studies.find(runs_dir, name))
    base = unverified.config(study.folder, studies.BASE)
    ranked = in_order(study.rows)
    trials = study.settings.trials or len(study.rows)
    done = sum(row.state != "running" for row in study.rows)
    columns = _columns(study.space, ranked)
    shares, why = _importances(study.space, columns, sum(map(is_ranked, ranked)))
    halving = study.settings.halving
    return SweepReport(
        name=study.folder.name,
        folder=str(study.folder),
        state="running" if is_locked(study.folder) else "finished" if done >= trials else "interrupted",
        algorithm=base.algorithm,
        environment=None if base.environment is None else environment_name(base.environment),
        search=study.settings.search,
        score=study.settings.score,
        halving=None if halving is None else halving.model_dump(mode="json", by_alias=True),
        trials=trials,
        scored=sum(row.score is not None or row.state == "diverged" for row in study.rows),
        ended=done,
        diverged=sum(row.state == "diverged" for row in study.rows),
        failed=sum(row.state == "failed" for row in study.rows),
        ranking=[
            _shown(row, rank, dimensions.values(study.space, dict(zip(columns, point, strict=True))))
            for rank, (row, point) in enumerate(zip(ranked, zip(*columns.values(), strict=True), strict=True), 1)
        ],
        importances=shares,
        no_importances=why,
        luck=luck(ranked),
    )


def in_order(rows: Sequence[TrialRow]) -> list[TrialRow]:
    """The trials from the best to the worst; last those without a score, diverged ones at the end."""
    return sorted(
        rows,
        key=lambda row: (
            not is_ranked(row),
            row.state == "diverged",
            -(-1 if row.rung is None else row.rung),
            0.0 if row.score is None else -row.score,
            row.number,
        ),
    )


def is_ranked(row: TrialRow) -> bool:
    """Whether a trial has a score to compare; one that diverged has none that counts."""
    return row.score is not None and row.state != "diverged"


def _columns(space: Mapping[str, Varied], rows: Sequence[TrialRow]) -> dict[str, list[float]]:
    """{setting: its number in each trial}, as `column` has them. CheckpointError for what the space does not have."""
    cells = list(zip(*(row.cells for row in rows), strict=True)) or [()] * len(space)
    return {key: column(varied, key, tried) for (key, varied), tried in zip(space.items(), cells, strict=True)}


def _shown(row: TrialRow, rank: int, settings: Mapping[str, Any]) -> RankedTrial:
    return RankedTrial(
        rank=rank if is_ranked(row) else None,
        trial=row.name,
        state=row.state,
        rung=row.rung,
        counter=row.counter,
        score=row.score,
        seeds=row.seeds,
        ci95=row.ci95,
        settings=settings,
    )


# How far the order can be believed


def luck(ranked: Sequence[TrialRow]) -> Luck | None:
    """What chance adds to the score of the best trial; None where no two came as far as it, or of one seed each."""
    level = [row for row in ranked if is_ranked(row) and row.rung == ranked[0].rung]
    quantiles = {seeds: student_quantile(seeds - 1) for seeds in {row.seeds for row in level} if seeds > 1}
    spreads = [
        (row.seeds, _sd(row.seeds, *row.ci95, quantiles[row.seeds])) for row in level if row.ci95 and row.seeds > 1
    ]
    if len(level) < 2 or not spreads:
        return None
    degrees = sum(seeds - 1 for seeds, _ in spreads)
    sd = math.sqrt(sum((seeds - 1) * sd**2 for seeds, sd in spreads) / degrees)
    seeds = statistics.mode(seeds for seeds, _ in spreads)
    return Luck(len(level), seeds, sd, sd / math.sqrt(seeds) * expected_maximum(len(level)))


def _sd(seeds: int, low: float, high: float, quantile: float) -> float:
    """Of the scores of so many seeds, from Student's interval of their mean."""
    return (high - low) / 2 * math.sqrt(seeds) / quantile


def expected_maximum(n: int) -> float:
    """E[max of n >= 1 standard normals]: the integral of x d(F(x)^n), by parts, over -10 to 10 in steps of 1/200.

    >>> [round(expected_maximum(n), 4) for n in (1, 2, 3, 64)]
    [0.0, 0.5642, 0.8463, 2.3815]
    """
    below = [statistics.NormalDist().cdf(step / 200) ** n for step in range(-2000, 2001)]
    return 10 - (sum(below) - (below[0] + below[-1]) / 2) / 200


# Importances


def _importances(
    space: Mapping[str, Varied], columns: Mapping[str, Sequence[float]], scored: int
) -> tuple[dict[str, float] | None, str | None]:
    """{setting: share} by the `scored` trials that come first in the columns, the greatest first; or None and why."""
    varied = [key for key, each in space.items() if not (isinstance(each, OneOf) and len(each.values) == 1)]
    if len(varied) < 2:
        return None, "one setting is varied"
    if scored < FEWEST_FOR_IMPORTANCE:
        return None, f"they need {FEWEST_FOR_IMPORTANCE} trials with a score"
    return importances(space, {key: column[:scored] for key, column in columns.items()}), None


def column(varied: Varied, key: str, cells: Sequence[str]) -> list[float]:
    """What trials tried of one setting; of a choice the index. CheckpointError for what the space does not have."""
    place = f"{studies.TRIALS}: {key}"
    if isinstance(varied, OneOf):
        known = {cell: studies.index_of(varied, cell, place) for cell in set(cells)}
    else:
        known = {cell: studies.value_of(varied, cell, place) for cell in set(cells)}
    return [known[cell] for cell in cells]
