"""A policy that keeps a table, whole: what it thinks of every state of a known model, beside the exact answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from rltrain import envs
from rltrain.core import Array, Scoring
from rltrain.errors import InputError, UncertifiedError
from rltrain.mdp.draw.picture import cells_of
from rltrain.mdp.model import Model
from rltrain.policies.asking import Planning
from rltrain.verbs.explain import arithmetic
from rltrain.verbs.explain.arena import Arena
from rltrain.verbs.mdp.solve import solve
from rltrain.verbs.truth import MOST_STATES, taken_by

BATCH = 4096  # states that a policy is asked about at once


@dataclass(frozen=True, eq=False)
class ExplainedTable:
    """Of the S states and P pairs of a known model."""

    model: Model
    cells: Array | None  # [S, 2] row and column, where states are the cells of a grid
    value: Array  # [S] float64 best Q; NaN where it is not known, and of a policy that has no Q
    taken: Array  # [P] float64 the probability with which the policy takes each pair
    exact: Array | None  # [S] float64 the true value of the best policy; None: there is none
    tied: Array | None  # [P] bool pairs that are as good as the best
    wrong: Array | None  # [S] bool the policy may take what is not as good as the best
    discount: float

    def json(self) -> dict[str, Any]:
        """All of it as JSON has it, a list of states."""
        rows = []
        for state in range(self.model.num_states):
            own = self.model.pairs(state)
            named = {
                self.model.actions[int(self.model.action[pair])]: float(self.taken[pair])
                for pair in own
                if self.taken[pair] > 0
            }
            row: dict[str, Any] = {"state": self.model.states[state], "value": float(self.value[state])}
            row |= {"policy": named, "terminal": bool(self.model.terminal[state])}
            if self.exact is not None and self.wrong is not None:
                row |= {"exact": float(self.exact[state]), "wrong": bool(self.wrong[state])}
            rows.append(row)
        return {"discount": self.discount, "states": rows}


def table_of(arena: Arena) -> ExplainedTable | None:
    """The whole table of a policy of numbered states whose model is known; None of any other."""
    policy, task = arena.policy, arena.experiment.task
    if task == "env" or isinstance(policy, Planning):
        return None
    model = envs.model_of(arena.experiment.environment)
    if model is None or model.num_states > MOST_STATES:
        return None
    taken = taken_by(model, policy)
    if taken is None:
        return None
    value = np.full(model.num_states, np.nan)
    if isinstance(policy, Scoring) and policy.score_name == "Q":
        for begin in range(0, model.num_states, BATCH):
            states = np.arange(begin, min(begin + BATCH, model.num_states))[:, None]
            value[begin : begin + BATCH] = arithmetic.greatest(np.asarray(policy.scores(states), np.float64))
    exact = tied = wrong = None
    try:
        solution = solve(model, arena.gamma)
        exact = solution.value * (np.abs(solution.value) > solution.bound)  # what may be 0 is 0: not 2e-16
        tied = solution.tied
        wrong = np.zeros(model.num_states, bool)
        np.logical_or.at(wrong, model.pair_state, (taken > 0) & ~tied)
        wrong &= ~model.terminal
    except (InputError, UncertifiedError):
        pass  # at discount 1 a sum of rewards need not exist
    return ExplainedTable(model, cells_of(model), value, taken, exact, tied, wrong, arena.gamma)
