"""The statistics of several seeds against scipy, which the package does not need for them."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from rltrain.run.across_seeds import across, interquartile_mean, student_quantile


@pytest.mark.parametrize("freedom", [1, 2, 3, 4, 5, 8, 9, 29, 30, 99, 999])
@pytest.mark.parametrize("central", [0.5, 0.95, 0.99])
def test_students_quantile(freedom, central):
    assert student_quantile(freedom, central) == pytest.approx(stats.t.ppf((1 + central) / 2, freedom), rel=1e-9)


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=30))
def test_mean_interval_and_iqm_are_those_of_scipy(scores):
    found = across(scores)
    assert found.mean == pytest.approx(sum(scores) / len(scores), abs=1e-6)
    error = stats.sem(scores)
    if error > 1e-6:
        low, high = stats.t.interval(0.95, len(scores) - 1, loc=found.mean, scale=error)
        assert found.ci95 == pytest.approx((low, high), rel=1e-6, abs=1e-6)
    if len(scores) >= 4:
        assert found.iqm == pytest.approx(stats.trim_mean(scores, 0.25), rel=1e-9, abs=1e-6)


def test_what_too_few_seeds_cannot_tell():
    assert across([]) is None
    one = across([3.0])
    assert (one.mean, one.sd, one.ci95, one.iqm) == (3.0, None, None, None)
    assert across([1.0, 2.0, 3.0]).iqm is None
    assert across([7.0, 7.0]).ci95 == (7.0, 7.0)


def test_the_iqm_does_not_see_one_wild_seed():
    assert interquartile_mean([10, 11, 12, 13, 1e9]) == 12
    assert math.isfinite(across([1.0, 2.0, 3.0, 4.0]).iqm)
