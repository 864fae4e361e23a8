"""Whether a policy is as good as the best in every state of a known model, and if not, where it first goes wrong."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rltrain.core import Array, Progress
from rltrain.mdp import losses
from rltrain.mdp.losses import Wrong
from rltrain.mdp.model import Model
from rltrain.verbs.mdp.evaluate import Goal, compare, goal_of
from rltrain.verbs.mdp.models import Source, discount_of, model_of
from rltrain.verbs.mdp.policies import name_of, policy_of

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
    policy: str | Path | Array = "optimal",
    discount: float | str | None = None,
    *,
    average: bool = False,
    horizon: int | None = None,
    tolerance: float = TOLERANCE,
    progress: Progress | None = None,
) -> Verdict:
    """Check that no state loses more than the tolerance under a policy [P], or one that is named."""
    model = model_of(model)
    goal = goal_of(model, average, horizon, discount)
    name = name_of(policy)
    if not goal.endless_sum:
        given, found = compare(model, policy, goal, tolerance / 10)
        passed = _passed(found.loss, found.bound, tolerance)
        numbers = found.value, found.best, found.loss, found.bound, found.choice
        return Verdict(model, name, given, goal, tolerance, passed, *numbers, found.wrong)
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
    passed = _passed(lost.loss, lost.bound, tolerance)
    numbers = lost.evaluated.value, optimal.value, lost.loss, lost.bound, optimal.choice
    return Verdict(model, name, taken, goal, tolerance, passed, *numbers, first, step, wrong)


def _passed(loss: Array, bound: float, tolerance: float) -> bool | None:
    worst = float(loss.max(initial=0.0))
    return True if worst + bound <= tolerance else False if worst - bound > tolerance else None
