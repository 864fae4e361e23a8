"""Where a network looks is found where it looks: networks and pictures of which one place matters."""

import numpy as np
import pytest

from rltrain.core import EnvSpec
from rltrain.spaces import Discrete, Part
from rltrain.verbs.explain import saliency as maps


def at(row: int, column: int):  # type: ignore[no-untyped-def]
    """A measure that reads one pixel of the newest frame."""
    return lambda pictures: pictures[:, -1, row, column].astype(np.float64)


def test_only_the_place_that_is_read_is_salient() -> None:
    picture = np.zeros((4, 84, 84), np.uint8)
    picture[3, 20, 60] = 200
    found = maps.saliency(at(20, 60), picture)
    assert found.shape == (84, 84)
    row, column = np.unravel_index(int(found.argmax()), found.shape)
    assert abs(row - 20) <= 3
    assert abs(column - 60) <= 3
    assert found[20, 60] > 100  # the bright point is nearly gone
    far = np.hypot(*np.meshgrid(np.arange(84) - 20, np.arange(84) - 60, indexing="ij")) > 24
    assert np.abs(found[far]).max() == 0


def test_what_speaks_against_it_is_negative() -> None:
    picture = np.zeros((1, 84, 84), np.uint8)
    picture[0, 40:44, 40:44] = 200
    found = maps.saliency(lambda pictures: -pictures[:, 0, 40:44, 40:44].mean(axis=(1, 2)), picture)
    assert found.min() < -10
    assert found.max() == 0


def test_all_patches_are_one_batch_of_the_pictures_own_dtype() -> None:
    seen = []

    def measure(pictures):  # type: ignore[no-untyped-def]
        seen.append((len(pictures), pictures.dtype))
        return np.zeros(len(pictures))

    maps.saliency(measure, np.zeros((4, 84, 84), np.uint8))
    assert seen == [(1 + 21 * 21, np.dtype(np.uint8))]


def test_in_a_small_picture_each_cell_takes_the_commonest_value() -> None:
    picture = np.full((3, 7, 5), 2, np.uint8)
    picture[0, 3, 1] = 9
    found = maps.saliency(lambda pictures: pictures[:, 0].sum(axis=(1, 2)).astype(np.float64), picture)
    expected = np.zeros((7, 5))
    expected[3, 1] = 7
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_numbers_of_colours_are_taken_away_whole_and_none_is_made_up() -> None:
    picture = np.zeros((1, 84, 84), np.uint8)
    picture[0, 40:44, 60:64] = 75

    def measure(pictures: np.ndarray) -> np.ndarray:
        assert set(np.unique(pictures)) <= {0, 75}
        return (pictures == 75).sum(axis=(1, 2, 3)).astype(np.float64)

    found = maps.saliency(measure, picture, numbered=True)
    y, x = np.unravel_index(found.argmax(), found.shape)
    assert found.max() == pytest.approx(16, abs=1) and abs(y - 42) < 5 and abs(x - 62) < 5


def test_a_map_is_drawn_over_the_part_of_the_frame_that_it_is_of() -> None:
    frame = np.full((210, 160, 3), 100, np.uint8)
    found = np.zeros((84, 84))
    found[42, 42] = 1.0
    drawn = maps.drawn(frame, found, 1.0)
    changed = np.argwhere((drawn != 100).any(axis=2))
    assert np.abs(changed - [106, 81]).max() <= 4  # 42.5 / 84 of 210 and of 160
    assert drawn[106, 81, 1] > 150 > drawn[106, 81, 2]  # green
    window = (slice(1, 176, 2), slice(None, None, 2))
    changed = np.argwhere((maps.drawn(frame, -found, 1.0, window) != 100).any(axis=2))
    assert np.abs(changed - [89, 81]).max() <= 4
    np.testing.assert_array_equal(maps.drawn(frame, found * 0, 0.0), frame)


def test_a_picture_among_parts_is_found_and_put_back() -> None:
    parts = (Part("speed", (1,), "float32", 0, 4), Part("view", (1, 2, 2), "uint8", 4, 8))
    spec = EnvSpec("Parts-v0", (8,), "uint8", 1, Discrete(2), 1, 1, None, None, parts=parts)
    obs = np.concatenate([np.array([1.5], np.float32).view(np.uint8), np.arange(4, dtype=np.uint8)])
    picture = maps.picture_of(spec, obs)
    assert picture is not None
    assert picture.tolist() == [[[0, 1], [2, 3]]]
    rows = maps.with_pictures(spec, obs, np.stack([picture, picture + 10]))
    assert rows[1].tolist() == [*obs[:4].tolist(), 10, 11, 12, 13]
    assert rows[0].tolist() == obs.tolist()


def test_straight_lines_join_the_middles_when_a_map_grows() -> None:
    assert maps.resized(np.array([[0.0, 4.0]]), 1, 4)[0] == pytest.approx([0, 1, 3, 4])
    np.testing.assert_array_equal(maps.resized(np.ones((1, 1)), 3, 2), np.ones((3, 2)))
