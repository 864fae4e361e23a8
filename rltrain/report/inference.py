"""Which of two groups of runs is better, and how sure that is: statistics over runs, in strata.

A stratum is an environment, its scores one number a run: a group is a list of float arrays [n_e], one an environment.
Games are no samples here: a run is one, however many games its score is the mean of. With x and y two groups:

    mean             of the environments' means; interval: Student 1908, over environments Satterthwaite 1946
    IQM              mean of the middle half of all runs' scores (Agarwal et al. 2021)
    P(x > y)         probability of improvement: the share of pairs of runs of which that of x is better, ties half,
                     averaged over environments: the statistic U / (n m) of Mann and Whitney 1947
    profile(t)       share of all runs that score above t (Dolan and More 2002; Agarwal et al. 2021)

Their intervals are percentiles of a bootstrap that draws runs anew within each environment (Efron 1979; stratified as
in Agarwal et al. 2021, whose rliable gives the same numbers). All draws are seeded: equal scores, equal numbers.

    difference       of the means, with the interval of Welch 1947
    detectable       the least difference that would be found with probability 0.8 in a test at 5 %, two-sided:
                     d = (t(v, 1 - alpha / 2) + t(v, power)) s sqrt(1 / n + 1 / m), s the pooled standard deviation and
                     v its degrees of freedom (Zar 1999, Biostatistical Analysis, section 8.4). By the noncentral t the
                     power is 0.78 to 0.8 at a level of 95 %, and of 3 a side at 99 % it is 0.75
    runs needed      the least n a side and environment for which d is no more than a given difference
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from rltrain.core import Array
from rltrain.rng import derive
from rltrain.run.across_seeds import student_quantile

Strata = Sequence[Array]  # the scores [n_e] of a group's runs in each environment
RESAMPLES = 10_000  # of a bootstrap: an end of an interval is sure to about a hundredth of its width
CURVES = 2_000  # resamples of a profile, which has many points
MOST_NUMBERS = 4_000_000  # that a bootstrap holds at once
FEWEST = 3  # runs of an environment that have an interval: of two it says nothing
LEVEL = 0.95
POWER = 0.8
MOST_RUNS = 100_000  # more are never needed: the difference is none


class Estimate(NamedTuple):
    """An estimate and the ends of its interval; these are NaN where there are too few runs for one."""

    value: float
    low: float
    high: float


def has_interval(*groups: Strata) -> bool:
    """Whether every environment of these groups has enough runs for an interval."""
    return min(len(scores) for group in groups for scores in group) >= FEWEST


def mean(group: Strata, level: float = LEVEL) -> Estimate:
    """The mean over environments of their mean scores, with Student's interval over runs."""
    value = float(np.mean([scores.mean() for scores in group]))
    return _around(value, *_squared_error(group), level, has_interval(group))


def iqm(group: Strata) -> float:
    """The mean of all runs' scores without the lowest and the highest floor(n / 4)."""
    return float(_middle(np.concatenate(group)[None])[0])


def iqm_interval(group: Strata, level: float = LEVEL, seed: int = 0) -> Estimate:
    """The IQM, with its interval from the stratified bootstrap."""
    if not has_interval(group):
        return Estimate(iqm(group), math.nan, math.nan)
    stream = np.random.default_rng(derive(seed, "iqm"))
    runs = sum(map(len, group))
    found = [_middle(_drawn(group, count, stream)) for count in _blocks(RESAMPLES, runs)]
    return _percentiles(iqm(group), np.concatenate(found), level)


def improvement(x: Strata, y: Strata) -> float:
    """P(x > y): that a run of `x` scores more than one of `y` in the same environment; 0.5 of two equal groups."""
    return float(np.mean([_beats(ours, theirs).mean() for ours, theirs in zip(x, y, strict=True)]))


def improvement_interval(x: Strata, y: Strata, level: float = LEVEL, paired: bool = False, seed: int = 0) -> Estimate:
    """P(x > y) with its interval from the stratified bootstrap.

    paired   the runs at one place of both are of one seed, in every environment: both are drawn together. What a seed
             does to both, such as where the games begin, then counts once. Without that, as in rliable, each group is
             drawn by itself.
    """
    value = improvement(x, y)
    if not has_interval(x, y):
        return Estimate(value, math.nan, math.nan)
    stream = np.random.default_rng(derive(seed, "improvement"))
    total = np.zeros(RESAMPLES)
    for ours, theirs in zip(x, y, strict=True):
        n, m, beats = len(ours), len(theirs), _beats(ours, theirs)
        # How often each run was drawn says all of a resample: U is linear in both counts.
        drawn = stream.multinomial(n, np.full(n, 1 / n), RESAMPLES)  # [resamples, n]
        others = drawn if paired else stream.multinomial(m, np.full(m, 1 / m), RESAMPLES)
        total += ((drawn @ beats) * others).sum(axis=1) / (n * m)
    return _percentiles(value, total / len(x), level)


def same_seed_improvement(x: Strata, y: Strata) -> float:
    """P(x_s > y_s): the share of seeds s of which the run of `x` scores more, ties half, averaged over environments.

    The runs at one place of both are of one seed.
    """
    shares = [np.mean((a > b) + (a == b) / 2) for a, b in zip(x, y, strict=True)]
    return float(np.mean(shares))


def difference(x: Strata, y: Strata, level: float = LEVEL) -> Estimate:
    """The mean of x less that of y, with Welch's interval."""
    value = float(np.mean([a.mean() - b.mean() for a, b in zip(x, y, strict=True)]))
    return _around(value, *_squared_error([*x, *y], len(x)), level, has_interval(x, y))


def detectable(x: Strata, y: Strata, level: float = LEVEL, power: float = POWER) -> float:
    """The least true difference of the means that these numbers of runs would show with probability `power`."""
    error = math.sqrt(sum(s * (1 / len(a) + 1 / len(b)) for s, a, b in _pooled(x, y))) / len(x)
    return _reach(sum(len(a) + len(b) - 2 for a, b in zip(x, y, strict=True)), level, power) * error


def runs_needed(x: Strata, y: Strata, apart: float, level: float = LEVEL, power: float = POWER) -> int | None:
    """Runs a side and environment that would show a true difference of `apart` with probability `power`.

    None where even MOST_RUNS would not.
    """
    variance = sum(s for s, _, _ in _pooled(x, y)) / len(x) ** 2

    def enough(n: int) -> bool:
        return _reach(2 * len(x) * (n - 1), level, power) * math.sqrt(2 * variance / n) <= abs(apart)

    low, high = FEWEST - 1, FEWEST
    while not enough(high):
        if high >= MOST_RUNS:
            return None
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def profile(group: Strata, thresholds: Array) -> Array:
    """The share of all runs that score above each threshold [m] -> [m]."""
    return np.asarray((np.concatenate(group)[:, None] > thresholds).mean(axis=0))


def profile_band(group: Strata, thresholds: Array, level: float = LEVEL, seed: int = 0) -> tuple[Array, Array] | None:
    """The ends, low [m] and high [m], of the profile's interval at each threshold; None: there are too few runs."""
    if not has_interval(group):
        return None
    stream = np.random.default_rng(derive(seed, "profile"))
    above = [scores[:, None] > thresholds for scores in group]  # each [n_e, m]
    total = np.zeros((CURVES, len(thresholds)))
    for own in above:
        n = len(own)
        total += stream.multinomial(n, np.full(n, 1 / n), CURVES) @ own
    low, high = np.quantile(total / sum(map(len, group)), _ends(level), axis=0)
    return low, high


def _beats(x: Array, y: Array) -> Array:
    """[n, m]: 1 where a run of x scores more than one of y, 1/2 where both score the same, else 0."""
    return np.asarray((x[:, None] > y) + (x[:, None] == y) / 2)


def _middle(scores: Array) -> Array:
    """The IQM of each row: [k, n] -> [k]."""
    cut = scores.shape[1] // 4
    return np.asarray(np.sort(scores, axis=1)[:, cut : scores.shape[1] - cut].mean(axis=1))


def _drawn(group: Strata, count: int, stream: np.random.Generator) -> Array:
    """As many resamples of all runs, each environment's among themselves: [count, n]."""
    return np.concatenate(
        [scores[stream.integers(len(scores), size=(count, len(scores)))] for scores in group],
        axis=1,
    )


def _blocks(count: int, width: int) -> list[int]:
    """How many resamples at a time, so that memory is bounded."""
    block = max(1, MOST_NUMBERS // width)
    return [min(block, count - done) for done in range(0, count, block)]


def _percentiles(value: float, found: Array, level: float) -> Estimate:
    low, high = np.quantile(found, _ends(level))
    return Estimate(value, float(low), float(high))


def _ends(level: float) -> list[float]:
    return [(1 - level) / 2, (1 + level) / 2]


def _squared_error(parts: Sequence[Array], environments: int | None = None) -> tuple[float, float]:
    """The squared standard error of a sum of means over the number of environments, and its degrees of freedom.

    The degrees are those of Satterthwaite 1946; of one array they are n - 1. NaN where no run differs from another.
    """
    if min(map(len, parts)) < 2:
        return math.nan, math.nan
    terms = [float(part.var(ddof=1)) / len(part) / (environments or len(parts)) ** 2 for part in parts]
    error = sum(terms)
    if error == 0:
        return 0.0, math.nan
    return error, 1 / sum((term / error) ** 2 / (len(part) - 1) for term, part in zip(terms, parts, strict=True))


def _around(value: float, error: float, degrees: float, level: float, enough: bool) -> Estimate:
    if not enough:
        return Estimate(value, math.nan, math.nan)
    reach = student_quantile(degrees, level) * math.sqrt(error) if error > 0 else 0.0
    return Estimate(value, value - reach, value + reach)


def _pooled(x: Strata, y: Strata) -> list[tuple[float, Array, Array]]:
    """The pooled variance of both groups in each environment, with their scores there."""
    found = []
    for a, b in zip(x, y, strict=True):
        squares = float(((a - a.mean()) ** 2).sum() + ((b - b.mean()) ** 2).sum())
        found.append((squares / (len(a) + len(b) - 2), a, b))
    return found


def _reach(degrees: float, level: float, power: float) -> float:
    """Standard errors between no difference and one that is found with probability `power`."""
    return student_quantile(degrees, level) + student_quantile(degrees, 2 * power - 1)
