"""What can be tried of one setting, as the numbers by which a search sees it.

A point holds a number for each setting: of `OneOf` the index of its value, of a `Range` the value itself. A search that
draws numbers u from [0, 1) is given `at`; one that moves through space also the inverse, `place`: where a value lies
between the ends, each of n whole or stepped values in the middle of a share of 1 / n. With `log` the shares are of the
logarithm.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from rltrain.experiment.space import OneOf, Range, Varied

Point = dict[str, int | float]  # by setting, in the order of the space
Space = Mapping[str, Varied]


def values(space: Space, point: Mapping[str, int | float]) -> dict[str, Any]:
    """{setting: value} of a point, as a config has them."""
    return {
        key: varied.values[int(point[key])] if isinstance(varied, OneOf) else point[key]
        for key, varied in space.items()
    }


def count(varied: Varied) -> int | None:
    """How many values there are; None for all floats between two ends."""
    if isinstance(varied, OneOf):
        return len(varied.values)
    if varied.step is not None:
        return varied.count
    return int(varied.high) - int(varied.low) + 1 if varied.whole else None


def nth(varied: Varied, index: int) -> int | float:
    """The number of value `index` where values can be counted: of a step as its decimal digits say, 0.1, 0.2, 0.3."""
    if isinstance(varied, OneOf):
        return index
    if varied.step is None:
        return int(varied.low) + index
    number = Decimal(repr(varied.low)) + index * Decimal(repr(varied.step))
    return int(number) if varied.whole else float(number)


def at(varied: Varied, u: float) -> int | float:
    """The number at u in [0, 1)."""
    if isinstance(varied, Range) and varied.log:
        low, high = _ends(varied)
        number = math.exp(math.log(low) + u * (math.log(high) - math.log(low)))
        return inside(varied, round(number) if varied.whole else number)
    many = count(varied)
    if many is not None:
        return nth(varied, min(int(u * many), many - 1))
    assert isinstance(varied, Range)
    return inside(varied, varied.low + u * (varied.high - varied.low))


def inside(varied: Range, number: float) -> int | float:
    """The nearest number of the range."""
    number = min(max(number, varied.low), varied.high)
    if varied.step is not None:
        return nth(varied, round((number - varied.low) / varied.step))
    return int(number) if varied.whole else float(number)


def place(varied: Range, number: float) -> float:
    """Where in [0, 1] this number lies: u with `at(varied, u) == number`, but for rounding."""
    if varied.log:
        low, high = _ends(varied)
        return (math.log(number) - math.log(low)) / (math.log(high) - math.log(low))
    many = count(varied)
    if many is None:
        return (number - varied.low) / (varied.high - varied.low)
    step = 1 if varied.step is None else varied.step
    return ((number - varied.low) / step + 0.5) / many


def _ends(varied: Range) -> tuple[float, float]:
    """Between which a logarithm is drawn: of whole numbers each has its rounding on either side."""
    half = 0.5 if varied.whole else 0.0
    return varied.low - half, varied.high + half
