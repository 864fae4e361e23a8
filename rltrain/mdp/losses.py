"""What a policy is worth beside the best, and what it loses: discounted, in total, on average, or in H steps.

    total, discounted   V* - V_pi
    average             g* - g_pi: a chain is a model with one action, so what proves the best gain proves the policy's
    H steps             V_0 = 0,  V_t = r_pi + gamma P_pi V_(t-1): exact but for rounding, whose sum is the bound

A policy takes the same actions whatever is to go. The best H steps need not, so any policy may lose there.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rltrain.core import Array
from rltrain.mdp.chains import policy as policies
from rltrain.mdp.chains.chain import as_model, expected, of_pairs, rounding
from rltrain.mdp.chains.policy import Evaluated
from rltrain.mdp.model import Model
from rltrain.mdp.pairs import mean_over
from rltrain.mdp.solution import Solution
from rltrain.mdp.solvers import bellman, horizon, solve
from rltrain.mdp.solvers.bellman import UNIT
from rltrain.mdp.undiscounted import average, total_reward


class Losses(NamedTuple):
    """What each state loses under a policy; every finite number is within `bound` of the truth."""

    loss: Array  # [S] V* - V_pi; 0 where both are -inf: no policy does better
    bound: float
    optimal: Solution
    evaluated: Evaluated


class Wrong(NamedTuple):
    """Where what the policy does is proven to be worse at once than the best."""

    state: int
    to_go: int  # steps; 0 where there is no such number
    loss: float
    better: int  # pair


class Compared(NamedTuple):
    """A policy beside the best. Every number is within `bound` of the truth."""

    value: Array  # [S] V or gain
    best: Array  # [S]
    loss: Array  # [S] best - value
    bound: float
    choice: Array  # [S] int64, the best pairs; with H steps to go, -1 where terminal
    wrong: Wrong | None  # with H steps: with as many to go as there is one, the first state


def losses(model: Model, policy: Array, discount: float, epsilon: float = 1e-9) -> Losses:
    """V* - V_pi of each state."""
    evaluated = policies.evaluate(model, policy, discount, epsilon / 2)
    if discount == 1:
        optimal = total_reward.solve(model, epsilon / 2)
    else:
        optimal = solve.solve(model, discount, "auto", epsilon / 2)
    size = bellman.size(optimal.value) + bellman.size(evaluated.value)
    loss = np.zeros(model.num_states)
    np.subtract(optimal.value, evaluated.value, out=loss, where=~optimal.lost)
    return Losses(loss, optimal.bound + evaluated.bound + UNIT * size, optimal, evaluated)


def by_average(model: Model, policy: Array | None, epsilon: float = 1e-6) -> Compared:
    """The gain of a policy [P], None for the best, in each state."""
    best = average.solve(model, epsilon / 4)
    if policy is None:
        gain, slack = best.gain, 2 * best.bound  # the policy's own is within twice the bound of the best
    else:
        chain = of_pairs(model, policy)
        own = average.solve(as_model(chain), epsilon / 4)
        gain = own.gain
        slack = own.bound + chain.terms * UNIT * float(chain.gross.max(initial=0.0))  # of the chain's own numbers
    size = float(np.abs(best.gain).max(initial=0.0))
    bound = best.bound + slack + 2 * UNIT * size
    wrong = None
    if policy is not None and not best.one_number:
        ahead = np.add.reduceat(model.prob * best.gain[model.next], model.first_next[:-1])
        step = np.where(model.terminal, 0.0, best.gain - mean_over(model, policy, ahead))
        terms = 2 * int(np.diff(model.first_next).max(initial=0)) + 8
        found = np.flatnonzero(step > 2 * best.bound + terms * UNIT * size)
        if len(found):
            wrong = Wrong(int(found[0]), 0, float(step[found[0]]), int(best.choice[found[0]]))
    return Compared(gain, best.gain, best.gain - gain, bound, best.choice, wrong)


def by_horizon(model: Model, policy: Array | None, discount: float, steps: int) -> Compared:
    """V of the next H steps of a policy [P], None for the best at each time to go, in each state."""
    chain = None if policy is None else of_pairs(model, policy)
    value, slack, wrong = np.zeros(model.num_states), 0.0, None
    for stage in horizon.stages(model, discount, steps):
        last = stage
        if chain is None or policy is None:
            value, slack = stage.value, stage.bound
        elif stage.to_go:
            step = np.where(model.terminal, 0.0, stage.value - mean_over(model, policy, stage.q))
            found = np.flatnonzero(step > 2 * stage.bound + 4 * UNIT * np.abs(stage.value))
            if len(found):
                wrong = Wrong(int(found[0]), stage.to_go, float(step[found[0]]), int(stage.choice[found[0]]))
            size = float(np.abs(value).max(initial=0.0))
            slack = slack * discount * (1 + 4 * UNIT) + rounding(chain, discount, size)
            value = chain.reward + discount * expected(chain, value)
    size = float(np.abs(last.value).max(initial=0.0) + np.abs(value).max(initial=0.0))
    return Compared(value, last.value, last.value - value, last.bound + slack + UNIT * size, last.choice, wrong)
