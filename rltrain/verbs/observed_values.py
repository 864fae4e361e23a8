"""Whether values can be what a policy was trained on: numbers of states, finite numbers, a mask that leaves something.

A network and a table answer anything: a table its last row for state -1, a network a NaN with the first action.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rltrain.core import Array
from rltrain.errors import InputError
from rltrain.spaces import Part


def refuse_no_states(given: Array, count: int, environment: str) -> None:
    """InputError unless all are numbers of states, whole and from 0 to `count` - 1; of any dtype."""
    if given.dtype.kind not in "biuf":
        raise InputError(f"obs: an array of {given.dtype}; expected numbers of states of {environment}")
    right = (given >= 0) & (given < count) & (given == np.floor(given))
    if not right.all():
        wrong = given[~right].reshape(-1)[0]
        raise InputError(f"obs: {wrong} is no state of {environment}: their numbers are whole, 0 to {count - 1}")


def refuse_not_finite(obs: Array, parts: Sequence[Part]) -> None:
    """InputError for NaN and infinity in observations [N, *obs_shape], in the numbers of packed ones too."""
    if obs.dtype.kind == "f":
        _refuse("obs", obs)
    elif obs.dtype == np.uint8:
        for part in parts:
            if part.dtype == "float32":
                _refuse(f"obs, {part.name!r}", part.of(obs))


def mask_values(given: Array) -> Array:
    """A mask [N, width] as bool. InputError for what is neither true nor false, and where all of a row is false."""
    right = (given == 0) | (given == 1)
    if not right.all():
        raise InputError(f"mask: {given[~right].reshape(-1)[0]} is neither true nor false")
    able = np.asarray(given != 0)
    if not able.any(axis=1).all():
        raise InputError(f"mask: all false in row {able.any(axis=1).argmin()}, so nothing could be done")
    return able


def _refuse(place: str, numbers: Array) -> None:
    finite = np.isfinite(numbers)
    if not finite.all():
        row = tuple(int(at) for at in np.argwhere(~finite)[0])
        where = list(row[1:]) if len(numbers) == 1 else list(row)
        raise InputError(f"{place}: {numbers[row]} at {where}; a policy takes finite numbers")
