"""What the runs of two sides say about which is better, in numbers and in a sentence.

One is called better where two intervals agree: that of the probability of improvement lies above 1/2 (a bootstrap,
which supposes no distribution, and of few runs is too narrow) and that of the difference of the means above 0 (Welch's
t, which of few runs is wide enough). Else the sentence says which difference these numbers of runs would have missed,
and how many would show the one that was seen.

Of k sides there are k (k - 1) / 2 pairs. The best is chosen by the scores that it is judged by, so each interval has
the level 1 - 0.05 / pairs: all pairs hold together in 95 of 100 comparisons (Bonferroni).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from rltrain import words
from rltrain.report import inference
from rltrain.report.inference import FEWEST, LEVEL, Strata

UNLIKELY = 1 - LEVEL  # how often all pairs together may be wrong


@dataclass(frozen=True)
class Duel:
    """Two sides: of the one that scores more on average, whether it is better."""

    better: str  # the label of the side with the higher mean
    other: str
    told: bool  # whether the runs tell them apart
    verdict: str  # a sentence
    probability: float  # that a run of `better` scores more than one of `other`: of improvement
    probability_low: float | None  # None: too few runs for an interval
    probability_high: float | None
    paired: bool  # whether the runs are of the same seeds, and were drawn together for the interval
    same_seed: float | None  # of the seeds, the share with which `better` scores more; None: not paired
    difference: float  # of the means
    difference_low: float | None
    difference_high: float | None
    detectable: float | None  # the least difference that would be found with probability 0.8
    needed: int | None  # runs a side and environment that would show the difference seen; None: not known
    level: float  # of the intervals


def level_of(sides: int) -> float:
    """The level of the intervals of each pair of so many sides, so that all pairs hold together."""
    return 1 - UNLIKELY / (sides * (sides - 1) / 2)


def duel(better: tuple[str, Strata], other: tuple[str, Strata], paired: bool, level: float = LEVEL) -> Duel:
    """Hold two sides, each a label and its scores, against each other. The first is that with the higher mean.

    paired   their runs at one place are of one seed
    """
    (one, x), (two, y) = better, other
    odds = inference.improvement_interval(x, y, level, paired)
    apart = inference.difference(x, y, level)
    enough = inference.has_interval(x, y)
    told = enough and odds.low > 0.5 and apart.low > 0
    varied = enough and any(np.ptp(np.concatenate(pair)) > 0 for pair in zip(x, y, strict=True))
    least = inference.detectable(x, y, level) if varied else None
    needed = inference.runs_needed(x, y, apart.value, level) if varied and apart.value else None
    ends = [None if math.isnan(end) else end for end in (odds.low, odds.high, apart.low, apart.high)]
    found = Duel(
        one,
        two,
        told,
        "",
        odds.value,
        ends[0],
        ends[1],
        paired,
        inference.same_seed_improvement(x, y) if paired else None,
        apart.value,
        ends[2],
        ends[3],
        least,
        needed,
        level,
    )
    return replace(found, verdict=_sentence(found, x, y))


def runs_of(*sides: Strata) -> str:
    """How many runs these sides have: `5 seeds`, `5 and 3 seeds`, `5 seeds in each of 2 environments`."""
    counts = [sorted({len(scores) for scores in side}) for side in sides]
    every = sorted({count for side in counts for count in side})
    if len(every) == 1:
        said = words.many(every[0], "seed")
    elif all(len(side) == 1 for side in counts):
        said = f"{' and '.join(str(side[0]) for side in counts)} seeds"
    else:
        said = f"{every[0]} to {every[-1]} seeds"
    environments = len(sides[0])
    return said if environments == 1 else f"{said} in each of {environments} environments"


def chance(value: float, low: float | None, high: float | None) -> str:
    """A probability with its interval: `0.93 (0.81 to 0.99)`."""
    return f"{value:.2f}" + ("" if low is None or high is None else f" ({low:.2f} to {high:.2f})")


def _sentence(found: Duel, x: Strata, y: Strata) -> str:
    one, two, seeds = found.better, found.other, runs_of(x, y)
    if not inference.has_interval(x, y):
        seen = f"{one} scored {words.score(found.difference)} more" if found.difference else "both scored the same"
        return f"{seeds}: no interval exists, it needs {FEWEST} a side; {seen}"
    if found.detectable is None:
        return f"nothing tells {one} and {two} apart: all runs scored the same, {seeds}"
    if found.told:
        if found.probability == 1:
            return f"{one} is better than {two}: P = 1, each of its runs beats each of the other's, {seeds}"
        return f"{one} is better than {two}: P = {_of(found)}, {seeds}"
    missed = f"a difference below {words.score(found.detectable)} would be missed"
    if not found.difference:
        more = "none was seen"
    elif found.needed is None:
        more = f"that of {words.score(found.difference)}, which was seen, would take more than any number of runs"
    else:
        more = f"about {found.needed:,} a side are needed for one of {words.score(found.difference)}, as seen"
    return f"{seeds} cannot tell {one} from {two}: {missed}; {more}"


def _of(found: Duel) -> str:
    return chance(found.probability, found.probability_low, found.probability_high)
