"""What a given policy is worth in a known model, beside the best, and what it loses in each state.

A goal says by what a policy is measured: the discounted sum of rewards, the same of H steps, or the average reward of a
step without end. `evaluate` answers in floating point, within a proven bound, `evaluate_exact` in fractions.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

from rltrain.core import Array
from rltrain.errors import InputError
from rltrain.mdp import losses
from rltrain.mdp.chains import policy as policies
from rltrain.mdp.exact import average, discounted, horizon
from rltrain.mdp.exact.rational import Number
from rltrain.mdp.model import Model
from rltrain.mdp.solvers import bellman
from rltrain.mdp.undiscounted.average import exactly
from rltrain.progress import Progress
from rltrain.verbs.mdp.models import GivenDiscount, Source, discount_of, fraction_of, model_of
from rltrain.verbs.mdp.policies import OPTIMAL, GivenPolicy, name_of, policy_of, shares
from rltrain.verbs.mdp.solve import EPSILON


class Goal(NamedTuple):
    """By what a policy is measured: a discounted sum, of `steps` steps or endless; without discount the average."""

    discount: Fraction | float | None
    steps: int | None = None

    @property
    def endless_sum(self) -> bool:
        """It is the discounted sum of all rewards to come, not of H steps and no average."""
        return self.discount is not None and self.steps is None


@dataclass(frozen=True, eq=False)
class PolicyEvaluation:
    """A policy beside the best. Every finite number is within `bound` of the truth; -inf is proven to be so."""

    model: Model
    policy: str  # its name
    goal: Goal
    value: Array  # [S] V, or the gain
    best: Array | None  # [S] V*, or the best gain; None: there is none, as with discount 1 it may be
    loss: Array | None  # [S] best - value; 0 where both are -inf: no policy does better
    bound: float
    worst_loss: float = math.nan  # of any state; NaN where there is no best
    start_value: float = math.nan  # mean of `value` over where the model starts
    start_best: float = math.nan
    lost: Array | None = None  # [S] bool: even the best is worth -infinity
    why: str = ""  # there is no best


@dataclass(frozen=True, eq=False)
class ExactPolicyEvaluation:
    """A policy beside the best, in fractions: nothing here is rounded."""

    model: Model
    policy: str  # its name
    goal: Goal
    value: Sequence[Number]  # [S] V, or the gain; MINUS_INFINITY at discount 1 where the policy loses for ever
    best: Sequence[Number] | None  # [S] V*, or the best gain; None: there is none, as with discount 1 it may be
    loss: Sequence[Number] | None  # [S] best - value; 0 where both are -infinity: no policy does better
    why: str = ""  # there is no best


def goal_of(model: Model, average: bool, horizon: int | None, discount: GivenDiscount, exact: bool = False) -> Goal:
    """The goal that the arguments name. InputError for those that make no sense together."""
    if average and horizon is not None:
        raise InputError("--average goes without --horizon: the one is for ever, the other ends after H steps")
    if average and discount is not None:
        raise InputError("--average goes without --discount: the average reward has no discount")
    if average:
        return Goal(None)
    return Goal(fraction_of(model, discount) if exact else discount_of(model, discount), horizon)


def evaluate(
    model: Source = None,
    policy: GivenPolicy = OPTIMAL,
    discount: GivenDiscount = None,
    *,
    average: bool = False,
    horizon: int | None = None,
    epsilon: float = EPSILON,
    progress: Progress | None = None,
) -> PolicyEvaluation:
    """The value of a policy [P], or of one that is named, in every state, the best value, and the loss.

    As near to the truth as epsilon where floating point allows; `bound` says how near it came.
    """
    model = model_of(model)
    goal = goal_of(model, average, horizon, discount)
    start = model.start_distribution()
    if not goal.endless_sum:
        _, found = compare(model, policy, goal, epsilon)
        return PolicyEvaluation(
            model, name_of(policy), goal, found.value, found.best, found.loss, found.bound,
            worst_loss=float(found.loss.max()),
            start_value=float(start @ found.value),
            start_best=float(start @ found.best),
        )  # fmt: skip
    gamma = discount_of(model, discount)
    given = policy_of(model, policy, gamma, progress)
    try:
        lost = losses.losses(model, given, gamma, epsilon / 2)  # the other half is for rounding
    except InputError as error:
        if gamma != 1:
            raise
        own = policies.evaluate(model, given, gamma, epsilon)  # says itself what is wrong with the policy
        return PolicyEvaluation(
            model, name_of(policy), goal, own.value, None, None, own.bound,
            start_value=own.start_value, why=str(error),
        )  # fmt: skip
    best = lost.optimal
    return PolicyEvaluation(
        model, name_of(policy), goal, lost.evaluated.value, best.value, lost.loss, lost.bound,
        worst_loss=float(lost.loss.max(initial=0.0)),
        start_value=lost.evaluated.start_value,
        start_best=bellman.mean(start, best.value),
        lost=best.lost,
    )  # fmt: skip


def compare(model: Model, policy: GivenPolicy, goal: Goal, epsilon: float) -> tuple[Array | None, losses.Compared]:
    """A policy beside the best, by H steps or by the average reward.

    The policy [P] is None where the optimal one is meant: it may be another for each number of steps to go.
    """
    given = None if name_of(policy) == OPTIMAL else policy_of(model, policy)
    if goal.discount is None:
        return given, losses.by_average(model, given, epsilon)
    assert goal.steps is not None
    return given, losses.by_horizon(model, given, float(goal.discount), goal.steps)


def evaluate_exact(
    model: Source = None,
    policy: GivenPolicy = OPTIMAL,
    discount: GivenDiscount = None,
    *,
    average: bool = False,
    horizon: int | None = None,
) -> ExactPolicyEvaluation:
    """The value of a policy [P], or of one that is named, in every state of a small model, as fractions.

    The policy "optimal" is an exactly optimal one. InputError for a model that is not small.
    """
    model = model_of(model)
    goal = goal_of(model, average, horizon, discount, exact=True)
    name = name_of(policy)
    value, best, why = _exactly(model, policy, goal)
    loss = None
    if best is not None:
        loss = [Fraction(0) if b == v else b - v for b, v in zip(best, value, strict=True)]
    return ExactPolicyEvaluation(model, name, goal, value, best, loss, why)


def _exactly(model: Model, policy: GivenPolicy, goal: Goal) -> tuple[Sequence[Number], Sequence[Number] | None, str]:
    """The policy's numbers [S], the best ones or None, and why there are none."""
    optimal = name_of(policy) == OPTIMAL
    if goal.endless_sum:
        discount, best, why = Fraction(goal.discount or 0), None, ""
        try:
            best = discounted.solve_exact(model, discount).value
        except InputError as error:
            if discount != 1 or optimal:
                raise
            why = str(error)
        if optimal:
            assert best is not None
            return best, best, why
        taken = shares(model, policy_of(model, policy))
        return discounted.evaluate_exact(model, taken, discount), best, why
    each = None
    if not optimal:
        taken = shares(model, policy_of(model, policy))
        each = [taken.get(state, {}) for state in range(model.num_states)]
    if goal.discount is None:
        top: Sequence[Number] = exactly(model).gain
        return top if each is None else average.evaluate(model, each), top, ""
    assert goal.steps is not None
    top = horizon.values(model, None, Fraction(goal.discount), goal.steps)
    return top if each is None else horizon.values(model, each, Fraction(goal.discount), goal.steps), top, ""
