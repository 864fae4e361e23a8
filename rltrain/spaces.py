"""What an agent can do and what it sees, in types of our own, so that no algorithm knows Gymnasium.

An action is one of some, several choices at once, or numbers within bounds. An observation is one array; where an
environment gives several things by name, such as a picture and some numbers, `Part` says where each lies in it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise, product
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Form = Literal["discrete", "multi_discrete", "continuous"]
MOST_PRODUCTS = 1024  # combinations of several choices that may be seen as single actions


@dataclass(frozen=True)
class Discrete:
    """One of n actions: action [N] int64, 0 <= action < n. A mask of what is possible is [N, n] bool."""

    n: int
    names: tuple[str, ...] = ()  # one each; (): their numbers

    form: ClassVar[Form] = "discrete"
    shape: ClassVar[tuple[int, ...]] = ()  # of one environment's action
    dtype: ClassVar[str] = "int64"

    @property
    def mask_width(self) -> int:
        return self.n

    def sample(self, stream: np.random.Generator, num_envs: int, mask: Array | None = None) -> Array:
        """Actions [num_envs], each that `mask` [num_envs, n] leaves possible as likely; None: all are."""
        if mask is None:
            return stream.integers(self.n, size=num_envs)
        return nth_possible(mask, stream.random(num_envs))

    def fault(self, action: Array, num_envs: int) -> str | None:
        """What is wrong with actions [num_envs]; None: nothing."""
        fits = action.shape == (num_envs,) and action.dtype.kind in "iu"
        if fits and action.min() >= 0 and action.max() < self.n:
            return None
        return f"expected {num_envs} actions from 0 to {self.n - 1}, got {action.tolist()}"

    def __str__(self) -> str:
        return "1 action" if self.n == 1 else f"{self.n} actions"


@dataclass(frozen=True)
class MultiDiscrete:
    """K choices at once: action [N, K] int64, 0 <= action[:, k] < sizes[k].

    A mask of what is possible is [N, sum of sizes] bool: the choices' own masks side by side.
    """

    sizes: tuple[int, ...]

    form: ClassVar[Form] = "multi_discrete"
    dtype: ClassVar[str] = "int64"

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self.sizes),)

    @property
    def mask_width(self) -> int:
        return sum(self.sizes)

    @property
    def columns(self) -> list[slice]:
        """Of each choice, its columns among [N, sum of sizes] outputs of a network, or of a mask."""
        return [slice(*ends) for ends in pairwise([0, *np.cumsum(self.sizes).tolist()])]

    @property
    def products(self) -> int:
        """Combinations of the choices."""
        return math.prod(self.sizes)

    def sample(self, stream: np.random.Generator, num_envs: int, mask: Array | None = None) -> Array:
        """Actions [num_envs, K], of each choice what `mask` [num_envs, sum of sizes] leaves possible as likely."""
        if mask is None:
            return stream.integers(np.array(self.sizes), size=(num_envs, len(self.sizes)))
        uniform = stream.random((num_envs, len(self.sizes)))
        return np.stack([nth_possible(mask[:, own], uniform[:, k]) for k, own in enumerate(self.columns)], axis=1)

    def fault(self, action: Array, num_envs: int) -> str | None:
        """What is wrong with actions [num_envs, K]; None: nothing."""
        fits = action.shape == (num_envs, len(self.sizes)) and action.dtype.kind in "iu"
        if fits and action.min() >= 0 and (action < np.array(self.sizes)).all():
            return None
        return f"expected {num_envs} times {len(self.sizes)} choices below {self.sizes}, got {action.tolist()}"

    def __str__(self) -> str:
        choices = "1 choice" if len(self.sizes) == 1 else f"{len(self.sizes)} choices at once"
        return f"{choices} among {_several(self.sizes)}"


@dataclass(frozen=True)
class Continuous:
    """K numbers: action [N, K] float32, low[k] <= action[:, k] <= high[k]; a bound may be infinite."""

    low: tuple[float, ...]
    high: tuple[float, ...]

    form: ClassVar[Form] = "continuous"
    dtype: ClassVar[str] = "float32"
    mask_width: ClassVar[int] = 0  # nothing can be masked

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self.low),)

    def sample(self, stream: np.random.Generator, num_envs: int, mask: Array | None = None) -> Array:
        """Actions [num_envs, K], uniform within the bounds; where one is infinite, normal around the other or 0."""
        low, high = np.array(self.low), np.array(self.high)
        bounded = np.isfinite(low) & np.isfinite(high)
        uniform = stream.random((num_envs, len(low)))
        normal = stream.standard_normal((num_envs, len(low)))
        within = np.where(bounded, low, 0) + uniform * np.where(bounded, high - np.where(bounded, low, 0), 1)
        from_low = np.where(np.isfinite(low), low, 0) + np.where(np.isfinite(low), np.abs(normal), normal)
        from_high = np.where(np.isfinite(high), high - np.abs(normal), from_low)
        return np.asarray(np.where(bounded, within, from_high).astype(np.float32))

    def fault(self, action: Array, num_envs: int) -> str | None:
        """What is wrong with actions [num_envs, K]; None: nothing."""
        if action.shape != (num_envs, len(self.low)) or action.dtype.kind not in "iuf":
            return f"expected {num_envs} times {len(self.low)} numbers, got an array of shape {action.shape}"
        low, high = (np.array(bound, np.float32) for bound in (self.low, self.high))
        if (action >= low).all() and (action <= high).all():  # NaN is neither
            return None
        return f"expected numbers from {_several(self.low)} to {_several(self.high)}, got {action.tolist()}"

    def __str__(self) -> str:
        numbers = "1 number" if len(self.low) == 1 else f"{len(self.low)} numbers"
        return f"{numbers} from {_several(self.low)} to {_several(self.high)}"


Actions = Discrete | MultiDiscrete | Continuous


@dataclass(frozen=True)
class Part:
    """A named part of an observation: the columns start <= c < stop of obs [N, width].

    Where an observation has a picture among its parts, obs is uint8 [N, width], and the numbers of other parts lie in
    it as the bytes of their float32; they come first, so that they are aligned. Else obs is float32 [N, width].
    """

    name: str
    shape: tuple[int, ...]  # (C, H, W) of a picture, (n,) of numbers
    dtype: str  # "uint8" or "float32"
    start: int
    stop: int
    high: int = 255  # of a uint8 picture: the greatest value, which networks see as 1

    @property
    def is_image(self) -> bool:
        return len(self.shape) == 3

    def of(self, obs: Array) -> Array:
        """This part [N, *shape] of observations [N, width]."""
        columns = np.ascontiguousarray(obs[:, self.start : self.stop])
        return columns.view(self.dtype).reshape(len(obs), *self.shape)


class OwnForm(NamedTuple):
    """How an environment's own code says what is seen and done, for a program that plays it by itself."""

    read: Callable[[Any], Array]  # its observation -> [*obs]; ValueError, TypeError or LookupError for what is none
    back: Callable[[Any], Any]  # an action, an int or an array [*action] -> what its `step` takes
    choices: MultiDiscrete | None = None  # its masks are of these, and an action is one of their combinations


def laid_out(named: Sequence[tuple[str, tuple[int, ...], str, int]]) -> tuple[tuple[Part, ...], int, str]:
    """Parts (name, shape, dtype, high) one after the other in one array: the parts, its width and its dtype."""
    packed = any(len(shape) == 3 for _, shape, _, _ in named)
    order = sorted(named, key=lambda part: part[2] == "uint8") if packed else named  # float32 first: aligned
    found, at = [], 0
    for name, shape, dtype, high in order:
        size = math.prod(shape) * (np.dtype(dtype).itemsize if packed else 1)
        found.append(Part(name, shape, dtype, at, at + size, high))
        at += size
    width = -(-at // 4) * 4 if packed else at
    return tuple(found), width, "uint8" if packed else "float32"


def possible(mask: Array) -> Array:
    """Mask [N, n] of one choice, all True in a row without any: an environment that masks everything masks nothing."""
    return np.asarray(mask | ~mask.any(axis=1, keepdims=True))


def nth_possible(mask: Array, uniform: Array) -> Array:
    """Of each row of mask [N, n] something `possible`, [N] int64: all are as likely if uniform [N] is in [0, 1)."""
    able = possible(mask)
    rank = (uniform * able.sum(axis=1)).astype(np.int64)
    return np.asarray((np.cumsum(able, axis=1) > rank[:, None]).argmax(axis=1))


def combinations(space: MultiDiscrete) -> Array:
    """Every combination of the choices [products, K] int64, the last choice changing fastest."""
    return np.array(list(product(*map(range, space.sizes))), dtype=np.int64).reshape(space.products, len(space.sizes))


def _several(values: Sequence[float]) -> str:
    """`2` where all are equal, else each, at most eight of them."""
    texts = [f"{value:g}" for value in values]
    if len(set(texts)) == 1:
        return texts[0]
    return "(" + ", ".join(texts[:8] + (["..."] if len(texts) > 8 else [])) + ")"
