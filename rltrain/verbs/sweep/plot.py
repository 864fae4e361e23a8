"""`rltrain sweep plot`: the picture of a sweep, of the trials that trials.csv has."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rltrain.experiment.settings import environment_name
from rltrain.experiment.space import OneOf, Varied
from rltrain.experiment.sweep_settings import HalvingConfig
from rltrain.report import canvas, sweeps
from rltrain.report.reading import COUNTERS
from rltrain.report.sweeps import SweepPoints, VariedSetting
from rltrain.run import unverified
from rltrain.spelling import shown
from rltrain.verbs.plot import advised
from rltrain.verbs.sweep import ranking, study
from rltrain.verbs.sweep.study import Study
from rltrain.yaml_subset import flow

NAME = "sweep.png"  # in the folder of the sweep


@dataclass(frozen=True)
class PlottedSweep:
    """A picture of a sweep."""

    picture: str  # the file
    trials: int  # that are drawn


def plot(name: str, runs_dir: Path, output: Path | None = None) -> PlottedSweep:
    """Draw a sweep. InputError, CheckpointError for damaged files, DiskError, MissingError without matplotlib."""
    if output is not None:
        canvas.check(output)
    found = study.read(study.find(runs_dir, name))
    base = unverified.config(found.folder, study.BASE)
    what = f"{base.algorithm or '?'} on {environment_name(base.environment or '?')}"
    rungs = [] if found.settings.halving is None else rung_names(found.settings.halving)
    title = f"{shown(found.folder.name)}: {shown(what)}, {len(found.rows):,} trials"
    figure = sweeps.draw(points_of(found), title, rungs)
    with advised(output):
        path = canvas.write(figure, output or found.folder / NAME)
    return PlottedSweep(str(path), len(found.rows))


def rung_names(halving: HalvingConfig) -> list[str]:
    """`after 10,000 steps`: where each rung ends."""
    counter = COUNTERS.get(halving.counter, halving.counter)
    return [f"after {rung:,} {counter}" for rung in halving.rungs]


def points_of(found: Study) -> SweepPoints:
    """The trials of a sweep as arrays. CheckpointError for values that its space does not have."""
    columns = list(zip(*(row.cells for row in found.rows), strict=True)) or [()] * len(found.space)
    ranked = [row for row in ranking.in_order(found.rows) if ranking.is_ranked(row)]
    return SweepPoints(
        number=np.array([row.number for row in found.rows], np.int64),
        score=np.array([math.nan if row.score is None else row.score for row in found.rows], np.float64),
        rung=np.array([-1 if row.rung is None else row.rung for row in found.rows], np.int64),
        diverged=np.array([row.state == "diverged" for row in found.rows], bool),
        settings=[
            _setting(key, varied, cells, list(found.space))
            for (key, varied), cells in zip(found.space.items(), columns, strict=True)
        ],
        best=found.rows.index(ranked[0]) if ranked else None,
    )


def _setting(key: str, varied: Varied, cells: tuple[str, ...], keys: list[str]) -> VariedSetting:
    at = np.array(ranking.column(varied, key, cells), np.float64)
    choices = tuple(map(flow, varied.values)) if isinstance(varied, OneOf) else ()
    return VariedSetting(study.short(key, keys), at, not isinstance(varied, OneOf) and varied.log, choices)
