"""A policy at play, moment by moment, for whoever wants to look: under the same rules as an evaluation.

One game played here with a seed is the one that an evaluation of one game plays with it. Of a policy that keeps a table
the rules are the same and the games are others: here it plays the environment, there a sample of its model.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from rltrain.core import Array, Env, Filmed, Policy, Scoring
from rltrain.policies.asking import Planning, chosen, thought
from rltrain.rng import derive
from rltrain.spaces import possible


class Moment(NamedTuple):
    """What is seen, what the policy makes of it, and what it does next."""

    frame: Array | None  # uint8 [H, W, 3]; None: there is no picture
    state: str  # its name, if it has one
    game: int  # from 1
    step: int  # actions played in this game so far
    reward: float  # of the last action
    total: float  # of the game so far
    scores: Array | None  # [A] what the policy thinks of each action; None: it does not say, or the game is over
    possible: Array | None  # [mask_width] bool, what can be done; None: everything, or the game is over
    action: int | Array | None  # what it does next, a number of its own or [K]; None: the game is over
    explored: bool  # drawn at random, whatever the policy wanted
    last: bool
    cut: bool  # stopped by the time limit
    obs: Array | None = None  # [*obs] what the policy sees; of a moment that was played it is there
    mask: Array | None = None  # [mask_width] bool, what can be done; None: everything


def plain(action: Array) -> int | Array:
    """The first of actions [N, *action] in the environment's own form: an int, or [K]."""
    return int(action[0]) if action.ndim == 1 else np.asarray(action[0])


def play(
    policy: Policy, env: Filmed, episodes: int, epsilon: float, seed: int, twin: Env | None = None
) -> Iterator[Moment]:
    """Whole games, one after the other. Nothing is played ahead of what was asked for.

    twin   of a `Planning` policy: one environment of the kind that is filmed, where it may try out what follows
    """
    stream = np.random.default_rng(derive(seed, "explore"))
    thinking = policy if isinstance(policy, Scoring) else None
    planning = policy if isinstance(policy, Planning) else None
    assert planning is None or twin is not None
    step = env.reset(derive(seed, "games"))
    beside = None if twin is None else twin.reset(derive(seed, "games"))
    game, count, total = 1, 0, 0.0
    while True:
        last = bool(step.last[0])
        explored = not last and bool(stream.random(1)[0] < epsilon)
        action = env.spec.actions.sample(stream, 1, step.mask)  # [1, *action]; the step after `last` ignores it
        if not last:
            if planning is not None and twin is not None and beside is not None:
                wanted = planning.plan(twin, beside)
            else:
                wanted = np.asarray(chosen(policy, step.obs, step.mask))
            action = action if explored else wanted
        yield Moment(
            frame=env.frame(),
            state=env.state(),
            game=game,
            step=count,
            reward=float(step.reward[0]),
            total=total,
            scores=None if last or thinking is None else thought(thinking, step.obs, step.mask)[0],
            possible=None if last or step.mask is None else possible(step.mask)[0],
            action=None if last else plain(action),
            explored=explored,
            last=last,
            cut=last and bool(step.discount[0] > 0),
            obs=step.obs[0].copy(),  # environments may write over theirs
            mask=None if step.mask is None else step.mask[0].copy(),
        )
        if last and game == episodes:
            return
        step = env.step(action)
        beside = None if twin is None else twin.step(action)
        if last:
            game, count, total = game + 1, 0, 0.0
        else:
            count, total = count + 1, total + float(step.reward[0])
