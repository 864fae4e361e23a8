"""PED-ANOVA: how much each setting of a sweep mattered, from the order of the trials alone (Watanabe et al. 2023).

Of each setting the density of the best trials, p, is held against that of all, q, on a grid of at most 50 places:

    importance  ~  sum over the grid of q (p / q - 1)^2        Pearson's divergence; the shares have the sum 1

Densities are Parzen's, with Scott's bandwidth (1992) and one kernel over the whole range, as Optuna has them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from rltrain.core import Array
from rltrain.experiment.space import OneOf, Range, Varied

BEST = 0.1  # the share of trials that are held against all
FEWEST_BEST = 5  # trials; of few, a tenth says nothing
GRID = 50  # places
LEAST_BANDWIDTH = 0.5 / 1.64  # in places: 90 % of a kernel lies in its own
TINY = 1e-12


def importances(space: Mapping[str, Varied], ranked: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """The share of each setting in what tells the best trials from all, the greatest first.

    ranked   {setting: its value in each trial, the best first; of a choice the index of the value}
    """
    count = len(next(iter(ranked.values())))
    best = max(math.ceil(BEST * count), min(FEWEST_BEST, count))
    found = {key: divergence(varied, np.asarray(ranked[key], np.float64), best) for key, varied in space.items()}
    total = sum(found.values()) or 1.0
    return {key: found[key] / total for key in sorted(found, key=lambda key: -found[key])}


def divergence(varied: Varied, values: Array, best: int) -> float:
    """Pearson's divergence of the first `best` of the values [n] from all of them."""
    size = len(varied.values) if isinstance(varied, OneOf) else places(varied)
    if size < 2:
        return 0.0
    at = values.astype(np.int64) if isinstance(varied, OneOf) else place_of(varied, values, size)
    density = _of_choices if isinstance(varied, OneOf) else _of_numbers
    p, q = (density(np.bincount(part, minlength=size)) + TINY for part in (at[:best], at))
    return float(q @ (p / q - 1) ** 2)


def places(varied: Range) -> int:
    """How many places the grid of a range has."""
    if varied.log and varied.whole:
        return min(math.ceil(math.log2(varied.high - varied.low + 1)) + 1, GRID)
    step = varied.step or (1 if varied.whole else None)
    return GRID if step is None else min(round((varied.high - varied.low) / step) + 1, GRID)


def place_of(varied: Range, values: Array, size: int) -> Array:
    """The places [n], int64, of the values [n] on a grid of so many; one half way belongs to the lower."""
    low, high = (math.log(end) if varied.log else float(end) for end in (varied.low, varied.high))
    position = (np.log(values) if varied.log else values) - low
    at: Array = np.ceil(position / ((high - low) / (size - 1)) - 0.5).astype(np.int64)
    return at.clip(0, size - 1)


def _of_choices(counts: Array) -> Array:
    """The density [size] of values that were counted [size]: each smoothed by 1 / (kinds seen + 1)."""
    seen = np.flatnonzero(counts)
    smooth = 1 / (len(seen) + 1)
    kernels = (np.eye(len(counts))[seen] + smooth) / (1 + smooth * len(counts))  # [seen, size]
    density: Array = (counts[seen] @ kernels + 1 / len(counts)) / (counts.sum() + 1)
    return density


def _of_numbers(counts: Array) -> Array:
    """The density [size] of numbers that were counted [size] on a grid: normal kernels, cut off at its ends."""
    size, total, seen = len(counts), int(counts.sum()), np.flatnonzero(counts)
    weights, summed = counts[seen], np.cumsum(counts[seen])
    mean = seen @ weights / total
    sd = math.sqrt((seen - mean) ** 2 @ weights / max(1, total - 1))
    lower = seen[np.searchsorted(summed, total // 4, side="left")]
    upper = seen[min(len(seen) - 1, int(np.searchsorted(summed, total * 3 // 4, side="right")))]
    bandwidth = max(1.059 * min((upper - lower) / 1.34, sd) * total**-0.2, LEAST_BANDWIDTH)
    centres = np.append(seen, (size - 1) / 2)  # the last: one kernel over all
    widths = np.append(np.full(len(seen), bandwidth), size)
    edges = (np.arange(size + 1) - 0.5 - centres[:, None]) / widths[:, None]  # [kernels, size + 1]
    below = 0.5 * np.vectorize(math.erfc)(-edges / math.sqrt(2))
    kernels = np.diff(below) / (below[:, -1:] - below[:, :1])
    density: Array = (np.append(weights, 1) / (total + 1)) @ kernels
    return density
