"""What a given policy is worth, and how much it loses: linear equations, and a bound proven from what is left of them.

A policy is pi [P], the probability of each pair in its state. With P_pi its transitions and r_pi its rewards,

    V = r_pi + gamma P_pi V                                     (Bellman 1957)

is solved, whichever way, and one more backup W of V proves the error, as for V* in `mdp.solvers.bellman`:

    |V_pi - V|  <=  max |W - V| / (1 - gamma)

With a discount of 1 the same holds where the policy ends: if w >= 1 + P_pi w for some w >= 0, at every state from which
reward can still come, then |V_pi - V| <= w max |W - V| (Bertsekas and Tsitsiklis 1991: w bounds the expected steps).
Where it may be caught in a class of states in which it loses on average, it is worth -infinity.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rltrain.core import Array
from rltrain.errors import InputError, UncertifiedError
from rltrain.mdp import thresholds
from rltrain.mdp.chains import chain as chains
from rltrain.mdp.chains import long_run
from rltrain.mdp.chains.chain import Chain, expected, reaching, rounding
from rltrain.mdp.model import Model
from rltrain.mdp.pairs import may_gain
from rltrain.mdp.solvers import bellman, linear
from rltrain.mdp.solvers.bellman import UNIT
from rltrain.spelling import shown

ROUNDS = 12  # of refinement, at most
GOOD = 1e-13  # of the largest value: nothing is gained by going on


class Evaluated(NamedTuple):
    """Every number is within `bound` of the truth; -inf, which discount 1 alone allows, is proven to be so."""

    value: Array  # [S] float64
    bound: float
    start_value: float  # mean over where the model starts


def evaluate(model: Model, policy: Array, discount: float, epsilon: float = 1e-9) -> Evaluated:
    """V of the policy. Solved as well as floating point can where that is cheap, else to epsilon or better.

    InputError where discount 1 gives a state no value: its policy earns for ever, or rewards that never settle.
    """
    if policy.shape != (model.num_pairs,):
        raise ValueError(f"a policy has one probability for each of {model.num_pairs} pairs, got {policy.shape}")
    chain = chains.of_pairs(model, policy)
    quiet = ~reaching(chain, ~chain.calm) if discount == 1 else model.terminal  # no reward ever comes
    lost = _lost(model, policy, chain, quiet) if discount == 1 else np.zeros(model.num_states, dtype=bool)
    if discount < 1 and model.num_states > thresholds.DENSE_IN_EVALUATION:
        value, bound = _by_sweeps(chain, discount, epsilon)
    else:
        value, bound = _solved(chain, discount, quiet | lost, epsilon)  # no other state leads to a lost one
    value[lost] = -np.inf
    return Evaluated(value, bound, bellman.mean(model.start_distribution(), value))


def _lost(model: Model, policy: Array, chain: Chain, quiet: Array) -> Array:
    """[S] bool: worth -infinity, since the policy may be caught where it loses on average.

    InputError where it may be caught in a class of states of which that is not proven.
    """
    stuck = ~reaching(chain, quiet)
    if not stuck.any():
        return stuck
    losing = _losing(model, policy, stuck)
    caught = np.flatnonzero(stuck & ~reaching(chain, losing))
    if len(caught):
        more = f" and {len(caught) - 1:,} more states" if len(caught) > 1 else ""
        raise InputError(
            f"discount 1: from state {shown(model.states[int(caught[0])])}{more} this policy never ends, and rewards "
            "come for ever, without a sum; take a discount below 1, or the average reward: solve --average"
        )
    return reaching(chain, losing)


def _losing(model: Model, policy: Array, stuck: Array) -> Array:
    """[S] bool: in a class that the policy never leaves and in which it is proven to lose on average."""
    chain = chains.of_policy(model, policy)
    classes = chains.classes(chain)
    gaining = np.zeros(model.num_states, dtype=bool)  # a pair that is taken may earn something
    gaining[model.pair_state[may_gain(model) & (policy > 0)]] = True
    most = max(bellman.size(model.reward), 0.0 if model.next_reward is None else bellman.size(model.next_reward))
    losing = np.zeros(model.num_states, dtype=bool)
    for number in np.unique(classes.label[stuck]):
        if not classes.recurrent[number]:
            continue
        members = classes.members(int(number))
        reward = chain.reward[members]
        loses = bool(reward.min() < 0)
        if loses and gaining[members].any():
            share = long_run.stationary(chain, members)
            terms = len(members) + int(np.diff(model.first_next).max()) + int(np.diff(model.first_pair).max()) + 8
            loses = bool(float(share.value @ reward) < -(len(members) * share.bound + 2 * terms * UNIT) * most)
        losing[members] = loses
    return losing


def _by_sweeps(chain: Chain, discount: float, epsilon: float) -> tuple[Array, float]:
    """V and its proven error: a chain is a model with one action, so the solver of large models does it."""
    from rltrain.mdp.solvers.solve import solve

    solution = solve(chains.as_model(chain), discount, "auto", epsilon)
    size = float(np.abs(solution.value).max(initial=0.0))
    own = rounding(chain, discount, size) / (1 - discount)  # of the chain's numbers
    return solution.value, solution.bound + own


def _solved(chain: Chain, discount: float, quiet: Array, epsilon: float) -> tuple[Array, float]:
    """V and its proven error: solve, look at what is left, solve for that, while it helps."""
    num = len(chain.first) - 1
    busy = np.flatnonzero(~quiet)
    value = np.zeros(num)
    if not len(busy):
        return value, 0.0
    solver = _solver(chain, discount, busy)
    steps = solver(np.ones(len(busy))) if discount == 1 else None
    best, best_bound = value, np.inf
    for _ in range(ROUNDS):
        rest = chain.reward + discount * expected(chain, value) - value
        rest[quiet] = 0.0
        size = float(np.abs(value).max())
        slack = rounding(chain, discount, size)
        bound = _bound(chain, discount, busy, quiet, rest, slack, steps) + 4 * UNIT * size
        if bound < best_bound / 2:
            best, best_bound = value.copy(), bound
        else:
            break
        if bound <= GOOD * size or (len(busy) > thresholds.FACTORISED_IN_EVALUATION and bound <= epsilon):
            break
        value[busy] += solver(rest[busy])
    if not np.isfinite(best_bound):
        raise UncertifiedError("the policy's equations are so near to singular that no bound could be proven")
    return best, float(best_bound)


def _bound(
    chain: Chain, discount: float, busy: Array, quiet: Array, rest: Array, slack: float, steps: Array | None
) -> float:
    """max |V_pi - V| from the rest W - V of one backup."""
    most = float(np.abs(rest).max()) + slack
    if steps is None:
        return most / (1 - discount)
    weight = np.zeros(len(rest))
    weight[busy] = steps
    if not np.isfinite(steps).all() or (steps < 0).any():
        return np.inf
    margin = float((weight - expected(chain, weight))[busy].min())
    margin -= chain.terms * UNIT * 2 * float(weight.max())
    return most * float(weight.max()) / margin if margin > 0 else np.inf


def _solver(chain: Chain, discount: float, busy: Array) -> linear.Solve:
    """x with (I - gamma P) x = b on the states that matter: a full matrix, a factorisation, or Krylov's iterations."""
    num = len(busy)
    place = np.full(chain.num_states, -1, dtype=np.int64)
    place[busy] = np.arange(num)
    inside = (place[chain.source] >= 0) & (place[chain.next] >= 0)
    row, column, entry = place[chain.source[inside]], place[chain.next[inside]], discount * chain.prob[inside]
    if num <= thresholds.DENSE_IN_EVALUATION:
        return linear.dense(num, row, column, entry)
    matrix = linear.sparse(num, row, column, entry)
    if num <= thresholds.FACTORISED_IN_EVALUATION:
        return linear.factorised(matrix)
    by_rows = matrix.tocsr()

    def iterate(b: Array) -> Array:
        x, left = linear.iterated(by_rows, b, 1e-9, 2_000)
        if not left <= 0.5:
            x = b
            for _ in range(2_000):
                x = b + x - by_rows @ x
        return x

    return iterate
