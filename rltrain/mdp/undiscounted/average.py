"""The best average reward of a step, without end: gain, policy and relative values (Puterman 1994, chapters 8 and 9).

    g + h(s) = max_a [ r(s, a) + sum_s' T(s, a, s') h(s') ]                 where the gain g is one number

For any h at all, with Th the right side, the gain of every state and of the policy greedy in h is proven by

    min (Th - h)  <=  g of the greedy policy  <=  g*  <=  max (Th - h)      (Odoni 1969; Puterman 1994, theorem 8.5.5)

Sweeps h <- h + tau (Th - h) close this interval whatever the period of the chain (Schweitzer 1971). Where they are slow
Howard's policy iteration jumps ahead (`howard`); the interval proves the answer either way.

What can go on for ever are end components. Where there is more than one, each has a gain of its own, and the gain of a
state is the best mean of those that it can be led to: a total reward on the model with each component as one state
(de Alfaro 1997; Ashok et al. 2017). A terminal state earns 0 for ever.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np

from rltrain.core import Array
from rltrain.mdp import parts, thresholds
from rltrain.mdp.chains.policy import evaluate
from rltrain.mdp.exact import average as exact
from rltrain.mdp.exact.average import ExactAverage
from rltrain.mdp.graph import almost_sure_reach, end_components
from rltrain.mdp.model import Model
from rltrain.mdp.pairs import of_choice
from rltrain.mdp.parts import Collapsed
from rltrain.mdp.solvers import bellman
from rltrain.mdp.solvers.bellman import UNIT
from rltrain.mdp.undiscounted import howard

TAU = 0.7  # the share of a step that a sweep goes
FIRST_JUMP = 20  # sweeps before the first policy's equations are solved, and between two measurements of the pace
PATIENCE = 200  # sweeps: more than these take longer than to solve equations
MOST_JUMPS = 200  # policies in a row
MAX_SWEEPS = 200_000
FLOAT_SECONDS = 60.0  # for the policy that fractions begin with


@dataclass(frozen=True, eq=False)
class Average:
    """Every gain is within `bound` of the truth, and the policy's own gain within twice that of the best."""

    model: Model
    gain: Array  # [S]
    choice: Array  # [S] int64, -1 where terminal
    relative: Array | None  # [S] h, 0 at the first state; None where the gain is not one number
    rest: float  # by how much h misses its equation at most
    bound: float  # proven
    converged: bool  # bound <= epsilon
    components: int  # end components and terminal states
    sweeps: int
    seconds: float
    policies: int = 0  # whose equations were solved

    @property
    def policy(self) -> list[str | None]:
        """[S] the best action of each state by name, None where terminal."""
        return self.model.action_names(self.choice)

    @property
    def one_number(self) -> bool:
        """The gain is the same wherever one starts."""
        return self.relative is not None


@dataclass(frozen=True)
class Limits:
    """When to stop."""

    epsilon: float
    max_sweeps: int
    until: float  # of time.perf_counter


@dataclass(frozen=True, eq=False)
class _Part:
    low: float
    high: float
    choice: Array
    relative: Array
    sweeps: int
    policies: int


def solve(
    model: Model, epsilon: float = 1e-6, max_sweeps: int | None = None, max_seconds: float | None = None
) -> Average:
    """The gain of every state to epsilon."""
    start = time.perf_counter()
    limits = Limits(epsilon, max_sweeps or MAX_SWEEPS, start + (max_seconds or float("inf")))
    number, kept = end_components(model, np.ones(model.num_pairs, dtype=bool))
    count = int(number.max(initial=-1)) + 1
    components = count + int(model.terminal.sum())
    if components == 1 and count == 1:
        part = _iterate(model, limits)
        half = (part.high - part.low) / 2
        gain = np.full(model.num_states, part.low + half)
        half += 2 * UNIT * abs(part.low + half)
        relative = part.relative - part.relative[0]
        done = (bool(half <= epsilon), components, part.sweeps, time.perf_counter() - start, part.policies)
        return Average(model, gain, part.choice, relative, part.high - part.low, half, *done)
    gain, choice, half, sweeps, policies = _several(model, number, kept, count, limits)
    done = (bool(half <= epsilon), components, sweeps, time.perf_counter() - start, policies)
    return Average(model, gain, choice, None, np.inf, half, *done)


def exactly(model: Model) -> ExactAverage:
    """The gain of every state in fractions, from the policy that floating point holds for optimal."""
    return exact.solve(model, solve(model, 1e-9, max_seconds=FLOAT_SECONDS).choice)


def _iterate(model: Model, limits: Limits) -> _Part:
    """Sweeps, and policies where they are slow, on a model without terminal states and with one end component."""
    h = np.zeros(model.num_states)
    best: _Part | None = None
    policy: Array | None = None  # whose h this is
    sweeps, policies, jumps, jump, before = 0, 0, 0, FIRST_JUMP, np.inf
    while True:
        q = bellman.backup(model, h, 1.0)
        backed_up = bellman.best(model, q)
        sweeps += 1
        change = backed_up - h
        slack = bellman.rounding(model, h, 1.0) + 2 * UNIT * float(np.abs(backed_up).max() + np.abs(h).max())
        low, high = float(change.min()) - slack, float(change.max()) + slack
        if best is None or high - low < best.high - best.low:
            best = _Part(low, high, bellman.greedy(model, q), h.copy(), sweeps, policies)
        over = sweeps >= limits.max_sweeps or time.perf_counter() > limits.until
        over |= bool(high - low <= 3 * slack)  # what is left is rounding: no sweep can narrow it
        if high - low <= limits.epsilon or over:
            return _Part(best.low, best.high, best.choice, best.relative, sweeps, policies)
        if policy is not None and jumps < MOST_JUMPS:
            policy = howard.improved(model, policy, q)
        elif sweeps >= jump:
            jump = 2 * sweeps
            if model.num_states <= thresholds.DENSE_FOR_AVERAGE or _left(high - low, before, limits.epsilon) > PATIENCE:
                policy, jumps = bellman.greedy(model, q), 0
        else:
            policy = None
        if sweeps % FIRST_JUMP == FIRST_JUMP // 2:
            before = high - low
        found = None if policy is None else howard.evaluated(model, policy)
        if found is not None:
            h, policy = found
            h -= h[0]
            policies, jumps = policies + 1, jumps + 1
            continue
        policy = None
        h = h + TAU * change
        h -= h[0]


def _left(width: float, before: float, epsilon: float) -> float:
    """How many sweeps there are to go, if the interval goes on closing as in the last half of `FIRST_JUMP`."""
    pace = np.log(before / width) / (FIRST_JUMP / 2) if 0 < width < before < np.inf else 0.0
    return float(np.log(width / epsilon) / pace) if pace > 0 else np.inf


def _several(
    model: Model, number: Array, kept: Array, count: int, limits: Limits
) -> tuple[Array, Array, float, int, int]:
    """Gain [S], policy [S], bound, sweeps, policies where there are several end components or terminal states."""
    middle, half, sweeps, policies = np.zeros(count), 0.0, 0, 0
    choice = np.full(model.num_states, -1, dtype=np.int64)
    inner = Limits(limits.epsilon / 2, limits.max_sweeps, limits.until)
    order = np.argsort(number, kind="stable")
    first = np.searchsorted(number[order], np.arange(count + 1))
    for part in range(count):
        states = order[first[part] : first[part + 1]]
        small, pairs = parts.of_states(model, states, kept)
        found = _iterate(small, inner)
        middle[part] = (found.low + found.high) / 2
        half = max(half, (found.high - found.low) / 2 + 2 * UNIT * abs(middle[part]))
        sweeps, policies = max(sweeps, found.sweeps), policies + found.policies
        choice[states] = pairs[found.choice]
    lead = _lead(model, number, kept, middle)
    group = lead.group
    value, chosen, led = _led(lead.model)
    exits = lead.old[chosen]  # of each group: the pair by which it is left; -1: it stays
    exits[chosen < 0] = -1
    outside = (number < 0) & ~model.terminal
    choice[outside] = exits[group[outside]]
    leaving = np.flatnonzero((number >= 0) & (exits[group] >= 0))
    if len(leaving):
        doors = np.zeros(model.num_states, dtype=bool)
        used = np.unique(exits[group[leaving]])
        doors[model.pair_state[used]] = True
        target = doors.copy()
        target[np.setdiff1d(np.arange(model.num_states), leaving)] = True
        way = almost_sure_reach(model, target, kept)[1]
        through = leaving[~doors[leaving]]
        choice[through] = way[through]
        choice[model.pair_state[used]] = used
    return value[group], choice, half + led, sweeps, policies


def _lead(model: Model, number: Array, kept: Array, gain: Array) -> Collapsed:
    """Each component as one state that may stop and take its gain [C]."""
    small = parts.collapsed(model, number, kept, stop_first=True)
    of_state = np.zeros(small.model.num_states)
    of_state[small.group[number >= 0]] = gain[number[number >= 0]]
    reward = np.where(small.old < 0, of_state[small.model.pair_state], 0.0)
    return small._replace(model=parts.summed(replace(small.model, reward=reward)))


def _led(lead: Model) -> tuple[Array, Array, float]:
    """The best mean of what is taken at the end: V [G], pairs [G], bound. Every policy of the collapsed model ends."""
    value, choice = _total(lead, lead.reward)
    steps, _ = _total(lead, np.ones(lead.num_pairs))
    rest = float(np.abs(bellman.best(lead, bellman.backup(lead, value, 1.0)) - value).max(initial=0.0))
    rest += bellman.rounding(lead, value, 1.0)
    ahead = bellman.backup(lead, steps, 1.0) - lead.reward
    margin = float((steps[lead.pair_state] - ahead).min(initial=1.0)) - 2 * bellman.rounding(lead, steps, 1.0)
    most = float(steps.max(initial=0.0))
    return value, choice, rest * most / margin if margin > 0 else np.inf


def _total(lead: Model, reward: Array) -> tuple[Array, Array]:
    """Policy iteration, discount 1, where every policy ends."""
    model = replace(lead, reward=reward)
    choice = np.where(model.terminal, -1, model.first_pair[:-1])
    acting = np.flatnonzero(choice >= 0)
    while True:
        value = evaluate(model, of_choice(model, choice), 1.0).value
        q = bellman.backup(model, value, 1.0)
        slack = 1e-12 * (1 + float(np.abs(value).max(initial=0.0)))
        better = acting[bellman.best(model, q)[acting] > q[choice[acting]] + slack]
        if not len(better):
            return value, choice
        choice[better] = bellman.greedy(model, q)[better]
