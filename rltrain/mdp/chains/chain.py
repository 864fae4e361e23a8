"""The Markov chain of a model under a policy: where it can go, where it stays, and how it moves in n steps.

    P(s, t) = sum_a pi(a | s) T(s, a, t)          r(s) = sum_a pi(a | s) r(s, a)

A terminal state stays where it is, earns nothing and is a class of its own. States that lead to each other form a
communicating class; a class that is never left is recurrent, the others are transient. The period of a class is the
greatest common divisor of the lengths of its circles. (Kemeny and Snell 1960, chapters 2 and 3.)
What happens in the long run is in `mdp.long_run`.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from rltrain.core import Array
from rltrain.mdp.exact.linear import components
from rltrain.mdp.model import Model

SMALL = 20_000  # transitions up to which plain Python is faster than to import scipy


@dataclass(frozen=True, eq=False)
class Chain:
    """S states and M transitions, in compressed sparse rows. No row is empty."""

    first: Array  # [S + 1] int64
    next: Array  # [M] int32, ascending within a state
    prob: Array  # [M] float64, > 0; those of a state sum to 1
    reward: Array  # [S] float64, expected
    terminal: Array  # [S] bool: stays for ever, because the model ends there

    @property
    def num_states(self) -> int:
        return len(self.first) - 1

    @cached_property
    def source(self) -> Array:
        """[M] int32: where each transition comes from."""
        return np.repeat(np.arange(self.num_states, dtype=np.int32), np.diff(self.first))

    @cached_property
    def small(self) -> bool:
        return len(self.next) <= SMALL

    @cached_property
    def matrix(self) -> Any:
        """P as a sparse matrix of scipy's."""
        from scipy.sparse import csr_array

        return csr_array((self.prob, self.next, self.first), shape=(self.num_states, self.num_states))

    @cached_property
    def transposed(self) -> Any:
        """P by columns: what is gathered is faster than what is scattered."""
        return self.matrix.T.tocsr()


@dataclass(frozen=True, eq=False)
class Classes:
    """Communicating classes, numbered in the order of their first states."""

    label: Array  # [S] int64: the class of each state
    recurrent: Array  # [C] bool: never left
    period: Array  # [C] int64: 0 where the class is one state that is left at once

    @property
    def count(self) -> int:
        return len(self.recurrent)

    def members(self, number: int) -> Array:
        """The states of a class."""
        return np.flatnonzero(self.label == number)


class Expected(NamedTuple):
    """What is expected of one episode of at most n steps."""

    visits: Array  # [S] how often it acts in a state, or ends in a terminal one
    length: float  # steps
    total: float  # undiscounted return
    discounted: float


def of_policy(model: Model, policy: Array) -> Chain:
    """The chain of a policy [P]. Pairs that it never takes cost nothing."""
    taken = np.flatnonzero(policy > 0)
    source, following, prob = _taken(model, policy, taken)
    stays = np.flatnonzero(model.terminal)
    if len(stays) or len(np.unique(model.pair_state[taken])) < len(taken):  # else the rows are in order already
        source, following = np.concatenate((source, stays)), np.concatenate((following, stays))
        source, following, prob = _merged(
            source, following, np.concatenate((prob, np.ones(len(stays)))), model.num_states
        )
    first = np.zeros(model.num_states + 1, dtype=np.int64)
    np.cumsum(np.bincount(source, minlength=model.num_states), out=first[1:])
    weighted = policy[taken] * model.reward[taken]
    reward = np.bincount(model.pair_state[taken], weights=weighted, minlength=model.num_states)
    return Chain(first, following.astype(np.int32, copy=False), prob, reward, model.terminal)


def _taken(model: Model, policy: Array, taken: Array) -> tuple[Array, Array, Array]:
    """The transitions of the pairs that are taken: from, to, probability."""
    length = np.diff(model.first_next)[taken]
    offset = model.first_next[taken] - np.cumsum(length) + length
    where = np.arange(int(length.sum())) + np.repeat(offset, length)
    source = np.repeat(model.pair_state[taken], length)
    return source, model.next[where], model.prob[where] * np.repeat(policy[taken], length)


def _merged(source: Array, following: Array, prob: Array, size: int) -> tuple[Array, Array, Array]:
    """Sorted; what leads from and to the same states is one transition. One that underflowed is none."""
    if len(prob) > SMALL:
        from scipy.sparse import csr_array

        matrix = csr_array((prob, (source, following)), shape=(size, size))
        matrix.sum_duplicates()
        matrix.eliminate_zeros()
        source = np.repeat(np.arange(size, dtype=np.int32), np.diff(matrix.indptr))
        return source, matrix.indices, matrix.data
    order = np.lexsort((following, source))
    source, following, prob = source[order], following[order], prob[order]
    new = np.flatnonzero((np.diff(source, prepend=-1) != 0) | (np.diff(following, prepend=-1) != 0))
    source, following, prob = source[new], following[new], np.add.reduceat(prob, new)
    kept = prob > 0
    return source[kept], following[kept], prob[kept]


def moved(chain: Chain, distribution: Array) -> Array:
    """[S] the distribution one step later."""
    if chain.small:
        weights = chain.prob * distribution[chain.source]
        return np.bincount(chain.next, weights=weights, minlength=chain.num_states)
    return np.asarray(chain.transposed @ distribution)


def after(chain: Chain, start: Array, steps: int) -> Array:
    """[S] the distribution n steps later."""
    distribution = np.asarray(start, dtype=np.float64)
    for _ in range(steps):
        distribution = moved(chain, distribution)
    return distribution


def within(chain: Chain, start: Array, steps: int, discount: float = 1.0) -> Expected:
    """What n steps bring, exactly but for rounding."""
    now = np.array(start, dtype=np.float64)
    ended = np.where(chain.terminal, now, 0.0)
    visits = ended.copy()
    total, discounted, weight, length = 0.0, 0.0, 1.0, 0.0
    for _ in range(steps):
        acting = now - ended
        if not acting.any():
            break
        visits += acting
        length += float(acting.sum())
        earned = float(acting @ chain.reward)
        total, discounted, weight = total + earned, discounted + weight * earned, weight * discount
        now = moved(chain, acting)
        ended = np.where(chain.terminal, now, 0.0)
        visits += ended
    return Expected(visits, length, total, discounted)


def reachable(chain: Chain, start: Array) -> Array:
    """[S] bool: some `start` [S] with a probability above 0 leads here, in no step or more."""
    return np.asarray(_levels(chain, np.flatnonzero(start > 0)) >= 0)


def classes(chain: Chain) -> Classes:
    """Communicating classes, which of them are recurrent, and the period of each."""
    label = _components(chain)
    _, first, label = np.unique(label, return_index=True, return_inverse=True)
    order = np.argsort(first)  # by first state, so that the numbers do not depend on the way they were found
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    label = rank[label]
    inside = label[chain.source] == label[chain.next]
    recurrent = np.ones(len(order), dtype=bool)
    recurrent[label[chain.source[~inside]]] = False
    return Classes(label, recurrent, _periods(chain, label, first[order], inside))


def _components(chain: Chain) -> Array:
    """[S] a number for each strongly connected component."""
    if not chain.small:
        from scipy.sparse.csgraph import connected_components

        return np.asarray(connected_components(chain.matrix, connection="strong")[1])
    label = np.empty(chain.num_states, dtype=np.int64)
    for number, states in enumerate(components(_neighbours(chain))):
        label[states] = number
    return label


def _periods(chain: Chain, label: Array, roots: Array, inside: Array) -> Array:
    """[C] gcd of level(s) + 1 - level(t) over the transitions within a class, whose root has level 0 (Denardo 1977)."""
    level = _levels(chain, roots, inside)
    source, following = chain.source[inside], chain.next[inside]
    differs = level[source] + 1 - level[following]
    order = np.argsort(label[source], kind="stable")
    number, place = np.unique(label[source][order], return_index=True)
    period = np.zeros(len(roots), dtype=np.int64)
    if len(number):
        period[number] = np.gcd.reduceat(differs[order], place)
    return period


def _levels(chain: Chain, roots: Array, allowed: Array | None = None) -> Array:
    """[S] the fewest steps from any root, along the `allowed` [M] transitions; -1 where there is no way."""
    if not chain.small:
        from scipy.sparse import csr_array
        from scipy.sparse.csgraph import dijkstra

        kept = np.ones(len(chain.next), dtype=bool) if allowed is None else allowed
        edges = (np.ones(int(kept.sum())), (chain.source[kept], chain.next[kept]))
        graph = csr_array(edges, shape=(chain.num_states, chain.num_states))
        distance = dijkstra(graph, indices=roots, unweighted=True, min_only=True)
        return np.where(np.isfinite(distance), distance, -1).astype(np.int64)
    neighbours = _neighbours(chain, allowed)
    level = [-1] * chain.num_states
    for root in roots.tolist():
        level[root] = 0
    queue = deque(roots.tolist())
    while queue:
        state = queue.popleft()
        for other in neighbours[state]:
            if level[other] < 0:
                level[other] = level[state] + 1
                queue.append(other)
    return np.array(level, dtype=np.int64)


def _neighbours(chain: Chain, allowed: Array | None = None) -> list[list[int]]:
    """The states that follow each state."""
    lists: list[list[int]] = [[] for _ in range(chain.num_states)]
    kept = slice(None) if allowed is None else allowed
    for state, other in zip(chain.source[kept].tolist(), chain.next[kept].tolist(), strict=True):
        lists[state].append(other)
    return lists
