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
from rltrain.mdp.mapped import PIECE
from rltrain.mdp.model import Model

UNIT = np.finfo(np.float64).eps / 2  # the greatest relative error of one rounding


def backup(model: Model, value: Array, discount: float) -> Array:
    """Q [P] from V [S]."""
    if model.num_pairs == 0:
        return np.zeros(0)
    expected = np.add.reduceat(model.prob * value[model.next], model.first_next[:-1])
    return np.asarray(model.reward + discount * expected)


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


def rounding_of(model: Model) -> Rounding:
    """What rounding does to the backups of a model."""
    reward = max(size(model.reward), 0.0 if model.next_reward is None else size(model.next_reward))
    return Rounding(most_successors(model), reward)


def most_successors(model: Model) -> int:
    """The greatest number of successors of a pair, without an array as long as the pairs."""
    pieces = (model.first_next[first : first + PIECE + 1] for first in range(0, model.num_pairs, PIECE))
    return max((int(np.diff(piece).max()) for piece in pieces), default=0)


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
