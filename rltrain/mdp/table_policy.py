"""A policy that looks its action up: one action number for each state number."""

from __future__ import annotations

import numpy as np

from rltrain.core import Array
from rltrain.mdp import bellman
from rltrain.mdp.model import Model


class TablePolicy:
    """choice [S] int64, the action of each state; obs [N, 1] are the states' numbers."""

    def __init__(self, choice: Array) -> None:
        self.choice = choice

    def act(self, obs: Array) -> Array:
        return np.asarray(self.choice[np.asarray(obs, np.int64)[:, 0]])


def greedy(model: Model, q: Array) -> TablePolicy:
    """The first best action of each state by Q [P]; 0 where it is terminal."""
    pair = bellman.greedy(model, q)
    choice = np.zeros(model.num_states, np.int64)
    choice[pair >= 0] = model.action[pair[pair >= 0]]
    return TablePolicy(choice)
