"""Several environments side by side: their steps and actions as arrays, their parts, what they know of each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol, runtime_checkable

import numpy as np

from rltrain.core import Array, Env, Stateful, Step


@runtime_checkable
class Parted(Env, Protocol):
    """Environments in parts that may be stepped apart, so that a learner decides for one while another is played."""

    parts: tuple[Env, ...]  # in the order of their environments


@runtime_checkable
class Normalizing(Env, Protocol):
    """Environments that normalise what they show by statistics of all that was seen."""

    statistics: Stateful  # no part of what `save` returns; `policies.normalizing` has it for policies

    def held(self) -> AbstractContextManager[None]:
        """While it is open, what is seen is counted and changes nothing yet: games are compared that look alike."""
        ...


def joined(steps: Sequence[Step]) -> Step:
    """Environments side by side, which all mask actions or none does; so with scaled rewards."""
    if len(steps) == 1:
        return steps[0]
    return by_column(np.concatenate, steps)


def by_column(join: Callable[[Sequence[Array]], Array], steps: Sequence[Step]) -> Step:
    """One step from several: `join` makes each column from theirs, but for columns that they do not have."""
    columns = zip(Step._fields, zip(*steps, strict=True), strict=True)
    return steps[0]._replace(**{name: join(column) for name, column in columns if column[0] is not None})


def reward_to_learn(step: Step) -> Array:
    """Rewards [N] float32 as a learner takes them. One that does declares it: `AlgorithmPlugin.scaled_rewards`."""
    return step.reward if step.scaled is None else step.scaled


def held(env: Env) -> AbstractContextManager[None]:
    """While it is open, all games are seen by the same statistics, where there are any: see `Normalizing`."""
    return env.held() if isinstance(env, Normalizing) else nullcontext()


def as_int64(action: Any) -> Array:
    """Actions as the [N] int64 that `Env.step` takes."""
    return np.ascontiguousarray(action, dtype=np.int64)
