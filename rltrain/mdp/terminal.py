"""Rewards R(x) of terminal states x, paid in them: V(x) = R(x), as in Russell and Norvig's grid worlds.

In a `Model` a terminal state is worth 0. So x gets one action, the model's first, which leads for R(x) to one more
state, terminal, called "end".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction

import numpy as np

from rltrain.core import Array
from rltrain.mdp.done import name_of_end
from rltrain.mdp.model import Exact, Model


def paid(model: Model, rewards: Mapping[int, Fraction], end: int | None = None) -> Model:
    """The model in which terminal states pay `rewards` (0 left out). `end` is a terminal state that may be used."""
    states = sorted(state for state, reward in rewards.items() if reward != 0)
    if not states:
        return model
    if end is None:
        end = model.num_states
        model = replace(
            model,
            states=(*model.states, name_of_end(model.states)),
            first_pair=np.append(model.first_pair, model.first_pair[-1]),
            start=None if model.start is None else np.append(model.start, 0.0),
        )
    pays = np.array([float(rewards[state]) for state in states])
    pairs = model.first_pair[states]  # [states] before which pair each one's own goes
    nexts = model.first_next[pairs]
    counts = np.diff(model.first_pair)
    counts[states] = 1
    return replace(
        model,
        first_pair=np.concatenate(([0], np.cumsum(counts))),
        action=np.insert(model.action, pairs, np.int32(0)),
        first_next=np.concatenate(([0], np.cumsum(np.insert(np.diff(model.first_next), pairs, 1)))),
        next=np.insert(model.next, nexts, np.int32(end)),
        prob=np.insert(model.prob, nexts, 1.0),
        reward=np.insert(model.reward, pairs, pays),
        next_reward=None if model.next_reward is None else np.insert(model.next_reward, nexts, pays),
        exact=None if model.exact is None else _paid_exact(model.exact, pairs, nexts, [rewards[s] for s in states]),
    )


def _paid_exact(exact: Exact, pairs: Array, nexts: Array, rewards: list[Fraction]) -> Exact:
    prob, reward = list(exact.prob), list(exact.reward)
    for pair, following, pay in reversed(list(zip(pairs.tolist(), nexts.tolist(), rewards, strict=True))):
        prob.insert(following, Fraction(1))
        reward.insert(pair, pay)
    return Exact(tuple(prob), tuple(reward), exact.discount)
