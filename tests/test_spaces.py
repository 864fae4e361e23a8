"""Spaces of actions, masks and named parts, by what they let pass and what they draw."""

import numpy as np
import pytest

from rltrain.spaces import Continuous, Discrete, MultiDiscrete, combinations, laid_out, nth_possible

SPACES = [Discrete(3), MultiDiscrete((2, 3)), Continuous((-1.0, 0.0), (1.0, np.inf)), Continuous((-np.inf,), (2.0,))]


@pytest.mark.parametrize("space", SPACES, ids=str)
def test_what_is_drawn_fits_and_differs(space):
    drawn = space.sample(np.random.default_rng(0), 500)
    assert drawn.shape == (500, *space.shape)
    assert drawn.dtype == space.dtype
    assert space.fault(drawn, 500) is None
    assert len(np.unique(drawn)) > 1


@pytest.mark.parametrize(
    ("space", "action", "words"),
    [
        (Discrete(3), [3], "from 0 to 2"),
        (Discrete(3), [[1]], "from 0 to 2"),
        (MultiDiscrete((2, 3)), [[1, 3]], "below"),
        (MultiDiscrete((2, 3)), [[-1, 0]], "below"),
        (MultiDiscrete((2, 3)), [1], "below"),
        (Continuous((-1.0,), (1.0,)), [[1.5]], "from -1 to 1"),
        (Continuous((-1.0,), (1.0,)), [[np.nan]], "from -1 to 1"),
        (Continuous((-1.0,), (1.0,)), [1.0], "shape"),
    ],
)
def test_what_does_not_fit_is_said(space, action, words):
    assert words in space.fault(np.array(action), 1)


def test_a_mask_leaves_what_is_possible_and_all_of_it_as_likely():
    mask = np.tile([True, False, True, True], (9000, 1))
    drawn = Discrete(4).sample(np.random.default_rng(0), 9000, mask)
    assert np.bincount(drawn, minlength=4) == pytest.approx([3000, 0, 3000, 3000], abs=200)
    pairs = MultiDiscrete((2, 3)).sample(
        np.random.default_rng(0), 9000, np.tile([False, True, True, False, True], (9000, 1))
    )
    assert set(map(tuple, pairs.tolist())) == {(1, 0), (1, 2)}


def test_a_mask_of_nothing_masks_nothing():
    assert nth_possible(np.zeros((2, 3), bool), np.array([0.0, 0.99])).tolist() == [0, 2]


def test_combinations_are_all_and_the_last_choice_is_the_fastest():
    assert combinations(MultiDiscrete((2, 3))).tolist() == [[0, 0], [0, 1], [0, 2], [1, 0], [1, 1], [1, 2]]
    assert MultiDiscrete((2, 3)).products == 6


def test_numbers_beside_a_picture_lie_in_it_as_bytes_and_come_out_as_they_went_in():
    parts, width, dtype = laid_out([("eye", (1, 2, 3), "uint8", 9), ("arm", (2,), "float32", 255)])
    assert (width, dtype, [part.name for part in parts]) == (16, "uint8", ["arm", "eye"])  # 8 + 6, in fours
    obs = np.zeros((2, width), np.uint8)
    obs[:, parts[1].start : parts[1].stop] = np.arange(12).reshape(2, 6)
    obs[:, : parts[0].stop] = np.array([[1.5, -2], [3, np.pi]], np.float32).view(np.uint8)
    assert parts[1].of(obs).tolist() == np.arange(12).reshape(2, 1, 2, 3).tolist()
    assert np.array_equal(parts[0].of(obs), np.array([[1.5, -2], [3, np.pi]], np.float32))


def test_numbers_alone_are_one_vector_in_their_order():
    parts, width, dtype = laid_out([("b", (2,), "float32", 255), ("a", (3,), "float32", 255)])
    assert [(part.name, part.start, part.stop) for part in parts] == [("b", 0, 2), ("a", 2, 5)]
    assert (width, dtype) == (5, "float32")
