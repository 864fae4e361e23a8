"""The best H steps: backward induction, and a policy for each time to go (Bellman 1957; Puterman 1994, section 4.5).

    V_0 = 0        Q_t(s, a) = r(s, a) + gamma sum_s' T(s, a, s') V_(t-1)(s')        V_t(s) = max_a Q_t(s, a)

Nothing converges here: after H backups the answer is exact but for rounding, whose sum is the bound. A discount of 1 is
as good as any other.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from rltrain.core import Array
from rltrain.errors import InputError, OutOfMemoryError
from rltrain.mdp.model import Model
from rltrain.mdp.solvers import bellman
from rltrain.mdp.solvers.bellman import UNIT

MOST_BYTES = 8 << 30  # of all tables together


class Stage(NamedTuple):
    """What is best with `to_go` steps left; every number is within `bound` of the truth."""

    to_go: int
    value: Array  # [S]
    q: Array  # [P]; nothing but zeros with no step left
    choice: Array  # [S] int64, -1 where terminal or with no step left
    bound: float


@dataclass(frozen=True, eq=False)
class Horizon:
    """All stages. Index t: t steps to go."""

    model: Model
    discount: float
    value: Array  # [H + 1, S] float64
    q: Array  # [H + 1, P] float64
    choice: Array  # [H + 1, S] int64
    bound: float  # proven, of every value and q; rounding alone
    seconds: float

    @property
    def horizon(self) -> int:
        return len(self.value) - 1

    def changes(self) -> list[int]:
        """The times to go, from 1, at which the policy is another than with one step less; 1 is the first."""
        differs = (self.choice[2:] != self.choice[1:-1]).any(axis=1)
        return ([1] if self.horizon else []) + [int(t) + 2 for t in np.flatnonzero(differs)]


def stages(model: Model, discount: float, horizon: int) -> Iterator[Stage]:
    """From no step to go up to `horizon`, one by one: for models whose tables do not fit together."""
    if not 0 <= discount <= 1:
        raise InputError(f"discount {discount:g}: from 0 to 1")
    if horizon < 0:
        raise InputError(f"horizon {horizon}: 0 steps or more")
    value = np.zeros(model.num_states)
    bound = 0.0
    yield Stage(0, value, np.zeros(model.num_pairs), np.full(model.num_states, -1, dtype=np.int64), bound)
    for to_go in range(1, horizon + 1):
        q = bellman.backup(model, value, discount)
        bound = bound * discount * (1 + 4 * UNIT) + bellman.rounding(model, value, discount)
        value = bellman.best(model, q)
        yield Stage(to_go, value, q, bellman.greedy(model, q), bound)


def solve(model: Model, discount: float, horizon: int) -> Horizon:
    """Every stage at once."""
    start = time.perf_counter()
    need = 8 * (horizon + 1) * (2 * model.num_states + model.num_pairs)
    if need > MOST_BYTES:
        raise OutOfMemoryError(
            f"a horizon of {horizon:,} on {model.num_states:,} states needs {need / 1e9:.0f} GB for its tables; "
            f"the limit is {MOST_BYTES / 1e9:.0f} GB: take a shorter horizon"
        )
    value = np.zeros((horizon + 1, model.num_states))
    q = np.zeros((horizon + 1, model.num_pairs))
    choice = np.full((horizon + 1, model.num_states), -1, dtype=np.int64)
    bound = 0.0
    for stage in stages(model, discount, horizon):
        value[stage.to_go], q[stage.to_go], choice[stage.to_go] = stage.value, stage.q, stage.choice
        bound = max(bound, stage.bound)
    return Horizon(model, discount, value, q, choice, bound, time.perf_counter() - start)
