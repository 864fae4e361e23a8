"""The Markov chain of a model under a policy: where it can go, where it stays, and how it moves in n steps.

    P(s, t) = sum_a pi(a | s) T(s, a, t)          r(s) = sum_a pi(a | s) r(s, a)

States that lead to each other form a communicating class; a class that is never left is recurrent, the others are
transient. The period of a class is the greatest common divisor of the lengths of its circles. (Kemeny and Snell 1960,
chapters 2 and 3.) What happens in the long run is in `mdp.chains.long_run`.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from rltrain.core import Array
from rltrain.mdp import graph, pairs, thresholds
from rltrain.mdp.mapped import check_room
from rltrain.mdp.model import Model, Numbered
from rltrain.mdp.solvers.bellman import UNIT

CHAIN_BYTES = 40  # a transition, while a chain is made and solved
POLICY_ROWS = "the transitions of a policy"


@dataclass(frozen=True, eq=False)
class Chain:
    """S states and M transitions, in compressed sparse rows.

    As `of_policy` makes it, a terminal state stays where it is, earns nothing and is a class of its own, and no two
    transitions lead from and to the same states. As `of_pairs` makes it, terminal states have no transitions, and
    others have one for each successor of each pair that is taken.
    """

    first: Array  # [S + 1] int64
    next: Array  # [M] int32
    prob: Array  # [M] float64, > 0; those of a state that acts sum to 1
    reward: Array  # [S] float64, expected
    terminal: Array  # [S] bool: the model ends there
    gross: Array  # [S] float64, expected without the signs: what the rounding of the rewards is measured by
    calm: Array  # [S] bool: no pair with a reward is taken
    terms: int  # the most roundings that stand behind one number of a backup

    @property
    def num_states(self) -> int:
        return len(self.first) - 1

    @cached_property
    def source(self) -> Array:
        """[M] int32: where each transition comes from."""
        return np.repeat(np.arange(self.num_states, dtype=np.int32), np.diff(self.first))

    @cached_property
    def small(self) -> bool:
        """Plain Python is faster than to import scipy."""
        return len(self.next) <= thresholds.PLAIN_GRAPH

    @cached_property
    def matrix(self) -> Any:
        """P as a sparse matrix of scipy's; transitions from and to the same states are one."""
        from scipy.sparse import csr_array

        matrix = csr_array((self.prob, self.next, self.first), shape=(self.num_states, self.num_states), copy=True)
        matrix.sum_duplicates()
        return matrix

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


def of_pairs(model: Model, policy: Array) -> Chain:
    """The chain of a policy [P], a transition for each successor of each pair. Pairs never taken cost nothing."""
    taken = np.flatnonzero(policy > 0)
    states = model.pair_state[taken]
    check_room(model.mapped, float(np.diff(model.first_next)[taken].sum()), CHAIN_BYTES, POLICY_ROWS)
    where, length = pairs.entries(model, taken)
    first = np.zeros(model.num_states + 1, dtype=np.int64)
    np.cumsum(np.bincount(states, weights=length, minlength=model.num_states), out=first[1:])
    reward = np.bincount(states, weights=policy[taken] * model.reward[taken], minlength=model.num_states)
    gross = np.bincount(states, weights=policy[taken] * np.abs(model.reward[taken]), minlength=model.num_states)
    calm = np.ones(model.num_states, dtype=bool)
    calm[states[model.reward[taken] != 0]] = False
    terms = int(np.diff(first).max(initial=0)) + int(np.diff(model.first_pair).max(initial=0)) + 8
    prob = model.prob[where] * np.repeat(policy[taken], length)
    return Chain(first, model.next[where], prob, reward, model.terminal, gross, calm, terms)


def of_policy(model: Model, policy: Array) -> Chain:
    """The chain of a policy [P] in which terminal states stay where they are, without parallel transitions."""
    chain = of_pairs(model, policy)
    source, following, prob = chain.source, chain.next, chain.prob
    stays = np.flatnonzero(model.terminal)
    several = np.bincount(model.pair_state[policy > 0], minlength=model.num_states).max(initial=0) > 1
    if len(stays) or several:  # else the rows are in order already
        source, following = np.concatenate((source, stays)), np.concatenate((following, stays))
        prob = np.concatenate((prob, np.ones(len(stays))))
        source, following, prob = _merged(source, following, prob, model.num_states)
    first = np.zeros(model.num_states + 1, dtype=np.int64)
    np.cumsum(np.bincount(source, minlength=model.num_states), out=first[1:])
    return replace(chain, first=first, next=following.astype(np.int32, copy=False), prob=prob)


def _merged(source: Array, following: Array, prob: Array, size: int) -> tuple[Array, Array, Array]:
    """Sorted; what leads from and to the same states is one transition. One that underflowed is none."""
    if len(prob) > thresholds.PLAIN_GRAPH:
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


def as_model(chain: Chain) -> Model:
    """A chain as `of_pairs` makes it, as a model with one action: what proves the best proves the policy's own."""
    acting = np.diff(chain.first) > 0
    return Model(
        states=Numbered(len(acting)),
        actions=Numbered(1),
        first_pair=np.concatenate(([0], np.cumsum(acting))),
        action=np.zeros(int(acting.sum()), dtype=np.int32),
        first_next=np.concatenate((chain.first[:-1][acting], chain.first[-1:])),
        next=chain.next,
        prob=chain.prob,
        reward=chain.reward[acting],
    )


def expected(chain: Chain, value: Array) -> Array:
    """[S] P V."""
    row = np.diff(chain.first) > 0
    expected = np.zeros(len(value))
    if row.any():
        expected[row] = np.add.reduceat(chain.prob * value[chain.next], chain.first[:-1][row])
    return expected


def rounding(chain: Chain, discount: float, size: float) -> float:
    """The greatest error of floating point in one backup of values up to `size` (Higham 2002, section 3.1)."""
    return chain.terms * UNIT * (float(chain.gross.max(initial=0.0)) + (discount + 1) * size)


def reaching(chain: Chain, goal: Array) -> Array:
    """[S] bool: a state of `goal` [S] can be reached, in no step or more."""
    return graph.reaching(chain.first, chain.next, goal)


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
    return np.asarray(graph.levels(chain.first, chain.next, np.flatnonzero(start > 0)) >= 0)


def classes(chain: Chain) -> Classes:
    """Communicating classes, which of them are recurrent, and the period of each."""
    _, first, label = np.unique(_components(chain), return_index=True, return_inverse=True)
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
        return graph.strong_components(chain.first, chain.next)[1]
    following = chain.next.tolist()
    rows = [following[first:last] for first, last in itertools.pairwise(chain.first.tolist())]
    label = np.empty(chain.num_states, dtype=np.int64)
    for number, states in enumerate(graph.ordered_components(rows)):
        label[states] = number
    return label


def _periods(chain: Chain, label: Array, roots: Array, inside: Array) -> Array:
    """[C] gcd of level(s) + 1 - level(t) over the transitions within a class, whose root has level 0 (Denardo 1977)."""
    source, following = chain.source[inside], chain.next[inside]
    first = np.concatenate(([0], np.cumsum(np.bincount(source, minlength=chain.num_states))))
    level = graph.levels(first, following, roots)
    differs = level[source] + 1 - level[following]
    order = np.argsort(label[source], kind="stable")
    number, place = np.unique(label[source][order], return_index=True)
    period = np.zeros(len(roots), dtype=np.int64)
    if len(number):
        period[number] = np.gcd.reduceat(differs[order], place)
    return period
