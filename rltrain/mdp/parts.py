"""Models made of a model: some of its pairs, some of its states, or each of some components as one state."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from rltrain.core import Array
from rltrain.mdp.graph import ranges
from rltrain.mdp.model import Model, Numbered
from rltrain.mdp.pairs import entries


class Collapsed(NamedTuple):
    """A model with each of some components as one state, which may stop: go to the end, the last state, for nothing."""

    model: Model  # S' states; of a collapsed state the last pair stops
    group: Array  # [S] the state of `model` that each state is
    old: Array  # [P'] the pair that each pair was; -1: stop

    def member(self, state: int) -> int:
        """The first of the states that a state of `model` stands for."""
        return int(np.flatnonzero(self.group == state)[0])


def of_pairs(model: Model, kept: Array) -> Model:
    """The model with some pairs [P] bool alone; a state that loses all of them is terminal."""
    if kept.all():
        return model
    where, length = entries(model, np.flatnonzero(kept))
    return replace(
        model,
        first_pair=_starts(np.bincount(model.pair_state[kept], minlength=model.num_states)),
        action=model.action[kept],
        first_next=_starts(length),
        next=model.next[where],
        prob=model.prob[where],
        reward=model.reward[kept],
        next_reward=None if model.next_reward is None else model.next_reward[where],
        start=None,
        exact=None,
    )


def of_states(model: Model, states: Array, kept: Array) -> tuple[Model, Array]:
    """The model of some states [k], ascending, and of the kept pairs [P] bool, which lead nowhere else.

    With the numbers that its pairs had.
    """
    pairs = ranges(model.first_pair[states], model.first_pair[states + 1])
    pairs = pairs[kept[pairs]]
    place = np.searchsorted(states, model.next)  # right wherever it is asked for
    where, length = entries(model, pairs)
    many = np.bincount(np.searchsorted(states, model.pair_state[pairs]), minlength=len(states))
    return Model(
        states=Numbered(len(states)),
        actions=model.actions,
        first_pair=_starts(many),
        action=model.action[pairs],
        first_next=_starts(length),
        next=place[where].astype(np.int32),
        prob=model.prob[where],
        reward=model.reward[pairs],
    ), pairs


def collapsed(model: Model, number: Array, inside: Array, stop_first: bool = False) -> Collapsed:
    """Each component as one state, number [S] its number, -1: in none; the pairs inside them [P] bool are left out."""
    key = np.where(number >= 0, model.num_states + number, np.arange(model.num_states))
    group = np.unique(key, return_inverse=True)[1].astype(np.int64)
    count = int(group.max(initial=-1)) + 1
    stopping = np.unique(group[number >= 0])
    kept = np.flatnonzero(~inside)
    old = np.concatenate([kept, np.full(len(stopping), -1, dtype=np.int64)])
    owner = np.concatenate([group[model.pair_state[kept]], stopping])
    order = np.lexsort((old, owner)) if stop_first else np.argsort(owner, kind="stable")
    old, owner = old[order], owner[order]
    where, length = entries(model, old[old >= 0])
    sizes = np.ones(len(old), dtype=np.int64)
    sizes[old >= 0] = length
    goes = np.repeat(old >= 0, sizes)
    after, prob = np.full(len(goes), count, dtype=np.int32), np.ones(len(goes))
    after[goes], prob[goes] = group[model.next[where]], model.prob[where]
    reward = np.zeros(len(old))
    reward[old >= 0] = model.reward[old[old >= 0]]
    each = None
    if model.next_reward is not None:
        each = np.zeros(len(goes))
        each[goes] = model.next_reward[where]
    first_pair = np.searchsorted(owner, np.arange(count + 2))
    small = Model(
        states=Numbered(count + 1),
        actions=Numbered(max(1, int(np.diff(first_pair).max(initial=1)))),
        first_pair=first_pair,
        action=(np.arange(len(old)) - first_pair[owner]).astype(np.int32),
        first_next=_starts(sizes),
        next=after,
        prob=prob,
        reward=reward,
        next_reward=each,
    )
    return Collapsed(small, group, old)


def summed(model: Model) -> Model:
    """The model in which no pair has a successor twice: their probabilities are added."""
    from scipy.sparse import csr_array

    merged = csr_array((model.prob, model.next, model.first_next), shape=(model.num_pairs, model.num_states), copy=True)
    merged.sum_duplicates()
    first_next = merged.indptr.astype(np.int64)
    return replace(
        model, first_next=first_next, next=merged.indices.astype(np.int32), prob=merged.data, next_reward=None
    )


def _starts(counts: Array) -> Array:
    """[n + 1] int64: where rows of these lengths begin, and the end."""
    return np.concatenate(([0], np.cumsum(counts))).astype(np.int64)
