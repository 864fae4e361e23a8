"""Spaces of Gymnasium as observations of ours: pictures, vectors, and named parts.

    picture   a Box of rank 3, or of bytes and rank 2. Whole numbers from 0 to at most 255, or True and False, become
              uint8 [C, H, W]; floats that are declared to lie in [0, 1] become float32 [C, H, W]. The channels are the
              shortest axis
    vector    everything else, flattened by Gymnasium's own rule to float32 [n]: a Discrete becomes one-hot
    parts     a Dict or a Tuple, whose leaves are named "camera", "arm/angle", "0". Without a picture they are one
              vector; with pictures the parts stay apart, in one array (`spaces.Part`). A leaf that cannot be numbers,
              such as MiniGrid's mission, is left out, and said to be

What has another form than the space declares is a ValueError, TypeError or KeyError of `read`.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from gymnasium import spaces
from gymnasium.spaces.utils import flatten, flatten_space

from rltrain.core import Array
from rltrain.envs.gym import foreign
from rltrain.envs.gym.foreign import Read
from rltrain.errors import InputError
from rltrain.spaces import Part, laid_out

Space = spaces.Space[Any]


class Observed(NamedTuple):
    """What a learner sees of an environment's observations, and how it is made of one."""

    shape: tuple[int, ...]
    dtype: str  # "uint8" or "float32"
    read: Read
    high: int = 255  # of a uint8 picture
    parts: tuple[Part, ...] = ()
    left_out: tuple[str, ...] = ()  # leaves that cannot be numbers


class Leaf(NamedTuple):
    """A space within a Dict or a Tuple, and the way there: keys of the one, numbers of the other."""

    name: str
    space: Space
    way: tuple[Any, ...]

    def of(self, obs: Any) -> Any:
        """This leaf of an observation."""
        for key in self.way:
            obs = obs[key]
        return obs


def observed(name: str, space: Space) -> Observed:
    """How the observations of the environment `name` are seen. InputError if nothing can be learned from them."""
    leaves = [(leaf, _alone(leaf.space)) for leaf in _leaves(space)]
    seen = [(leaf, found) for leaf, found in leaves if found is not None]
    if any(0 in found.shape for _, found in seen) or not leaves:
        raise InputError(f"environment.id: {name} has observations {space}, which hold no number to learn from")
    left_out = tuple(leaf.name for leaf, found in leaves if found is None)
    if not seen:
        raise InputError(f"environment.id: {name} has observations {space}, which cannot be made a vector or an image")
    if seen[0][0].way == ():  # neither Dict nor Tuple
        return seen[0][1]
    pictures = any(len(found.shape) == 3 for _, found in seen)
    if pictures and len(seen) == 1:  # what is left is one picture
        leaf, found = seen[0]
        return found._replace(read=lambda obs: found.read(leaf.of(obs)), left_out=left_out)
    parts, width, dtype = laid_out([(leaf.name, found.shape, found.dtype, found.high) for leaf, found in seen])
    if not pictures and not left_out:
        return Observed((width,), dtype, _flat(space), parts=parts)
    return Observed((width,), dtype, _packed(seen, parts, width, dtype), parts=parts, left_out=left_out)


def _alone(space: Space) -> Observed | None:
    """How a space that is neither Dict nor Tuple is seen. None if it cannot be numbers."""
    layout = _layout(space)
    if layout is not None:
        assert isinstance(space, spaces.Box)
        shape = _channels_first(np.empty(space.shape, np.uint8), layout).shape
        if space.dtype is not None and space.dtype.kind == "f":
            return Observed(shape, "float32", _float_picture(space.shape, layout))
        high = 1 if space.dtype == np.bool_ else int(np.max(space.high)) if space.high.size else 0
        return Observed(shape, "uint8", _byte_picture(space.shape, layout), high or 255)
    if isinstance(space, spaces.Box):
        return Observed((int(np.prod(space.shape)),), "float32", _vector(space.shape))
    if isinstance(space, spaces.Discrete):
        return Observed((int(space.n),), "float32", _one_hot(int(space.start), int(space.n)))
    try:
        flat = flatten_space(space).shape if space.is_np_flattenable else None
    except NotImplementedError:  # a space of the environment's own
        return None
    return None if flat is None else Observed(flat, "float32", _flat(space))


def _layout(space: Space) -> str | None:
    """ "HW", "HWC" or "CHW" for a picture, "KHWC" or "KCHW" for a stack of them, None for anything else."""
    if not isinstance(space, spaces.Box) or space.dtype is None or len(space.shape) not in (2, 3, 4):
        return None
    if len(space.shape) == 2:
        return "HW" if space.dtype == np.uint8 else None
    kind, within = space.dtype.kind, space.low.size > 0 and space.low.min() >= 0
    bytes_ = kind == "b" or space.dtype == np.uint8 or (kind in "iu" and within and space.high.max() <= 255)
    if not bytes_ and not (kind == "f" and within and space.high.max() <= 1):
        return None
    stack, (first, *_, last) = "K" * (len(space.shape) - 3), space.shape[-3:]
    return stack + ("CHW" if first < last else "HWC")


def _leaves(space: Space, name: str = "", way: tuple[Any, ...] = ()) -> Iterator[Leaf]:
    """All that a space holds, in its own order."""
    match space:
        case spaces.Dict():
            inner: list[tuple[Any, Space]] = list(space.spaces.items())
        case spaces.Tuple():
            inner = list(enumerate(space.spaces))
        case _:
            yield Leaf(name, space, way)
            return
    for key, part in inner:
        yield from _leaves(part, f"{name}/{key}" if name else str(key), (*way, key))


# Of an observation, what a learner sees


def _vector(shape: tuple[int, ...]) -> Read:
    """A Box -> float32 [n]: what `flatten` does, without looking for the function that does it."""

    def read(obs: Any) -> Array:
        array = np.asarray(obs)
        if array.shape != shape or array.dtype.kind not in "fiub":
            raise ValueError
        return array.astype(np.float32, copy=False).reshape(-1)

    return read


def _byte_picture(shape: tuple[int, ...], layout: str) -> Read:
    """A Box of bytes -> uint8 [C, H, W]."""

    def read(obs: Any) -> Array:
        array = np.asarray(obs)
        if array.dtype != np.uint8:
            array = _bytes(array)
        if array.shape != shape:
            raise ValueError
        return _channels_first(array, layout)

    return read


def _float_picture(shape: tuple[int, ...], layout: str) -> Read:
    """A Box of floats -> float32 [C, H, W]."""

    def read(obs: Any) -> Array:
        array = np.asarray(obs)
        if array.shape != shape or array.dtype.kind not in "fiub":
            raise ValueError
        return _channels_first(array.astype(np.float32, copy=False), layout)

    return read


def _channels_first(array: Array, layout: str) -> Array:
    """[C, H, W]; of a stack [K * C, H, W], the channels of the first picture before those of the next."""
    if layout == "HW":
        return array[None]
    if layout.endswith("HWC"):
        array = np.moveaxis(array, -1, -3)
    return array.reshape(-1, *array.shape[-2:])


def _bytes(array: Array) -> Array:
    """The numbers as uint8. ValueError where that changes one."""
    if array.dtype.kind not in "fiub":
        raise ValueError
    with np.errstate(invalid="ignore"):  # NaN as a byte
        found = array.astype(np.uint8)
    if (found != array).any():
        raise ValueError
    return found


def _one_hot(first: int, count: int) -> Read:
    """A Discrete -> float32 [n]. TypeError for what is no whole number."""

    def read(obs: Any) -> Array:
        number = operator.index(obs) - first
        if not 0 <= number < count:
            raise ValueError
        found = np.zeros(count, np.float32)
        found[number] = 1.0
        return found

    return read


def _flat(space: Space) -> Read:
    """Any other space -> float32 [n]."""

    def read(obs: Any) -> Array:
        if not foreign.fits(space, obs):
            raise ValueError
        return np.asarray(flatten(space, obs), dtype=np.float32)

    return read


def _packed(
    seen: list[tuple[Leaf, Observed]], parts: tuple[Part, ...], width: int, dtype: str
) -> Callable[[Any], Array]:
    """A Dict or a Tuple -> one array [width] in which each leaf stands at its part's columns."""
    by_name = {leaf.name: (leaf, found) for leaf, found in seen}
    order = [(*by_name[part.name], part) for part in parts]

    def read(obs: Any) -> Array:
        row = np.zeros(width, dtype)
        for leaf, found, part in order:
            value = np.ascontiguousarray(found.read(leaf.of(obs)))
            row[part.start : part.stop] = value.reshape(-1).view(dtype)
        return row

    return read
