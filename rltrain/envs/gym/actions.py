"""Spaces of Gymnasium as actions of ours, and the way back.

Discrete                        one of some; a `start` other than 0 is added on the way back
MultiDiscrete, MultiBinary      several choices at once; so is a Box of few whole numbers
Box of floats                   numbers within bounds
Tuple and Dict of such          all choices, or all numbers, side by side
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from gymnasium import spaces

from rltrain.core import Array
from rltrain.errors import InputError
from rltrain.spaces import Actions, Continuous, Discrete, MultiDiscrete

MASK = "action_mask"  # of info, or in a Dict of observations, as PettingZoo has it
MOST_CHOICES = 256  # values of a whole number that is chosen
Space = spaces.Space[Any]
Back = Callable[[Any], Any]  # an action of ours, an int or [K] -> what the environment's `step` takes


class Acting(NamedTuple):
    """What can be done in an environment, and how that is said to it."""

    actions: Actions
    back: Back


def acting(name: str, space: Space) -> Acting:
    """The actions of the environment `name`. InputError if nothing here can choose among them."""
    if isinstance(space, spaces.Discrete):
        first = int(space.start)
        return Acting(Discrete(int(space.n)), lambda action: first + action)
    found = _several(space)
    if found is None:
        raise InputError(
            f"environment.id: {name} has actions {space}; what can be learned here are Discrete, MultiDiscrete, "
            "MultiBinary and Box, and a Tuple or Dict of choices alone or of numbers alone"
        )
    return found


def _several(space: Space) -> Acting | None:
    """Several choices or numbers at once; one choice of a Discrete counts as such. None: neither."""
    match space:
        case spaces.Discrete():
            first = int(space.start)
            return Acting(MultiDiscrete((int(space.n),)), lambda action: first + int(action[0]))
        case spaces.MultiDiscrete():
            return _choices(np.asarray(space.start), np.asarray(space.nvec), space.dtype)
        case spaces.MultiBinary():
            return _choices(np.zeros(space.shape, np.int64), np.full(space.shape, 2), space.dtype)
        case spaces.Box() if space.dtype is not None and space.dtype.kind in "iub":
            low, high = np.asarray(space.low, np.int64), np.asarray(space.high, np.int64)
            few = space.low.size > 0 and (high - low).max() < MOST_CHOICES
            return _choices(low, high - low + 1, space.dtype) if few else None
        case spaces.Box():
            return _numbers(space) if space.low.size else None
        case spaces.Tuple():
            return _beside(list(enumerate(space.spaces)), tuple)
        case spaces.Dict():
            keys = list(space.spaces)
            return _beside(list(space.spaces.items()), lambda values: dict(zip(keys, values, strict=True)))
    return None


def _choices(first: Array, sizes: Array, dtype: Any) -> Acting:
    shape = sizes.shape

    def back(action: Array) -> Array:
        return np.asarray(first + action.reshape(shape), dtype=dtype)

    return Acting(MultiDiscrete(tuple(int(size) for size in sizes.ravel())), back)


def _numbers(space: spaces.Box) -> Acting:
    shape, dtype = space.shape, space.dtype
    low, high = (
        tuple(np.asarray(bound, np.float32).astype(float).ravel().tolist()) for bound in (space.low, space.high)
    )

    def back(action: Array) -> Array:
        return np.asarray(action.reshape(shape), dtype=dtype)

    return Acting(Continuous(low, high), back)


def _beside(inner: Sequence[tuple[Any, Space]], built: Callable[[list[Any]], Any]) -> Acting | None:
    """Spaces side by side, if all of them are choices or all are numbers."""
    parts = [_several(space) for _, space in inner]
    found = [part for part in parts if part is not None]
    if not found or len(found) < len(parts):
        return None
    ends = np.cumsum([math.prod(part.actions.shape) for part in found])[:-1].tolist()

    def back(action: Array) -> Any:
        return built([part.back(own) for part, own in zip(found, np.split(action, ends), strict=True)])

    choices = [part.actions for part in found if isinstance(part.actions, MultiDiscrete)]
    if len(choices) == len(found):
        return Acting(MultiDiscrete(tuple(size for each in choices for size in each.sizes)), back)
    numbers = [part.actions for part in found if isinstance(part.actions, Continuous)]
    if len(numbers) == len(found):
        low = tuple(bound for each in numbers for bound in each.low)
        return Acting(Continuous(low, tuple(bound for each in numbers for bound in each.high)), back)
    return None


def mask_of(info: Mapping[str, Any], actions: Actions) -> Array | None:
    """`info["action_mask"]` as [mask_width] bool; None if there is none. ValueError if it does not fit the actions.

    Of several choices it is their masks one after the other: an array, or a tuple or list of arrays.
    """
    given = info.get(MASK)
    if given is None:
        return None
    if isinstance(given, tuple | list) and isinstance(actions, MultiDiscrete) and np.ndim(given[0]) == 1:
        given = np.concatenate([np.asarray(own) for own in given])
    mask = np.asarray(given)
    if mask.dtype.kind not in "biuf" or mask.size != actions.mask_width or not ((mask == 0) | (mask == 1)).all():
        raise ValueError
    return np.asarray(mask.reshape(-1) != 0)


class BesideMask(NamedTuple):
    """What an observation holds beside its "action_mask"."""

    space: Space
    of: Callable[[Any], Any]  # an observation -> what it holds beside


def beside_mask(observations: Space, actions: Space) -> BesideMask | None:
    """The rest of a Dict in which "action_mask" has as many numbers as there are actions; None where there is no such.

    Of one thing beside it the rest is that thing.
    """
    choices = spaces.Discrete | spaces.MultiDiscrete | spaces.MultiBinary
    if not isinstance(observations, spaces.Dict) or MASK not in observations.spaces:
        return None
    shape = observations[MASK].shape
    if not isinstance(actions, choices) or shape is None or len(observations.spaces) == 1:
        return None
    if math.prod(shape) != acting("", actions).actions.mask_width:
        return None
    rest = {key: space for key, space in observations.spaces.items() if key != MASK}
    if len(rest) == 1:
        key, space = next(iter(rest.items()))
        return BesideMask(space, lambda obs: obs[key])
    return BesideMask(spaces.Dict(rest), lambda obs: {key: obs[key] for key in rest})
