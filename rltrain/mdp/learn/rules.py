"""One step of a tabular learner at a time, for every rule, and the loop of them on a known model.

With e(s, a) the traces, delta = target - Q(s, a), and Q(s, a) <- Q(s, a) + alpha delta e(s, a) for all pairs:

    q         target = r + gamma max_a' Q(s', a')                                  Watkins 1989
    double    target = r + gamma Q2(s', argmax_a' Q1(s', a')), of two tables       van Hasselt 2010
    sarsa     target = r + gamma Q(s', a'), a' the action that follows             Rummery and Niranjan 1994
    expected  target = r + gamma sum_a' pi(a' | s') Q(s', a')                      van Seijen et al. 2009
    traces    e fades by gamma lambda; after an action that explores, q forgets    Watkins 1989
              them; a visit adds 1 to them, or sets them to 1                      Singh and Sutton 1996

and the action is the first best, or at random by chance, or by exp(Q / temperature), or the best of Q + K / (1 + n).
The loop on a model and a loop over an environment call the same `choose` and `observe`, with the same streams.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from rltrain.mdp.learn.q_learning import (
    BONUS,
    DOUBLE,
    EPSILON,
    EXPECTED,
    PLAIN,
    SARSA,
    SOFTMAX,
    Agent,
    Options,
    count_rate,
    epsilon_at,
    finish,
)
from rltrain.mdp.learn.sampling import LOW, ONE, UNIT, ZERO, borrowed, first_state, inlined, mix, successor
from rltrain.mdp.splitmix import GOLDEN, S11, S32

LEAST = 1e-6  # traces below this are dropped
S63 = np.uint64(63)


@inlined
def draw(agent: Any, lane: Any) -> Any:
    """The next number of the learner's own stream, uint64."""
    agent.stream[lane] += GOLDEN
    return mix(agent.stream[lane])


@inlined
def pairs_of(first_pair: Any, state: Any) -> Any:
    """The first pair of a state and that of the next, uint64."""
    state = np.uint64(state)
    return np.uint64(first_pair[state]), np.uint64(first_pair[state + ONE])


@inlined
def worth(options: Any, agent: Any, lane: Any, pair: Any) -> Any:
    """What a pair is thought to be worth when an action is chosen."""
    q = agent.q[lane, pair]
    if options.method == DOUBLE:
        q = (q + agent.second[lane, pair]) / 2.0
    if options.exploration == BONUS:
        q += options.bonus / (1.0 + agent.visits[lane, pair])
    return q


@inlined
def first_best(options: Any, agent: Any, lane: Any, first: Any, end: Any) -> Any:
    """The pair of first .. end that is worth most, the first of several."""
    top, most = first, worth(options, agent, lane, first)
    for number in range(first + ONE, end):
        pair = np.uint64(number)
        value = worth(options, agent, lane, pair)
        if value > most:
            top, most = pair, value
    return top


@inlined
def weigh(options: Any, agent: Any, lane: Any, first: Any, end: Any) -> Any:
    """Write exp(worth / temperature) of each pair to `weight`, the greatest as 1: their sum."""
    top = first_best(options, agent, lane, first, end)
    most, total = worth(options, agent, lane, top), 0.0
    for number in range(first, end):
        pair = np.uint64(number)
        weight = 1.0
        if pair != top:
            weight = math.exp((worth(options, agent, lane, pair) - most) / options.temperature)
        agent.weight[lane, pair] = weight
        total += weight
    return total


@inlined
def choose(options: Any, first_pair: Any, agent: Any, lane: Any, state: Any, t: Any) -> Any:
    """The pair that the learner takes, uint64, by one draw; SARSA may have chosen it before."""
    lane = np.uint64(lane)
    if agent.pending[lane] >= 0:
        taken = np.uint64(agent.pending[lane])
        agent.pending[lane] = -1
        return taken
    first, end = pairs_of(first_pair, state)
    drawn = draw(agent, lane)
    if options.exploration == SOFTMAX:
        left = (drawn >> S11) * 2.0**-53 * weigh(options, agent, lane, first, end)
        for number in range(first, end):
            pair = np.uint64(number)
            left -= agent.weight[lane, pair]
            if left < 0.0:
                return pair
        return end - ONE
    if options.exploration == EPSILON and (drawn >> S32) * UNIT < epsilon_at(options, t):
        return first + (((drawn & LOW) * (end - first)) >> S32)
    return first_best(options, agent, lane, first, end)


@inlined
def greatest(q: Any, lane: Any, first: Any, end: Any) -> Any:
    """The first best pair of a table."""
    top, most = first, q[lane, first]
    for number in range(first + ONE, end):
        pair = np.uint64(number)
        value = q[lane, pair]
        if value > most:
            top, most = pair, value
    return top


@inlined
def expected(options: Any, agent: Any, lane: Any, first: Any, end: Any, t: Any) -> Any:
    """The mean of Q over the actions of a state, as the learner would take them at step t."""
    q, mean = agent.q, 0.0
    if options.exploration == SOFTMAX:
        total = weigh(options, agent, lane, first, end)
        for number in range(first, end):
            pair = np.uint64(number)
            mean += agent.weight[lane, pair] * q[lane, pair]
        return mean / total
    best = q[lane, first_best(options, agent, lane, first, end)]
    if options.exploration == BONUS:
        return best
    for number in range(first, end):
        mean += q[lane, np.uint64(number)]
    epsilon = min(1.0, epsilon_at(options, t))
    return epsilon * (mean / (end - first)) + (1.0 - epsilon) * best


@inlined
def observe(
    options: Any, first_pair: Any, agent: Any, lane: Any, t: Any,
    state: Any, pair: Any, reward: Any, after: Any, terminal: Any, last: Any,
) -> None:  # fmt: skip
    """Learn from one step. `terminal`: nothing follows; `last`: the episode stops, for that or for its time limit."""
    lane, pair = np.uint64(lane), np.uint64(pair)
    alpha = agent.rate[lane] / (1.0 + options.decay * t)
    if agent.visits.shape[1] > 0:
        agent.visits[lane, pair] += 1
        if options.omega > 0:
            alpha = agent.rate[lane] * count_rate(agent, agent.visits[lane, pair], options.omega)
    first, end = pairs_of(first_pair, after)
    q = agent.q
    follows = 0.0
    if options.method == DOUBLE:
        other = agent.second
        if draw(agent, lane) >> S63 > 0:
            q, other = other, q
        if not terminal:
            follows = other[lane, greatest(q, lane, first, end)]
    elif not terminal:
        if options.method == PLAIN:
            follows = q[lane, greatest(q, lane, first, end)]
        elif options.method == SARSA:
            chosen = choose(options, first_pair, agent, lane, after, t + 1)
            agent.pending[lane] = np.int64(chosen)
            follows = q[lane, chosen]
        elif options.method == EXPECTED:
            follows = expected(options, agent, lane, first, end, t + 1)
    old = q[lane, pair]
    change = alpha * (reward + options.gamma * follows - old)
    if options.trace > 0:
        if options.method == PLAIN:
            own_first, own_end = pairs_of(first_pair, state)
            if old < q[lane, greatest(q, lane, own_first, own_end)]:
                agent.traces[lane] = 0
        remember(options, agent, lane, pair)
        for number in range(agent.traces[lane]):
            i = np.uint64(number)
            q[lane, np.uint64(agent.trace_pair[lane, i])] += change * agent.trace[lane, i]
    else:
        q[lane, pair] = old + change
    if last:
        agent.traces[lane] = 0
        agent.pending[lane] = -1


@borrowed
def turn(
    options: Any, first_pair: Any, agent: Any, lane: Any, t: Any, state: Any, pair: Any, reward: Any,
    after: Any, terminal: Any, last: Any, following: Any,
) -> Any:  # fmt: skip
    """`observe`, and the pair taken at step t + 1 in the state `following`, int64: one call from Python a step.

    `options` and `agent` as plain tuples: named ones cost three times as much to hand over, more than all the rest.
    """
    options, agent = Options(*options), Agent(*agent)
    observe(options, first_pair, agent, lane, t, state, pair, reward, after, terminal, last)
    return np.int64(choose(options, first_pair, agent, lane, following, t + 1))


@inlined
def remember(options: Any, agent: Any, lane: Any, pair: Any) -> None:
    """Fade the traces, drop what no longer counts, and put the visited pair last."""
    lane, pair = np.uint64(lane), np.int64(pair)
    fading = options.gamma * options.trace
    kept, strength = ZERO, 1.0
    full = agent.traces[lane] == agent.trace.shape[1]
    for number in range(agent.traces[lane]):
        i = np.uint64(number)
        own = agent.trace_pair[lane, i]
        faded = fading * agent.trace[lane, i]
        if own == pair:
            strength = faded + 1.0 if options.accumulate else 1.0
            full = False
        elif faded >= LEAST and not (full and i == ZERO):
            agent.trace_pair[lane, kept], agent.trace[lane, kept] = own, faded
            kept += ONE
    kept = min(kept, np.uint64(agent.trace.shape[1]) - ONE)
    agent.trace_pair[lane, kept], agent.trace[lane, kept] = pair, strength
    agent.traces[lane] = np.int64(kept + ONE)


@borrowed
def learn(options: Any, sampler: Any, agent: Any, world: Any, t0: Any, steps: Any) -> None:
    """`steps` steps of every learner from step t0 on, by any rule."""
    first_pair = sampler.first_pair
    for t in range(t0, t0 + steps):
        for number in range(len(agent.stream)):
            lane: Any = np.uint64(number)
            state = world.state[lane]
            pair = choose(options, first_pair, agent, lane, state, t)
            world.stream[lane] += GOLDEN
            place = successor(mix(world.stream[lane]), pair, sampler)
            after, reward = np.int64(sampler.next[place]), sampler.reward[place]
            world.running[lane] += reward
            world.age[lane] += 1
            first, end = pairs_of(first_pair, after)
            terminal = first == end
            last = terminal or world.age[lane] == options.limit
            observe(options, first_pair, agent, lane, t, state, pair, reward, after, terminal, last)
            if last:
                finish(world, lane)
                world.stream[lane] += GOLDEN
                after = first_state(mix(world.stream[lane]), sampler)
            world.state[lane] = after
