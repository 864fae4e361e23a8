"""The Bellman operator on a model, in numpy: backups, greedy choices, and what one backup proves about the truth.

    Q(s, a) = r(s, a) + gamma sum_s' T(s, a, s') V(s')          V(s) = max_a Q(s, a); 0 where s is terminal

For any V let W be its backup and lo, hi the least and greatest of W - V over all states (0 at terminal ones). Then

    W + gamma / (1 - gamma) lo  <=  V*  <=  W + gamma / (1 - gamma) hi            (MacQueen 1966, Porteus 1971)

which is what every solver here ends with, whatever way it took to V. Compiled: `mdp.solvers.kernels`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rltrain.core import Array
from rltrain.mdp.model import Model
from rltrain.mdp.pairs import PIECE

UNIT = np.finfo(np.float64).eps / 2  # the greatest relative error of one rounding


def backup(model: Model, value: Array, discount: float) -> Array:
    """Q [P] from V [S]."""
    q = np.zeros(model.num_pairs)
    for begin in range(0, model.num_states, PIECE):  # no array as long as the successors
        end = min(model.num_states, begin + PIECE)
        first, last = int(model.first_pair[begin]), int(model.first_pair[end])
        if first == last:
            continue
        rows = model.first_next[first : last + 1]
        start, stop = int(rows[0]), int(rows[-1])
        expected = np.add.reduceat(model.prob[start:stop] * value[model.next[start:stop]], rows[:-1] - start)
        q[first:last] = model.reward[first:last] + discount * expected
        if model.mapped is not None:
            model.mapped.let_go(begin, end)
    return q


def best(model: Model, q: Array) -> Array:
    """V [S] from Q [P]: the greatest of each state, 0 where it is terminal."""
    value = np.zeros(model.num_states)
    acting = ~model.terminal
    if acting.any():
        value[acting] = np.maximum.reduceat(q, model.first_pair[:-1][acting])
    return value


def greedy(model: Model, q: Array) -> Array:
    """[S] int64: the first best pair of each state, -1 where it is terminal."""
    chosen = np.full(model.num_states, -1, dtype=np.int64)
    is_best = np.flatnonzero(q == best(model, q)[model.pair_state])
    states = model.pair_state[is_best]  # ascending
    first = np.concatenate(([True], states[1:] != states[:-1]))[: len(states)]
    chosen[states[first]] = is_best[first]
    return chosen


def rounding(model: Model, value: Array, discount: float) -> float:
    """The greatest error of one backup of V: of floating point (Higham 2002, section 3.1), and of the model's numbers.

    These are roundings themselves, of probabilities, rewards, and expected rewards, of what was meant.
    """
    return rounding_of(model).of(value, discount)


@dataclass(frozen=True)
class Rounding:
    """The greatest error of a backup, for many V of one model: what depends on the model alone is looked up once."""

    widest: int  # successors of a pair, the most
    reward: float  # the greatest absolute value

    def of(self, value: Array, discount: float) -> float:
        """The greatest error of one backup of V [S], where that is finite."""
        terms = 2 * self.widest + 6
        share = terms * UNIT / (1 - terms * UNIT)
        return float(share * (self.reward + discount * size(value)))


def rounding_of(model: Model, own: tuple[int, int] | None = None) -> Rounding:
    """What rounding does to the backups of a model, or of some of its states, where `own` says from where to where."""
    first_own, last_own = own or (0, model.num_states)
    widest, reward = 0, 0.0
    for begin in range(first_own, last_own, PIECE):  # no array as long as the pairs
        end = min(last_own, begin + PIECE)
        first, last = int(model.first_pair[begin]), int(model.first_pair[end])
        rows = model.first_next[first : last + 1]
        widest = max(widest, int(np.diff(rows).max(initial=0)))
        reward = max(reward, size(model.reward[first:last]))
        if model.next_reward is not None:
            reward = max(reward, size(model.next_reward[int(rows[0]) : int(rows[-1])]))
        if model.mapped is not None:
            model.mapped.let_go(begin, end)
    return Rounding(widest, reward)


def size(numbers: Array) -> float:
    """The greatest absolute value of those that are finite; -inf is what a state is worth that loses for ever."""
    most = max(float(numbers.max(initial=0.0)), -float(numbers.min(initial=0.0)))
    return most if most < np.inf else size(numbers[np.isfinite(numbers)])


def mean(distribution: Array, value: Array) -> float:
    """sum_s p(s) V(s) over the states that have a chance: 0 times -inf is no number."""
    if np.isfinite(value).all():
        return float(distribution @ value)
    able = distribution > 0
    return float(distribution[able] @ value[able])
