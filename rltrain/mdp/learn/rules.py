"""One step of a tabular learner at a time, for every rule, and the loop of them on a known model.

With e(s, a) the traces, delta = target - Q(s, a), and Q(s, a) <- Q(s, a) + alpha delta e(s, a) for all pairs:

    q         target = r + gamma max_a' Q(s', a')                                  Watkins 1989
    double    target = r + gamma Q2(s', argmax_a' Q1(s', a')), of two tables       van Hasselt 2010
    sarsa     target = r + gamma Q(s', a'), a' the action that follows             Rummery and Niranjan 1994
    expected  target = r + gamma sum_a' pi(a' | s') Q(s', a')                      van Seijen et al. 2009
    traces    e fades by gamma lambda; after an action that explores, q forgets    Watkins 1989
              them; a visit adds 1 to them, or sets them to 1                      Singh and Sutton 1996

and the action is the first best, or at random by chance, or by exp(Q / temperature), or the best of Q + K / (1 + n).
The loop on a model and a loop over an environment call the same `choose` and `observe`, with the same streams. What
is impossible where the learner stands is neither drawn, nor best, nor part of a mean: `pairs` are those of `masks`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from rltrain.mdp.learn.masks import at_random, first_of, first_possible, is_possible
from rltrain.mdp.learn.q_learning import (
    BONUS,
    DOUBLE,
    EPSILON,
    EXPECTED,
    PLAIN,
    SARSA,
    SOFTMAX,
    Agent,
    LearnerOptions,
    count_rate,
    epsilon_at,
    finish,
)
from rltrain.mdp.learn.sampling import ONE, UNIT, ZERO, borrowed, first_state, inlined, mix, successor
from rltrain.mdp.splitmix import GOLDEN, S11, S32

LEAST = 1e-6  # traces below this are dropped
S63 = np.uint64(63)


@inlined
def draw(agent: Any, learner: Any) -> Any:
    """The next number of the learner's own stream, uint64."""
    agent.stream[learner] += GOLDEN
    return mix(agent.stream[learner])


@inlined
def pairs_of(pairs: Any, state: Any) -> Any:
    """The first pair of a state and that of the next, uint64."""
    state = np.uint64(state)
    return np.uint64(first_of(pairs, state)), np.uint64(first_of(pairs, state + ONE))


@inlined
def worth(options: Any, agent: Any, learner: Any, pair: Any) -> Any:
    """What a pair is thought to be worth when an action is chosen."""
    q = agent.q[learner, pair]
    if options.method == DOUBLE:
        q = (q + agent.second[learner, pair]) / 2.0
    if options.exploration == BONUS:
        q += options.bonus / (1.0 + agent.visits[learner, pair])
    return q


@inlined
def first_best(options: Any, pairs: Any, agent: Any, learner: Any, first: Any, end: Any) -> Any:
    """The possible pair of first .. end that is worth most, the first of several."""
    top = first_possible(pairs, learner, first, end)
    most = worth(options, agent, learner, top)
    for number in range(top + ONE, end):
        pair = np.uint64(number)
        value = worth(options, agent, learner, pair)
        if value > most and is_possible(pairs, learner, pair):
            top, most = pair, value
    return top


@inlined
def weigh(options: Any, pairs: Any, agent: Any, learner: Any, first: Any, end: Any) -> Any:
    """Write exp(worth / temperature) of each pair to `weight`, the greatest as 1, the impossible as 0: their sum."""
    top = first_best(options, pairs, agent, learner, first, end)
    most, total = worth(options, agent, learner, top), 0.0
    for number in range(first, end):
        pair = np.uint64(number)
        weight = 1.0
        if not is_possible(pairs, learner, pair):
            weight = 0.0
        elif pair != top:
            weight = math.exp((worth(options, agent, learner, pair) - most) / options.temperature)
        agent.weight[learner, pair] = weight
        total += weight
    return total


@inlined
def choose(options: Any, pairs: Any, agent: Any, learner: Any, state: Any, t: Any) -> Any:
    """The pair that the learner takes, uint64, by one draw; SARSA may have chosen it before."""
    learner = np.uint64(learner)
    if agent.pending[learner] >= 0:
        taken = np.uint64(agent.pending[learner])
        agent.pending[learner] = -1
        return taken
    first, end = pairs_of(pairs, state)
    drawn = draw(agent, learner)
    if options.exploration == SOFTMAX:
        left = (drawn >> S11) * 2.0**-53 * weigh(options, pairs, agent, learner, first, end)
        found = first
        for number in range(first, end):
            pair = np.uint64(number)
            if is_possible(pairs, learner, pair):
                found = pair
                left -= agent.weight[learner, pair]
                if left < 0.0:
                    return pair
        return found
    if options.exploration == EPSILON and (drawn >> S32) * UNIT < epsilon_at(options, t):
        return at_random(pairs, learner, first, end, drawn)
    return first_best(options, pairs, agent, learner, first, end)


@inlined
def greatest(pairs: Any, q: Any, learner: Any, first: Any, end: Any) -> Any:
    """The first best possible pair of a table."""
    top = first_possible(pairs, learner, first, end)
    most = q[learner, top]
    for number in range(top + ONE, end):
        pair = np.uint64(number)
        value = q[learner, pair]
        if value > most and is_possible(pairs, learner, pair):
            top, most = pair, value
    return top


@inlined
def expected(options: Any, pairs: Any, agent: Any, learner: Any, first: Any, end: Any, t: Any) -> Any:
    """The mean of Q over the actions of a state, as the learner would take them at step t."""
    q, mean, count = agent.q, 0.0, ZERO
    if options.exploration == SOFTMAX:
        total = weigh(options, pairs, agent, learner, first, end)
        for number in range(first, end):
            pair = np.uint64(number)
            mean += agent.weight[learner, pair] * q[learner, pair]
        return mean / total
    best = q[learner, first_best(options, pairs, agent, learner, first, end)]
    if options.exploration == BONUS:
        return best
    for number in range(first, end):
        pair = np.uint64(number)
        if is_possible(pairs, learner, pair):
            mean += q[learner, pair]
            count += ONE
    epsilon = min(1.0, epsilon_at(options, t))
    return epsilon * (mean / count) + (1.0 - epsilon) * best


@inlined
def observe(
    options: Any, pairs: Any, agent: Any, learner: Any, t: Any,
    state: Any, pair: Any, reward: Any, after: Any, terminal: Any, last: Any,
) -> None:  # fmt: skip
    """Learn from one step. `terminal`: nothing follows; `last`: the episode stops, for that or for its time limit."""
    learner, pair = np.uint64(learner), np.uint64(pair)
    alpha = agent.rate[learner] / (1.0 + options.decay * t)
    if agent.visits.shape[1] > 0:
        agent.visits[learner, pair] += 1
        if options.omega > 0:
            alpha = agent.rate[learner] * count_rate(agent, agent.visits[learner, pair], options.omega)
    first, end = pairs_of(pairs, after)
    q = agent.q
    follows = 0.0
    if options.method == DOUBLE:
        other = agent.second
        if draw(agent, learner) >> S63 > 0:
            q, other = other, q
        if not terminal:
            follows = other[learner, greatest(pairs, q, learner, first, end)]
    elif not terminal:
        if options.method == PLAIN:
            follows = q[learner, greatest(pairs, q, learner, first, end)]
        elif options.method == SARSA:
            chosen = choose(options, pairs, agent, learner, after, t + 1)
            agent.pending[learner] = np.int64(chosen)
            follows = q[learner, chosen]
        elif options.method == EXPECTED:
            follows = expected(options, pairs, agent, learner, first, end, t + 1)
    old = q[learner, pair]
    change = alpha * (reward + options.gamma * follows - old)
    if options.trace > 0:
        if options.method == PLAIN:
            own_first, own_end = pairs_of(pairs, state)
            if old < q[learner, greatest(pairs, q, learner, own_first, own_end)]:
                agent.traces[learner] = 0
        remember(options, agent, learner, pair)
        for number in range(agent.traces[learner]):
            i = np.uint64(number)
            q[learner, np.uint64(agent.trace_pair[learner, i])] += change * agent.trace[learner, i]
    else:
        q[learner, pair] = old + change
    if last:
        agent.traces[learner] = 0
        agent.pending[learner] = -1


@borrowed
def turn(
    options: Any, pairs: Any, agent: Any, learner: Any, t: Any, state: Any, pair: Any, reward: Any,
    after: Any, terminal: Any, last: Any, following: Any,
) -> Any:  # fmt: skip
    """`observe`, and the pair taken at step t + 1 in the state `following`, int64: one call from Python a step.

    `options` and `agent` as plain tuples: named ones cost three times as much to hand over, more than all the rest.
    """
    options, agent = LearnerOptions(*options), Agent(*agent)
    observe(options, pairs, agent, learner, t, state, pair, reward, after, terminal, last)
    return np.int64(choose(options, pairs, agent, learner, following, t + 1))


@inlined
def remember(options: Any, agent: Any, learner: Any, pair: Any) -> None:
    """Fade the traces, drop what no longer counts, and put the visited pair last."""
    learner, pair = np.uint64(learner), np.int64(pair)
    fading = options.gamma * options.trace
    kept, strength = ZERO, 1.0
    full = agent.traces[learner] == agent.trace.shape[1]
    for number in range(agent.traces[learner]):
        i = np.uint64(number)
        own = agent.trace_pair[learner, i]
        faded = fading * agent.trace[learner, i]
        if own == pair:
            strength = faded + 1.0 if options.accumulate else 1.0
            full = False
        elif faded >= LEAST and not (full and i == ZERO):
            agent.trace_pair[learner, kept], agent.trace[learner, kept] = own, faded
            kept += ONE
    kept = min(kept, np.uint64(agent.trace.shape[1]) - ONE)
    agent.trace_pair[learner, kept], agent.trace[learner, kept] = pair, strength
    agent.traces[learner] = np.int64(kept + ONE)


@borrowed
def learn(options: Any, sampler: Any, agent: Any, world: Any, t0: Any, steps: Any) -> None:
    """`steps` steps of every learner from step t0 on, by any rule."""
    first_pair = sampler.first_pair
    for t in range(t0, t0 + steps):
        for number in range(len(agent.stream)):
            learner: Any = np.uint64(number)
            state = world.state[learner]
            pair = choose(options, first_pair, agent, learner, state, t)
            world.stream[learner] += GOLDEN
            place = successor(mix(world.stream[learner]), pair, sampler)
            after, reward = np.int64(sampler.next[place]), sampler.reward[place]
            world.running[learner] += reward
            world.age[learner] += 1
            first, end = pairs_of(first_pair, after)
            terminal = first == end
            last = terminal or world.age[learner] == options.limit
            observe(options, first_pair, agent, learner, t, state, pair, reward, after, terminal, last)
            if last:
                finish(world, learner)
                world.stream[learner] += GOLDEN
                after = first_state(mix(world.stream[learner]), sampler)
            world.state[learner] = after
