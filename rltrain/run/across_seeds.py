"""Statistics over the scores of several training seeds.

    mean ± t(n - 1, 0.975) sd / sqrt(n)     the 95 % interval of the mean, Student 1908; sd divides by n - 1
    IQM                                     the mean of the middle half, Agarwal et al. 2021 (rliable)

A seed is one sample, however many games it was scored on. Student's interval supposes that the scores are about normal;
of a few seeds nothing better can be said. The IQM leaves out the best and the worst quarter of the seeds, rounded down.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

FEWEST_FOR_IQM = 4  # of fewer, it is the mean


@dataclass(frozen=True)
class Across:
    """Statistics of the scores of n >= 1 seeds; None where n is too small for one."""

    n: int
    mean: float
    sd: float | None  # of the seeds, divided by n - 1
    ci95: tuple[float, float] | None  # of the mean
    iqm: float | None
    median: float
    min: float
    max: float

    def json(self) -> dict[str, Any]:
        """The fields by name, as JSON writes them."""
        return {**asdict(self), "ci95": None if self.ci95 is None else list(self.ci95)}


def across(scores: Sequence[float]) -> Across | None:
    """The statistics of the scores of n seeds, all of them finite; None for n = 0."""
    n = len(scores)
    if n == 0:
        return None
    mean = statistics.fmean(scores)
    sd = statistics.stdev(scores) if n > 1 else None
    ci95 = None
    if sd is not None:
        reach = student_quantile(n - 1) * sd / math.sqrt(n)
        ci95 = (mean - reach, mean + reach)
    iqm = interquartile_mean(scores) if n >= FEWEST_FOR_IQM else None
    return Across(n, mean, sd, ci95, iqm, statistics.median(scores), min(scores), max(scores))


def interquartile_mean(scores: Sequence[float]) -> float:
    """IQM: the mean of n >= 1 scores without the lowest and the highest floor(n / 4)."""
    cut = len(scores) // 4
    return statistics.fmean(sorted(scores)[cut : len(scores) - cut])


def student_quantile(degrees: float, central: float = 0.95) -> float:
    """t such that Student's distribution of `degrees` > 0 degrees of freedom has the share `central` in -t..t."""
    from scipy.special import stdtrit

    return float(stdtrit(degrees, (1 + central) / 2))
