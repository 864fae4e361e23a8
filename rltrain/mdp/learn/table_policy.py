"""A policy that looks its action up: one action number for each state number, and what every pair is worth."""

from __future__ import annotations

import numpy as np

from rltrain.core import Array, EnvSpec, State
from rltrain.saved import ANY_INTEGER, Saved


class TablePolicy:
    """choice [S] int64, the action of each state; obs [N, 1] are the states' numbers.

    Where that action is masked, the best of those that are not. The pairs of a state stand as in a `Model`:
    first_pair [S + 1], action [P]; q [P] is what they are worth.
    """

    score_name = "Q"

    def __init__(self, choice: Array, first_pair: Array, action: Array, q: Array, num_actions: int) -> None:
        self.choice, self.first_pair, self.action, self.q = choice, first_pair, action, q
        self.num_actions = num_actions

    def act(self, obs: Array, mask: Array | None = None) -> Array:
        states = np.asarray(obs, np.int64)[:, 0]
        action = self.choice[states]
        if mask is None:
            return np.asarray(action)
        for row in np.flatnonzero(~mask[np.arange(len(states)), action] & mask.any(axis=1)).tolist():
            able = np.flatnonzero(mask[row])  # the first best of what is left
            action[row] = able[np.argmax(np.nan_to_num(self.scores(obs[row : row + 1])[0, able], nan=-np.inf))]
        return np.asarray(action)

    def scores(self, obs: Array, mask: Array | None = None) -> Array:
        """Q [N, A] of obs [N, 1], whatever the mask; NaN where a state has no such pair."""
        states = np.asarray(obs, np.int64)[:, 0]
        return by_action(self.first_pair, self.action, self.q, states, self.num_actions)

    def save(self) -> State:
        """Without q, which its owner saves; the numbers as small as they go."""
        pairs = np.diff(self.first_pair)
        return {"choice": self.choice, "pairs": _small(pairs), "action": _small(self.action)}


def restored(saved: Saved, q: Array, spec: EnvSpec) -> TablePolicy:
    """What `save` wrote, with the values q [P] that lay beside it. CheckpointError if it is not of this environment."""
    most = spec.num_actions
    action = saved.array("action", ANY_INTEGER, (len(q),), 0, most - 1)
    pairs = saved.array("pairs", ANY_INTEGER, (spec.num_states,), 0, most)
    if pairs.sum() != len(q):
        saved.refuse("pairs", f"sum to {pairs.sum()}; there are {len(q)} values")
    choice = saved.array("choice", ANY_INTEGER, (spec.num_states,), 0, most - 1)
    return TablePolicy(choice, np.concatenate([[0], np.cumsum(pairs)]), action, q, most)


def greedy(
    first_pair: Array, action: Array | None, q: Array, num_actions: int, possible: Array | None = None
) -> TablePolicy:
    """The first best action of each state by q [P], of those that are possible [P] bool; 0 where it is terminal.

    The pairs of a state stand as in a `Model`: first_pair [S + 1], action [P] or None, where they are numbered within
    each state.
    """
    choice = np.zeros(len(first_pair) - 1, np.int64)
    owner = np.repeat(np.arange(len(choice)), np.diff(first_pair))
    acting = np.flatnonzero(np.diff(first_pair))
    best = np.zeros(len(choice))
    able = q if possible is None else np.where(possible, q, -np.inf)
    best[acting] = np.maximum.reduceat(able, first_pair[:-1][acting])
    pairs = np.flatnonzero(able == best[owner])
    states, place = np.unique(owner[pairs], return_index=True)
    if action is None:
        action = np.arange(len(q)) - first_pair[owner]
    choice[states] = action[pairs[place]]
    return TablePolicy(choice, first_pair, action, q.copy(), num_actions)


def believed(q: Array, second: Array) -> Array:
    """[L, P] what the learners think: one table, or the mean of two."""
    return (q + second) / 2 if second.size else q


def by_action(first_pair: Array, action: Array, value: Array, states: Array, num_actions: int) -> Array:
    """Values of pairs [P] as rows of these states [N], one column an action [N, A]; NaN where it is impossible."""
    rows = np.full((len(states), num_actions), np.nan)
    for row, state in zip(rows, states.tolist(), strict=True):
        pairs = slice(first_pair[state], first_pair[state + 1])
        row[action[pairs]] = value[pairs]
    return rows


def _small(numbers: Array) -> Array:
    return numbers.astype(np.min_scalar_type(int(numbers.max(initial=0))))
