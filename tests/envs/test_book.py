"""The chapter's preprocessing of Ms. Pac-Man."""

import numpy as np
import pytest

from rltrain import envs
from rltrain.envs.atari import book
from rltrain.envs.atari.settings import AtariConfig
from rltrain.errors import InputError


def settings(**more) -> AtariConfig:
    return AtariConfig(id="ALE/MsPacman-v5", preprocessing="book", repeat_action_probability=0.25, **more)


def test_a_frame_is_cropped_halved_and_grey_and_the_player_is_black():
    screen = np.random.default_rng(0).integers(0, 256, size=(210, 160, 3), dtype=np.uint8)
    screen[1, 0] = (210, 164, 74)
    screen[3, 2] = (10, 20, 31)
    frame = book.grey(screen)
    assert frame.shape == (1, 88, 80) and frame.dtype == np.uint8
    assert frame[0, 0, 0] == 0
    assert frame[0, 1, 1] == 20  # 61 / 3, rounded down
    red, green, blue = (int(value) for value in screen[175, 158])
    assert frame[0, 87, 79] == (red + green + blue) // 3  # rows 1 to 175, columns 0 to 158


def test_the_environment_resumes_exactly_and_says_what_it_is():
    chosen = settings(max_episode_steps=15, terminal_on_life_loss=True)
    env, other = envs.make(chosen, num_envs=2), envs.make(chosen, num_envs=2)
    assert env.spec == envs.describe(chosen, num_envs=2)
    assert (env.spec.obs_shape, env.spec.frame_stack, env.spec.num_actions) == ((1, 88, 80), 1, 9)
    moves = np.random.default_rng(1).integers(9, size=(32, 2))
    env.reset(2)
    for t, move in enumerate(moves):
        if t in (15, 23):  # 15: right after a last
            other.load(env.save())
        mine = env.step(move)
        assert mine.last.all() == (t in (14, 30))
        assert (mine.discount == 1).all(), "a time limit keeps it"
        if t < 15:
            continue
        its = other.step(move)
        assert all(np.array_equal(a, b) for a, b in zip(mine, its, strict=True))


def test_the_waiting_time_at_the_start_is_skipped():
    """The ghosts wait for about 270 frames; after 90 steps of 2 to 4 frames dots can be eaten at once."""
    env = envs.make(settings())
    env.reset(0)
    assert sum(float(env.step(np.array([3])).reward[0]) for _ in range(8)) > 0


def test_settings_without_effect_are_refused():
    with pytest.raises(InputError, match=r"environment.frame_stack: has no effect"):
        envs.make(settings(frame_stack=2))
