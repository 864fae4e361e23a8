"""Solve a model in fractions: V*, Q* and the policy exactly, by policy iteration (Howard 1960).

It ends when no pair has a positive advantage Q(s, a) - V(s): then V satisfies Bellman's equation, which proves the
policy optimal. Discount 1 has its own rules: see `mdp.exact.total_reward`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from rltrain.core import Array
from rltrain.errors import InputError
from rltrain.mdp.exact import linear, total_reward
from rltrain.mdp.exact.policy_iteration import Shares, chain_of, discounted, evaluate, float_policy, improve
from rltrain.mdp.exact.rational import (
    MAX_SECONDS,
    MINUS_INFINITY,
    ONE,
    Clock,
    Number,
    Table,
    action_values,
    check_small,
    rational,
    read_numbers,
    table,
)
from rltrain.mdp.model import Model
from rltrain.mdp.solution import Solution
from rltrain.mdp.solvers import bellman
from rltrain.mdp.solvers.bellman import UNIT


@dataclass(frozen=True, eq=False)
class ExactSolution:
    """The truth about a model, as far as its numbers are what they seem."""

    model: Model
    discount: Fraction
    value: tuple[Number, ...]  # [S] MINUS_INFINITY where every policy loses for ever, which discount 1 alone allows
    q: tuple[Number, ...]  # [P]
    choice: Array  # [S] int64: an optimal policy, -1 where terminal; with discount 1 one that ends wherever it can
    optimal: tuple[tuple[int, ...], ...]  # [S] every optimal pair of each state; none where its value is not finite
    iterations: int  # evaluations in fractions
    seconds: float
    numbers: str  # how the numbers were read: one of rational.READINGS
    circle: int | None = None  # discount 1: a state on a circle of optimal actions that earns and loses in turn

    @property
    def policy(self) -> list[str | None]:
        """[S] the best action of each state by name, None where terminal."""
        return self.model.action_names(self.choice)


def solve_exact(model: Model, discount: Fraction, max_seconds: float | None = MAX_SECONDS) -> ExactSolution:
    """V*, Q* and all optimal actions. Discount 0 to 1; InputError where the values of discount 1 do not exist."""
    discount = Fraction(discount)
    if not 0 <= discount <= 1:
        raise InputError(f"discount: {discount} is not in [0, 1]")
    check_small(model)
    clock = Clock(max_seconds)
    value: Sequence[Number]
    exact, numbers = read_numbers(model)
    rows = table(model, exact)
    if discount == 1:
        value, choice, iterations, circle = total_reward.solve(model, rows, clock)
    else:
        value, choice, iterations = _iterate(model, rows, discount, clock)
        circle = None
    q = action_values(rows, value, discount)
    optimal = tuple(
        tuple(i for i in pairs if q[i] == value[state] != MINUS_INFINITY) for state, pairs in enumerate(rows.pairs)
    )
    assert all(q[i] <= value[state] for state, pairs in enumerate(rows.pairs) for i in pairs)  # the proof
    seconds = clock.seconds
    return ExactSolution(model, discount, tuple(value), tuple(q), choice, optimal, iterations, seconds, numbers, circle)


def floating(solved: ExactSolution, epsilon: float = np.inf) -> Solution:
    """The exact solution in floats: each is the nearest to the truth."""
    value = np.array([float(v) for v in solved.value])
    q = np.array([float(v) for v in solved.q])
    bound = UNIT * max(bellman.size(value), bellman.size(q))
    return Solution(
        model=solved.model,
        discount=float(solved.discount),
        value=value,
        q=q,
        choice=solved.choice,
        bound=bound,
        converged=bool(bound <= epsilon),
        sweeps=solved.iterations,
        seconds=solved.seconds,
        method="exact",
        circle=solved.circle,
    )


def evaluate_exact(
    model: Model,
    policy: Sequence[int] | Array | Mapping[int, Shares],
    discount: Fraction,
    max_seconds: float | None = MAX_SECONDS,
) -> tuple[Number, ...]:
    """V of a policy: a pair per state (-1 where terminal), or for each state the probabilities of its pairs.

    At discount 1 MINUS_INFINITY where it may be caught in a class of states in which it loses on average; InputError
    where it may be in one that earns, or earns and loses in turn.
    """
    discount = Fraction(discount)
    rows = table(model, rational(model))
    taken: list[Shares] = []
    for state, pairs in enumerate(rows.pairs):
        given = policy[state] if pairs else {}
        shares = given if isinstance(given, Mapping) else {int(given): ONE}
        if not set(shares) <= set(pairs) or sum(shares.values()) != (1 if pairs else 0):
            raise InputError(f"state {model.states[state]}: the policy has pairs {dict(shares)}, possible are {pairs}")
        taken.append(shares)
    chain, reward = chain_of(rows, taken)
    chain, clock = discounted(rows, chain, discount), Clock(max_seconds)
    lost = total_reward.drop_idle(model, chain, reward, clock) if discount == 1 else set()
    value = linear.solve(chain, reward, clock)
    return tuple(MINUS_INFINITY if state in lost else v for state, v in enumerate(value))


def _iterate(model: Model, rows: Table, discount: Fraction, clock: Clock) -> tuple[Sequence[Number], Array, int]:
    choice = float_policy(model, min(float(discount), 1 - 1e-12))
    iterations = 0
    while True:
        iterations += 1
        value = evaluate(rows, choice, discount, clock)
        if not improve(rows, value, choice, discount):
            return value, choice, iterations
