"""Atari games in two halves: the games of one vector, and what is saved of them."""

from typing import Any

import numpy as np
import pytest

from rltrain import envs
from rltrain.core import Env, Step
from rltrain.envs.atari import halves, vector
from rltrain.envs.atari.halves import LEAST_ENVS, Halves
from rltrain.envs.atari.settings import AtariConfig
from rltrain.envs.atari.vector import Atari
from rltrain.errors import CheckpointError
from rltrain.steps import Parted

SETTINGS = AtariConfig(id="ALE/MsPacman-v5", screen_size=36, reseed_every=20, max_episode_steps=15)


def play(env: Env, steps: int, seed: int = 0) -> list[Step]:
    rng = np.random.default_rng(seed)
    return [env.step(rng.integers(0, env.spec.num_actions, env.spec.num_envs)) for _ in range(steps)]


def check_same(one: Any, other: Any) -> None:
    for name, a, b in zip(Step._fields, one, other, strict=True):
        np.testing.assert_array_equal(a, b, err_msg=name)


def test_the_games_are_those_of_one_vector_and_either_goes_on_from_the_other() -> None:
    parted, whole = Halves(SETTINGS, 2, 2), Atari(SETTINGS, 2, 2)
    assert isinstance(parted, Parted) and not isinstance(whole, Parted)
    check_same(parted.reset(3), whole.reset(3))
    for one, other in zip(play(parted, 24), play(whole, 24), strict=True):
        check_same(one, other)
    saved = parted.save()
    for name, value in whole.save().items():
        np.testing.assert_equal(saved[name], value)
    then, other_then = Halves(SETTINGS, 2, 2), Atari(SETTINGS, 2, 2)
    then.load(whole.save())
    other_then.load(saved)
    for one, other, third in zip(play(parted, 8, 1), play(then, 8, 1), play(other_then, 8, 1), strict=True):
        check_same(one, other)
        check_same(one, third)


def test_a_half_can_be_stepped_alone() -> None:
    parted, whole = Halves(SETTINGS, 2, 2), Atari(SETTINGS, 2, 2)
    assert isinstance(parted, Parted) and not isinstance(whole, Parted)
    parted.reset(3)
    whole.reset(3)
    action = np.array([1, 3])
    for _ in range(5):
        parted.parts[1].step(action[1:])
    for _ in range(5):
        parted.parts[0].step(action[:1])
    for _ in range(5):
        last = whole.step(action)
    check_same(play(parted, 1)[0], play(whole, 1)[0])
    assert last.obs.any()


def test_frames_that_differ_are_refused() -> None:
    parted = Halves(SETTINGS, 2, 2)
    parted.reset(0)
    play(parted, 3)
    with pytest.raises(CheckpointError, match="did not reproduce"):
        Halves(SETTINGS, 2, 2).load({**parted.save(), "sha256": "0"})
    with pytest.raises(CheckpointError, match="saved with 2 environments, now 4"):
        Halves(SETTINGS, 4, 2).load(parted.save())


def test_many_games_on_many_cores_are_halved_if_parts_are_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(halves, "Halves", lambda settings, count, threads: "halves")
    monkeypatch.setattr(vector, "Atari", lambda settings, count, threads, training, first_index, apart: "one")
    wanted = ((LEAST_ENVS, 3, True), (LEAST_ENVS, 3, False), (LEAST_ENVS, 1, True), (4, 3, True))
    made = [envs.make(SETTINGS, num_envs=n, threads=threads, in_parts=parts) for n, threads, parts in wanted]
    assert made == ["halves", "one", "one", "one"]
