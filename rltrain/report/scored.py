"""One score a run, by its evaluations, and the scale on which scores of several environments can be averaged.

    final   the mean of the last evaluation
    best    the mean of the best evaluation. It flatters: of many evaluations the best is lucky too
    auc     the mean of the evaluations over steps: the area below their straight lines (trapezoids) within the steps
            that all compared runs have in common, divided by those steps

    normalised score = (score - random) / (human or threshold - random)

Human scores are those of Atari, with random play as it was scored beside them; elsewhere random play is what the runs'
baselines say, and 1 is the return at which the environment counts as solved.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from rltrain.core import Array
from rltrain.errors import InputError
from rltrain.report import human, measures
from rltrain.report.measures import Curve
from rltrain.report.reading import Record
from rltrain.spelling import shown

On = Literal["final", "best", "auc"]
SAID: dict[On, str] = {
    "final": "last evaluation",
    "best": "best evaluation",
    "auc": "mean of the evaluations {over}",
}


@dataclass(frozen=True)
class ScoreScale:
    """What becomes 0 and what becomes 1 of an environment's scores."""

    zero: float
    one: float
    named: str  # what `one` is

    def normalised(self, scores: Array) -> Array:
        """Scores [n] -> [n]."""
        return np.asarray((scores - self.zero) / (self.one - self.zero))


def scores(runs: Sequence[Record], on: On) -> Array:
    """The score of each of the runs of one environment -> [n]. InputError for one that was never evaluated."""
    found = [measures.values(run, "eval") for run in runs]
    for run, means in zip(runs, found, strict=True):
        if not len(means):
            damaged = "; ".join(note for note in run.notes if note.startswith("eval."))
            if damaged:
                raise InputError(f"{shown(str(run.folder))}: its evaluations cannot be read: {damaged}")
            raise InputError(
                f"{shown(str(run.folder))}: was never evaluated while it trained, so it has no score to compare;"
                " train with run.evaluate.every={COUNTER: N}"
            )
    if on == "final":
        return np.array([means[-1] for means in found])
    if on == "best":
        return np.array([means.max() for means in found])
    curves, begin, end = _common(runs)
    return np.array([_mean_between(curve, begin, end) for curve in curves])


def common_range(runs: Sequence[Record]) -> tuple[float, float]:
    """The counts, of `steps_of`, between which all of these runs have evaluations. InputError if there are none."""
    _, begin, end = _common(runs)
    return begin, end


def _common(runs: Sequence[Record]) -> tuple[list[Curve], float, float]:
    counter = steps_of(runs)
    curves = [measures.curve(run, counter, "eval") for run in runs]
    for curve, run in zip(curves, runs, strict=True):
        if not len(curve.x):
            raise InputError(f"--on auc: {shown(str(run.folder))}: its evaluations do not say at which {counter}")
    begin, end = max(curve.x[0] for curve in curves), min(curve.x[-1] for curve in curves)
    if begin >= end:
        last = min(zip(curves, runs, strict=True), key=lambda pair: pair[0].x[-1])[1]
        first = max(zip(curves, runs, strict=True), key=lambda pair: pair[0].x[0])[1]
        raise InputError(
            f"--on auc: {shown(str(first.folder))} was first evaluated at {begin:,.0f} {counter} and"
            f" {shown(str(last.folder))} last at {end:,.0f}: no stretch of training lies between; write --on final"
        )
    return curves, float(begin), float(end)


def steps_of(runs: Sequence[Record]) -> str:
    """The counter over which these runs' evaluations are averaged: env_steps, or what else all of them count."""
    table = "train" if all(run.training for run in runs) else "eval"
    try:
        return measures.choose_x(runs, "env_steps", table)
    except InputError:
        return measures.choose_x(runs, None, table)


def has_scale(runs: Sequence[Record]) -> bool:
    """Whether it is known what random play scores in the environment of these runs."""
    return human.of(runs[0].environment) is not None or any("random" in run.baselines for run in runs)


def scale(runs: Sequence[Record]) -> ScoreScale:
    """The scale of the environment of these runs. InputError says what of it is not known."""
    name = runs[0].environment
    if (published := human.of(name)) is not None:
        return ScoreScale(*published, "human")
    what = f"{shown(name)}: scores of several environments are averaged as shares of what there is to win"
    random = [run.baselines["random"] for run in runs if "random" in run.baselines]
    threshold = next((run.threshold for run in runs if run.threshold is not None), None)
    if threshold is None:
        raise InputError(
            f"{what}, and what there is to win is not known: it has no reward_threshold, the return at which it counts"
            " as solved, and no human score; compare its runs by themselves"
        )
    if not random:
        raise InputError(
            f"{what}, and it is not known what random play scores: no run of it has a baselines.json; rltrain plot"
            f" {shown(str(runs[0].folder))} plays it, where the environment is installed"
        )
    zero = math.fsum(random) / len(random)
    if not threshold > zero:
        raise InputError(f"{what}, and random play's {zero:g} is no less than the {threshold:g} of the threshold")
    return ScoreScale(zero, threshold, "reward threshold")


def _mean_between(curve: Curve, begin: float, end: float) -> float:
    """The mean of a curve's straight lines from `begin` to `end`, both within it."""
    inner = (curve.x > begin) & (curve.x < end)
    x = np.concatenate([[begin], curve.x[inner], [end]])
    return float(np.trapezoid(np.interp(x, curve.x, curve.y), x) / (end - begin))
