"""Which points of a space are tried: at random, on a grid, or spread as a Latin hypercube.

Of n points of a Latin hypercube each parameter takes n values, one in each n-th of its range (McKay, Beckman and
Conover 1979): however many parameters there are, none is tried twice at nearly the same value.
"""

from __future__ import annotations

import math

import numpy as np

from rltrain.core import Array
from rltrain.errors import InputError
from rltrain.policies.parameters import Parameters

MOST_POINTS = 10_000_000


def grid_size(parameters: Parameters, steps: int) -> int:
    """How many points a grid has. InputError for more than anyone could try."""
    size: int = steps ** len(parameters)
    if size > MOST_POINTS:
        fits = math.floor(MOST_POINTS ** (1 / len(parameters)))
        rule = f"steps may be at most {fits}" if fits > 1 else "no grid fits"
        points = f"10^{math.log10(size):.0f} points, more than {MOST_POINTS:,}"
        raise InputError(
            f"algorithm.steps: {steps} values of each of {len(parameters)} parameters are {points}; {rule}, and"
            " `sampler: latin` spreads any number of points"
        )
    return size


def grid(parameters: Parameters, steps: int, numbers: Array) -> Array:
    """The points of these numbers [n] on a grid with `steps` values of each parameter, ends included -> [n, P].

    The last parameter changes first.
    """
    places = np.array(np.unravel_index(numbers, (steps,) * len(parameters))).T  # [n, P]
    return parameters.low + parameters.width * places / (steps - 1)


def latin(parameters: Parameters, count: int, stream: np.random.Generator) -> Array:
    """[count, P]: one point in each count-th of each parameter's range, in a random order."""
    rows = np.argsort(stream.random((count, len(parameters))), axis=0)
    return parameters.low + parameters.width * (rows + stream.random(rows.shape)) / count
