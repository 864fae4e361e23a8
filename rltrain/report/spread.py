"""Several seeds as one curve with a band around it.

    n >= 3    mean ± t(n - 1, 0.975) sd / sqrt(n)    the 95 % interval of the mean (Student 1908); sd divides by n - 1
    n = 2     from the lower to the higher: of two seeds an interval says nothing

A seed is one sample, however many games it was scored on.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from rltrain.core import Array
from rltrain.report.measures import Curve
from rltrain.run.across_seeds import student_quantile

MOST_PLACES = 400  # of the grid that seeds are brought to
FEWEST = 3  # seeds that have an interval


class Band(NamedTuple):
    """The mean of several curves and what it is worth, where all of them are known."""

    x: Array  # [m]
    mean: Array  # [m]
    low: Array  # [m]
    high: Array  # [m]
    measured: bool  # at these places; else interpolated between measurements


def band(curves: Sequence[Curve]) -> Band | None:
    """The mean of the curves of several seeds, and its band; None where the curves have no x in common."""
    placed = aligned(curves)
    if placed is None:
        return None
    x, values, measured = placed
    low, high = interval(values)
    return Band(x, values.mean(axis=0), low, high, measured)


def interval(values: Array) -> tuple[Array, Array]:
    """The ends, low [m] and high [m], of the band over the values [n, m] of n seeds; values [n] give two numbers."""
    count = len(values)
    if count < FEWEST:
        return values.min(axis=0), values.max(axis=0)
    reach = student_quantile(count - 1) * values.std(axis=0, ddof=1) / math.sqrt(count)
    mean = values.mean(axis=0)
    return mean - reach, mean + reach


def aligned(curves: Sequence[Curve]) -> tuple[Array, Array, bool] | None:
    """Points x [m] that n curves have in common, their values [n, m], and whether these were measured there.

    Curves whose points go in pairs, as evaluations of one cadence do, keep them. Others are interpolated linearly
    between where the last of them begins and the first one ends: outside, the mean would be of other seeds.
    """
    if not curves or any(len(curve.x) == 0 for curve in curves):
        return None
    if len({len(curve.x) for curve in curves}) == 1:
        x = np.array([curve.x for curve in curves])  # [n, m]
        mean = x.mean(axis=0)
        gap = np.diff(mean).min() if len(mean) > 1 else mean[0]
        if np.abs(x - mean).max() <= abs(gap) / 2:
            return mean, np.array([curve.y for curve in curves]), True
    begin, end = max(curve.x[0] for curve in curves), min(curve.x[-1] for curve in curves)
    if begin > end:
        return None
    places = np.unique(np.concatenate([curve.x for curve in curves]))
    places = places[(places >= begin) & (places <= end)]
    if len(places) > MOST_PLACES:
        places = np.linspace(begin, end, MOST_PLACES)
    return places, np.array([np.interp(places, curve.x, curve.y) for curve in curves]), False


def interval_name(count: int) -> str:
    """What the band over `count` seeds is, for a legend."""
    return (
        "95 % interval of the mean over seeds (Student's t)"
        if count >= FEWEST
        else "from the lower to the higher of two"
    )
