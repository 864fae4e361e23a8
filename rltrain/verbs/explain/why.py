"""What every other action would have led to: the game is played again up to a step, and goes on from another action.

The course of a game is a function of its seed and actions, so the same luck meets every action: what differs after the
step is what the action made of it. From then on the policy plays as it does, without random actions.

Of actions that are numbers there is no end of others. Some are tried that have a name: one number at a time at its low
bound, at 0 and at its high bound, where these are finite, the others as they were chosen; and all of them at 0.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

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

    action: int  # its number; -1 of actions that are numbers
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


class Tried(NamedTuple):
    """An action that is tried."""

    number: int  # -1 of actions that are numbers
    name: str
    action: Array  # [1, *action], as the environment takes it
    taken: bool


def outcomes(arena: Arena, played: PlayedGame, step: int, horizon: int | None, progress: Progress) -> list[Outcome]:
    """Of each action that could be taken at a step, in their order; `horizon`: steps after which it is left.

    Of actions that are numbers, of some others by name: see the module. Ctrl-C ends it with those that are known,
    KeyboardInterrupt if there are none. InputError where an environment does not repeat itself.
    """
    tried = _tried(played, step)
    why = envs.varies(arena.settings, arena.experiment.task)
    if why is not None:
        raise InputError(f"--why: a game of {arena.settings.name} cannot be played again: {why}")
    found: list[Outcome] = []
    with replace(arena, pictures=False).open() as (env, twin):
        for number, one in enumerate(tried):
            try:
                progress.at(number, len(tried))
                found.append(_outcome(arena, played, step, one, horizon or MOST_STEPS, env, twin))
            except KeyboardInterrupt:
                if not found:
                    raise
                break
    return found


def count(played: PlayedGame, step: int) -> int:
    """How many actions can be tried at a step. InputError as `outcomes`."""
    return len(_tried(played, step))


def _tried(played: PlayedGame, step: int) -> list[Tried]:
    """Each action that can be taken at a step; of numbers some."""
    space, mask, names = played.spec.actions, played.mask(step), played.game.actions
    done = np.atleast_1d(played.game.action[step])  # [1] or [K]
    if isinstance(space, Continuous):
        return numbers_tried(space, done, names)
    if isinstance(space, MultiDiscrete):
        if space.products > MOST_ACTIONS:
            raise InputError(f"--why: {space.products:,} combinations of choices; {MOST_ACTIONS} at most can be tried")
        able = np.ones(space.mask_width, bool) if mask is None else mask[0]
        each = [row for row in combinations(space) if all(able[own][row[k]] for k, own in enumerate(space.columns))]
        found = []
        for row in each:
            number = int(np.ravel_multi_index(tuple(row), space.sizes))
            found.append(Tried(number, ",".join(map(str, row.tolist())), row[None], np.array_equal(done, row)))
        return found
    able = np.ones(space.n, bool) if mask is None else mask[0]
    return [Tried(own, names[own], np.array([own]), own == done[0]) for own in np.flatnonzero(able).tolist()]


def numbers_tried(space: Continuous, done: Array, names: Sequence[str]) -> list[Tried]:
    """What was done [K], and some other actions [1, K]: each number at its bounds and at 0, and all at 0.

    InputError for so many numbers that the actions are more than are tried.
    """
    found = {done.tobytes(): Tried(-1, "as chosen", done[None], True)}

    def add(name: str, action: Array) -> None:
        found.setdefault(action.tobytes(), Tried(-1, name, action[None], False))

    for place, (low, high) in enumerate(zip(space.low, space.high, strict=True)):
        for value, mark in ((low, " (low)"), (0.0, ""), (high, " (high)")):
            if math.isfinite(value) and low <= value <= high and not (mark == "" and value in (low, high)):
                action = done.copy()
                action[place] = value
                add(f"{names[place]}: {value:g}{mark}", action)
    if len(done) > 1 and all(low <= 0 <= high for low, high in zip(space.low, space.high, strict=True)):
        add("all: 0", np.zeros_like(done))
    if len(found) > MOST_ACTIONS:
        raise InputError(f"--why: {len(done)} numbers make {len(found)} actions; {MOST_ACTIONS} at most can be tried")
    return list(found.values())


def _outcome(
    arena: Arena,
    played: PlayedGame,
    step: int,
    one: Tried,
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
    action = one.action
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
    scores = game.scores[step]
    return Outcome(
        action=one.number,
        name=one.name,
        taken=one.taken,
        score=float(scores[one.number]) if len(scores) else float("nan"),
        returns=returns,
        total=total,
        length=length,
        end=end,  # type: ignore[arg-type]  # one of three words
    )


def _moved(env: Filmed, twin: Env | None, action: Array) -> tuple[Step, Step | None]:
    return env.step(action), None if twin is None else twin.step(action)
