"""The long run of Markov chains, against answers known by hand and against fractions; bounds hold."""

from fractions import Fraction

import numpy as np
import pytest
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from rltrain.errors import UncertifiedError
from rltrain.mdp import files, pairs, thresholds
from rltrain.mdp.chains import chain, long_run
from rltrain.mdp.exact.linear import solve as exactly
from rltrain.mdp.exact.rational import Clock
from rltrain.mdp.model import Model, Numbered
from rltrain.mdp.solvers import substochastic


def chain_of(rows):
    """One action everywhere: rows of {next: probability}; None is a terminal state."""
    acting = [sorted(row.items()) for row in rows if row is not None]
    model = Model(
        states=Numbered(len(rows)),
        actions=("go",),
        first_pair=np.cumsum([0] + [row is not None for row in rows]).astype(np.int64),
        action=np.zeros(len(acting), dtype=np.int32),
        first_next=np.cumsum([0] + [len(row) for row in acting]).astype(np.int64),
        next=np.array([state for row in acting for state, _ in row], dtype=np.int32),
        prob=np.array([float(prob) for row in acting for _, prob in row]),
        reward=np.zeros(len(acting)),
    )
    found = chain.of_policy(model, pairs.uniform(model))
    return found, chain.classes(found)


def at(state, size):
    start = np.zeros(size)
    start[state] = 1.0
    return start


@pytest.fixture(params=["eliminated", "iterated", "factorised"])
def way(request, monkeypatch):
    if request.param != "eliminated":
        monkeypatch.setattr(thresholds, "DENSE_IN_LONG_RUN", 0)
    if request.param == "factorised":
        monkeypatch.setattr(substochastic, "ITERATIONS", 1)


def close(proven, truth, most=1e-8):
    """Within the bound, and the bound is of use."""
    assert proven.bound < most
    assert np.abs(proven.value - np.array(truth, dtype=float)).max() <= proven.bound + 1e-15


def test_two_states(way):
    """Changes with probability a and b: the shares are b and a, over a + b."""
    found, classes = chain_of([{0: 0.9, 1: 0.1}, {0: 0.5, 1: 0.5}])
    close(long_run.stationary(found, classes.members(0)), [5 / 6, 1 / 6])


def test_the_book_under_the_fire_policy(way):
    """80, 27 and 30 of 137, from the three balances by hand."""
    model = files.read(files.BOOK).model
    found = chain.of_policy(model, np.array([1.0, 0, 0, 0, 1, 1]))
    close(long_run.stationary(found, np.arange(3)), [80 / 137, 27 / 137, 30 / 137])


@pytest.mark.parametrize("size", [4, 7])
def test_a_circle_is_everywhere_as_often(size, way):
    """Whatever its period."""
    found, classes = chain_of([{(i + 1) % size: 0.7, (i - 1) % size: 0.3} for i in range(size)])
    close(long_run.stationary(found, classes.members(0)), [1 / size] * size)


@pytest.mark.parametrize("p", [0.3, 0.5, 0.6])
def test_the_gamblers_ruin(p, way):
    """Up with probability p until 0 or 10: (1 - r^i) / (1 - r^10) with r = (1 - p) / p, or i / 10."""
    size, start = 10, np.arange(11)
    found, classes = chain_of([None, *({i + 1: p, i - 1: 1 - p} for i in range(1, size)), None])
    ends = long_run.absorption(found, classes)
    r = (1 - p) / p
    wins = start / size if p == 0.5 else (1 - r**start) / (1 - r**size)
    steps = start * (size - start) if p == 0.5 else (start - size * wins) / (1 - 2 * p)
    close(ends.prob, np.stack([1 - wins, wins], axis=1))
    close(ends.steps, steps)
    from_4 = long_run.visits(found, classes, at(4, 11))
    close(from_4.absorbed, [1 - wins[4], wins[4]])
    assert from_4.steps == pytest.approx(steps[4])


def test_the_long_run_is_shared_among_the_classes(way):
    """1/4 into a circle of two, 3/4 into a state that stays; the first state is left."""
    found, classes = chain_of([{1: 0.25, 3: 0.75}, {2: 1}, {1: 1}, {3: 1}])
    close(long_run.limit(found, classes, at(0, 4)), [0, 1 / 8, 1 / 8, 3 / 4])
    close(long_run.limit(found, classes, at(1, 4)), [0, 1 / 2, 1 / 2, 0])


def test_rare_changes_lose_no_digit():
    """Two halves that are left once in 10^12 steps: differences would cancel, sums do not."""
    tiny = 1e-12
    found, classes = chain_of([{0: 0.5, 1: 0.5}, {0: 0.5 - tiny, 1: 0.5, 2: tiny}, {1: 3 * tiny, 2: 1 - 3 * tiny}])
    share = long_run.stationary(found, classes.members(0)).value
    truth = np.array([Fraction(1) - 2 * Fraction(tiny), Fraction(1), Fraction(tiny) / Fraction(3 * tiny)])
    assert share == pytest.approx((truth / truth.sum()).astype(float), rel=1e-14)


@st.composite
def chains(draw):
    """Up to six states in whole parts; terminal ones included."""
    size = draw(st.integers(1, 6))
    rows = []
    for _ in range(size):
        parts = draw(st.dictionaries(st.integers(0, size - 1), st.sampled_from([1, 2, 7, 1000]), max_size=4))
        rows.append({state: Fraction(part, sum(parts.values())) for state, part in parts.items()} or None)
    return rows


@settings(max_examples=examples(100))
@given(chains(), st.booleans())
def test_bounds_hold_against_fractions(rows, is_small):
    dense = thresholds.DENSE_IN_LONG_RUN
    try:
        thresholds.DENSE_IN_LONG_RUN = dense if is_small else 0
        found, classes = chain_of(rows)
        steps = long_run.absorption(found, classes).steps
        prob = long_run.absorption(found, classes).prob
        share = long_run.limit(found, classes, at(0, len(rows)))
    finally:
        thresholds.DENSE_IN_LONG_RUN = dense
    ended = classes.recurrent[classes.label]
    left = [{} if ended[i] else {j: p for j, p in row.items() if not ended[j]} for i, row in enumerate(rows)]
    truth = exactly(left, [Fraction(int(not e)) for e in ended], Clock(None))
    assert all(abs(Fraction(a) - b) <= steps.bound for a, b in zip(steps.value.tolist(), truth, strict=True))
    assert np.abs(prob.value.sum(axis=1) - 1).max() <= len(rows) * prob.bound + 1e-12
    assert abs(share.value.sum() - 1) < 1e-9 + 6 * share.bound
    moved = chain.moved(found, share.value)
    assert np.abs(moved - share.value).max() < 1e-9 + 12 * share.bound  # it stays as it is


@pytest.mark.parametrize("size", [2_000])
def test_a_large_chain_without_structure(size):
    """Each state leads to eight others at random; the answer is checked by one step."""
    generator = np.random.default_rng(0)
    rows = [dict(zip(generator.choice(size, 8, replace=False).tolist(), [1 / 8] * 8, strict=True)) for _ in range(size)]
    found, classes = chain_of(rows)
    members = classes.members(int(np.bincount(classes.label).argmax()))
    share = long_run.stationary(found, members)
    whole = np.zeros(size)
    whole[members] = share.value
    assert share.bound < 1e-6
    assert np.abs(chain.moved(found, whole) - whole).max() < 1e-15


def test_a_walk_on_a_large_square_is_everywhere_as_often():
    """1,600 states, doubly stochastic: slow enough for the factorisation to be worth it."""
    side = 40
    rows = []
    for y in range(side):
        for x in range(side):
            row = {}
            for a, b in ((y + 1, x), (y - 1, x), (y, x + 1), (y, x - 1)):
                there = min(max(a, 0), side - 1) * side + min(max(b, 0), side - 1)
                row[there] = row.get(there, 0) + 0.25
            rows.append(row)
    found, classes = chain_of(rows)
    close(long_run.stationary(found, classes.members(0)), [1 / side**2] * side**2)


def test_what_cannot_be_proven_is_not_said(monkeypatch):
    monkeypatch.setattr(thresholds, "DENSE_IN_LONG_RUN", 0)
    monkeypatch.setattr(thresholds, "FACTORISED_IN_LONG_RUN", 0)
    monkeypatch.setattr(substochastic, "ITERATIONS", 1)
    found, classes = chain_of([{max(i - 1, 0): 0.5, min(i + 1, 29): 0.5} for i in range(30)])
    with pytest.raises(UncertifiedError, match="slowly"):
        long_run.stationary(found, classes.members(0))
