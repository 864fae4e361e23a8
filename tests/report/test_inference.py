"""Statistics over runs: against numbers worked out by hand, against scipy's, and what must hold whatever the scores."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from rltrain.core import Array
from rltrain.report import inference
from rltrain.report.inference import Estimate

# With two decimals: what is added or multiplied in these tests makes no ties and breaks none.
SCORES = st.integers(3, 7).flatmap(
    lambda n: arrays(np.float64, n, elements=st.integers(-900, 900).map(lambda number: number / 4))
)
GROUPS = st.lists(SCORES, min_size=1, max_size=3)
PAIRS = st.integers(1, 3).flatmap(lambda n: st.tuples(*(st.lists(SCORES, min_size=n, max_size=n) for _ in range(2))))


def array(*scores: float) -> Array:
    return np.array(scores, np.float64)


def drawn(seed: int, *sizes: int, shift: float = 0.0) -> list[Array]:
    stream = np.random.default_rng(seed)
    return [stream.normal(shift, 1 + number, size=n) for number, n in enumerate(sizes)]


# By hand


def test_ties_count_half() -> None:
    # 1 beats 0; 2 beats 0 and ties twice; 3 beats all: 1 + 2 + 3 of 9 pairs
    assert inference.improvement([array(1, 2, 3)], [array(2, 2, 0)]) == pytest.approx(6 / 9)


def test_environments_count_alike_whatever_their_numbers_of_runs() -> None:
    x, y = [array(1, 1, 1), array(0, 0)], [array(0, 0, 0), array(1, 1)]
    assert inference.improvement(x, y) == 0.5
    assert inference.mean([array(0, 0, 0, 0), array(8, 8)]).value == 4


def test_the_interquartile_mean_is_over_all_runs_of_all_environments() -> None:
    assert inference.iqm([array(4, 1, 3, 2), array(5, 100, 6, 7)]) == (3 + 4 + 5 + 6) / 4
    assert inference.iqm([array(1, 2, 9)]) == 4, "of three runs nothing is left out"


def test_seeds_are_held_against_themselves() -> None:
    assert inference.same_seed_improvement([array(1, 2, 3)], [array(0, 2, 5)]) == (1 + 0.5 + 0) / 3


def test_the_interval_of_the_mean_is_students() -> None:
    value, low, high = inference.mean([array(1, 2, 3)])
    assert (value, high - value, value - low) == pytest.approx((2, 4.302653 / 3**0.5, 4.302653 / 3**0.5), rel=1e-5)


def test_a_profile_counts_the_runs_above() -> None:
    group = [array(0, 1), array(1, 3)]
    assert inference.profile(group, array(-1, 0, 0.5, 1, 3)).tolist() == [1, 0.75, 0.75, 0.25, 0]


def test_two_runs_have_no_interval() -> None:
    few, enough = [array(1, 2)], [array(1, 2, 4)]
    for found in (
        inference.mean(few),
        inference.iqm_interval(few),
        inference.improvement_interval(few, enough),
        inference.difference(enough, few),
    ):
        assert math.isnan(found.low) and math.isnan(found.high) and math.isfinite(found.value)
    assert inference.profile_band(few, array(0, 1)) is None
    assert not inference.has_interval(enough, few)


def test_runs_that_score_the_same_have_an_interval_of_no_width() -> None:
    same = [array(5, 5, 5)]
    assert inference.mean(same) == inference.iqm_interval(same) == Estimate(5, 5, 5)
    assert inference.difference(same, [array(3, 3, 3)]) == Estimate(2, 2, 2)
    assert inference.improvement_interval(same, same) == Estimate(0.5, 0.5, 0.5)


# Against scipy


@pytest.mark.parametrize("seed", range(5))
def test_the_probability_of_improvement_is_that_of_mann_and_whitney(seed: int) -> None:
    x, y = (np.round(group[0], 1) for group in (drawn(seed, 6), drawn(seed + 100, 9, shift=0.5)))
    expected = stats.mannwhitneyu(x, y, alternative="greater").statistic / (6 * 9)
    assert inference.improvement([x], [y]) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_the_difference_of_means_is_welchs(seed: int) -> None:
    (x,), (y,) = drawn(seed, 4), drawn(seed + 50, 9, shift=1)
    expected = stats.ttest_ind(x, y, equal_var=False).confidence_interval(0.9)
    assert inference.difference([x], [y], 0.9)[1:] == pytest.approx(tuple(expected), rel=1e-9)


def test_the_interval_over_environments_is_satterthwaites() -> None:
    group = drawn(3, 4, 7, 5)
    terms = np.array([scores.var(ddof=1) / len(scores) / 9 for scores in group])
    degrees = terms.sum() ** 2 / (terms**2 / (np.array([4, 7, 5]) - 1)).sum()
    expected = stats.t.interval(0.95, degrees, np.mean([scores.mean() for scores in group]), terms.sum() ** 0.5)
    assert inference.mean(group)[1:] == pytest.approx(expected, rel=1e-9)


def exact_power(apart: float, sd: float, n: int, m: int, level: float = 0.95) -> float:
    """Of Student's two-sided test of two groups, by the noncentral t."""
    degrees, shift = n + m - 2, apart / (sd * math.sqrt(1 / n + 1 / m))
    reach = stats.t.ppf((1 + level) / 2, degrees)
    return float(stats.nct.sf(reach, degrees, shift) + stats.nct.cdf(-reach, degrees, shift))


@pytest.mark.parametrize("level", [0.95, 0.99])
@pytest.mark.parametrize(("n", "m"), [(3, 3), (3, 8), (5, 5), (10, 10), (20, 4), (50, 50)])
def test_a_detectable_difference_is_found_four_times_of_five(n: int, m: int, level: float) -> None:
    x, y = drawn(n, n), drawn(m + 7, m)
    squares = float(((x[0] - x[0].mean()) ** 2).sum() + ((y[0] - y[0].mean()) ** 2).sum())
    sd = math.sqrt(squares / (n + m - 2))
    apart = inference.detectable(x, y, level)
    few = level > 0.95 and n + m < 20
    assert exact_power(apart, sd, n, m, level) == pytest.approx(0.8, abs=0.06 if few else 0.02)


@pytest.mark.parametrize("apart", [0.3, 0.7, 1.5, 3.0])
def test_as_many_runs_are_needed_as_the_noncentral_t_says(apart: float) -> None:
    x, y = drawn(1, 6), drawn(2, 6)
    sd = math.sqrt((x[0].var(ddof=1) + y[0].var(ddof=1)) / 2)
    exact = next(n for n in range(3, 2_000) if exact_power(apart * sd, sd, n, n) >= 0.8)
    found = inference.runs_needed(x, y, apart * sd)
    assert found is not None and abs(found - exact) <= 1


def test_more_environments_need_fewer_runs_of_each() -> None:
    x, y = drawn(1, 5), drawn(2, 5)
    one, four = inference.runs_needed(x, y, 0.5), inference.runs_needed(4 * x, 4 * y, 0.5)
    assert one is not None and four is not None and four < one / 3
    assert inference.runs_needed(x, y, 1e-9) is None


# The bootstrap


def test_the_bootstrap_is_that_of_drawing_runs_one_by_one() -> None:
    x, y = drawn(5, 5, 4), drawn(6, 7, 4, shift=0.4)
    stream = np.random.default_rng(1)
    chances, middles = [], []
    for _ in range(4_000):
        a, b = ([stream.choice(scores, len(scores)) for scores in group] for group in (x, y))
        chances.append(
            np.mean([(p[:, None] > q).mean() + (p[:, None] == q).mean() / 2 for p, q in zip(a, b, strict=True)])
        )
        middles.append(stats.trim_mean(np.concatenate(a), 0.25))
    assert inference.improvement_interval(x, y)[1:] == pytest.approx(np.percentile(chances, [2.5, 97.5]), abs=0.03)
    assert inference.iqm_interval(x)[1:] == pytest.approx(np.percentile(middles, [2.5, 97.5]), abs=0.1)


def test_seeds_that_do_the_same_to_both_make_the_paired_interval_narrow() -> None:
    luck = drawn(1, 12)[0] * 10
    x, y = [luck + 1 + drawn(2, 12)[0] / 4], [luck + drawn(3, 12)[0] / 4]
    alone, together = (inference.improvement_interval(x, y, paired=paired) for paired in (False, True))
    assert alone.value == together.value
    assert together.high - together.low < 0.4 * (alone.high - alone.low)
    assert inference.same_seed_improvement(x, y) > 0.9


def test_seeds_that_do_nothing_leave_the_paired_interval_as_it_is() -> None:
    x, y = drawn(1, 40), drawn(2, 40, shift=0.5)
    alone, together = (inference.improvement_interval(x, y, paired=paired) for paired in (False, True))
    assert together[1:] == pytest.approx(alone[1:], abs=0.05)


def test_a_wide_bootstrap_is_done_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    group = drawn(1, 30)
    whole = inference.iqm_interval(group)
    monkeypatch.setattr(inference, "MOST_NUMBERS", 3_000)
    assert inference.iqm_interval(group)[1:] == pytest.approx(whole[1:], abs=0.05)


def test_the_band_of_a_profile_is_that_of_a_share_of_runs() -> None:
    group = [np.arange(20.0)]
    low, high = inference.profile_band(group, array(9.5))  # type: ignore[misc]
    assert (low[0], high[0]) == tuple(stats.binom.ppf([0.025, 0.975], 20, 0.5) / 20)


# Whatever the scores


@given(PAIRS)
def test_one_of_two_is_better_or_they_tie(pair: tuple[list[Array], list[Array]]) -> None:
    x, y = pair
    chance = inference.improvement(x, y)
    assert 0 <= chance <= 1
    assert chance + inference.improvement(y, x) == pytest.approx(1)
    assert inference.improvement(x, x) == 0.5
    interval = inference.improvement_interval(x, y)
    assert interval == inference.improvement_interval(x, y), "equal scores, equal numbers"
    mirrored = inference.difference(y, x)
    assert inference.difference(x, y) == pytest.approx(Estimate(-mirrored.value, -mirrored.high, -mirrored.low))


@given(PAIRS)
def test_the_probability_knows_the_order_of_scores_alone(pair: tuple[list[Array], list[Array]]) -> None:
    x, y = pair
    stretched = [[np.cbrt(scores) * 7 - 3 for scores in group] for group in (x, y)]
    assert inference.improvement_interval(*stretched) == inference.improvement_interval(x, y)


@given(GROUPS, st.sampled_from([0.25, 2.0, 1024.0]), st.integers(-50, 50))
def test_another_unit_of_scores_changes_the_unit_alone(group: list[Array], factor: float, shift: int) -> None:
    other = [factor * scores + shift for scores in group]
    for statistic in (inference.mean, inference.iqm_interval):
        before, after = statistic(group), statistic(other)
        assert after == pytest.approx([factor * number + shift for number in before], rel=1e-9, abs=1e-9)


@given(GROUPS)
def test_an_interquartile_mean_lies_among_the_scores(group: list[Array]) -> None:
    every = np.concatenate(group)
    found = inference.iqm_interval(group)
    assert every.min() - 1e-9 <= found.low <= found.high <= every.max() + 1e-9
    assert every.min() - 1e-9 <= found.value <= every.max() + 1e-9
    assert inference.iqm(group[::-1]) == pytest.approx(found.value)


@given(GROUPS)
def test_a_profile_falls_from_one_to_nothing(group: list[Array]) -> None:
    places = np.linspace(-300, 300, 25)
    found = inference.profile(group, places)
    assert found[0] == 1 and found[-1] == 0 and (np.diff(found) <= 0).all()
    low, high = inference.profile_band(group, places)  # type: ignore[misc]
    assert (low <= high).all() and low.min() >= 0 and high.max() <= 1


@given(st.integers(3, 40), st.integers(0, 9))
def test_what_n_runs_detect_needs_n_runs(n: int, seed: int) -> None:
    x, y = drawn(seed, n, n), drawn(seed + 10, n, n)
    assert inference.runs_needed(x, y, inference.detectable(x, y) * (1 + 1e-9)) == n
