"""Q-learning on a known model in compiled code: L learners side by side, each with a table and streams of its own.

    Q(s, a) <- Q(s, a) + alpha (r + gamma max_a' Q(s', a') - Q(s, a))          (Watkins 1989)

Here is the plain rule, exploring by chance; `rules` has every other, step by step, and gives the same numbers
where both apply. Learners take their steps in turn, so that one's memory waits behind another's arithmetic, and the
best pair of each state and its value are kept beside the table: what a step needs to go on is one look-up, and the
search through the state that it changed happens behind the next step.

All randomness is two integers a learner, the agent's and the world's stream, so a saved run goes on to the bit.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numba import njit

from rltrain.core import Array
from rltrain.mdp.learn.sampling import LOW, ONE, UNIT, Sampler, borrowed, column, first_state, inlined, mix
from rltrain.mdp.splitmix import GOLDEN, S32

RECENT = 100  # finished episodes of each learner whose returns are kept
RATES = 1 << 16  # visit counts whose learning rates are looked up rather than computed

EPSILON, SOFTMAX, BONUS = range(3)  # LearnerOptions.exploration
PLAIN, DOUBLE, SARSA, EXPECTED = range(4)  # LearnerOptions.method


class LearnerOptions(NamedTuple):
    """How learners act and learn; numbers only, so that compiled code takes them as they are."""

    exploration: int
    method: int
    gamma: float
    epsilon: float  # at the start; the chance of a random action
    epsilon_final: float
    epsilon_steps: float  # over which it falls in a straight line
    temperature: float
    bonus: float  # K of q + K / (1 + n)
    decay: float  # learning rate / (1 + decay t)
    omega: float  # learning rate n^-omega; 0: not so
    trace: float  # lambda; 0: no traces
    accumulate: bool  # traces add up; else a visit sets them to 1
    limit: int  # steps after which an episode is cut off; 0: never


class Agent(NamedTuple):
    """L learners: all that changes in them. An array that the options do not need has no columns."""

    q: Array  # [L, P] float64
    second: Array  # [L, P] float64, the other table of double Q-learning
    visits: Array  # [L, P] int64
    stream: Array  # [L] uint64
    pending: Array  # [L] int64, the pair that SARSA has chosen already; -1: none
    trace_pair: Array  # [L, C] int64, pairs visited lately, oldest first
    trace: Array  # [L, C] float64
    traces: Array  # [L] int64, how many of the C are in use
    rate: Array  # [L] float64, learning rate at the start; never changes
    rates: Array  # [RATES] float64, n^-omega; never changes
    weight: Array  # [L, P] float64, softmax works there; nothing is kept


class World(NamedTuple):
    """Where each learner stands in its own copy of the model, and how it has fared."""

    stream: Array  # [L] uint64
    state: Array  # [L] int64
    age: Array  # [L] int64, steps since the episode began
    running: Array  # [L] float64, rewards since the episode began
    episodes: Array  # [L] int64, finished
    recent: Array  # [L, RECENT] float64, returns: episode k stands at k mod RECENT


FIXED = ("rate", "rates", "weight")  # fields of an agent that a run need not save


def round_below(count: int) -> int:
    """The greatest of 1, 2, 5, 10, 20, 50, ... that is not above count: how many steps until the next row."""
    power: int = 10 ** (len(str(count)) - 1)
    return max(power * digit for digit in (1, 2, 5) if power * digit <= count)


def steps_to_a_limit(limits: Mapping[str, int], counters: Mapping[str, int], most: int) -> int:
    """Steps of every learner, 1 to `most`, before whose last no counter of steps or episodes can reach its limit.

    A step ends one episode of a learner at most: where n are missing, the next n - 1 steps do not end the last.
    """
    missing = [limits[name] - counters[name] for name in ("env_steps", "episodes") if name in limits]
    return max(1, min([most, *missing]))


def make_agent(options: LearnerOptions, num_pairs: int, rate: Array, stream: Array, start_value: float = 0.0) -> Agent:
    """Learners that know nothing. `rate` [L] their learning rates, `stream` [L] uint64."""
    count = len(rate)
    wide = {True: num_pairs, False: 0}
    capacity = trace_capacity(options, num_pairs)
    rates = np.array([0.0] + [n**-options.omega for n in range(1, RATES)] if options.omega else [0.0])
    return Agent(
        q=np.full((count, num_pairs), start_value),
        second=np.full((count, wide[options.method == DOUBLE]), start_value),
        visits=np.zeros((count, wide[options.omega > 0 or options.exploration == BONUS]), np.int64),
        stream=stream.copy(),
        pending=np.full(count, -1, np.int64),
        trace_pair=np.zeros((count, capacity), np.int64),
        trace=np.zeros((count, capacity)),
        traces=np.zeros(count, np.int64),
        rate=np.ascontiguousarray(rate, np.float64),
        rates=rates,
        weight=np.zeros((count, wide[options.exploration == SOFTMAX])),
    )


def trace_capacity(options: LearnerOptions, num_pairs: int) -> int:
    """How many pairs can have a trace that still counts (above 1e-6)."""
    fading = options.gamma * options.trace
    if fading <= 0:
        return 0
    lasting = 1024 if fading >= 0.987 else int(np.ceil(np.log(1e-6) / np.log(fading))) + 1
    return min(num_pairs, lasting, 1024)


def make_blank_world(stream: Array) -> World:
    """Nobody stands anywhere yet; `stream` [L] uint64."""
    count = len(stream)
    return World(
        stream=stream.copy(),
        state=np.zeros(count, np.int64),
        age=np.zeros(count, np.int64),
        running=np.zeros(count),
        episodes=np.zeros(count, np.int64),
        recent=np.full((count, RECENT), np.nan),
    )


def make_world(sampler: Sampler, stream: Array) -> World:
    """Every learner at the start of its first episode; `stream` [L] uint64."""
    world = make_blank_world(stream)
    with np.errstate(over="ignore"):
        begin(sampler, world)
    return world


@borrowed
def begin(sampler: Any, world: Any) -> None:
    """Draw every learner's first state."""
    for learner in range(len(world.stream)):
        world.stream[learner] += GOLDEN
        world.state[learner] = first_state(mix(world.stream[learner]), sampler)


@inlined
def epsilon_at(options: Any, t: Any) -> Any:
    """The chance of a random action at step t, from 0."""
    fallen = options.epsilon - (options.epsilon - options.epsilon_final) * (t / options.epsilon_steps)
    return max(options.epsilon_final, fallen) if options.epsilon >= options.epsilon_final else options.epsilon


@inlined
def count_rate(agent: Any, n: Any, omega: Any) -> Any:
    """n^-omega of a pair's n-th visit."""
    return agent.rates[n] if n < len(agent.rates) else np.float64(n) ** -omega


@njit(cache=True, nogil=True)
def learn_plain(options: Any, sampler: Any, agent: Any, world: Any, t0: Any, steps: Any) -> None:
    """`steps` steps of every learner from step t0 on: PLAIN, EPSILON, no traces. Unsigned indices need no sign test."""
    num_states, num_pairs = np.uint64(len(sampler.first_pair) - 1), np.uint64(agent.q.shape[1])
    learners = np.uint64(agent.q.shape[0])
    q = agent.q.reshape(-1)
    value = np.zeros(agent.q.shape[0] * (len(sampler.first_pair) - 1))
    best = np.full(len(value), -1, np.int64)  # the first best pair of each state; -1: terminal
    for number in range(learners):
        row, base = np.uint64(number) * num_states, np.uint64(number) * num_pairs
        for s in range(num_states):
            state = np.uint64(s)
            first, end = np.uint64(sampler.first_pair[state]), np.uint64(sampler.first_pair[state + ONE])
            if first < end:
                top, most = first, q[base + first]
                for j in range(first + ONE, end):
                    if q[base + np.uint64(j)] > most:
                        top, most = np.uint64(j), q[base + np.uint64(j)]
                value[row + state], best[row + state] = most, np.int64(top)
    for step in range(steps):
        t = t0 + step
        epsilon = epsilon_at(options, t)
        shrink = 1.0 + options.decay * t
        for number in range(learners):
            learner: Any = np.uint64(number)
            row, base = learner * num_states, learner * num_pairs
            state = np.uint64(world.state[learner])
            # The agent acts: of one draw the upper half decides whether at random, the lower which.
            drawn = agent.stream[learner] + GOLDEN
            agent.stream[learner] = drawn
            drawn = mix(drawn)
            first, end = np.uint64(sampler.first_pair[state]), np.uint64(sampler.first_pair[state + ONE])
            pair = np.uint64(best[row + state])
            if (drawn >> S32) * UNIT < epsilon:
                pair = first + (((drawn & LOW) * (end - first)) >> S32)
            # The world answers.
            stream = world.stream[learner] + GOLDEN
            begin = np.uint64(sampler.first_next[pair])
            count = np.uint64(sampler.first_next[pair + ONE]) - begin
            place = column(mix(stream), begin, count, sampler.threshold, sampler.alias, sampler.shift, sampler.bits)
            after, reward = np.uint64(sampler.next[place]), sampler.reward[place]
            # The agent learns.
            if options.omega > 0:
                visits = agent.visits[learner, pair] + 1
                agent.visits[learner, pair] = visits
                alpha = agent.rate[learner] * count_rate(agent, visits, options.omega)
            else:
                alpha = agent.rate[learner] / shrink
            old = q[base + pair]
            q[base + pair] = old + alpha * (reward + options.gamma * value[row + after] - old)
            top, most = first, q[base + first]
            for j in range(first + ONE, end):
                other = q[base + np.uint64(j)]
                if other > most:
                    top, most = np.uint64(j), other
            value[row + state], best[row + state] = most, np.int64(top)
            # The episode goes on or ends; a time limit ends it and cuts nothing off the target.
            world.running[learner] += reward
            world.age[learner] += 1
            if best[row + after] < 0 or world.age[learner] == options.limit:
                finish(world, learner)
                stream += GOLDEN
                after = np.uint64(first_state(mix(stream), sampler))
            world.stream[learner] = stream
            world.state[learner] = np.int64(after)


@inlined
def finish(world: Any, learner: Any) -> None:
    """Count the episode and its return, and begin the next."""
    episode = world.episodes[learner]
    world.recent[learner, episode % RECENT] = world.running[learner]
    world.episodes[learner] = episode + 1
    world.running[learner] = 0.0
    world.age[learner] = 0


def count_episode(world: World, learner: int, total: float) -> None:
    """Count an episode that was played outside compiled code, and its return."""
    episode = int(world.episodes[learner])
    world.recent[learner, episode % RECENT] = total
    world.episodes[learner] = episode + 1
