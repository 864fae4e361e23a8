"""Which states a model can reach, and whether it must end: plain walks over its graph.

    cannot end      no terminal state can be reached, whatever is done
    may not end     some policy stays for ever: the greatest set of acting states in which each has an action that
                    keeps within the set (a closed set of pairs)

Each takes one pass over the transitions. What a policy can do for ever is in `mdp.ends`.
"""

from __future__ import annotations

import numpy as np

from rltrain.core import Array
from rltrain.mdp.checks import pair_text, quoted
from rltrain.mdp.model import Model

SMALL = 100_000  # transitions; below, importing scipy costs more than it saves
LEVELS = 3_000  # of a walk in numpy, before scipy's takes over: long chains


def reachable(model: Model, starts: Array | None = None) -> Array:
    """[S] bool: which states can be visited from `starts` [k], by default those with a chance to be first."""
    if starts is None:
        starts = np.flatnonzero(model.start_distribution())
    bounds = model.first_next[model.first_pair]  # [S + 1] a state's successors, over all actions
    reached = np.zeros(model.num_states, dtype=bool)
    reached[starts] = True
    frontier = np.asarray(starts)
    for _ in range(LEVELS):
        if not len(frontier):
            return reached
        found = model.next[ranges(bounds[frontier], bounds[frontier + 1])]
        found = np.sort(found[~reached[found]])
        frontier = found[np.diff(found, prepend=-1) > 0]  # np.unique imports numpy.ma first: 12 ms of a short verb
        reached[frontier] = True
    return _walked(model, bounds, reached, frontier)


def predecessors(model: Model) -> tuple[Array, Array]:
    """(first [S + 1], pair [N]): the pairs that lead to state s are pair[first[s]:first[s + 1]]."""
    counts = np.bincount(model.next, minlength=model.num_states)
    first = np.concatenate(([0], np.cumsum(counts)))
    if model.num_next > SMALL:
        from scipy.sparse import csr_matrix  # a counting sort, ten times as fast

        pairs = model.num_pairs
        marks = np.ones(model.num_next, dtype=np.int8)
        turned = csr_matrix((marks, model.next, model.first_next), shape=(pairs, model.num_states)).tocsc()
        return first, turned.indices
    pair = np.repeat(np.arange(model.num_pairs), np.diff(model.first_next))
    return first, pair[np.argsort(model.next, kind="stable")]


def cannot_end(model: Model) -> Array:
    """[S] bool: states from which no terminal state can be reached at all."""
    return cannot_reach(model, model.terminal)


def cannot_reach(model: Model, goal: Array) -> Array:
    """[S] bool: states from which no state of `goal` [S] can be reached at all."""
    first, pair = predecessors(model)
    can = goal.copy()
    frontier = np.flatnonzero(can)
    while len(frontier):
        before = model.pair_state[pair[ranges(first[frontier], first[frontier + 1])]]
        frontier = np.unique(before[~can[before]])
        can[frontier] = True
    return ~can


def may_not_end(model: Model) -> Array:
    """[S] bool: states in which some policy can stay within acting states for ever, with certainty."""
    first, pair = predecessors(model)
    stays = ~model.terminal
    left = np.diff(model.first_pair)  # [S] actions that keep within the set
    leaves = np.zeros(model.num_pairs, dtype=bool)
    frontier = np.flatnonzero(model.terminal)
    while len(frontier):
        out = np.unique(pair[ranges(first[frontier], first[frontier + 1])])
        out = out[~leaves[out]]
        leaves[out] = True
        states, lost = np.unique(model.pair_state[out], return_counts=True)
        left[states] -= lost
        frontier = states[(left[states] == 0) & stays[states]]
        stays[frontier] = False
    return stays


def components(model: Model) -> tuple[int, Array]:
    """(how many, [S] int32): strongly connected components over all actions."""
    from scipy.sparse import csr_matrix
    from scipy.sparse.csgraph import connected_components

    bounds = model.first_next[model.first_pair]
    marks = np.ones(model.num_next, dtype=np.int8)
    graph = csr_matrix((marks, model.next, bounds), shape=(model.num_states, model.num_states), copy=True)
    graph.sum_duplicates()  # scipy 1.17's search never ends on an edge that is stored twice
    graph.data[:] = 1  # not a sum that wrapped round to 0
    count, labels = connected_components(graph, directed=True, connection="strong")
    return int(count), labels


def endings(model: Model) -> list[str]:
    """What a discount of 1 would make of this model, as warnings; none where every policy ends, or goes round for 0.

    For a person who looks at a model. Who solves it at discount 1 is told what each state is worth.
    """
    stays, never = may_not_end(model), cannot_end(model)
    if never.any():
        from rltrain.mdp.ends import end_components

        circling = end_components(model, np.ones(model.num_pairs, dtype=bool))[1]
        pays = circling & (model.reward != 0) & never[model.pair_state]
        if not pays.any():
            stays &= ~never  # goes round for ever, surely for nothing
        else:
            resting = end_components(model, model.reward == 0)[0] >= 0
            lost = cannot_reach(model, model.terminal | resting)
            if lost.any():
                pair = int(np.flatnonzero(pays & lost[model.pair_state])[0])
                return [
                    f"discount 1: {pair_text(model, pair)}: gives {model.reward[pair]:g} again and again, and neither "
                    "a terminal state nor a circle without rewards can be reached from there "
                    f"({int(lost.sum()):,} such {'state' if lost.sum() == 1 else 'states'}): "
                    "the rewards have no finite sum; a discount below 1 gives one"
                ]
    if not stays.any():
        return []
    state = int(np.flatnonzero(stays)[0])
    return [
        f"discount 1: some policies never end: from {int(stays.sum()):,} of {model.num_states:,} states, such as "
        f"{quoted(model.states[state])}; the values of discount 1 are those of the best policy that ends"
    ]


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


def ranges(first: Array, last: Array) -> Array:
    """The numbers first[0] .. last[0], first[1] .. last[1], … as one array."""
    counts = last - first
    shift = np.repeat(first - (np.cumsum(counts) - counts), counts)
    return np.asarray(np.arange(len(shift)) + shift)


def _walked(model: Model, bounds: Array, reached: Array, frontier: Array) -> Array:
    """The rest of a long walk, from one more state that leads to the frontier."""
    from scipy.sparse import csr_matrix
    from scipy.sparse.csgraph import breadth_first_order

    num = model.num_states
    graph = csr_matrix(
        (
            np.ones(model.num_next + len(frontier), dtype=np.float64),
            np.concatenate((model.next, frontier)),
            np.append(bounds, bounds[-1] + len(frontier)),
        ),
        shape=(num + 1, num + 1),
    )
    order = breadth_first_order(graph, num, return_predecessors=False)
    reached = np.append(reached, True)
    reached[order] = True
    return reached[:num]
