"""UCT on a known model in compiled code: simulations from a root, and a table of what they saw of each state and depth.

    choose        argmax_a  Q(s, a) + c w(s) sqrt(ln N(s) / N(s, a)),   an action that was never tried first
    what follows  drawn from the model
    back up       Q(s, a) <- Q(s, a) + (G - Q(s, a)) / N(s, a),   G <- r + gamma G

(Kocsis and Szepesvari 2006; UCB1 is of Auer, Cesa-Bianchi and Fischer 2002). w(s) is the range of the returns that
were seen from s, 1 where there is none yet, since UCB1 is for rewards from 0 to 1. As in the paper nodes are keyed by
(state, depth), so two ways to one state share what was learned. A simulation adds one node (Coulom 2006); from there on
actions are drawn uniformly, or nothing is played and 0 is what follows. At `depth` and in a terminal state 0 follows.

All randomness is one integer, the tree's stream.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from rltrain.core import Array
from rltrain.mdp.learn.sampling import Sampler, borrowed, inlined, mix, successor
from rltrain.mdp.splitmix import GOLDEN, S32

NODES, DEEPEST = range(2)  # Tree.size


class SearchOptions(NamedTuple):
    """How simulations choose and how far they go; numbers only, so that compiled code takes them as they are."""

    exploration: float  # c
    by_range: bool  # w is the range of returns; else 1
    gamma: float
    depth: int  # steps of a simulation
    rollout: bool  # beyond the tree actions are drawn; else 0 follows


class Tree(NamedTuple):
    """Room for C nodes of A actions each, of which size[NODES] are in use. Actions are numbered within their state."""

    slot: Array  # [H] int32, H a power of two: the node of a hash, -1: none
    state: Array  # [C] int32
    depth: Array  # [C] int32
    visits: Array  # [C, A] int64
    q: Array  # [C, A] float64, mean return
    low: Array  # [C] float64, least return seen from here
    high: Array  # [C] float64, greatest
    size: Array  # [2] int64: nodes, depth of the deepest
    stream: Array  # [1] uint64
    path: Array  # [2, depth] int64, a simulation's nodes and actions; nothing is kept
    reward: Array  # [depth] float64, a simulation's; nothing is kept


SAVED = ("state", "depth", "visits", "q", "low", "high")  # of each node


def make(capacity: int, num_actions: int, depth: int, stream: Array) -> Tree:
    """An empty tree with room for so many nodes; `stream` [1] uint64 is copied."""
    return Tree(
        slot=np.full(1 << (2 * capacity).bit_length(), -1, np.int32),
        state=np.zeros(capacity, np.int32),
        depth=np.zeros(capacity, np.int32),
        visits=np.zeros((capacity, num_actions), np.int64),
        q=np.zeros((capacity, num_actions)),
        low=np.zeros(capacity),
        high=np.zeros(capacity),
        size=np.zeros(2, np.int64),
        stream=stream.copy(),
        path=np.zeros((2, depth), np.int64),
        reward=np.zeros(depth),
    )


def clear(tree: Tree) -> None:
    """Forget all nodes; the stream goes on."""
    tree.slot[:] = -1
    tree.size[:] = 0


def with_room(tree: Tree, capacity: int) -> Tree:
    """The tree with room for at least so many nodes."""
    if len(tree.state) >= capacity:
        return tree
    larger = make(capacity, tree.q.shape[1], len(tree.reward), tree.stream)
    fill(larger, saved_nodes(tree))
    return larger


def saved_nodes(tree: Tree) -> dict[str, Array]:
    """The fields of SAVED, [n, ...] of the nodes in use."""
    return {name: column[: tree.size[NODES]].copy() for name, column in tree._asdict().items() if name in SAVED}


def fill(tree: Tree, columns: Mapping[str, Array]) -> None:
    """Put nodes into an empty tree that has room for them: the fields of SAVED, [n, ...] each."""
    nodes = len(columns["state"])
    for name, column in tree._asdict().items():
        if name in SAVED:
            column[:nodes] = columns[name]
    tree.size[:] = nodes, tree.depth[:nodes].max(initial=0)
    with np.errstate(over="ignore"):
        place_all(tree)


@inlined
def place_of(tree: Any, state: Any, depth: Any) -> Any:
    """Where in `slot` the node of a state at a depth is, or would be."""
    last = np.uint64(len(tree.slot) - 1)
    place = mix((np.uint64(depth) << S32) | np.uint64(state)) & last
    while True:
        node = tree.slot[place]
        if node < 0 or (tree.state[node] == state and tree.depth[node] == depth):
            return place
        place = (place + np.uint64(1)) & last


@borrowed
def place_all(tree: Any) -> None:
    """Enter every node into `slot`."""
    for node in range(tree.size[0]):
        tree.slot[place_of(tree, tree.state[node], tree.depth[node])] = node


@inlined
def below(tree: Any, count: Any) -> Any:
    """A number from 0 to count - 1, each as likely, by one draw."""
    tree.stream[0] += GOLDEN
    return np.int64(((mix(tree.stream[0]) >> S32) * np.uint64(count)) >> S32)


@borrowed
def choose(options: Any, tree: Any, node: Any, count: Any) -> Any:
    """The action that a simulation takes in a node of `count` actions: an untried one, drawn, or the best by UCB1."""
    total, untried = 0, 0
    for action in range(count):
        total += tree.visits[node, action]
        untried += tree.visits[node, action] == 0
    if untried > 0:
        left = below(tree, untried)
        for action in range(count):
            if tree.visits[node, action] == 0:
                if left == 0:
                    return action
                left -= 1
    width = tree.high[node] - tree.low[node] if options.by_range else 1.0
    scale = options.exploration * (width if width > 0.0 else 1.0)
    chosen, best, logarithm = 0, -np.inf, np.log(np.float64(total))
    for action in range(count):
        bound = tree.q[node, action] + scale * np.sqrt(logarithm / tree.visits[node, action])
        if bound > best:
            chosen, best = action, bound
    return chosen


@borrowed
def simulate(options: Any, sampler: Any, tree: Any, root: Any, count: Any) -> None:
    """So many simulations from the state `root`. Where the tree is full none adds a node."""
    for _ in range(count):
        state, steps, recorded, inside = np.int64(root), 0, 0, True
        while steps < options.depth:
            first = sampler.first_pair[state]
            actions = sampler.first_pair[state + 1] - first
            if actions == 0:
                break
            action = np.int64(-1)
            if inside:
                place = place_of(tree, state, steps)
                node = np.int64(tree.slot[place])
                if node < 0:
                    inside = False  # what comes after the new node is beyond the tree
                    node = tree.size[0]
                    if node < len(tree.state):
                        tree.slot[place] = node
                        tree.state[node], tree.depth[node] = state, steps
                        for each in range(tree.q.shape[1]):
                            tree.visits[node, each], tree.q[node, each] = 0, 0.0
                        tree.low[node], tree.high[node] = np.inf, -np.inf
                        tree.size[0] += 1
                        tree.size[1] = max(tree.size[1], steps)
                    else:
                        node = np.int64(-1)
                if node >= 0:
                    action = np.int64(choose(options, tree, node, actions))
                    tree.path[0, steps], tree.path[1, steps] = node, action
                    recorded = steps + 1
            if action < 0:
                if not options.rollout:
                    break
                action = below(tree, actions)
            tree.stream[0] += GOLDEN
            where = successor(mix(tree.stream[0]), first + action, sampler)
            tree.reward[steps] = sampler.reward[where]
            state = np.int64(sampler.next[where])
            steps += 1
        total = 0.0
        for back in range(steps):
            t = steps - 1 - back
            total = tree.reward[t] + options.gamma * total
            if t < recorded:
                node, action = tree.path[0, t], tree.path[1, t]
                tree.visits[node, action] += 1
                tree.q[node, action] += (total - tree.q[node, action]) / tree.visits[node, action]
                tree.low[node] = min(tree.low[node], total)
                tree.high[node] = max(tree.high[node], total)


def at_root(tree: Tree, count: int) -> tuple[Array, Array]:
    """Visits [count] and mean returns [count], NaN where never tried, of the root's actions."""
    if not tree.size[NODES]:
        return np.zeros(count, np.int64), np.full(count, np.nan)
    visits = tree.visits[0, :count].copy()
    return visits, np.where(visits > 0, tree.q[0, :count], np.nan)


def search(options: SearchOptions, sampler: Sampler, tree: Tree, root: int, count: int) -> None:
    """`simulate`, also where its code is not compiled: streams wrap around."""
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        simulate(options, sampler, tree, root, count)
