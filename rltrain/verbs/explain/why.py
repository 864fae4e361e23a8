"""What every other action would have led to: the game is played again up to a step, and goes on from another action.

The course of a game is a function of its seed and actions, so the same luck meets every action: what differs after the
step is what the action made of it. From then on the policy plays as it does, without random actions.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from rltrain import envs
from rltrain.core import Array, Env, Filmed, Step
from rltrain.errors import InputError
from rltrain.policies.asking import Planning, chosen
from rltrain.progress import Progress
from rltrain.rng import derive
from rltrain.spaces import Continuous, MultiDiscrete, combinations
from rltrain.verbs.explain.arena import Arena
from rltrain.verbs.explain.playing import MOST_STEPS, PlayedGame

MOST_ACTIONS = 256  # that are tried


@dataclass(frozen=True)
class Outcome:
    """What one action at a step led to."""

    action: int  # its number
    name: str
    taken: bool  # it is what was done in the game
    score: float  # what the policy thought of it; NaN: it does not say
    returns: float  # discounted raw rewards from the step on
    total: float  # raw rewards from the step on, not discounted
    length: int  # steps from this one on
    end: Literal["over", "cut", "left"]

    def json(self) -> dict[str, Any]:
        """All of it as JSON has it."""
        return {
            "action": self.name,
            "taken": self.taken,
            "score": self.score,
            "return": self.returns,
            "total": self.total,
            "length": self.length,
            "end": self.end,
        }


def outcomes(arena: Arena, played: PlayedGame, step: int, horizon: int | None, progress: Progress) -> list[Outcome]:
    """Of each action that could be taken at a step, in their order; `horizon`: steps after which it is left.

    Ctrl-C ends it with those that are known, KeyboardInterrupt if there are none. InputError where an environment does
    not repeat itself, and where actions are numbers.
    """
    tried = _tried(played, step)
    why = envs.varies(arena.settings, arena.experiment.task)
    if why is not None:
        raise InputError(f"--why: a game of {arena.settings.name} cannot be played again: {why}")
    found: list[Outcome] = []
    with replace(arena, pictures=False).open() as (env, twin):
        for number, (action, taken) in enumerate(tried):
            try:
                progress.at(number, len(tried))
                found.append(_outcome(arena, played, step, action, taken, horizon or MOST_STEPS, env, twin))
            except KeyboardInterrupt:
                if not found:
                    raise
                break
    return found


def count(played: PlayedGame, step: int) -> int:
    """How many actions can be tried at a step. InputError as `outcomes`."""
    return len(_tried(played, step))


def _tried(played: PlayedGame, step: int) -> list[tuple[int, Array]]:
    """The number and the own form [1, *action] of each action that can be taken at a step."""
    space, mask = played.spec.actions, played.mask(step)
    if isinstance(space, Continuous):
        raise InputError("--why: an action is of numbers here, and there is no end of others; it needs one of some")
    if isinstance(space, MultiDiscrete):
        if space.products > MOST_ACTIONS:
            raise InputError(f"--why: {space.products:,} combinations of choices; {MOST_ACTIONS} at most can be tried")
        able = np.ones(space.mask_width, bool) if mask is None else mask[0]
        each = [row for row in combinations(space) if all(able[own][row[k]] for k, own in enumerate(space.columns))]
        return [(int(np.ravel_multi_index(tuple(row), space.sizes)), row[None]) for row in each]
    able = np.ones(space.n, bool) if mask is None else mask[0]
    return [(int(number), np.array([number])) for number in np.flatnonzero(able)]


def _outcome(
    arena: Arena,
    played: PlayedGame,
    step: int,
    number: int,
    action: Array,
    horizon: int,
    env: Filmed,
    twin: Env | None,
) -> Outcome:
    """Play the game up to the step, then this action, then on."""
    game, seed = played.game, derive(played.game.seed, "games")
    now, beside = env.reset(seed), None if twin is None else twin.reset(seed)
    past = game.action[:step]
    for move in past:
        now, beside = _moved(env, twin, np.asarray(move)[None])
    if not np.array_equal(now.obs[0], played.seen[step]):
        raise InputError(f"--why: {arena.settings.name} did not repeat itself: at step {step} it is another game")
    total = returns = 0.0
    length, weight, end = 0, 1.0, "left"
    while length < horizon:
        now, beside = _moved(env, twin, action)
        reward = float(now.reward[0])
        total, returns, weight, length = total + reward, returns + weight * reward, weight * arena.gamma, length + 1
        if now.last[0]:
            end = "cut" if now.discount[0] > 0 else "over"
            break
        if isinstance(arena.policy, Planning):
            assert twin is not None and beside is not None
            action = arena.policy.plan(twin, beside)
        else:
            action = np.asarray(chosen(arena.policy, now.obs, now.mask))
    names, scores = game.actions, game.scores[step]
    several = isinstance(played.spec.actions, MultiDiscrete)
    taken = np.array_equal(np.atleast_1d(game.action[step]), _own(played, number))
    return Outcome(
        action=number,
        name=",".join(map(str, _own(played, number).tolist())) if several else names[number],
        taken=taken,
        score=float(scores[number]) if len(scores) else float("nan"),
        returns=returns,
        total=total,
        length=length,
        end=end,  # type: ignore[arg-type]  # one of three words
    )


def _own(played: PlayedGame, number: int) -> Array:
    """An action [1] or [K] by its number."""
    space = played.spec.actions
    if isinstance(space, MultiDiscrete):
        return np.array(np.unravel_index(number, space.sizes))
    return np.array([number])


def _moved(env: Filmed, twin: Env | None, action: Array) -> tuple[Step, Step | None]:
    return env.step(action), None if twin is None else twin.step(action)
