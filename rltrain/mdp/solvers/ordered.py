"""A model with its states in the order of their distance from where values are known, in compiled code.

Sweeps in that order carry news of the ends across the model at once, and touch memory side by side.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from rltrain.core import Array
from rltrain.mdp.model import Model
from rltrain.mdp.pairs import absorbing
from rltrain.mdp.solvers.compiled import Compiled
from rltrain.mdp.solvers.kernels import compiled


class Ordered(NamedTuple):
    """The model with its states by distance from the roots."""

    model: Model
    order: Array  # [S] int32: new state t is old state order[t]


def ordered(model: Model) -> Ordered:
    """The reordered model. States that cannot reach the roots come first, since others may depend on them."""
    rows = Compiled(model, 0.0, 1).rows
    order, connected = breadth_first(*predecessors(*rows[:3]), roots(model))
    order = np.concatenate((order[connected:], order[:connected]))
    place = np.empty_like(order)
    place[order] = np.arange(len(order), dtype=order.dtype)
    first_pair = np.concatenate(([0], np.cumsum(np.diff(model.first_pair)[order])))
    first_next = np.zeros_like(model.first_next)
    new = (np.empty(len(model.next), np.uint32), np.empty_like(model.prob), np.empty_like(model.reward))
    reordered(*rows, order, place, first_pair, first_next, *new, 0, len(order))
    moved = replace(  # `action` keeps its old order: nobody asks a reordered model for it
        model,
        first_pair=first_pair,
        first_next=first_next,
        next=new[0].view(np.int32),
        prob=new[1],
        reward=new[2],
        next_reward=None,
        start=None,
        exact=None,
    )
    return Ordered(moved, order)


def roots(model: Model) -> Array:
    """[n] int32: the states whose value is known, else those from which the greatest reward is to be had."""
    known = np.flatnonzero(absorbing(model))
    if not len(known):
        known = np.unique(model.pair_state[model.reward == model.reward.max()])
    return known.astype(np.int32)


@compiled
def predecessors(first_pair: Array, first_next: Array, next: Array) -> tuple[Array, Array]:
    """first [S + 1], source [N]: who may come to state s stands in source[first[s]:first[s + 1]]."""
    states = first_pair.size - 1
    first = np.zeros(states + 1, np.int64)
    for k in range(next.size):
        first[next[k] + 1] += 1
    for s in range(states):
        first[s + 1] += first[s]
    place = first[:-1].copy()
    source = np.empty(next.size, np.int32)
    for s in range(states):
        for k in range(first_next[first_pair[s]], first_next[first_pair[s + 1]]):
            source[place[next[k]]] = s
            place[next[k]] += 1
    return first, source


@compiled
def breadth_first(first: Array, source: Array, roots: Array) -> tuple[Array, int]:
    """order [S]: roots first, then by distance; and how many are connected to the roots. The rest follow likewise."""
    states = first.size - 1
    seen = np.zeros(states, np.bool_)
    order = np.empty(states, np.int32)
    head, tail = 0, 0
    for root in roots:
        if not seen[root]:
            seen[root] = True
            order[tail] = root
            tail += 1
    connected, unseen = -1, 0
    while True:
        while head < tail:
            s = order[head]
            head += 1
            for k in range(first[s], first[s + 1]):
                u = source[k]
                if not seen[u]:
                    seen[u] = True
                    order[tail] = u
                    tail += 1
        if connected < 0:
            connected = tail
        while unseen < states and seen[unseen]:
            unseen += 1
        if unseen == states:
            return order, connected
        seen[unseen] = True
        order[tail] = unseen
        tail += 1


@compiled
def reordered(
    first_pair: Array, first_next: Array, next: Array, prob: Array, reward: Array, order: Array, place: Array,
    new_first_pair: Array, new_first_next: Array, new_next: Array, new_prob: Array, new_reward: Array,
    begin: int, end: int,
) -> None:  # fmt: skip
    """Copy the model with its states in another order: new state t is old state order[t], place its inverse.

    `new_first_pair` is already filled; `new_first_next` up to the first pair of `begin`.
    """
    for t in range(begin, end):
        s = order[t]
        at = new_first_pair[t]
        for i in range(first_pair[s], first_pair[s + 1]):
            n = new_first_next[at]
            new_reward[at] = reward[i]
            for k in range(first_next[i], first_next[i + 1]):
                new_next[n] = place[next[k]]
                new_prob[n] = prob[k]
                n += 1
            at += 1
            new_first_next[at] = n
