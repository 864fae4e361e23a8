"""Discount 1 in floating point, with proof: the greatest expected sum of rewards, and how far from it we can be.

Idle components are merged as in `mdp.undiscounted`, whose rules on what exists hold here too. On the merged model:

    below: the policy found surely ends, and w >= 1 + P_pi w is checked:  V* >= V - max(V - T_pi V) w
    above: U = V + e u with U > r + P U for every pair is checked:  V* <= U

The second holds since any policy's first n rewards sum to at most U(s) - E U(s_n), and where a policy goes on for ever
the strict inequality makes it lose something again and again. Both are checked against what rounding can do.
"""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np

from rltrain.core import Array
from rltrain.errors import InputError, UncertifiedError
from rltrain.mdp import bellman
from rltrain.mdp.ends import end_components, surely
from rltrain.mdp.model import Model, Numbered
from rltrain.mdp.solution import Solution
from rltrain.mdp.undiscounted import Idle, closed_class, idle, infinite, no_end

DIRECT = 100_000  # states up to which equations are solved by elimination
MOST_STATES = 300_000
MAX_SECONDS = 600.0  # looked at between equations
FEW, FAR = 2_000, 0.9999
TIES = (1e-7, 1e-9, 1e-11, 1e-5)  # how near to optimal pairs are counted as ties, relative to the values


def solve(model: Model, epsilon: float = 1e-6, max_seconds: float | None = MAX_SECONDS) -> Solution:
    """V*, Q* and a policy for discount 1. InputError where the sum is not finite; UncertifiedError without a proof."""
    start = time.perf_counter()
    deadline = np.inf if max_seconds is None else start + max_seconds
    if model.num_states > MOST_STATES:
        raise InputError(
            f"{model.name or 'the model'} has {model.num_states:,} states; a discount of 1 is for models of up to "
            f"{MOST_STATES:,}: take a discount below 1, or a horizon"
        )
    calm = idle(model, model.reward == 0)
    small, group, old = _merged(model, calm)
    choice = _ending(model, small, group)
    sweeps = 0
    while True:
        sweeps += 1
        value = _sum(small, choice, small.reward)
        q = bellman.backup(small, value, 1.0)
        slack = 1e-11 * (1 + float(np.abs(value).max(initial=0.0)))
        better = np.flatnonzero(~small.terminal)
        better = better[bellman.best(small, q)[better] > q[choice[better]] + slack]
        if not len(better) or sweeps >= 1000:
            break
        choice = choice.copy()
        choice[better] = bellman.greedy(small, q)[better]
        closed = closed_class(small, choice)
        if closed is not None:
            raise infinite(model, int(np.flatnonzero(group == closed)[0]), "+")
        _check_time(deadline)
    error = _below(small, choice, value)
    error = max(error, _above(small, value, deadline))
    full = value[group]
    full[model.terminal] = 0.0
    q = bellman.backup(model, full, 1.0)
    bound = error + bellman.rounding(model, full, 1.0)
    return Solution(
        model=model,
        discount=1.0,
        value=full,
        q=q,
        choice=_unmerged(model, calm, group, old, choice),
        bound=bound,
        converged=bound <= epsilon,
        sweeps=sweeps,
        seconds=time.perf_counter() - start,
        method="pi, discount 1",
    )


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
    )
    return small, group, old


def _ending(model: Model, small: Model, group: Array) -> Array:
    """A policy of the merged model that surely ends."""
    inside, choice = surely(small, small.terminal, np.ones(small.num_pairs, dtype=bool))
    if not inside.all():
        raise no_end(model, ~inside[group])
    if small.num_states > FEW:  # a far discount gives a better start, if its policy ends too
        from rltrain.mdp.solve import solve as discounted

        near = discounted(small, FAR, epsilon=1e-4 * (1 + float(np.abs(small.reward).max())), max_seconds=60.0).choice
        if closed_class(small, near) is None:
            return near.copy()
    return choice


def _chain(small: Model, choice: Array) -> tuple[Array, Array, Array]:
    """The rows of a policy: state, next, probability of each entry."""
    acting = np.flatnonzero(choice >= 0)
    sizes = np.diff(small.first_next)[choice[acting]]
    ends = np.cumsum(sizes)
    entries = np.arange(int(sizes.sum())) + np.repeat(small.first_next[choice[acting]] - ends + sizes, sizes)
    return np.repeat(acting, sizes), small.next[entries], small.prob[entries]


def _sum(small: Model, choice: Array, reward: Array) -> Array:
    """x = reward + P_pi x, nearly: what is made of it is checked."""
    from scipy.sparse import csc_array, eye_array
    from scipy.sparse.linalg import bicgstab, spsolve

    size = small.num_states
    state, after, prob = _chain(small, choice)
    matrix = csc_array(eye_array(size) - csc_array((prob, (state, after)), shape=(size, size)))
    acting = choice >= 0
    constant = np.zeros(size)
    constant[acting] = reward[choice[acting]]
    if size <= DIRECT:
        found = spsolve(matrix, constant, permc_spec="MMD_AT_PLUS_A")
    else:
        found = bicgstab(matrix, constant, rtol=1e-13, maxiter=20_000)[0]
    found[~acting] = 0.0
    return np.asarray(found)


def _below(small: Model, choice: Array, value: Array) -> float:
    """How far V can be above the policy's true value."""
    acting = np.flatnonzero(choice >= 0)
    if not len(acting):
        return 0.0
    times = 1.01 * _sum(small, choice, np.ones(small.num_pairs))
    spent = times[acting] - _expected(small, times)[choice[acting]] - bellman.rounding(small, times, 1.0)
    least = float(spent.min())
    if not (np.isfinite(times).all() and times.min() >= 0 and least > 0):
        raise UncertifiedError("discount 1: the time to the end is too long to be proven; try --exact or a discount")
    short = value[acting] - bellman.backup(small, value, 1.0)[choice[acting]]
    return max(0.0, float(short.max()) + bellman.rounding(small, value, 1.0)) * float(times.max()) / least


def _above(small: Model, value: Array, deadline: float) -> float:
    """How far V* can be above V."""
    if not small.num_pairs:
        return 0.0
    gain = bellman.backup(small, value, 1.0) - value[small.pair_state] + bellman.rounding(small, value, 1.0)
    scale = 1 + float(np.abs(value).max(initial=0.0))
    for near in TIES:
        times = _longest(small, gain >= -near * scale, deadline)
        if times is None:
            continue
        spent = times[small.pair_state] - _expected(small, times) - bellman.rounding(small, times, 1.0)
        rising = spent > 0
        if (gain[~rising] >= 0).any():
            continue
        factor = max(0.0, float((gain[rising] / spent[rising]).max(initial=0.0))) * 1.001 + 1e-300
        most = float((gain[~rising] / spent[~rising]).min(initial=np.inf))
        if factor < most:
            return factor * float(times.max())
    raise UncertifiedError(
        "discount 1: no bound could be proven: optimal actions form a circle, or so nearly that floating point cannot "
        "tell; try --exact, or a discount below 1"
    )


def _longest(small: Model, tight: Array, deadline: float) -> Array | None:
    """A little more than the longest expected time to the end by `tight` pairs; None if these form a circle."""
    if end_components(small, tight)[1].any():
        return None
    limited = replace(small, reward=np.where(tight, 1.0, -np.inf))
    choice = bellman.greedy(limited, limited.reward)
    for _ in range(1000):
        _check_time(deadline)
        times = _sum(small, choice, np.ones(small.num_pairs))
        q = np.where(tight, 1.0 + _expected(small, times), -np.inf)
        acting = np.flatnonzero(choice >= 0)
        better = acting[bellman.best(small, q)[acting] > q[choice[acting]] + 1e-9 * (1 + float(times.max()))]
        if not len(better):
            return 1.01 * times
        choice[better] = bellman.greedy(small, q)[better]
    return None


def _check_time(deadline: float) -> None:
    if time.perf_counter() > deadline:
        raise UncertifiedError("discount 1: no proven answer within the time; take a discount below 1, or a horizon")


def _expected(small: Model, value: Array) -> Array:
    return bellman.backup(replace(small, reward=np.zeros(small.num_pairs)), value, 1.0)


def _unmerged(model: Model, calm: Idle, group: Array, old: Array, choice: Array) -> Array:
    """The policy on the model itself: inside an idle component to the way out, or round and round if it stops."""
    taken = np.append(old, -1)[choice]  # [S'] pairs of the model
    made = np.full(model.num_states, -1, dtype=np.int64)
    inside = np.flatnonzero(calm.pair)
    made[model.pair_state[inside]] = inside
    leaves = np.zeros(model.num_states, dtype=bool)
    leaves[model.pair_state[taken[taken >= 0]]] = True
    way = surely(model, leaves, calm.pair)[1]
    made[way >= 0] = way[way >= 0]
    made[model.pair_state[taken[taken >= 0]]] = taken[taken >= 0]
    return made
