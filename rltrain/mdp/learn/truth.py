"""How far learned tables are from the truth: max |Q - Q*|, right actions, and what the greedy policy loses.

    regret = V*(start) - V_pi(start), pi greedy for the learned Q, both exact

Only what can be reached from a start counts, and at discount 1 what is not lost for ever whatever is done. The truth
comes from `mdp.solvers.solve`, or `mdp.undiscounted.total_reward`. The regret of a policy that never ends is infinite,
or none.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rltrain.core import Array
from rltrain.errors import InputError, UncertifiedError
from rltrain.mdp import graph, pairs, thresholds
from rltrain.mdp.chains import policy
from rltrain.mdp.model import Model
from rltrain.mdp.solution import Solution
from rltrain.mdp.solvers import bellman, solve
from rltrain.mdp.undiscounted import total_reward

EPSILON = 1e-9  # of the truth
NO_VALUES = (
    "algorithm.gamma: at discount 1 this model has no finite values where it starts, so there is no truth to compare"
    " with, or to learn; take one below 1 (`rltrain mdp solve` says why)"
)
NO_VALUES_OF_POLICY = (
    "algorithm.gamma: at discount 1 the policy has no finite values, so there is no truth to compare with, or to"
    " learn; take one below 1 (`rltrain mdp evaluate` says why)"
)


def of_model(model: Model, discount: float) -> Truth | None:
    """The truth for learners; None where there is none, as at discount 1 there may be."""
    if discount < 1:
        return Truth(model, discount)
    try:
        return Truth(model, discount)
    except (InputError, UncertifiedError):
        return None


def of_policy(model: Model, taken: Array, discount: float) -> Array | None:
    """V [S] of a policy [P]; None where it has none, as at discount 1 it may."""
    try:
        return policy.evaluate(model, taken, discount).value
    except (InputError, UncertifiedError):
        if discount < 1:
            raise
        return None


class Judgement(NamedTuple):
    """L learners against the truth."""

    error: Array  # [L] max |Q - Q*|
    right: Array  # [L] share of the states whose greedy action is optimal
    regret: Array  # [L] NaN where it was not found


class Truth:
    """The solution of a model, and what learned tables are held against."""

    def __init__(self, model: Model, discount: float) -> None:
        self.solution: Solution = (
            total_reward.solve(model, EPSILON) if discount == 1 else solve.solve(model, discount, epsilon=EPSILON)
        )
        self.model, self.discount = model, discount
        states = graph.reachable(model) & ~self.solution.lost
        self.pairs = np.flatnonzero(states[model.pair_state] & np.isfinite(self.solution.q))
        self.states = np.flatnonzero(states & ~model.terminal)
        self.start = model.start_distribution()
        acting = np.flatnonzero((self.start > 0) & ~model.terminal & ~self.solution.lost)
        if not len(acting):
            raise InputError("no state to start from has a finite value and something to decide")
        self.watched = int(self.solution.choice[acting[0]])  # the best pair of the first start
        self._regret: dict[bytes, float] = {}  # by policy: learners agree in the end

    def judge(self, q: Array) -> Judgement:
        """q [L, P]."""
        tied = self.solution.tied
        error, right, regret = np.zeros((3, len(q)))
        for learner, table in enumerate(q):
            choice = bellman.greedy(self.model, table)
            error[learner] = np.abs(table - self.solution.q)[self.pairs].max(initial=0.0)
            right[learner] = tied[choice[self.states]].mean()
            most = thresholds.REGRET_OF_FIRST_STATES if learner == 0 else thresholds.REGRET_OF_ALL_STATES
            regret[learner] = self._lost(choice) if self.model.num_states <= most else np.nan
        return Judgement(error, right, regret)

    def _lost(self, choice: Array) -> float:
        key = choice.tobytes()
        if key not in self._regret:
            if len(self._regret) >= 64:
                self._regret.clear()
            taken = pairs.of_choice(self.model, choice)
            try:
                value = policy.evaluate(self.model, taken, self.discount).value
            except (InputError, UncertifiedError):  # at discount 1 it may go round and round without a sum
                value = np.full(self.model.num_states, np.nan)
            loss = np.zeros(self.model.num_states)
            np.subtract(self.solution.value, value, out=loss, where=~self.solution.lost)
            lost = bellman.mean(self.start, loss)
            self._regret[key] = lost if not lost < 0 else 0.0  # nothing is better than the best; below 0 is rounding
        return self._regret[key]
