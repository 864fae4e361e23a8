"""What a solver says: values, policy, and how far from the truth they can be."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from rltrain.core import Array
from rltrain.mdp.model import Model

PIECE = 1 << 18  # states that are looked at together


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
        gaps = np.full(self.model.num_states, np.inf)
        for begin in range(0, self.model.num_states, PIECE):  # no copy as long as the pairs
            pairs, chosen = self.model.first_pair[begin : begin + PIECE + 1], self.choice[begin : begin + PIECE]
            first, acting = int(pairs[0]), pairs[1:] > pairs[:-1]
            if not acting.any():
                continue
            rest = self.q[first : int(pairs[-1])].copy()
            rest[chosen[chosen >= 0] - first] = -np.inf
            second = np.maximum.reduceat(rest, pairs[:-1][acting] - first)
            with np.errstate(invalid="ignore"):
                between = self.q[chosen[acting]] - second
            gaps[begin : begin + PIECE][acting] = np.where(np.isnan(between), np.inf, between)  # both lose for ever
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
        tied = np.isfinite(self.q)
        for begin in range(0, len(best), PIECE):  # no array of floats as long as the pairs
            pairs = self.model.first_pair[begin : begin + PIECE + 1]
            least = np.repeat(best[begin : begin + PIECE] - 2 * self.bound, np.diff(pairs))
            tied[pairs[0] : pairs[-1]] &= self.q[pairs[0] : pairs[-1]] >= least
        return tied

    @cached_property
    def lost(self) -> Array:
        """[S] bool: worth -infinity, whatever is done."""
        return np.asarray(np.isneginf(self.value))

    @property
    def policy(self) -> list[str | None]:
        """[S] the best action of each state by name, None where terminal."""
        return self.model.action_names(self.choice)
