"""What the numbers of a policy are called and where they lie; and a family: the rule that the numbers fill in.

A population of C candidates is one array [C, P]. A family acts for L of them at once, each on an observation of its
own. It is a pure function: what it needs of chance is handed to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from rltrain.core import Array
from rltrain.errors import InputError
from rltrain.spelling import did_you_mean

ALL = "all"  # the name of a range that all parameters have


@dataclass(frozen=True)
class Parameters:
    """P named numbers. Where `bounded`, nothing lies beyond the range; else it is only where one looks first."""

    names: tuple[str, ...]
    low: Array  # [P] float64
    high: Array  # [P] float64
    bounded: Array  # [P] bool

    def __len__(self) -> int:
        return len(self.names)

    @property
    def width(self) -> Array:
        """Width [P] of each range, which a variation is measured by."""
        return self.high - self.low

    @property
    def middle(self) -> Array:
        """Middle [P] of each range."""
        return (self.low + self.high) / 2

    def at(self, halves: Array) -> Array:
        """Points [..., P] that lie so many half widths from the middle."""
        return self.middle + self.width / 2 * halves

    def halves(self, candidates: Array) -> Array:
        """How many half widths candidates [..., P] lie from the middle."""
        return (candidates - self.middle) / (self.width / 2)

    def draw(self, count: int, stream: np.random.Generator) -> Array:
        """Candidates [count, P], uniform over the ranges."""
        return self.low + self.width * stream.random((count, len(self)))

    def inside(self, candidates: Array) -> Array:
        """The candidates [C, P] with what is bounded brought to the nearest value that exists."""
        return np.where(self.bounded, np.clip(candidates, self.low, self.high), candidates)


class Family(Protocol):
    """A policy but for its P parameters."""

    parameters: Parameters
    draws: int  # uniform numbers that one action takes; 0: deterministic

    def act(self, candidates: Array, obs: Array, uniform: Array, mask: Array | None = None) -> Array:
        """Actions [L, *action] of candidates [L, P] or [1, P], each at its own obs [L, *obs], as `spaces` has them.

        uniform [L, draws] in [0, 1) is all the chance that they have; mask [L, width] is what can be done.
        """
        ...


class Fixed:
    """One candidate of a family, as a policy."""

    def __init__(self, family: Family, candidate: Array, seed: int) -> None:
        self._family, self._candidate = family, candidate[None]  # [1, P]
        self._stream = np.random.default_rng(seed)

    def act(self, obs: Array, mask: Array | None = None) -> Array:
        uniform = self._stream.random((len(obs), self._family.draws))
        return self._family.act(self._candidate, obs, uniform, mask)


def with_ranges(parameters: Parameters, ranges: Mapping[str, tuple[float, float]]) -> Parameters:
    """A copy of the parameters with other ranges. InputError for an unknown name, or a range that cannot be.

    A range named `all` is that of every parameter that has none of its own.
    """
    low, high = parameters.low.copy(), parameters.high.copy()
    common = dict.fromkeys(parameters.names, ranges[ALL]) if ALL in ranges else {}
    for name, (least, most) in {**common, **{name: own for name, own in ranges.items() if name != ALL}}.items():
        place = f"algorithm.ranges.{name if name in ranges else ALL}"
        if name not in parameters.names:
            raise InputError(f"{place}: unknown parameter{did_you_mean(name, parameters.names)}")
        index = parameters.names.index(name)
        if not least < most:
            raise InputError(f"{place}: [{least:g}, {most:g}] is empty; the lower end comes first")
        if parameters.bounded[index] and not (low[index] <= least and most <= high[index]):
            within = f"[{low[index]:g}, {high[index]:g}]"
            raise InputError(f"{place}: [{least:g}, {most:g}] reaches beyond {within}, where nothing is")
        low[index], high[index] = least, most
    return replace(parameters, low=low, high=high)
