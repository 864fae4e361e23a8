"""Discount 1 in floating point, with proof: the greatest expected sum of rewards of a policy that surely ends.

Idle components are merged and lost states left out as in `mdp.undiscounted`, whose rules on what exists hold here too;
`mdp.total_reward_proof` bounds the answer from both sides, whatever way led to it: policy iteration over policies that
end, or sweeps. Where floating point can prove nothing, a model that is small enough is solved in fractions.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from rltrain.core import Array
from rltrain.errors import UncertifiedError
from rltrain.mdp import thresholds
from rltrain.mdp.chains import long_run
from rltrain.mdp.chains.chain import of_policy
from rltrain.mdp.exact.discounted import floating, solve_exact
from rltrain.mdp.fates import Fates, Idle, check_any_ends, fates, infinite, restricted
from rltrain.mdp.graph import almost_sure_reach, end_components
from rltrain.mdp.model import Model, Numbered
from rltrain.mdp.pairs import may_gain, of_choice
from rltrain.mdp.solution import Solution
from rltrain.mdp.solvers import bellman
from rltrain.mdp.solvers import solve as discounted
from rltrain.mdp.solvers.bellman import UNIT
from rltrain.mdp.undiscounted.proof import Weights, check_time, summed, weigh

MAX_SECONDS = 600.0  # looked at between equations
FEW, FAR = 2_000, 0.9999
FRACTION_SECONDS = 60.0  # so long are fractions tried


@dataclass(frozen=True, eq=False)
class Small:
    """The model without lost states and with each idle component as one state, which may stop."""

    whole: Model
    part: Model  # the whole without the pairs that lead to lost states
    kept: Array  # the numbers of its pairs in the whole
    fates: Fates  # of the whole
    calm: Idle  # of the part
    model: Model  # S' states, the last of them the end
    group: Array  # [S] the state of `model` that each state is
    old: Array  # [P'] pairs of the part, -1: stop

    def owner(self, state: int) -> int:
        """A state of the whole that a state of `model` stands for."""
        return int(np.flatnonzero(self.group == state)[0])

    def values(self, value: Array) -> Array:
        """[S] of the whole from [S']."""
        full = value[self.group]
        full[self.whole.terminal] = 0.0
        full[self.fates.lost] = -np.inf
        return np.asarray(full)


@dataclass(frozen=True, eq=False)
class Proof:
    """The answer, and what bounds any other values of the same model."""

    best: Solution
    part: Model  # without the pairs that lead to lost states, which are terminal here
    idle: Array  # [S] bool: one may stay here, or go round, for nothing and for ever
    small: Small | None
    weights: Weights | None  # None: the answer is exact, and proves by itself

    def bound(self, value: Array) -> float:
        """How far V* can be from V [S], over the states that are not lost."""
        if self.small is None or self.weights is None:
            off = np.abs(value - self.best.value)[~self.best.lost]
            return float(off.max(initial=0.0)) + self.best.bound
        known = ~(self.part.terminal | self.best.lost)
        count = self.small.model.num_states
        high, low = np.full(count, -np.inf), np.full(count, np.inf)
        np.maximum.at(high, self.small.group[known], value[known])
        np.minimum.at(low, self.small.group[known], value[known])
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
        small = made(model, deadline)
        value, choice, sweeps = by_policies(small, deadline)
        weights = weigh(small.model, choice, value, deadline)
    except UncertifiedError as error:
        if model.num_next > thresholds.EXACT_FALLBACK_NEXT or time.perf_counter() > deadline:
            raise
        best = by_fractions(model, epsilon, min(FRACTION_SECONDS, deadline - time.perf_counter()), error)
        found = fates(model, model.reward == 0)
        return Proof(best, restricted(model, found.usable), found.idle.number >= 0, None, None)
    best = finished(small, value, choice, weights.bound(value, value), epsilon, sweeps, start, "pi, discount 1")
    return Proof(best, small.part, small.calm.number >= 0, small, weights)


def made(model: Model, deadline: float) -> Small:
    """What can be solved of a model. InputError where nothing can, UncertifiedError where that cannot be told."""
    found = fates(model, model.reward == 0)
    _check_losing(model, found, deadline)
    check_any_ends(model, found.lost)
    part = restricted(model, found.usable)
    calm = found.idle if part is model else Idle(found.idle.number, found.idle.pair[found.usable])
    return Small(model, part, np.flatnonzero(found.usable), found, calm, *_merged(part, calm))


def by_policies(small: Small, deadline: float) -> tuple[Array, Array, int]:
    """V [S'], a policy of the merged model, and how many it took."""
    choice = _ending(small.model)
    return _improved(small.model, choice, deadline, lambda state: infinite(small.whole, small.owner(state), "+"))


def by_fractions(model: Model, epsilon: float, max_seconds: float, otherwise: UncertifiedError) -> Solution:
    """The exact answer in floating point: each number is the nearest to the truth. `otherwise` where it takes long."""
    try:
        return floating(solve_exact(model, Fraction(1), max_seconds), epsilon)
    except UncertifiedError:
        raise otherwise from None


def finished(
    small: Small, value: Array, choice: Array, error: float, epsilon: float, sweeps: int, start: float, method: str
) -> Solution:
    """What is said of the whole model, from V and a policy of the merged one."""
    model = small.whole
    full = small.values(value)
    q = bellman.backup(model, full, 1.0)
    bound = error + bellman.rounding(model, full, 1.0)
    made = _unmerged(small.part, small.calm, small.group, small.old, choice)
    made[made >= 0] = small.kept[made[made >= 0]]
    made[small.fates.lost] = model.first_pair[:-1][small.fates.lost]  # none is better than another
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
        method=method,
    )


def _improved(small: Model, choice: Array, deadline: float, endless: Any) -> tuple[Array, Array, int]:
    """Policy iteration from a policy that surely ends. `endless(state)`: the error where a circle earns."""
    sweeps = 0
    near = (
        1e-11 if small.num_states <= thresholds.FACTORISED_AT_ONE else 1e-13
    )  # sweeps leave less noise than elimination, over longer ways
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
            raise endless(int(closed[0]))
        check_time(deadline)


def closed_class(model: Model, choice: Array) -> Array | None:
    """The states of a class that the policy never leaves, None where it surely ends."""
    chosen = np.zeros(model.num_pairs, dtype=bool)
    chosen[choice[choice >= 0]] = True
    number = end_components(model, chosen)[0]
    closed = np.flatnonzero(number >= 0)
    return np.flatnonzero(number == number[closed[0]]) if len(closed) else None


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
    part = restricted(model, found.circling)
    alone = np.flatnonzero(~part.terminal)
    number = np.full(model.num_states, -1, dtype=np.int64)
    number[alone] = alone
    small, group, old = _merged(part, Idle(number, np.zeros(part.num_pairs, dtype=bool)))  # one may stop anywhere
    stops = np.full(small.num_states, -1, dtype=np.int64)
    stops[small.pair_state[old < 0]] = np.flatnonzero(old < 0)

    def endless(state: int) -> Exception:
        return infinite(model, int(np.flatnonzero(group == state)[0]), "+")

    value, choice, _ = _improved(small, stops, deadline, endless)
    weigh(
        small, choice, value, deadline
    )  # a proof that some U > r + P U for every pair: no circle gains or breaks even


def _merged(model: Model, calm: Idle) -> tuple[Model, Array, Array]:
    """The model with each idle component as one state and a way to stop there; [S] its states; [P'] pairs, -1: stop."""
    key = np.where(calm.number >= 0, model.num_states + calm.number, np.arange(model.num_states))
    group = np.unique(key, return_inverse=True)[1]
    count = int(group.max(initial=-1)) + 1
    stopping = np.unique(group[calm.number >= 0])
    kept = np.flatnonzero(~calm.pair)
    old = np.concatenate([kept, np.full(len(stopping), -1, dtype=np.int64)])
    owner = np.concatenate([group[model.pair_state[kept]], stopping])
    order = np.argsort(owner, kind="stable")
    old, owner = old[order], owner[order]
    sizes = np.where(old >= 0, np.diff(model.first_next)[old], 1)
    first_next = np.concatenate([[0], np.cumsum(sizes)])
    source = np.repeat(np.where(old >= 0, model.first_next[:-1][old], 0) - first_next[:-1], sizes)
    source += np.arange(int(first_next[-1]))
    stop = np.repeat(old < 0, sizes)
    after = np.where(stop, count, group[model.next[source]]) if len(source) else np.zeros(0)
    first_pair = np.searchsorted(owner, np.arange(count + 2))
    small = Model(
        states=Numbered(count + 1),
        actions=Numbered(max(1, int(np.diff(first_pair).max(initial=1)))),
        first_pair=first_pair,
        action=(np.arange(len(old)) - first_pair[owner]).astype(np.int32),
        first_next=first_next,
        next=after.astype(np.int32),
        prob=np.where(stop, 1.0, model.prob[source]) if len(source) else np.zeros(0),
        reward=np.where(old >= 0, model.reward[old], 0.0) if len(old) else np.zeros(0),
        next_reward=None if model.next_reward is None else np.where(stop, 0.0, model.next_reward[source]),
    )
    return small, group, old


def _ending(small: Model) -> Array:
    """A policy of the merged model that surely ends."""
    _, choice = almost_sure_reach(small, small.terminal, np.ones(small.num_pairs, dtype=bool))
    if small.num_states > FEW:  # a far discount gives a better start, if its policy ends too
        epsilon = 1e-4 * (1 + float(np.abs(small.reward).max()))
        near = discounted.solve(small, FAR, epsilon=epsilon, max_seconds=60.0).choice
        if closed_class(small, near) is None:
            return near.copy()
    return choice


def _unmerged(model: Model, calm: Idle, group: Array, old: Array, choice: Array) -> Array:
    """The policy on the model itself: inside an idle component to the way out, or round and round if it stops."""
    taken = np.append(old, -1)[choice]  # [S'] pairs of the model
    made = np.full(model.num_states, -1, dtype=np.int64)
    inside = np.flatnonzero(calm.pair)
    made[model.pair_state[inside]] = inside
    leaves = np.zeros(model.num_states, dtype=bool)
    leaves[model.pair_state[taken[taken >= 0]]] = True
    way = almost_sure_reach(model, leaves, calm.pair)[1]
    made[way >= 0] = way[way >= 0]
    made[model.pair_state[taken[taken >= 0]]] = taken[taken >= 0]
    return made
