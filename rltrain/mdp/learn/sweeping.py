"""Sweeps over a table of values, one at a time, so that a run can show, save and resume them.

    viter   V(s)    <- max_a sum_s' T(s, a, s') (R(s, a, s') + gamma V(s'))                  (Bellman 1957)
    qiter   Q(s, a) <- sum_s' T(s, a, s') (R(s, a, s') + gamma max_a' Q(s', a'))

`sync` computes every new value from the old ones. `inplace` uses new values as soon as they stand, states and actions
in their order; it needs fewer sweeps. Both contract by gamma: what a sweep changed bounds what is still missing. With
gamma = 1 nothing contracts, and one more backup proves what is missing: see `mdp.undiscounted.proof`.
"""

from __future__ import annotations

import math

import numpy as np

from rltrain.core import Array, Metrics, State
from rltrain.errors import InputError
from rltrain.mdp import thresholds
from rltrain.mdp.model import Model
from rltrain.mdp.solution import Solution
from rltrain.mdp.solvers import bellman, solve
from rltrain.mdp.undiscounted import total_reward
from rltrain.mdp.undiscounted.total_reward import Proof
from rltrain.saved import Saved

TRUTH = 1e-9  # the bound of the solution that values are held against


class Sweeping:
    """Values of a model's pairs or states, improved sweep by sweep."""

    def __init__(self, model: Model, gamma: float | None, in_place: bool, of_pairs: bool) -> None:
        from rltrain.mdp.solvers import kernels
        from rltrain.mdp.solvers.compiled import Compiled

        discount = model.discount if gamma is None else gamma
        if discount is None:
            raise InputError("algorithm.gamma: this model has no discount of its own; give one, such as 0.95")
        self.model, self.discount = model, float(discount)
        self._in_place, self._of_pairs = in_place, of_pairs
        self._kernels, self._on = kernels, Compiled(model, self.discount)
        self.value = np.zeros(model.num_states)  # max_a Q where Q is kept
        self.q = np.zeros(model.num_pairs)
        self.sweeps = 0
        self.bound = math.inf  # max |Q - Q*| or max |V - V*| is proven to be at most this
        self.still = False  # the last sweep changed nothing: no other will
        self._choice = bellman.greedy(model, self.q)
        self._rounding = bellman.rounding_of(model)
        self._start = model.start_distribution()
        self._proof: Proof | None = None  # of discount 1, where no contraction proves anything
        self._truth: Solution | None = None
        if self.discount == 1:
            self._proof = total_reward.prove(model, TRUTH)
            self._truth = self._proof.best
            self._lose()
        elif model.num_states <= thresholds.TRUTH_STATES:
            self._truth = solve.solve(model, self.discount, epsilon=TRUTH, max_seconds=60.0)

    def sweep(self) -> Metrics:
        """One sweep over all pairs."""
        value, q = self.value.copy(), self.q.copy()
        if self._in_place:
            self._kernels.in_place(*self._on.rows, self.discount, self.q, self.value, self._of_pairs)
        else:
            self.q = self._on.backup(value)
            self.value, _ = self._on.greedy(self.q)
        self._lose()
        self.sweeps += 1
        most = _farthest(self.q, q) if self._of_pairs else _farthest(self.value, value)
        self.bound, self.still = self._proven(most), most == 0.0
        choice = bellman.greedy(self.model, self.q)
        changed = int((choice != self._choice).sum())
        self._choice = choice
        return {
            "bound": self.bound,
            "change/max": most,
            "error/max": self._error(),
            "policy/changed": float(changed),
            "policy/right": self._right(choice),
            "value/start": bellman.mean(self._start, self.value),
        }

    def _proven(self, most: float) -> float:
        """What is proven of the values as they stand: no constant is added to them. Below discount 1 by contraction."""
        if self._proof is not None:
            of_values = self._proof.bound(self.value)
            if not self._of_pairs:
                return of_values
            backed_up = self._on.backup(self.value)
            return of_values + _farthest(self.q, backed_up) + self._rounding.of(self.value, 1.0)
        reach = self.discount / (1 - self.discount)
        floor = self._rounding.of(self.value, self.discount) / (1 - self.discount)
        return reach * most + floor

    def _lose(self) -> None:
        """What loses for ever whatever is done is known to, without a sweep."""
        if self._truth is not None and self._truth.lost.any():
            self.value[self._truth.lost] = -np.inf
            self.q[np.isneginf(self._truth.q)] = -np.inf

    def _error(self) -> float:
        if self._truth is None:
            return math.nan
        return _farthest(self.q, self._truth.q) if self._of_pairs else _farthest(self.value, self._truth.value)

    def _right(self, choice: Array) -> float:
        """The share of states whose action is optimal, as far as the bound of the truth can tell."""
        acting = choice >= 0
        if self._truth is not None:
            acting = acting & ~self._truth.lost
        if self._truth is None or not acting.any():
            return math.nan
        return float(self._truth.tied[choice[acting]].mean())

    def save(self) -> State:
        counted = {"sweeps": self.sweeps, "bound": self.bound, "still": self.still}
        return {**counted, "value": self.value, "q": self.q, "choice": self._choice}

    def load(self, state: State) -> None:
        saved = Saved.of(state)
        self.sweeps, self.still = saved.integer("sweeps"), saved.flag("still")
        self.bound = saved.number("bound", 0, finite=False)
        self.value, self.q = self._numbers(saved, "value", self.value), self._numbers(saved, "q", self.q)
        self._choice = saved.like("choice", self._choice, -1, self.model.num_pairs - 1)

    @staticmethod
    def _numbers(saved: Saved, key: str, own: Array) -> Array:
        """A saved table: finite but where what is lost for ever has been known from the beginning."""
        found = saved.like(key, own, finite=False)
        if not np.array_equal(np.where(np.isfinite(found), 0.0, found), np.where(np.isfinite(own), 0.0, own)):
            saved.refuse(key, "must be finite where the model's value is, and else -infinity")
        return found


def _farthest(numbers: Array, others: Array) -> float:
    """The greatest distance of two tables, where both are finite."""
    finite = np.isfinite(numbers) & np.isfinite(others)
    return float(np.abs(numbers[finite] - others[finite]).max(initial=0.0))
