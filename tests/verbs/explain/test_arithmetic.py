"""Gaps, TD errors and returns to go, against numbers by hand."""

import numpy as np
import pytest

from rltrain.verbs.explain import arithmetic

NAN = np.nan


def test_the_gap_is_the_best_score_minus_the_second_best_of_those_that_are_known() -> None:
    scores = np.array([[1.0, 4.0, 2.5], [3.0, 3.0, 1.0], [NAN, 7.0, 5.0], [NAN, 2.0, NAN], [NAN, NAN, NAN]])
    np.testing.assert_array_equal(arithmetic.gaps(scores), [1.5, 0.0, 2.0, NAN, NAN])
    np.testing.assert_array_equal(arithmetic.best(scores), [1, 0, 1, 1, -1])
    np.testing.assert_array_equal(arithmetic.greatest(scores), [4, 3, 7, 2, NAN])


def test_a_policy_of_one_action_or_none_has_no_gap() -> None:
    np.testing.assert_array_equal(arithmetic.gaps(np.array([[1.0]])), [NAN])
    np.testing.assert_array_equal(arithmetic.gaps(np.zeros((2, 0))), [NAN, NAN])
    np.testing.assert_array_equal(arithmetic.best(np.zeros((2, 0))), [-1, -1])


def test_returns_to_go_are_discounted_sums_of_what_comes() -> None:
    assert arithmetic.returns_to_go(np.array([1.0, 0.0, 8.0]), 0.5).tolist() == [3.0, 4.0, 8.0]
    assert arithmetic.returns_to_go(np.zeros(0), 0.5).tolist() == []


def test_the_td_error_counts_nothing_after_an_end_and_the_value_after_a_time_limit() -> None:
    rewards, values = np.array([1.0, 2.0]), np.array([3.0, 4.0, 10.0])
    assert arithmetic.td_errors(rewards, values, 0.5, ended=True).tolist() == [1 + 2 - 3, 2 + 0 - 4]
    assert arithmetic.td_errors(rewards, values, 0.5, ended=False).tolist() == [1 + 2 - 3, 2 + 5 - 4]
    assert values[-1] == pytest.approx(10)  # it is not written over
