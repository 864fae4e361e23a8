"""Discount 1: how far a table of values can be from the truth, proven from one backup of it.

On the model in which circles that earn nothing are one state (`mdp.fates`), for any V at all:

    below: pi surely ends, w >= 0, and w - P_pi w >= d > 0 where it acts:  V* >= V - max [(V - r_pi - P_pi V) / d] w
    above: U = V + e u with U > r + P U for every pair:                    V* <= U

The second holds since any policy's first n rewards sum to at most U(s) - E U(s_n), and where a policy goes on for ever
the strict inequality makes it lose something again and again. Both are checked against what rounding can do. The
weights w (steps that pi takes to the end) and u (the most that nearly optimal pairs take) are found once, and prove
any V.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np

from rltrain.core import Array
from rltrain.errors import UncertifiedError
from rltrain.mdp import parts, thresholds
from rltrain.mdp.graph import end_components
from rltrain.mdp.model import Model
from rltrain.mdp.solvers import bellman, linear

SWEEPS = 20_000  # of one policy, at most, above
STILL = 1e-15  # of the largest value: a sweep that changes no more changes nothing
TIES = (1e-7, 1e-9, 1e-11, 1e-5)  # how near to optimal pairs are counted as ties, relative to the values


@dataclass(frozen=True, eq=False)
class Weights:
    """What proves values of a model in which no circle earns nothing: S' states, P' pairs."""

    model: Model
    choice: Array  # [S'] int64: a policy that surely ends
    below: Array  # [S'] w
    above: Array  # [S'] u

    def bound(self, low: Array, high: Array) -> float:
        """How far V* can be from values [S'] that are known to lie between `low` and `high`; inf: nothing is known."""
        below, above = self._lack(low), self._excess(high)
        return max(below, above) + float((high - low).max(initial=0.0))

    def _lack(self, value: Array) -> float:
        """How far V can be above the policy's true value."""
        model, acting = self.model, np.flatnonzero(self.choice >= 0)
        if not len(acting):
            return 0.0
        pairs = self.choice[acting]
        noise = bellman.rounding(model, self.below, 1.0)
        spent = self.below[acting] - expected(model, self.below)[pairs] - noise
        short = value[acting] - bellman.backup(model, value, 1.0)[pairs] + bellman.rounding(model, value, 1.0)
        return max(0.0, float((short / spent).max())) * float(self.below.max())

    def _excess(self, value: Array) -> float:
        """How far V* can be above V."""
        model = self.model
        if not model.num_pairs:
            return 0.0
        gain = gains(model, value)
        spent = spending(model, self.above)
        factor = _factor(gain, spent)
        return np.inf if factor is None else factor * float(self.above.max())


def weigh(model: Model, choice: Array, value: Array, deadline: float) -> Weights:
    """The weights that prove V [S'] of a policy that surely ends. UncertifiedError where floating point finds none."""
    below = 1.01 * summed(model, choice, np.ones(model.num_pairs), deadline)
    acting = np.flatnonzero(choice >= 0)
    if len(acting):
        spent = below[acting] - expected(model, below)[choice[acting]] - bellman.rounding(model, below, 1.0)
        if not (np.isfinite(below).all() and below.min() >= 0 and spent.min() > 0):
            raise UncertifiedError(
                "discount 1: the time to the end is too long to be proven; try --exact or a discount"
            )
    if (
        model.num_states > thresholds.FACTORISED_AT_ONE
        and _factor(gains(model, value), spending(model, below)) is not None
    ):
        return Weights(model, choice, below, below)  # the policy's own steps do, and no other policy need be solved
    return Weights(model, choice, below, _ceiling(model, value, deadline))


def gains(model: Model, value: Array) -> Array:
    """[P'] what one backup adds at most: r + P V - V, and what rounding may hide."""
    return bellman.backup(model, value, 1.0) - value[model.pair_state] + bellman.rounding(model, value, 1.0)


def spending(model: Model, weight: Array) -> Array:
    """[P'] what each pair takes of a weight at least: u - P u."""
    return weight[model.pair_state] - expected(model, weight) - bellman.rounding(model, weight, 1.0)


def expected(model: Model, value: Array) -> Array:
    """[P'] P V."""
    return bellman.backup(replace(model, reward=np.zeros(model.num_pairs), next_reward=None), value, 1.0)


def _factor(gain: Array, spent: Array) -> float | None:
    """e with gain < e spent for every pair; None where there is none."""
    rising = spent > 0
    if not (np.isfinite(gain).all() and np.isfinite(spent).all()) or (gain[~rising] >= 0).any():
        return None
    factor = max(0.0, float((gain[rising] / spent[rising]).max(initial=0.0))) * 1.001 + 1e-300
    with np.errstate(divide="ignore"):  # a pair that spends exactly nothing allows any factor
        most = float((gain[~rising] / spent[~rising]).min(initial=np.inf))
    return factor if factor < most else None


def _ceiling(model: Model, value: Array, deadline: float) -> Array:
    """[S'] u: a little more than the longest expected time to the end by pairs that may be optimal."""
    if not model.num_pairs:
        return np.zeros(model.num_states)
    gain = gains(model, value)
    scale = 1 + float(np.abs(value).max(initial=0.0))
    for near in TIES:
        times = _longest(model, gain >= -near * scale, deadline)
        if times is not None and _factor(gain, spending(model, times)) is not None:
            return times
    raise UncertifiedError(
        "discount 1: no bound could be proven: optimal actions form a circle, or so nearly that floating point cannot "
        "tell; try --exact, or a discount below 1"
    )


def _longest(model: Model, tight: Array, deadline: float) -> Array | None:
    """A little more than the longest expected time to the end by `tight` pairs; None if these form a circle."""
    if end_components(model, tight)[1].any():
        return None
    limited = replace(model, reward=np.where(tight, 1.0, -np.inf), next_reward=None)
    choice = bellman.greedy(limited, limited.reward)
    for _ in range(1000):
        check_time(deadline)
        times = summed(model, choice, np.ones(model.num_pairs), deadline)
        q = np.where(tight, 1.0 + expected(model, times), -np.inf)
        acting = np.flatnonzero(choice >= 0)
        better = acting[bellman.best(model, q)[acting] > q[choice[acting]] + 1e-9 * (1 + float(times.max()))]
        if not len(better):
            return 1.01 * times
        choice[better] = bellman.greedy(model, q)[better]
    return None


def check_time(deadline: float) -> None:
    if time.perf_counter() > deadline:
        raise UncertifiedError("discount 1: no proven answer within the time; take a discount below 1, or a horizon")


# The equations of one policy


def summed(model: Model, choice: Array, reward: Array, deadline: float) -> Array:
    """x = reward + P_pi x, nearly: what is made of it is checked. UncertifiedError where they are singular."""
    found = (
        _eliminated(model, choice, reward)
        if model.num_states <= thresholds.FACTORISED_AT_ONE
        else _swept(model, choice, reward, deadline)
    )
    found[choice < 0] = 0.0
    if not np.isfinite(found).all():
        raise UncertifiedError("discount 1: the time to the end is too long to be proven; try --exact or a discount")
    return found


def _eliminated(model: Model, choice: Array, reward: Array) -> Array:
    matrix = linear.sparse(model.num_states, *linear.of_choice(model, choice))
    try:
        return linear.factorised(matrix, "MMD_AT_PLUS_A")(linear.rewards(reward, choice))
    except UncertifiedError:
        return np.full(model.num_states, np.nan)


def _swept(model: Model, choice: Array, reward: Array, deadline: float) -> Array:
    """By Gauss-Seidel sweeps from the ends outward, to and fro: a policy that does not turn back needs one."""
    from rltrain.mdp.solvers import kernels
    from rltrain.mdp.solvers.compiled import Compiled
    from rltrain.mdp.solvers.ordered import ordered

    chosen = np.zeros(model.num_pairs, dtype=bool)
    chosen[choice[choice >= 0]] = True
    chain = parts.of_pairs(replace(model, reward=reward, next_reward=None), chosen)
    moved, order = ordered(chain)
    rows = Compiled(moved, 1.0, 1).rows
    value, own = np.zeros(moved.num_states), moved.first_pair[:-1].copy()
    own[moved.terminal] = -1
    for number in range(SWEEPS):
        change, _ = kernels.improve(*rows, 1.0, value, own, 0, len(value), number % 2 == 1)
        if not change > STILL * float(np.abs(value).max(initial=0.0)):
            break
        check_time(deadline)
    answer = np.empty_like(value)
    answer[order] = value
    return answer
