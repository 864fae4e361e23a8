"""How far learned tables are from the truth: max |Q - Q*|, right actions, and what the greedy policy loses.

    regret = V*(start) - V_pi(start), pi greedy for the learned Q, both exact

Only what can be reached from a start counts. The truth comes from `mdp.solve`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rltrain.core import Array
from rltrain.mdp import bellman, policy, reachability, solve
from rltrain.mdp.model import Model
from rltrain.mdp.solution import Solution

EPSILON = 1e-9  # of the truth
FEW_STATES = 100  # up to which the regret of every learner is found: a system of linear equations at every look
MOST_STATES = 700  # up to which that of the first learner is, above none


class Judgement(NamedTuple):
    """L learners against the truth."""

    error: Array  # [L] max |Q - Q*|
    right: Array  # [L] share of the states whose greedy action is optimal
    regret: Array  # [L] NaN where it was not found


class Truth:
    """The solution of a model, and what learned tables are held against."""

    def __init__(self, model: Model, discount: float) -> None:
        self.solution: Solution = solve.solve(model, discount, epsilon=EPSILON)
        self.model, self.discount = model, discount
        states = reachability.reachable(model)
        self.pairs = np.flatnonzero(states[model.pair_state])
        self.states = np.flatnonzero(states & ~model.terminal)
        self.start = model.start_distribution()
        acting = np.flatnonzero((self.start > 0) & ~model.terminal)
        self.watched = int(self.solution.choice[acting[0]])  # the best pair of the first start
        self._regret: dict[bytes, float] = {}  # by policy: learners agree in the end

    def judge(self, q: Array) -> Judgement:
        """q [L, P]."""
        tied = self.solution.tied
        error, right, regret = np.zeros((3, len(q)))
        for lane, table in enumerate(q):
            choice = bellman.greedy(self.model, table)
            error[lane] = np.abs(table - self.solution.q)[self.pairs].max(initial=0.0)
            right[lane] = tied[choice[self.states]].mean()
            few = self.model.num_states <= (MOST_STATES if lane == 0 else FEW_STATES)
            regret[lane] = self._lost(choice) if few else np.nan
        return Judgement(error, right, regret)

    def _lost(self, choice: Array) -> float:
        key = choice.tobytes()
        if key not in self._regret:
            if len(self._regret) >= 64:
                self._regret.clear()
            taken = policy.of_choice(self.model, choice)
            value = policy.evaluate(self.model, taken, self.discount).value
            lost = float(self.start @ (self.solution.value - value))
            self._regret[key] = max(0.0, lost)  # nothing is better than the best; below 0 is rounding
        return self._regret[key]
