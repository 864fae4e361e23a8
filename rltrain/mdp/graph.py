"""Graphs of models and chains: what can be reached, what can go on for ever, and what can be reached almost surely.

A graph is given in compressed sparse rows, first [S + 1] and next [M]: s leads to next[first[s]:first[s + 1]].
An end component is a set of states with some of their pairs such that these never leave the set and lead from each of
its states to every other: what a policy can end up doing for ever (de Alfaro 1997).

    cannot end      no terminal state can be reached, whatever is done
    may not end     some policy stays for ever: the greatest set of acting states in which each has an action that
                    keeps within the set (a closed set of pairs)
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from rltrain.core import Array
from rltrain.mdp import thresholds
from rltrain.mdp.checks import quoted
from rltrain.mdp.mapped import check_room
from rltrain.mdp.model import Model

PIECE = 1 << 18  # states of a wave whose successors are looked at together
COMPONENT_BYTES = 50  # a successor, while end components are found


def ranges(first: Array, last: Array) -> Array:
    """The numbers first[0] .. last[0] - 1, first[1] .. last[1] - 1, … as one array, int64."""
    counts = last - first
    shift = np.repeat(first - (np.cumsum(counts) - counts), counts)
    return np.asarray(np.arange(len(shift)) + shift)


def transposed(first: Array, next: Array, size: int | None = None) -> tuple[Array, Array]:
    """(first [size + 1], source [M]): the rows that lead to s are source[first[s]:first[s + 1]], ascending.

    `size` is the number of columns where the graph is not square, such as that of pairs and the states they lead to.
    """
    rows = len(first) - 1
    size = rows if size is None else size
    starts = np.concatenate(([0], np.cumsum(np.bincount(next, minlength=size))))
    if len(next) > thresholds.SORTED_BY_NUMPY:
        from scipy.sparse import csr_matrix  # a counting sort, ten times as fast

        marks = np.ones(len(next), dtype=np.int8)
        return starts, csr_matrix((marks, next, first), shape=(rows, size)).tocsc().indices
    return starts, np.repeat(np.arange(rows), np.diff(first))[np.argsort(next, kind="stable")]


def levels(first: Array, next: Array, roots: Array) -> Array:
    """[S] int64: the fewest steps in which each state can be reached from any of the roots [k]; -1: not at all."""
    level = np.full(len(first) - 1, -1, dtype=np.int64)
    level[roots] = 0
    frontier = np.asarray(roots)
    for depth in range(1, thresholds.WAVES):
        if not len(frontier):
            return level
        waves = [np.zeros(0, dtype=np.int64)]
        for begin in range(0, len(frontier), PIECE):  # no array as long as the edges
            some = frontier[begin : begin + PIECE]
            found = next[ranges(first[some], first[some + 1])]
            found = np.sort(found[level[found] < 0])
            found = found[np.diff(found, prepend=-1) > 0]  # np.unique imports numpy.ma first: 12 ms of a short verb
            level[found] = depth
            waves.append(found)
        frontier = np.sort(np.concatenate(waves))
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import dijkstra

    edges = csr_array((np.ones(len(next)), next, first), shape=(len(level), len(level)))
    distance = dijkstra(edges, indices=roots, unweighted=True, min_only=True)
    return np.where(np.isfinite(distance), distance, -1).astype(np.int64)


def of_states(model: Model) -> tuple[Array, Array]:
    """The graph of a model's states over all actions. A successor of two actions stands there twice."""
    return model.first_next[model.first_pair], model.next


def reachable(model: Model, starts: Array | None = None) -> Array:
    """[S] bool: which states can be visited from `starts` [k], by default those with a chance to be first."""
    if starts is None:
        starts = np.flatnonzero(model.start_distribution())
    return np.asarray(levels(*of_states(model), starts) >= 0)


def reaching(first: Array, next: Array, goal: Array) -> Array:
    """[S] bool: the states from which one of `goal` [S] bool can be reached, in no step or more."""
    return np.asarray(levels(*transposed(first, next), np.flatnonzero(goal)) >= 0)


def cannot_reach(model: Model, goal: Array) -> Array:
    """[S] bool: states from which no state of `goal` [S] bool can be reached at all."""
    return ~reaching(*of_states(model), goal)


def cannot_end(model: Model) -> Array:
    """[S] bool: states from which no terminal state can be reached at all."""
    return cannot_reach(model, model.terminal)


def may_not_end(model: Model) -> Array:
    """[S] bool: states in which some policy can stay within acting states for ever, with certainty."""
    kept = staying(model, np.ones(model.num_pairs, dtype=bool))
    return np.bincount(model.pair_state[kept], minlength=model.num_states) > 0


def staying(model: Model, allowed: Array) -> Array:
    """[P] bool: the greatest part of the `allowed` [P] pairs that leads to no state without one of them.

    Waves from states without a pair: an end component falls apart from its rim, and one layer for each search of
    strong components would take very long.
    """
    kept = allowed.copy()
    left = np.bincount(model.pair_state[kept], minlength=model.num_states)
    frontier = np.flatnonzero(left == 0)
    if not len(frontier) or not kept.any():
        return kept
    first, pair = transposed(model.first_next, model.next, model.num_states)
    while len(frontier):
        out = np.unique(pair[ranges(first[frontier], first[frontier + 1])])
        out = out[kept[out]]
        kept[out] = False
        states, lost = np.unique(model.pair_state[out], return_counts=True)
        left[states] -= lost
        frontier = states[left[states] == 0]
    return kept


def strong_components(first: Array, next: Array) -> tuple[int, Array]:
    """(how many, [S] int32): the strongly connected components of a graph, by scipy."""
    from scipy.sparse import csr_matrix
    from scipy.sparse.csgraph import connected_components

    size = len(first) - 1
    graph = csr_matrix((np.ones(len(next), dtype=np.int8), next, first), shape=(size, size), copy=True)
    graph.sum_duplicates()  # scipy 1.17's search never ends on an edge that is stored twice
    graph.data[:] = 1  # not a sum that wrapped round to 0
    count, labels = connected_components(graph, directed=True, connection="strong")
    return int(count), labels


def ordered_components(rows: Sequence[Iterable[int]]) -> list[list[int]]:
    """Strongly connected components, each after all that it leads to (Tarjan 1972, without recursion, nor scipy)."""
    number = [0] * len(rows)  # 0: not yet met
    low = [0] * len(rows)
    on_stack = [False] * len(rows)
    stack: list[int] = []
    found: list[list[int]] = []
    met = 0
    for root in range(len(rows)):
        if number[root]:
            continue
        work = [(root, iter(rows[root]))]
        met += 1
        number[root] = low[root] = met
        stack.append(root)
        on_stack[root] = True
        while work:
            i, rest = work[-1]
            j = next(rest, None)
            if j is None:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[i])
                if low[i] == number[i]:
                    block = []
                    while True:
                        j = stack.pop()
                        on_stack[j] = False
                        block.append(j)
                        if j == i:
                            break
                    found.append(block)
            elif not number[j]:
                met += 1
                number[j] = low[j] = met
                stack.append(j)
                on_stack[j] = True
                work.append((j, iter(rows[j])))
            elif on_stack[j]:
                low[i] = min(low[i], number[j])
    return found


def end_components(model: Model, allowed: Array) -> tuple[Array, Array]:
    """Maximal end components of the `allowed` [P] bool pairs: each state's number or -1 [S], the pairs [P] bool."""
    check_room(model.mapped, model.num_next, COMPONENT_BYTES, "the states that lead to each other")
    bounds = model.first_next[model.first_pair]
    source = np.repeat(np.arange(model.num_states, dtype=np.int32), np.diff(bounds))  # [N]
    pair = np.repeat(np.arange(model.num_pairs), np.diff(model.first_next))  # [N]
    kept = staying(model, allowed)
    while True:
        edge = np.repeat(kept, np.diff(model.first_next))
        counts = np.bincount(source[edge], minlength=model.num_states)
        label = strong_components(np.concatenate(([0], np.cumsum(counts))), model.next[edge])[1]
        leaves = np.zeros(model.num_pairs, dtype=bool)
        leaves[pair[label[source] != label[model.next]]] = True
        if not (kept & leaves).any():
            break
        kept = staying(model, kept & ~leaves)
    inside = np.zeros(model.num_states, dtype=bool)
    inside[model.pair_state[kept]] = True
    number = np.full(model.num_states, -1, dtype=np.int64)
    number[inside] = np.unique(label[inside], return_inverse=True)[1]
    return number, kept


def closed_class(model: Model, choice: Array) -> Array | None:
    """The states of a class that the policy choice [S] never leaves, None where it surely ends."""
    chosen = np.zeros(model.num_pairs, dtype=bool)
    chosen[choice[choice >= 0]] = True
    number = end_components(model, chosen)[0]
    closed = np.flatnonzero(number >= 0)
    return np.flatnonzero(number == number[closed[0]]) if len(closed) else None


def almost_sure_reach(model: Model, target: Array, allowed: Array) -> tuple[Array, Array]:
    """The states from which some policy of `allowed` [P] pairs reaches `target` [S] with probability 1: [S] bool.

    And a policy that does: [S] int64 pairs, -1 in the target and where there is none.
    """
    first, pair_of = transposed(model.first_next, model.next, model.num_states)
    pair = np.repeat(np.arange(model.num_pairs), np.diff(model.first_next))  # [N]
    inside = np.ones(model.num_states, dtype=bool)
    while True:
        kept = allowed.copy()
        kept[pair[~inside[model.next]]] = False
        reached = target & inside
        choice = np.full(model.num_states, -1, dtype=np.int64)
        frontier = np.flatnonzero(reached)
        while len(frontier):
            pairs = pair_of[ranges(first[frontier], first[frontier + 1])]
            states = model.pair_state[pairs]
            new = kept[pairs] & ~reached[states]
            frontier, place = np.unique(states[new], return_index=True)
            choice[frontier] = pairs[new][place]
            reached[frontier] = True
        if (reached == inside).all():
            return inside, choice
        inside = reached


def check_reachable(model: Model) -> list[str]:
    """A warning that counts and names the states that a stated start never leads to."""
    if model.start is None:
        return []
    lost = np.flatnonzero(~reachable(model))
    if not len(lost):
        return []
    some = ", ".join(quoted(model.states[int(state)]) for state in lost[:5])
    more = f" and {len(lost) - 5:,} more" if len(lost) > 5 else ""
    return [f"{len(lost):,} of {model.num_states:,} states cannot be reached from the start: {some}{more}"]
