"""Does an environment repeat itself: is its course a function of its seed and of the actions?

Some episodes are played with random actions, and again with the same seeds and actions: by the same object after
another episode, so that a state shows which one leaves to the next; and by a second object while the first plays
something else, so that what both share shows, such as numpy's global generator. What a learner sees must be equal to
the bit: observations, rewards, ends and masks. To find no difference is no proof.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from contextlib import closing
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from rltrain.core import EnvSpec
from rltrain.envs.gym import foreign, games, numbered
from rltrain.envs.gym.foreign import Foreign
from rltrain.envs.serial import SeededGame
from rltrain.errors import EnvironmentFault
from rltrain.experiment.settings import EnvironmentConfig
from rltrain.rng import derive

STEPS = 200  # of what is played again
SECONDS = 1.0  # after which it is no longer
AGAIN = "{} is another where the same seed and actions are played a second time"
BESIDE = "{} is another where the same seed and actions are played in a second object, beside the first"


class Answered(NamedTuple):
    """What is compared of a reset or a step."""

    sha256: str  # of the observation
    reward: bytes
    discount: float
    last: bool
    mask: bytes
    tells_mask: bool

    def difference(self, other: Answered) -> str:
        """What differs, in a word or two."""
        names = ("the observation", "the reward", "the end", "the end", "the mask", "the mask")
        return next(name for name, one, two in zip(names, self, other, strict=True) if one != two)


def why_not(settings: EnvironmentConfig, task: str = "env") -> str | None:
    """How an environment was seen not to repeat itself, in a clause. None: it was not.

    EnvironmentFault for a mask of actions that it gives from a step on and not from the reset. What else it does that
    it must not shows when it is played.
    """
    first: list[Answered] = []
    try:
        found = _compare(settings, task, first)
    except EnvironmentFault:
        found = None
    for before, each in pairwise(first):
        if each.tells_mask and not before.tells_mask and not before.last:
            raise EnvironmentFault(
                f"{settings.id}: a step gave info['action_mask'], and the reset before it gave none; give one from the"
                " reset on, or nothing can respect it"
            )
    return found


def _compare(settings: EnvironmentConfig, task: str, first: list[Answered]) -> str | None:
    """Play the first course, which is added to `first`, and the others."""
    with closing(foreign.make(settings)) as env:
        spec, game = _game(settings, env, task)
        until = time.monotonic() + SECONDS
        for each in _course(game, spec, env, seed=0):
            first.append(each)
            if len(first) > STEPS or time.monotonic() > until:
                break
        for _ in zip(range(len(first) // 4), _course(game, spec, env, seed=1), strict=False):
            pass
        again = _first_difference(first, _course(game, spec, env, seed=0), AGAIN)
        if again is not None:
            return again
        with closing(foreign.make(settings)) as second:
            other = _course(_game(settings, second, task)[1], spec, second, seed=0)
            beside = zip(other, _course(game, spec, env, seed=2), strict=False)
            return _first_difference(first, (each for each, _ in beside), BESIDE)


def _game(settings: EnvironmentConfig, env: Foreign, task: str) -> tuple[EnvSpec, SeededGame]:
    if task == "env":
        spec = games.spec_of(settings, env, num_envs=1)
        return spec, games.game(env, spec)
    spec = numbered.spec_of(settings, env, num_envs=1)
    number = numbered.numbering(settings.id, env.observation_space)[1]
    return spec, numbered.numbered_game(env, number, spec)


def _course(game: SeededGame, spec: EnvSpec, env: Foreign, seed: int) -> Iterator[Answered]:
    """Episode after episode, with random actions: a function of the seed, if the game is one."""
    stream = np.random.default_rng(derive(seed, "act"))
    episode, last, mask = 0, True, None
    while True:
        if last:
            obs, reward, discount, last = game.reset(derive(seed, "games", episode)), 0.0, 1.0, False
            episode += 1
        else:
            action = spec.actions.sample(stream, 1, None if mask is None else mask[None])
            obs, reward, discount, last = game.step(action[0] if spec.actions.shape else action.item())
        mask = game.mask if spec.masked else None
        yield Answered(
            hashlib.sha256(np.ascontiguousarray(obs).tobytes()).hexdigest(),
            np.float32(reward).tobytes(),
            discount,
            last,
            b"" if mask is None else mask.tobytes(),
            env.tells_mask and spec.actions.mask_width > 0,
        )


def _first_difference(first: list[Answered], other: Iterator[Answered], sentence: str) -> str | None:
    """Where another course is not this one."""
    for number, (one, two) in enumerate(zip(first, other, strict=False)):
        if one != two:
            return f"{sentence.format(one.difference(two))} (step {number})"
    return None
