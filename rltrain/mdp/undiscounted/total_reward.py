"""Discount 1 in floating point, with proof: the greatest expected sum of rewards of a policy that surely ends.

Idle components are merged and lost states left out as in `mdp.exact.total_reward`, whose rules on what exists hold here
too; `proof` bounds the answer from both sides, whatever way led to it: policy iteration over policies that end, or
sweeps. Where floating point can prove nothing, a model that is small enough is solved in fractions.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from rltrain.core import Array
from rltrain.errors import UncertifiedError
from rltrain.mdp import parts, thresholds
from rltrain.mdp.chains import long_run
from rltrain.mdp.chains.chain import of_policy
from rltrain.mdp.exact.discounted import floating, solve_exact
from rltrain.mdp.fates import Fates, Reduced, circles, ending, fates, infinite, reduced, stopping
from rltrain.mdp.graph import almost_sure_reach, closed_class
from rltrain.mdp.model import Model
from rltrain.mdp.pairs import may_gain, of_choice
from rltrain.mdp.parts import Collapsed
from rltrain.mdp.solution import Solution
from rltrain.mdp.solvers import bellman
from rltrain.mdp.solvers import solve as discounted
from rltrain.mdp.solvers.bellman import UNIT
from rltrain.mdp.undiscounted.proof import Weights, check_time, summed, weigh

MAX_SECONDS = 600.0  # looked at between equations
FEW, FAR = 2_000, 0.9999  # states above which the policy of a discount is the start, and that discount
FRACTION_SECONDS = 60.0  # so long are fractions tried


@dataclass(frozen=True, eq=False)
class Proof:
    """The answer, and what bounds any other values of the same model."""

    best: Solution
    part: Model  # without the pairs that lead to lost states, which are terminal here
    idle: Array  # [S] bool: one may stay here, or go round, for nothing and for ever
    reduced: Reduced | None
    weights: Weights | None  # None: the answer is exact, and proves by itself

    def bound(self, value: Array) -> float:
        """How far V* can be from V [S], over the states that are not lost."""
        if self.reduced is None or self.weights is None:
            off = np.abs(value - self.best.value)[~self.best.lost]
            return float(off.max(initial=0.0)) + self.best.bound
        known = ~(self.part.terminal | self.best.lost)
        count, group = self.reduced.small.model.num_states, self.reduced.small.group
        high, low = np.full(count, -np.inf), np.full(count, np.inf)
        np.maximum.at(high, group[known], value[known])
        np.minimum.at(low, group[known], value[known])
        reached = high > -np.inf  # NaN, of values that have run away, bounds nothing
        return self.weights.bound(np.where(reached, low, 0.0), np.where(reached, high, 0.0))


def solve(model: Model, epsilon: float = 1e-6, max_seconds: float | None = MAX_SECONDS) -> Solution:
    """V*, Q* and a policy for discount 1; -inf where every policy loses for ever.

    InputError where a sum is infinite or never settles, or none is finite; UncertifiedError without a proof.
    """
    return prove(model, epsilon, max_seconds).best


def prove(model: Model, epsilon: float = 1e-6, max_seconds: float | None = MAX_SECONDS) -> Proof:
    """The answer of `solve`, with what proves it and can prove other values of this model."""
    start = time.perf_counter()
    deadline = np.inf if max_seconds is None else start + max_seconds
    try:
        found = fates(model, model.reward == 0)
        _check_losing(model, found, deadline)
        whole = reduced(model, found)
        value, choice, sweeps = _improved(model, whole.small, _start(whole.small), deadline)
        weights = weigh(whole.small.model, choice, value, deadline)
    except UncertifiedError as error:
        if model.num_next > thresholds.EXACT_FALLBACK_NEXT or time.perf_counter() > deadline:
            raise
        best = by_fractions(model, epsilon, min(FRACTION_SECONDS, deadline - time.perf_counter()), error)
        found = fates(model, model.reward == 0)
        return Proof(best, parts.of_pairs(model, found.usable), found.idle >= 0, None, None)
    best = _finished(whole, value, choice, weights.bound(value, value), epsilon, sweeps, start)
    return Proof(best, whole.part, found.idle >= 0, whole, weights)


def by_fractions(model: Model, epsilon: float, max_seconds: float, otherwise: UncertifiedError) -> Solution:
    """The exact answer in floating point: each number is the nearest to the truth. `otherwise` where it takes long."""
    try:
        return floating(solve_exact(model, Fraction(1), max_seconds), epsilon)
    except UncertifiedError:
        raise otherwise from None


def _finished(
    reduced: Reduced, value: Array, choice: Array, error: float, epsilon: float, sweeps: int, start: float
) -> Solution:
    """What is said of the whole model, from V [S'] and a policy [S'] of the small one."""
    model, lost = reduced.whole, reduced.fates.lost
    full = reduced.values(value)
    q = bellman.backup(model, full, 1.0)
    bound = error + bellman.rounding(model, full, 1.0)
    made = _unmerged(reduced, choice)
    made[made >= 0] = reduced.kept[made[made >= 0]]
    made[lost] = model.first_pair[:-1][lost]  # none is better than another
    return Solution(
        model=model,
        discount=1.0,
        value=full,
        q=q,
        choice=made,
        bound=bound,
        converged=bound <= epsilon,
        sweeps=sweeps,
        seconds=time.perf_counter() - start,
        method="pi, discount 1",
    )


def _improved(model: Model, collapsed: Collapsed, choice: Array, deadline: float) -> tuple[Array, Array, int]:
    """Policy iteration from a policy that surely ends: V [S'], the policy, and how many it took.

    InputError where a circle earns; UncertifiedError where that cannot be told, or time is up.
    """
    small, sweeps = collapsed.model, 0
    # Sweeps leave less noise than elimination, over longer ways.
    near = 1e-11 if small.num_states <= thresholds.FACTORISED_AT_ONE else 1e-13
    while True:
        sweeps += 1
        value = summed(small, choice, small.reward, deadline)
        q = bellman.backup(small, value, 1.0)
        slack = near * (1 + float(np.abs(value).max(initial=0.0)))
        better = np.flatnonzero(~small.terminal)
        better = better[bellman.best(small, q)[better] > q[choice[better]] + slack]
        if not len(better) or sweeps >= 1000:
            return value, choice, sweeps
        choice = choice.copy()
        choice[better] = bellman.greedy(small, q)[better]
        closed = closed_class(small, choice)
        if closed is not None:
            _check_earning(small, choice, closed)
            raise infinite(model, collapsed.member(int(closed[0])), "+")
        check_time(deadline)


def _check_earning(small: Model, choice: Array, states: Array) -> None:
    """UncertifiedError unless it is proven that a policy earns on average on a class of states that it never leaves."""
    reward = small.reward[choice[states]]
    if reward.min() >= 0 and reward.max() > bellman.rounding(small, np.zeros(1), 1.0):
        return
    share = long_run.stationary(of_policy(small, of_choice(small, choice)), states)
    size = bellman.size(small.reward)
    noise = (share.bound + UNIT) * len(states) * size + bellman.rounding(small, np.zeros(1), 1.0)
    if not float(share.value @ reward) > noise:
        name = "discount 1: a circle seems to earn for ever, but so little that floating point cannot prove it"
        raise UncertifiedError(f"{name}; try --exact, or a discount below 1")


def _check_losing(model: Model, found: Fates, deadline: float) -> None:
    """InputError where a circle among lost states earns; UncertifiedError unless all of them are proven to lose."""
    if not may_gain(model)[found.circling].any():
        return  # and not all of a circle is 0, else it were idle
    small = circles(model, found)
    value, choice, _ = _improved(model, small, stopping(small), deadline)
    weigh(small.model, choice, value, deadline)  # proves some U > r + P U for every pair: no circle breaks even


def _start(small: Collapsed) -> Array:
    """A policy of the small model that surely ends."""
    model = small.model
    if model.num_states > FEW:  # a far discount gives a better start, if its policy ends too
        epsilon = 1e-4 * (1 + float(np.abs(model.reward).max()))
        near = discounted.solve(model, FAR, epsilon=epsilon, max_seconds=60.0).choice
        if closed_class(model, near) is None:
            return near.copy()
    return ending(small)


def _unmerged(reduced: Reduced, choice: Array) -> Array:
    """A policy of the small model on the part: inside a component to the way out, or round and round if it stops."""
    part = reduced.part
    taken = np.append(reduced.small.old, -1)[choice]  # [S'] pairs of the part
    made = np.full(part.num_states, -1, dtype=np.int64)
    inside = np.flatnonzero(reduced.idle_pairs)
    made[part.pair_state[inside]] = inside
    leaves = np.zeros(part.num_states, dtype=bool)
    leaves[part.pair_state[taken[taken >= 0]]] = True
    way = almost_sure_reach(part, leaves, reduced.idle_pairs)[1]
    made[way >= 0] = way[way >= 0]
    made[part.pair_state[taken[taken >= 0]]] = taken[taken >= 0]
    return made
