"""Where a Markov chain is in the long run: stationary shares, absorption, expected visits, each within a proven bound.

With T the transitions between the states that are left some day, and b a right or left side,

    x = b + T x      (absorption, expected steps)          v = b + v T      (expected visits)

which `mdp.solvers.substochastic` solves (Kemeny and Snell 1960, chapter 3).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rltrain.core import Array
from rltrain.mdp.chains.chain import Chain, Classes
from rltrain.mdp.solvers.bellman import UNIT
from rltrain.mdp.solvers.substochastic import Certified, Proven, certified


class Absorption(NamedTuple):
    """Where the chain ends up from each state, and how long that takes."""

    prob: Proven  # [S, R] of each recurrent class, in their order
    steps: Proven  # [S] expected until it is in one of them, 0 there


class Visits(NamedTuple):
    """How often a chain visits each state, and where it ends up, from a distribution over its first states."""

    visits: Proven  # [S] expected, of transient states; 0 for recurrent ones
    absorbed: Proven  # [R] probability of each recurrent class
    steps: float  # expected until then: the sum of the visits


def stationary(chain: Chain, members: Array) -> Proven:
    """[k] the share of time in each member of a recurrent class: x = x P, of sum 1."""
    root, rest = int(members[0]), members[1:]
    if not len(rest):
        return Proven(np.ones(1), 0.0)
    begin = np.zeros(chain.num_states)
    row = slice(int(chain.first[root]), int(chain.first[root + 1]))
    begin[chain.next[row]] = chain.prob[row]
    visits, bound = _solver(chain, rest)(begin[rest], True)  # until it comes back to the root
    share = np.concatenate(([1.0], visits))
    total = float(share.sum())
    return Proven(share / total, 2 * bound / total + 4 * UNIT)


def absorption(chain: Chain, classes: Classes) -> Absorption:
    """From every state. Takes S x R numbers."""
    recurrent = np.flatnonzero(classes.recurrent)
    transient = np.flatnonzero(~classes.recurrent[classes.label])
    prob = np.zeros((chain.num_states, len(recurrent)))
    steps = np.zeros(chain.num_states)
    column = _columns(classes)
    ended = column[classes.label] >= 0
    prob[ended, column[classes.label[ended]]] = 1.0
    if not len(transient):
        return Absorption(Proven(prob, 0.0), Proven(steps, 0.0))
    solve = _solver(chain, transient)
    steps[transient], slow = solve(np.ones(len(transient)), False)
    leaving = np.zeros((chain.num_states, len(recurrent)))
    out = ended[chain.next] & ~ended[chain.source]
    np.add.at(leaving, (chain.source[out], column[classes.label[chain.next[out]]]), chain.prob[out])
    worst = 0.0
    for number in range(len(recurrent)):
        prob[transient, number], bound = solve(leaving[transient, number], False)
        worst = max(worst, bound)
    return Absorption(Proven(prob, worst), Proven(steps, slow))


def visits(chain: Chain, classes: Classes, start: Array) -> Visits:
    """From a distribution [S]."""
    transient = np.flatnonzero(~classes.recurrent[classes.label])
    expected, bound = np.zeros(chain.num_states), 0.0
    if len(transient) and start[transient].any():
        expected[transient], bound = _solver(chain, transient)(start[transient], True)
    column = _columns(classes)
    arriving = np.zeros(int(classes.recurrent.sum()))
    ended = column[classes.label] >= 0
    np.add.at(arriving, column[classes.label[ended]], start[ended])
    out = ended[chain.next] & ~ended[chain.source]
    np.add.at(arriving, column[classes.label[chain.next[out]]], chain.prob[out] * expected[chain.source[out]])
    return Visits(Proven(expected, bound), Proven(arriving, bound + len(chain.next) * UNIT), float(expected.sum()))


def limit(chain: Chain, classes: Classes, start: Array) -> Proven:
    """[S] the share of all time spent in each state, in the long run, by a chain that starts as `start`."""
    absorbed = visits(chain, classes, start).absorbed
    share, worst = np.zeros(chain.num_states), absorbed.bound
    for weight, number in zip(absorbed.value, np.flatnonzero(classes.recurrent), strict=True):
        if weight > 0:
            members = np.flatnonzero(classes.label == number)
            inside = stationary(chain, members)
            share[members] = weight * inside.value
            worst = max(worst, absorbed.bound + inside.bound)
    return Proven(share, worst)


def _columns(classes: Classes) -> Array:
    """[C] the place of a class among the recurrent ones, -1: it is transient."""
    return np.where(classes.recurrent, np.cumsum(classes.recurrent) - 1, -1)


def _solver(chain: Chain, states: Array) -> Certified:
    """solve(b, left) with T between `states` [k] that are left some day."""
    place = np.full(chain.num_states, -1, dtype=np.int64)
    place[states] = np.arange(len(states))
    source, following = place[chain.source], place[chain.next]
    inside = (source >= 0) & (following >= 0)
    out = (source >= 0) & (following < 0)
    leaving = np.bincount(source[out], weights=chain.prob[out], minlength=len(states))
    return certified(len(states), source[inside], following[inside], chain.prob[inside], leaving)
