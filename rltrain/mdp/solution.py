"""What a solver says: values, policy, and how far from the truth they can be."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from rltrain.core import Array
from rltrain.mdp.model import Model


@dataclass(frozen=True, eq=False)
class Solution:
    """Every finite number in `value` and `q` is within `bound` of the truth; -inf is proven to be so.

    At discount 1 a value is the most that a policy earns which surely ends, and -inf where every policy loses for ever.
    """

    model: Model
    discount: float
    value: Array  # [S] float64, 0 where terminal
    q: Array  # [P] float64
    choice: Array  # [S] int64, the pair that the policy takes, -1 where terminal
    bound: float  # proven; inf where nothing could be proven
    converged: bool  # bound <= epsilon
    sweeps: int  # backups of the whole model, or their equivalent
    seconds: float
    method: str  # what was done: "pi", "mpi", "gs", …
    circle: int | None = None  # discount 1: a state on a circle of optimal actions that earns and loses in turn

    @cached_property
    def gaps(self) -> Array:
        """[S] best Q minus second best; inf where there is one action or none, or no other that is finite."""
        rest = self.q.copy()
        rest[self.choice[self.choice >= 0]] = -np.inf
        gaps = np.full(self.model.num_states, np.inf)
        acting = ~self.model.terminal
        if acting.any():
            second = np.maximum.reduceat(rest, self.model.first_pair[:-1][acting])
            with np.errstate(invalid="ignore"):
                between = self.q[self.choice[acting]] - second
            gaps[acting] = np.where(np.isnan(between), np.inf, between)  # of two that both lose for ever
        return gaps

    @cached_property
    def tied(self) -> Array:
        """[P] bool: pairs that may be optimal, as far as the bound can tell; more than one of a state is a tie.

        None of a state that is worth -infinity.
        """
        if not self.model.num_pairs:
            return np.zeros(0, dtype=bool)
        best = np.zeros(self.model.num_states)
        acting = self.choice >= 0
        best[acting] = self.q[self.choice[acting]]
        return np.asarray((self.q >= best[self.model.pair_state] - 2 * self.bound) & np.isfinite(self.q))

    @cached_property
    def lost(self) -> Array:
        """[S] bool: worth -infinity, whatever is done."""
        return np.asarray(np.isneginf(self.value))

    @property
    def policy(self) -> list[str | None]:
        """[S] the best action of each state by name, None where terminal."""
        return self.model.action_names(self.choice)
