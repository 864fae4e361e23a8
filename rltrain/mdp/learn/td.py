"""TD(lambda): what a policy is worth, from samples, one step at a time. Learners side by side, as in `rules`.

    V(s) <- V(s) + alpha (r + gamma V(s') - V(s)) e(s)       for all s, with traces e; lambda = 0: the state left only

(Sutton 1988). V stands in `Agent.q`, with a column for each state; terminal states keep 0.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from rltrain.mdp.learn.masks import at_random
from rltrain.mdp.learn.q_learning import Agent, LearnerOptions, count_rate, finish
from rltrain.mdp.learn.rules import draw, pairs_of, remember
from rltrain.mdp.learn.sampling import Chooser, borrowed, column, first_state, mix, successor
from rltrain.mdp.splitmix import GOLDEN


@borrowed
def follow(chooser: Any, agent: Any, learner: Any, state: Any) -> Any:
    """The pair that the policy takes, uint64, by one draw."""
    first, end = pairs_of(chooser.first_pair, state)
    return column(
        draw(agent, learner), first, end - first, chooser.threshold, chooser.alias, chooser.shift, chooser.bits
    )


@borrowed
def follow_possible(pairs: Any, agent: Any, learner: Any, state: Any) -> Any:
    """One of the pairs that `masks` leaves possible, each as likely, uint64, by one draw."""
    learner = np.uint64(learner)
    first, end = pairs_of(pairs, state)
    return at_random(pairs, learner, first, end, draw(agent, learner))


@borrowed
def observe(
    options: Any, agent: Any, learner: Any, t: Any, state: Any, reward: Any, after: Any, terminal: Any, last: Any
) -> None:
    """Learn from one step. `terminal`: nothing follows; `last`: the episode stops, for that or for its time limit."""
    learner, state, after = np.uint64(learner), np.uint64(state), np.uint64(after)
    value = agent.q
    alpha = agent.rate[learner] / (1.0 + options.decay * t)
    if options.omega > 0:
        agent.visits[learner, state] += 1
        alpha = agent.rate[learner] * count_rate(agent, agent.visits[learner, state], options.omega)
    follows = 0.0 if terminal else value[learner, after]
    delta = alpha * (reward + options.gamma * follows - value[learner, state])
    if options.trace > 0:
        remember(options, agent, learner, state)
        for number in range(agent.traces[learner]):
            i = np.uint64(number)
            value[learner, np.uint64(agent.trace_pair[learner, i])] += delta * agent.trace[learner, i]
    else:
        value[learner, state] += delta
    if last:
        agent.traces[learner] = 0


@borrowed
def turn(
    options: Any, chooser: Any, agent: Any, learner: Any, t: Any, state: Any, reward: Any,
    after: Any, terminal: Any, last: Any, following: Any,
) -> Any:  # fmt: skip
    """`observe`, and the pair that is followed next in the state `following`, int64: one call from Python a step.

    `options`, `chooser` and `agent` as plain tuples: named ones cost three times as much to hand over.
    """
    options, agent, chooser = LearnerOptions(*options), Agent(*agent), Chooser(*chooser)
    observe(options, agent, learner, t, state, reward, after, terminal, last)
    return np.int64(follow(chooser, agent, learner, following))


@borrowed
def learn(options: Any, sampler: Any, chooser: Any, agent: Any, world: Any, t0: Any, steps: Any) -> None:
    """`steps` steps of every learner from step t0 on."""
    first_pair = sampler.first_pair
    for t in range(t0, t0 + steps):
        for number in range(len(agent.stream)):
            learner: Any = np.uint64(number)
            state = world.state[learner]
            pair = follow(chooser, agent, learner, state)
            world.stream[learner] += GOLDEN
            place = successor(mix(world.stream[learner]), pair, sampler)
            after, reward = np.int64(sampler.next[place]), sampler.reward[place]
            world.running[learner] += reward
            world.age[learner] += 1
            first, end = pairs_of(first_pair, after)
            terminal = first == end
            last = terminal or world.age[learner] == options.limit
            observe(options, agent, learner, t, state, reward, after, terminal, last)
            if last:
                finish(world, learner)
                world.stream[learner] += GOLDEN
                after = first_state(mix(world.stream[learner]), sampler)
            world.state[learner] = after
