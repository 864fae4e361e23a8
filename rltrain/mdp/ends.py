"""Where a model can go round for ever, and where it can surely be led to: graphs of states and pairs.

An end component is a set of states with some of their pairs such that these never leave the set and lead from each of
its states to every other: what a policy can end up doing for ever (de Alfaro 1997).
"""

from __future__ import annotations

import numpy as np

from rltrain.core import Array
from rltrain.mdp.model import Model


def end_components(model: Model, allowed: Array) -> tuple[Array, Array]:
    """Maximal end components of the `allowed` [P] bool pairs: each state's number or -1 [S], the pairs [P] bool."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components

    size = model.num_states
    source = np.repeat(model.pair_state, np.diff(model.first_next))  # [N]
    kept = _staying(model, allowed)
    while True:
        edge = np.repeat(kept, np.diff(model.first_next))
        graph = csr_array((np.ones(int(edge.sum()), np.int8), (source[edge], model.next[edge])), shape=(size, size))
        label = connected_components(graph, connection="strong")[1]
        leaves = np.zeros(model.num_pairs, dtype=bool)
        leaves[np.repeat(np.arange(model.num_pairs), np.diff(model.first_next))[label[source] != label[model.next]]] = 1
        if not (kept & leaves).any():
            break
        kept = _staying(model, kept & ~leaves)
    inside = np.zeros(size, dtype=bool)
    inside[model.pair_state[kept]] = True
    number = np.full(size, -1, dtype=np.int64)
    number[inside] = np.unique(label[inside], return_inverse=True)[1]
    return number, kept


def _staying(model: Model, allowed: Array) -> Array:
    """[P] bool: the greatest part of the `allowed` pairs that leads to no state without one. Waves from such states.

    A component falls apart from its rim, and one layer for each search of strong components would take very long.
    """
    from rltrain.mdp.reachability import predecessors, ranges

    kept = allowed.copy()
    left = np.bincount(model.pair_state[kept], minlength=model.num_states)
    front = np.flatnonzero(left == 0)
    if not len(front) or not kept.any():
        return kept
    first, pair = predecessors(model)
    while len(front):
        out = np.unique(pair[ranges(first[front], first[front + 1])])
        out = out[kept[out]]
        kept[out] = False
        states, lost = np.unique(model.pair_state[out], return_counts=True)
        left[states] -= lost
        front = states[left[states] == 0]
    return kept


def surely(model: Model, target: Array, allowed: Array) -> tuple[Array, Array]:
    """The states from which some policy of `allowed` pairs reaches `target` [S] with probability 1: [S] bool.

    And such a policy: [S] int64 pairs, -1 in the target and where there is none.
    """
    sizes = np.diff(model.first_next)
    by_next = np.argsort(model.next, kind="stable")  # entries by where they lead
    first = np.searchsorted(model.next[by_next], np.arange(model.num_states + 1))
    pair_of = np.repeat(np.arange(model.num_pairs), sizes)
    inside = np.ones(model.num_states, dtype=bool)
    while True:
        kept = allowed.copy()
        kept[pair_of[~inside[model.next]]] = False
        reached = target & inside
        choice = np.full(model.num_states, -1, dtype=np.int64)
        front = np.flatnonzero(reached)
        while len(front):
            entries = by_next[_spans(first[front], first[front + 1])]
            pairs = pair_of[entries]
            states = model.pair_state[pairs]
            new = kept[pairs] & ~reached[states]
            front, place = np.unique(states[new], return_index=True)
            choice[front] = pairs[new][place]
            reached[front] = True
        if (reached == inside).all():
            return inside, choice
        inside = reached


def _spans(first: Array, last: Array) -> Array:
    """The numbers of all ranges first[i] .. last[i], one after another."""
    sizes = last - first
    ends = np.cumsum(sizes)
    starts = np.repeat(first - ends + sizes, sizes)
    return np.arange(int(ends[-1]) if len(ends) else 0, dtype=np.int64) + starts  # type: ignore[no-any-return]
