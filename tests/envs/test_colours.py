"""Atari in colour: what is drawn in one of two frames is found again, and nothing small is lost."""

import numpy as np
import pytest

from rltrain import envs
from rltrain.core import EnvOptions
from rltrain.envs.atari import colours, kind
from rltrain.envs.atari.colours import RGB
from rltrain.envs.atari.halves import Halves
from rltrain.envs.atari.settings import AtariConfig
from rltrain.envs.atari.vector import Atari
from rltrain.errors import InputError

BLACK, CORRIDOR, WALL, CYAN, PINK, ORANGE, EDIBLE = 0, 72, 37, 92, 44, 19, 75
SEEN = {BLACK, CORRIDOR, WALL, CYAN, PINK, ORANGE, EDIBLE, 12, 20, 21, 34, 35}  # by who plays Ms. Pac-Man
SHORT = AtariConfig(id="ALE/MsPacman-v5", color="palette", screen_size=36, reseed_every=20, max_episode_steps=15)


def looked(*frames: np.ndarray, size: int = 84) -> np.ndarray:
    """The picture [size, size] of frames [210, 160] of numbers of colours, as an emulator shows the last two."""
    screen = np.max([RGB[frame] for frame in frames], axis=0)
    obs = np.zeros((1, 1, size, size), np.uint8)
    colours._look(screen[None, None], np.array([0]), RGB, obs)
    return obs[0, 0]


def maze() -> np.ndarray:
    frame = np.full((210, 160), CORRIDOR)
    frame[:, ::8] = WALL
    frame[171:] = BLACK
    return frame


def test_there_are_128_colours_and_each_is_another():
    assert len({tuple(colour) for colour in RGB.tolist()}) == 128
    assert len({tuple(row) for row in colours.planes("palette").tolist()}) == 128
    assert not colours.planes("palette")[0].any() and not colours.planes("rgb")[0].any()


@pytest.mark.parametrize("size", [42, 84, 210])
def test_a_pixel_of_its_own_colour_is_seen_wherever_it_is(size):
    drawn = np.random.default_rng(0)
    for _ in range(30):
        frame, y, x = maze(), drawn.integers(210), drawn.integers(160)
        frame[y, x] = EDIBLE
        found = looked(frame, frame, size=size)
        places = np.argwhere(found == EDIBLE)
        assert len(places) == 1 if size < 160 else len(places) <= 2
        assert np.abs(places - (y * size / 210, x * size / 160)).max() <= 1.5


@pytest.mark.parametrize("ghost", [CYAN, PINK, ORANGE, EDIBLE, 35])
@pytest.mark.parametrize("under", [CORRIDOR, BLACK])
def test_what_is_drawn_in_one_of_two_frames_is_found_in_their_mixture(ghost, under):
    one, other = maze(), maze()
    one[40:56, 41:47] = other[40:56, 41:47] = under
    other[42:54, 42:46] = ghost
    found = looked(one, other)
    assert set(np.unique(found)) == {CORRIDOR, WALL, BLACK, ghost}
    assert (found == ghost).sum() >= 10


def test_where_two_that_flicker_overlap_the_rarer_one_stands():
    one, other = maze(), maze()
    one[40:60, 41:47] = CYAN  # in one frame
    other[50:56, 41:47] = PINK  # in the other
    found = looked(one, other)
    assert set(np.unique(found)) == {CORRIDOR, WALL, BLACK, CYAN, PINK}


def test_a_screen_of_more_values_than_there_is_room_for_is_looked_at():
    screen = np.random.default_rng(0).integers(0, 256, (1, 1, 210, 160, 3), dtype=np.uint8)
    obs = np.zeros((1, 1, 84, 84), np.uint8)
    colours._look(screen, np.array([0]), RGB, obs)
    assert obs.max() < 128


def test_ms_pacman_has_its_own_colours_and_no_others():
    env = envs.make(AtariConfig(id="ALE/MsPacman-v5", color="palette"), num_envs=2)
    env.reset(1)
    rng, count = np.random.default_rng(0), np.zeros(128, np.int64)
    for _ in range(120):
        step = env.step(rng.integers(9, size=2))
        count += np.bincount(step.obs[:, -1].ravel(), minlength=128)
    others = sum(int(count[colour]) for colour in range(128) if colour not in SEEN)
    assert others < 1e-3 * count.sum()
    assert all(count[colour] for colour in (CORRIDOR, WALL, CYAN, PINK, ORANGE))
    env.close()


def test_a_game_opens_with_an_empty_stack_and_pictures_move_up():
    env = Atari(SHORT, 2)
    before = env.reset(0)
    assert not before.obs[:, :-1].any() and before.obs[:, -1].any(axis=(1, 2)).all()
    rng, opened = np.random.default_rng(0), 0
    for _ in range(50):
        step = env.step(rng.integers(9, size=2))
        np.testing.assert_array_equal(step.obs[~step.first, :-1], before.obs[~step.first, 1:])
        assert not step.obs[step.first, :-1].any()
        opened, before = opened + int(step.first.sum()), step
    assert opened >= 4
    env.close()


def test_games_together_apart_in_halves_and_resumed_look_the_same():
    whole, apart, parted = Atari(SHORT, 2, 2), Atari(SHORT, 2, 3, apart=True), Halves(SHORT, 2, 2)
    grey = Atari(SHORT.model_copy(update={"color": "grey"}), 2)
    resumed = Atari(SHORT, 2)
    steps = [env.reset(3) for env in (whole, apart, parted, grey)]
    rng = np.random.default_rng(1)
    for time in range(45):
        action = rng.integers(9, size=2)
        if time == 30:
            resumed.load(whole.save())
        steps = [env.step(action) for env in (whole, apart, parted, grey)]
        for other in steps[1:3]:
            for mine, yours in zip(steps[0], other, strict=True):
                np.testing.assert_array_equal(mine, yours)
        for mine, yours in zip(steps[0][1:], steps[3][1:], strict=True):  # the games are those in grey
            np.testing.assert_array_equal(mine, yours)
        if time >= 30:
            np.testing.assert_array_equal(resumed.step(action).obs, steps[0].obs)
    apart.retire(np.array([True, False]))
    still = apart.obs[0].copy()
    np.testing.assert_array_equal(apart.step(action).obs[0], still)


def test_what_networks_see_is_in_the_spec_and_the_frames_are_as_large_as_in_grey():
    for how, width in {"rgb": 3, "palette": 16}.items():
        spec = kind.KIND.describe(AtariConfig(id="ALE/Pong-v5", color=how), EnvOptions(2))
        assert np.shape(spec.planes) == (128, width)
        assert (spec.obs_shape, spec.obs_dtype) == ((4, 84, 84), "uint8")


def test_the_books_picture_is_grey():
    with pytest.raises(InputError, match=r"environment\.color: has no effect with `preprocessing: book`"):
        envs.make(AtariConfig(id="ALE/MsPacman-v5", preprocessing="book", color="rgb"), num_envs=1)
