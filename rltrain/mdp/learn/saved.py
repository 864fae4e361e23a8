"""Agents and worlds of `mdp.learn` from a saved state: compiled code indexes by their numbers without a test.

So a state must be one of the model's that has an action, a pair one of its pairs, a count what can have been counted.
"""

from __future__ import annotations

import numpy as np

from rltrain.core import Array
from rltrain.mdp.learn.q_learning import Agent, World
from rltrain.saved import MAX_COUNT, Saved


def restore_agent(saved: Saved, agent: Agent, sarsa: bool = False) -> None:
    """All that changes in learners. Only with `sarsa` can an action have been chosen already."""
    columns = agent.q.shape[1]
    saved.fill("q", agent.q)
    saved.fill("second", agent.second)
    saved.fill("visits", agent.visits, 0, MAX_COUNT)
    saved.fill("stream", agent.stream)
    saved.fill("pending", agent.pending, -1, columns - 1 if sarsa else -1)
    saved.fill("trace_pair", agent.trace_pair, 0, columns - 1)
    saved.fill("trace", agent.trace)
    saved.fill("traces", agent.traces, 0, agent.trace.shape[1])


def restore_world(saved: Saved, world: World, first_pair: Array, limit: int) -> None:
    """Where learners stand. first_pair [S + 1] is the model's; `limit`: the steps of an episode, 0: no end."""
    saved.fill("stream", world.stream)
    saved.fill("state", world.state, 0, len(first_pair) - 2)
    over = np.flatnonzero(first_pair[world.state] == first_pair[world.state + 1])
    if len(over):
        saved.refuse("state", f"{world.state[over[0]]} at [{over[0]}] is terminal; must be one that has actions")
    saved.fill("age", world.age, 0, limit - 1 if limit else MAX_COUNT)
    saved.fill("running", world.running)
    saved.fill("episodes", world.episodes, 0, MAX_COUNT)
    saved.fill("recent", world.recent, finite=False)


def check_pending(saved: Saved, agent: Agent, world: World, first_pair: Array) -> None:
    """An action that was chosen already is one of the state where its learner stands."""
    first, end = first_pair[world.state], first_pair[world.state + 1]
    wrong = np.flatnonzero((agent.pending >= 0) & ((agent.pending < first) | (agent.pending >= end)))
    if len(wrong):
        at = int(wrong[0])
        rule = f"must be -1, or from {first[at]} to {end[at] - 1} in state {world.state[at]}"
        saved.refuse("pending", f"{agent.pending[at]} at [{at}]; {rule}")
