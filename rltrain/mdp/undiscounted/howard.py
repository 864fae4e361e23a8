"""One step of Howard's policy iteration for the average reward, where every state can be led to every other.

    g + h(s) = r(s, a) + sum_s' T(s, a, s') h(s')        for the pair a that the policy takes in s; h is 0 at a root

has one solution if the policy keeps the chain in a single closed class. One that has several earns the most in the best
of them, and everything can be led there: so the states that might end elsewhere take the way to it (Haviv and Puterman
1991), which makes the policy no worse and its gain one number. With T' the transitions but those into the root,

    x = r + T' x,   y = 1 + T' y,   g = x(root) / y(root),   h = x - g y

Nothing here is proven: whoever calls it holds the h against the optimality equation.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from rltrain.core import Array
from rltrain.mdp import graph
from rltrain.mdp.chains import chain as chains
from rltrain.mdp.chains.chain import Chain
from rltrain.mdp.graph import almost_sure_reach
from rltrain.mdp.model import Model
from rltrain.mdp.pairs import of_choice
from rltrain.mdp.solvers import bellman, linear


def evaluated(model: Model, choice: Array) -> tuple[Array, Array] | None:
    """h [S] and the policy [S] that it belongs to, no worse than `choice` [S]; None where the equations are too long.

    The model has no terminal state, and every state can be led to every other.
    """
    choice = choice.copy()
    chain = chains.of_pairs(model, of_choice(model, choice))
    label, closed = _closed_classes(chain)
    if len(closed) > 1:
        gain = _gains(chain, label, closed)
        if gain is None:
            return None
        lost = np.isin(label, np.delete(closed, int(gain.argmax())))
        kept = ~chains.reaching(chain, lost)
        way = almost_sure_reach(model, kept, np.ones(model.num_pairs, dtype=bool))[1]
        choice[~kept] = way[~kept]
        chain = chains.of_pairs(model, of_choice(model, choice))
        label, closed = _closed_classes(chain)
    if len(closed) != 1:
        return None
    root = int(np.flatnonzero(label == closed[0])[0])
    found = _solved(chain.matrix, chain.reward, np.array([root]), np.zeros(model.num_states, dtype=np.int64))
    return None if found is None else (found[0], choice)


def improved(model: Model, choice: Array, q: Array) -> Array | None:
    """The policy [S] that takes the first best pair wherever that is better than its own; None: nowhere."""
    most = bellman.best(model, q)
    slack = 1e-12 * (1 + float(np.abs(most).max(initial=0.0)))
    better = most > q[choice] + slack
    return np.where(better, bellman.greedy(model, q), choice) if better.any() else None


def _closed_classes(chain: Chain) -> tuple[Array, Array]:
    """[S] the class of each state, and the numbers of those that are never left."""
    count, label = graph.strong_components(chain.first, chain.next)
    closed = np.ones(count, dtype=bool)
    source = label[chain.source]
    closed[source[source != label[chain.next]]] = False
    return label, np.flatnonzero(closed)


def _gains(chain: Chain, label: Array, closed: Array) -> Array | None:
    """[C] the gain of each closed class."""
    members = np.flatnonzero(np.isin(label, closed))
    number, root = np.searchsorted(closed, label[members]), np.unique(label[members], return_index=True)[1]
    found = _solved(chain.matrix[members][:, members], chain.reward[members], root, number)
    return None if found is None else found[1]


def _solved(chain: Any, reward: Array, root: Array, number: Array) -> tuple[Array, Array] | None:
    """h [n] and the gain of each class [C] of a chain whose states belong to class `number` [n], with root [C].

    None where the equations are singular in floating point, or too many to be factorised.
    """
    size = len(reward)
    rest = np.setdiff1d(np.arange(size), root)
    h, gain = np.zeros(size), np.zeros(len(root))
    solve = linear.within_band(chain[rest][:, rest]) if len(rest) else None
    if len(rest) and solve is None:
        return None
    x, y = np.zeros(size), np.zeros(size)
    if solve is not None:
        y[rest] = solve(np.ones(len(rest)))
    for _ in range(2):  # the second time for what the first left over
        left = reward - gain[number] - h + chain @ h
        if solve is not None:
            x[rest] = solve(left[rest])
        more = (left[root] + chain[root] @ x) / (1 + chain[root] @ y)
        gain = gain + more
        h[rest] += x[rest] - more[number[rest]] * y[rest]
    return (h, gain) if np.isfinite(h).all() and np.isfinite(gain).all() else None
