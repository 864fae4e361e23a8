"""Named ranges, and a candidate as a policy."""

import numpy as np
import pytest

from rltrain.errors import InputError
from rltrain.policies.parameters import Fixed, Parameters, with_ranges

PARAMETERS = Parameters(("p", "w"), np.array([0.0, -1.0]), np.array([1.0, 1.0]), np.array([True, False]))


class Threshold:
    """Action 1 with probability p."""

    parameters = PARAMETERS
    draws = 1

    def act(self, candidates, obs, uniform, mask=None):
        return (uniform[:, 0] < candidates[:, 0]).astype(np.int64)


def test_draws_fill_the_ranges_and_nothing_else():
    drawn = PARAMETERS.draw(4_000, np.random.default_rng(0))
    assert drawn.shape == (4_000, 2)
    assert (drawn >= PARAMETERS.low).all() and (drawn < PARAMETERS.high).all()
    assert np.abs(drawn.mean(axis=0) - PARAMETERS.middle).max() < 0.05
    assert np.abs(drawn.std(axis=0) - PARAMETERS.width / np.sqrt(12)).max() < 0.05


def test_only_what_is_bounded_is_brought_inside():
    inside = PARAMETERS.inside(np.array([[1.5, 7.0], [-0.5, -7.0], [0.3, 0.0]]))
    assert inside.tolist() == [[1.0, 7.0], [0.0, -7.0], [0.3, 0.0]]


def test_ranges_are_named():
    changed = with_ranges(PARAMETERS, {"p": (0.25, 0.5), "w": (-9, 3)})
    assert changed.low.tolist() == [0.25, -9] and changed.high.tolist() == [0.5, 3]
    assert PARAMETERS.low.tolist() == [0, -1]  # as it was


def test_a_range_of_all_is_that_of_those_without_one_of_their_own():
    changed = with_ranges(PARAMETERS, {"w": (-9, 3), "all": (0.25, 0.5)})
    assert changed.low.tolist() == [0.25, -9] and changed.high.tolist() == [0.5, 3]


@pytest.mark.parametrize(
    ("ranges", "words"),
    [
        ({"q": (0, 1)}, r"algorithm\.ranges\.q: unknown parameter; (did you mean 'p'|one of p, w)"),
        ({"w": (1, 1)}, r"algorithm\.ranges\.w: \[1, 1\] is empty"),
        ({"w": (2, 1)}, "the lower end comes first"),
        ({"all": (0, 1.5)}, r"algorithm\.ranges\.all: \[0, 1\.5\] reaches beyond \[0, 1\]"),
        ({"p": (0, 1.5)}, r"algorithm\.ranges\.p: \[0, 1\.5\] reaches beyond \[0, 1\]"),
    ],
)
def test_a_range_that_cannot_be_is_refused(ranges, words):
    with pytest.raises(InputError, match=words):
        with_ranges(PARAMETERS, ranges)


def test_a_fixed_candidate_acts_with_its_own_chance_and_repeats_with_its_seed():
    one, again = (Fixed(Threshold(), np.array([0.3, 0.0]), seed=1) for _ in range(2))
    action = one.act(np.zeros((10_000, 3)))
    assert action.dtype == np.int64
    assert abs(action.mean() - 0.3) < 0.02
    assert (again.act(np.zeros((10_000, 3))) == action).all()
    assert (one.act(np.zeros((10_000, 3))) != action).any()
