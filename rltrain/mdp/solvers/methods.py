"""The ways to V*: each starts from zero, and goes on until its bound is proven or a limit is met.

    vi    value iteration: V <- max_a (r + gamma P V)                                    (Bellman 1957)
    qvi   Q-value iteration: Q <- r + gamma P max_a Q, as the book has it
    pi    policy iteration: solve the policy's equations, improve, until nothing improves  (Howard 1960)
    mpi   modified policy iteration: improve, then some sweeps of the policy alone       (Puterman and Shin 1978)
    gs    Gauss-Seidel value iteration: newer values are used at once, up and down
    lp    linear programming: the least V with V >= r + gamma P V                        (d'Epenoux 1963)

The bounds of MacQueen and Porteus end all of them: see `bellman`. They also say what constant the values lack.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from rltrain.core import Array
from rltrain.mdp import thresholds
from rltrain.mdp.mapped import check_room
from rltrain.mdp.model import Model
from rltrain.mdp.pairs import absorbing
from rltrain.mdp.solvers import bellman, linear

if TYPE_CHECKING:
    from rltrain.mdp.solvers.over_ranks import RankSweeps

MOST_OWN = 200  # sweeps of one policy between two improvements
ENOUGH = 0.1  # of the span before: so far a policy is evaluated
FIRST = 4  # sweeps before the first policy is worth evaluating; they also tell the pace
CHECK_EVERY = 8  # Gauss-Seidel sweeps, whose own change proves nothing sharp
NOISE = 2e-15  # of a value: Q that differ by less are taken for equal


class SolverTask:
    """One model, one discount, one goal: what a method is to reach, what it has spent, and when it must stop."""

    def __init__(
        self,
        sweeps: Any,  # Plain or Compiled
        epsilon: float,
        max_sweeps: int | None,
        max_seconds: float | None,
        progress: Callable[[int, float], None] | None,
        shared: RankSweeps | None = None,
    ) -> None:
        self.on = sweeps
        self.shared = shared  # the sweeps, where several processes share them
        self.model: Model = sweeps.model
        self.discount: float = sweeps.discount
        self.epsilon = epsilon
        self.reach = self.discount / (1 - self.discount)
        self.goal = 2 * epsilon / self.reach if self.reach > 0 else np.inf  # the span that proves it
        # pinned: some state is worth what it is; else each is worth what others are, and a constant may be added
        self.q: Array | None = None  # the backup of the value that a method returns, where it has it
        self.spent = 0.0  # backups of the whole model
        self._started = time.perf_counter()
        self._max_sweeps = max_sweeps
        self._max_seconds = max_seconds
        self._progress = progress
        self._own_share = self.model.num_states / max(1, self.model.num_pairs)
        if shared is not None:
            self._rounding, self.pinned = shared.facts()
        else:
            self._rounding, self.pinned = bellman.rounding_of(self.model), bool(absorbing(self.model).any())

    def count(self, all_actions: float = 0, own_action: float = 0) -> None:
        """Add sweeps: of all actions, and of one action a state."""
        self.spent += all_actions + own_action * self._own_share

    def bound(self, low: float, high: float, value: Array) -> float:
        """What the changes of one backup of `value` prove."""
        return float(self._span(low, high) + self._floor(value))

    def _span(self, low: float, high: float) -> float:
        """What the changes leave open: half their span if a constant may be added, else the greatest of them."""
        return float(self.reach * ((high - low) / 2 if not self.pinned else max(-low, high)))

    def _floor(self, value: Array) -> float:
        """What no number of sweeps can prove away."""
        return self._rounding.of(value, self.discount) / (1 - self.discount)

    def enough(self, low: float, high: float, value: Array) -> bool:
        """Whether the goal is reached, or a limit, or what floating point can say at all."""
        floor = self._floor(value)
        span = self._span(low, high)
        if self._progress is not None:
            self._progress(int(self.spent), span + floor)
        return span + floor <= self.epsilon or span <= floor or self.exhausted

    @property
    def seconds(self) -> float:
        """Since the start."""
        return time.perf_counter() - self._started

    @property
    def exhausted(self) -> bool:
        """Whether a limit is met."""
        if self._max_sweeps is not None and self.spent >= self._max_sweeps:
            return True
        if self._max_seconds is None:
            return False
        late = self.seconds >= self._max_seconds
        return late if self.shared is None else self.shared.agreed(late)

    def shift(self, value: Array, low: float, high: float) -> None:
        """Add what all values surely lack or have too much, where nothing fixes them. More could overshoot for ever."""
        if not self.pinned:
            value += self.reach * (max(low, 0.0) + min(high, 0.0))


def value_iteration(task: SolverTask) -> Array:
    """V [S]."""
    value = np.zeros(task.model.num_states)
    backed_up, choice = np.empty_like(value), np.empty(len(value), dtype=np.int64)
    while True:
        low, high = task.on.sweep(value, backed_up, choice)
        task.count(1)
        if task.enough(low, high, value):
            task.shift(backed_up, low, high)
            return backed_up
        value, backed_up = backed_up, value


def q_value_iteration(task: SolverTask) -> Array:
    """V [S], from sweeps over Q [P]."""
    q = np.zeros(task.model.num_pairs)
    while True:
        value = bellman.best(task.model, q)
        after = task.on.backup(value)
        task.count(1)
        change = after - q
        low, high = min(float(change.min(initial=0.0)), 0.0), max(float(change.max(initial=0.0)), 0.0)
        if not task.pinned:
            low, high = float(change.min()), float(change.max())
        q = after
        if task.enough(low, high, value):
            value = bellman.best(task.model, q)
            task.shift(value, low, high)
            return value


def modified_policy_iteration(task: SolverTask, width: float = 0.0, patience: float = np.inf) -> tuple[Array, bool]:
    """V [S], and whether it was worth going on: False where more than `patience` sweeps seem to be left.

    Between two sweeps over all actions come many over few: those whose Q is within `width` spans of the best. With
    width 0 this is the policy alone, as in the paper; with more, what is nearly as good may still win, and the sweeps
    over all become fewer (a provisional form of MacQueen's elimination of actions, 1967; the last sweep is over all).
    """
    value = np.zeros(task.model.num_states)
    backed_up, choice = np.empty_like(value), np.empty(len(value), dtype=np.int64)
    spans: list[float] = []
    while True:
        if len(spans) < FIRST:
            low, high = task.on.sweep(value, backed_up, choice)
        else:
            q = task.on.backup(value)
            backed_up, choice = task.on.greedy(q)
            change = backed_up - value
            low, high = float(change.min()), float(change.max())
        task.count(1)
        value, backed_up = backed_up, value
        if task.enough(low, high, backed_up):
            if len(spans) < FIRST:
                return value, True
            task.q = q
            return backed_up, True
        spans.append(high - low)
        if (len(spans) == FIRST and _left(spans, task) > patience) or task.spent > 4 * patience:
            return value, False
        if len(spans) <= FIRST:  # the first policies are not worth much
            continue
        few = task.on.near_best(q, value, width * spans[-1])
        goal = 0.25 * task.goal if width else max(0.25 * task.goal, ENOUGH * spans[-1])
        for _ in range(MOST_OWN):
            low, high = task.on.sweep(value, backed_up, choice, few)
            task.count(own_action=1)
            value, backed_up = backed_up, value
            if high - low <= goal or task.exhausted:
                break
        task.shift(value, low, high)


def _left(spans: list[float], task: SolverTask) -> float:
    """How many sweeps it takes at this pace until the bound is proven."""
    pace = spans[-1] / spans[-2] if spans[-2] > 0 else 0.0
    if spans[-1] <= task.goal or pace <= 0:
        return 0.0
    return float(np.log(task.goal / spans[-1]) / np.log(pace)) if pace < 1 else np.inf


def gauss_seidel(task: SolverTask) -> Array:
    """V [S]."""
    value = np.zeros(task.model.num_states)
    backed_up, choice = np.empty_like(value), np.full(len(value), -1, dtype=np.int64)
    own_choice = choice.copy()
    number = 0
    while True:
        for _ in range(CHECK_EVERY):
            task.on.improve(value, choice, number % 2 == 1)
            number += 1
            task.count(1)
            if task.exhausted:
                break
        low, high = task.on.sweep(value, backed_up, own_choice)
        task.count(1)
        done = task.enough(low, high, value)
        value, backed_up = backed_up, value
        task.shift(value, low, high)
        if done:
            return value


def policy_iteration(task: SolverTask, value: Array | None = None) -> Array:
    """V [S]. The policy's equations are solved by a full matrix, a factorisation, or Krylov's iterations."""
    model = task.model
    value = np.zeros(model.num_states) if value is None else value
    backed_up, choice = np.empty_like(value), np.empty(len(value), dtype=np.int64)
    before, best, nearest = np.full(len(value), -1, dtype=np.int64), np.inf, value
    while True:
        low, high = task.on.sweep(value, backed_up, choice)
        task.count(1)
        if task.enough(low, high, value):
            break
        bound = task.bound(low, high, value)
        if (choice == before).all() and bound > 0.5 * best:  # as good as these equations can be solved
            return nearest
        if bound < best:
            best, nearest = bound, backed_up.copy()
        keep = _keeping(task, value, backed_up, choice, before)
        before = keep.copy()
        value = _solved(task, keep, backed_up)
    task.shift(backed_up, low, high)
    return backed_up


def _keeping(task: SolverTask, value: Array, backed_up: Array, choice: Array, before: Array) -> Array:
    """The improved choices, but the old ones where they are as good: so that ties cannot go round for ever."""
    if (before < 0).all():
        return choice
    q = task.on.backup(value)
    acting = before >= 0
    as_good = np.zeros(len(choice), dtype=bool)
    as_good[acting] = q[before[acting]] >= backed_up[acting] - NOISE * np.abs(backed_up[acting])
    return np.where(as_good, before, choice)


def _solved(task: SolverTask, choice: Array, guess: Array) -> Array:
    """V [S] of a policy."""
    if task.model.num_states <= thresholds.DENSE_IN_METHODS:
        return linear.dense_value(task.model, choice, task.discount)
    return linear.large_value(task.model, task.discount, choice, guess)


def linear_program(task: SolverTask) -> Array:
    """V [S]: the least V with V >= r + gamma P V, then the equations of the policy that this gives."""
    return policy_iteration(task, least_values(task.model, task.discount))


def least_values(model: Model, discount: float, idle: Array | None = None) -> Array:
    """V [S]: minimise sum V subject to V >= r + gamma P V, and to V >= 0 where `idle` [S] bool (HiGHS); 0: failed."""
    from scipy import sparse
    from scipy.optimize import linprog

    if not model.num_pairs:
        return np.zeros(model.num_states)
    check_room(model.mapped, model.num_next, linear.EQUATION_BYTES, "the rows of a linear program")
    shape, pairs = (model.num_pairs, model.num_states), np.arange(model.num_pairs)
    stays = sparse.csr_matrix((np.ones(len(pairs)), (pairs, model.pair_state)), shape=shape)
    moves = sparse.csr_matrix((model.prob, model.next, model.first_next), shape=shape)
    floors = np.zeros(model.num_states, dtype=bool) if idle is None else idle
    limits = [
        (0.0, 0.0) if terminal else (0.0, None) if floor else (None, None)
        for terminal, floor in zip(model.terminal.tolist(), floors.tolist(), strict=True)
    ]
    matrix = moves - stays if discount == 1 else discount * moves - stays
    found = linprog(np.ones(model.num_states), A_ub=matrix, b_ub=-model.reward, bounds=limits, method="highs")
    return np.zeros(model.num_states) if found.x is None else np.asarray(found.x, dtype=np.float64)
