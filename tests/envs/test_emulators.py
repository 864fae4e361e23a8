"""Emulators that can be closed one by one play the games of one vector, to the bit."""

from __future__ import annotations

import numpy as np
import pytest

from rltrain.core import Retiring
from rltrain.envs.atari.settings import AtariConfig
from rltrain.envs.atari.vector import Atari

# Games are cut after 6 steps, and a lane is seeded anew after every second.
SETTINGS = AtariConfig(
    id="ALE/Breakout-v5", frame_skip=10, max_episode_steps=6, screen_size=24, reseed_every=10, noop_max=5
)


@pytest.mark.parametrize("threads", [pytest.param(1, marks=pytest.mark.slow), 64])
def test_each_alone_they_play_what_they_play_together(threads: int) -> None:
    together, apart = Atari(SETTINGS, 3), Atari(SETTINGS, 3, threads, apart=True)
    assert apart.spec == together.spec
    rng = np.random.default_rng(0)
    steps = [(together.reset(5), apart.reset(5))]
    for _ in range(18):
        action = rng.integers(4, size=3)
        steps.append((together.step(action), apart.step(action)))
    for one, other in steps:
        for mine, yours in zip(one[:5], other[:5], strict=True):
            assert mine.dtype == yours.dtype
            assert np.array_equal(mine, yours)
    assert sum(int(step.first.sum()) for step, _ in steps) > 6
    assert together.save()["life"].tolist() == apart.save()["life"].tolist() == [1, 1, 1]
    together.close()
    apart.close()


def test_a_closed_game_stands_still_and_the_others_go_on_as_if_it_played() -> None:
    whole, closing = Atari(SETTINGS, 3), Atari(SETTINGS, 3, apart=True)
    assert isinstance(closing, Retiring)
    rng = np.random.default_rng(1)
    whole.reset(6), closing.reset(6)
    for time in range(12):
        action = rng.integers(4, size=3)
        one, other = whole.step(action), closing.step(action)
        if time == 5:
            assert other.last[1]
            still = other.obs[1]
            closing.retire(np.array([False, True, False]))
        for mine, yours in zip(one[:5], other[:5], strict=True):
            assert np.array_equal(mine[[0, 2]], yours[[0, 2]])
        if time > 5:
            assert np.array_equal(other.obs[1], still)
            assert (other.reward[1], other.discount[1], other.first[1], other.last[1]) == (0, 1, False, False)
    closing.retire(np.ones(3, dtype=bool))
    assert not closing.step(np.zeros(3, np.int64)).last.any()
    whole.close()
    closing.close()


def test_what_steps_together_cannot_be_closed_singly() -> None:
    env = Atari(SETTINGS, 2)
    with pytest.raises(RuntimeError, match="one vector"):
        env.retire(np.array([True, False]))
    env.close()
