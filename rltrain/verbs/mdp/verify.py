"""Whether a policy is as good as the best in every state of a known model, and if not, where it first goes wrong."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rltrain.core import Array
from rltrain.mdp import losses
from rltrain.mdp.losses import Wrong
from rltrain.mdp.model import Model
from rltrain.progress import Progress
from rltrain.verbs.mdp.evaluate import Goal, compare, goal_of
from rltrain.verbs.mdp.models import GivenDiscount, Source, discount_of, model_of
from rltrain.verbs.mdp.policies import GivenPolicy, name_of, policy_of

TOLERANCE = 1e-6


@dataclass(frozen=True, eq=False)
class Verdict:
    """A policy held against the best. Every finite number is within `bound` of the truth."""

    model: Model
    policy: str  # its name
    taken: Array | None  # [P] its probabilities; None: the best for each number of steps to go, or in the long run
    goal: Goal
    tolerance: float
    passed: bool | None  # no state can lose more than the tolerance; False: one surely does; None: bound cannot tell
    value: Array  # [S] of the policy
    best: Array  # [S]
    loss: Array  # [S] best - value
    bound: float
    choice: Array  # [S] int64, the best pairs, -1 where terminal
    first: Wrong | None  # the first state in which what the policy does is proven to be worse at once
    at_once: Array | None = None  # [S] V* - sum_a pi(a) Q*(s, a); None where the goal is no endless sum
    wrong: Array | None = None  # the states, ascending, in which that is proven to be something


def verify(
    model: Source = None,
    policy: GivenPolicy = "optimal",
    discount: GivenDiscount = None,
    *,
    average: bool = False,
    horizon: int | None = None,
    tolerance: float = TOLERANCE,
    progress: Progress | None = None,
) -> Verdict:
    """Check that no state loses more than the tolerance under a policy [P], or one that is named."""
    model = model_of(model)
    goal = goal_of(model, average, horizon, discount)
    if not goal.endless_sum:
        given, found = compare(model, policy, goal, tolerance / 10)
        return Verdict(
            model, name_of(policy), given, goal, tolerance, _passed(found.loss, found.bound, tolerance),
            value=found.value, best=found.best, loss=found.loss, bound=found.bound, choice=found.choice,
            first=found.wrong,
        )  # fmt: skip
    gamma = discount_of(model, discount)
    taken = policy_of(model, policy, gamma, progress)
    lost = losses.losses(model, taken, gamma, tolerance / 10)
    optimal, some = lost.optimal, taken > 0
    chosen = np.bincount(model.pair_state[some], weights=taken[some] * optimal.q[some], minlength=model.num_states)
    step = np.zeros(model.num_states)
    np.subtract(optimal.value, chosen, out=step, where=~(model.terminal | optimal.lost))
    wrong = np.flatnonzero(step > 2 * optimal.bound + 1e-15 * np.abs(optimal.value))
    first = None
    if len(wrong):
        state = int(wrong[0])
        first = Wrong(state, 0, float(step[state]), int(optimal.choice[state]))
    return Verdict(
        model, name_of(policy), taken, goal, tolerance, _passed(lost.loss, lost.bound, tolerance),
        value=lost.evaluated.value, best=optimal.value, loss=lost.loss, bound=lost.bound, choice=optimal.choice,
        first=first, at_once=step, wrong=wrong,
    )  # fmt: skip


def _passed(loss: Array, bound: float, tolerance: float) -> bool | None:
    worst = float(loss.max(initial=0.0))
    return True if worst + bound <= tolerance else False if worst - bound > tolerance else None
