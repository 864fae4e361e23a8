"""A policy that draws its actions: one probability for every pair of a state and an action that is possible there."""

from __future__ import annotations

import numpy as np

from rltrain.core import Array, EnvSpec, State
from rltrain.mdp.learn.table_policy import by_action
from rltrain.saved import ANY_INTEGER, Saved


class StochasticPolicy:
    """taken [P], the probability of each pair in its state; obs [N, 1] are the states' numbers.

    The pairs of a state stand as in a `Model`: first_pair [S + 1], action [P] or None, where they are numbered within
    each state. Every copy draws the same actions. Of a mask it takes what is left in proportion, or uniformly if it
    wants none of that.
    """

    score_name = "probability"

    def __init__(self, first_pair: Array, action: Array | None, taken: Array, num_actions: int) -> None:
        owner = np.repeat(np.arange(len(first_pair) - 1), np.diff(first_pair))
        self.first_pair = first_pair
        self.action = np.arange(len(taken)) - first_pair[owner] if action is None else action.astype(np.int64)
        self.taken, self.num_actions = taken, num_actions
        self._sum = np.concatenate([[0.0], np.cumsum(taken)])
        self._stream = np.random.default_rng(0)

    def act(self, obs: Array, mask: Array | None = None) -> Array:
        state = np.asarray(obs, np.int64)[:, 0]
        first, end = self.first_pair[state], self.first_pair[state + 1]
        low, high = self._sum[first], self._sum[end]
        uniform = self._stream.random(len(state))
        drawn = low + uniform * (high - low)
        pair = np.searchsorted(self._sum, drawn, side="right") - 1
        found = self.action[np.clip(pair, first, np.maximum(first, end - 1)).clip(max=len(self.action) - 1)]
        action = np.where(end > first, found, 0)
        if mask is None:
            return action
        wanted = np.nan_to_num(self.scores(obs))  # [N, A]
        for row in np.flatnonzero((~mask & (wanted > 0)).any(axis=1) & mask.any(axis=1)).tolist():
            share = np.cumsum(_left(wanted[row], mask[row]))
            action[row] = np.searchsorted(share, uniform[row] * share[-1], side="right")
        return action

    def scores(self, obs: Array, mask: Array | None = None) -> Array:
        """Probabilities [N, A] of obs [N, 1]; NaN where a state has no such pair; of what a mask leaves, as `act`."""
        states = np.asarray(obs, np.int64)[:, 0]
        found = by_action(self.first_pair, self.action, self.taken, states, self.num_actions)
        if mask is None:
            return found
        for row, able in zip(found, mask, strict=True):
            if able.any():
                left = _left(np.nan_to_num(row), able)
                row[:] = left / left.sum()
        return found

    def save(self) -> State:
        return {"first_pair": self.first_pair.copy(), "action": self.action.copy(), "taken": self.taken.copy()}


def _left(wanted: Array, able: Array) -> Array:
    """Weights [A] of what is possible, able [A] bool: probabilities wanted [A] of these, all 1 if none is wanted."""
    left = wanted * able
    return left if left.any() else able.astype(float)


def restored(saved: Saved, spec: EnvSpec) -> StochasticPolicy:
    """What `StochasticPolicy.save` wrote. CheckpointError if it is not of this environment."""
    taken = saved.array("taken", "float64", (None,), 0, 1)
    action = saved.array("action", ANY_INTEGER, (len(taken),), 0, spec.num_actions - 1)
    ends = None if spec.num_states is None else spec.num_states + 1
    first_pair = saved.array("first_pair", "int64", (ends,), 0, len(taken))
    if first_pair[0] != 0 or first_pair[-1] != len(taken) or (np.diff(first_pair) < 0).any():
        saved.refuse("first_pair", f"must ascend from 0 to {len(taken)}")
    return StochasticPolicy(first_pair, action, taken, spec.num_actions)
