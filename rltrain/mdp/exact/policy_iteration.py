"""Policy iteration in fractions (Howard 1960), from a policy that floating point holds for optimal.

    evaluate: solve V = r_pi + gamma P_pi V        improve: pi(s) = a where Q(s, a) > V(s), the greatest

so that mostly one evaluation is left to do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

import numpy as np

from rltrain.core import Array
from rltrain.errors import UncertifiedError
from rltrain.mdp import thresholds
from rltrain.mdp.exact import linear as fractions
from rltrain.mdp.exact.rational import ONE, ZERO, Clock, Number, Table, action_values
from rltrain.mdp.graph import closed_class
from rltrain.mdp.model import Model
from rltrain.mdp.solvers import bellman, linear
from rltrain.mdp.solvers.solve import solve as float_solve

Shares = Mapping[int, Fraction]  # pair -> probability, of one state; none where it is terminal


def chain_of(rows: Table, taken: Sequence[Shares]) -> tuple[list[fractions.Row], list[Fraction]]:
    """P_pi, a row for each state, and r_pi [S] of a policy."""
    chain: list[fractions.Row] = []
    for shares in taken:
        row: fractions.Row = {}
        for pair, share in shares.items():
            for following, p in zip(rows.next[pair], rows.prob[pair], strict=True):
                row[following] = row.get(following, ZERO) + share * p
        chain.append({following: p for following, p in row.items() if p})
    return chain, [sum((share * rows.reward[i] for i, share in shares.items()), ZERO) for shares in taken]


def discounted(rows: Table, chain: Sequence[fractions.Row], discount: Fraction) -> list[fractions.Row]:
    """gamma P_pi; what leads to terminal states is worth nothing, and left out."""
    return [{j: discount * p for j, p in row.items() if discount and rows.pairs[j]} for row in chain]


def evaluate(rows: Table, choice: Array, discount: Fraction, clock: Clock) -> list[Fraction]:
    """V [S] of the policy choice [S], -1 where terminal."""
    chain, reward = chain_of(rows, [{pair: ONE} if pair >= 0 else {} for pair in choice.tolist()])
    return fractions.solve(discounted(rows, chain, discount), reward, clock)


def improve(rows: Table, value: Sequence[Number], choice: Array, discount: Fraction) -> bool:
    """Take the best pair wherever it is strictly better than V. In place; False if there is none."""
    q = action_values(rows, value, discount)
    changed = False
    for state, pairs in enumerate(rows.pairs):
        best = max(pairs, key=lambda i: (q[i], -i), default=-1)
        if pairs and q[best] > value[state]:
            choice[state] = best
            changed = True
    return changed


def float_policy(model: Model, discount: float, start: Array | None = None) -> Array:
    """[S] an optimal policy as far as floating point can tell, by full matrices, or as large models are solved.

    At discount 1 `start` [S] is a policy that surely ends, and so does the one that is found.
    """
    if model.num_states > thresholds.DENSE_IN_EXACT:
        if start is not None:
            return start
        return float_solve(model, min(discount, 1 - 1e-6), epsilon=1e-9, max_seconds=60.0).choice.copy()
    choice = bellman.greedy(model, model.reward) if start is None else start
    acting = np.flatnonzero(choice >= 0)
    for _ in range(200):
        try:
            value = linear.dense_value(model, choice, discount)
        except UncertifiedError:
            break
        q = bellman.backup(model, value, discount)
        slack = 1e-11 * (1 + float(np.abs(value).max(initial=0.0)))
        better = acting[bellman.best(model, q)[acting] > q[choice[acting]] + slack]
        improved = choice.copy()
        improved[better] = bellman.greedy(model, q)[better]
        if not len(better) or (discount == 1 and closed_class(model, improved) is not None):
            break
        choice = improved
    return choice
