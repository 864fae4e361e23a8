"""Grids and Latin hypercubes: every point, each in its place."""

import numpy as np
import pytest

from rltrain.errors import InputError
from rltrain.policies import designs
from rltrain.policies.parameters import Parameters

PARAMETERS = Parameters(("p", "r"), np.array([0.0, -90.0]), np.array([1.0, 90.0]), np.ones(2, bool))


def test_a_grid_has_every_pair_once_and_its_ends():
    size = designs.grid_size(PARAMETERS, 3)
    assert size == 9
    points = designs.grid(PARAMETERS, 3, np.arange(size)).tolist()
    assert points == [[p, r] for p in (0, 0.5, 1) for r in (-90, 0, 90)]
    assert designs.grid(PARAMETERS, 3, np.arange(4, 6)).tolist() == points[4:6]


def test_a_grid_beyond_reason_is_refused_with_what_would_fit():
    many = Parameters(tuple("abcdefgh"), np.zeros(8), np.ones(8), np.ones(8, bool))
    with pytest.raises(InputError, match=r"11 values of each of 8 parameters are 10\^8 points.*at most 7"):
        designs.grid_size(many, 11)
    assert designs.grid_size(many, 7) == 7**8
    with pytest.raises(InputError, match="no grid fits"):
        designs.grid_size(Parameters(("x",) * 400, np.zeros(400), np.ones(400), np.ones(400, bool)), 2)


@pytest.mark.parametrize("count", [1, 2, 50])
def test_a_latin_hypercube_has_one_point_in_each_slice_of_each_range(count):
    points = designs.latin(PARAMETERS, count, np.random.default_rng(0))
    slices = np.floor((points - PARAMETERS.low) / PARAMETERS.width * count).astype(int)
    for column in slices.T:
        assert sorted(column) == list(range(count))
    if count == 50:
        assert (slices[:, 0] != slices[:, 1]).any() and (slices[:, 0] != np.arange(50)).any()
