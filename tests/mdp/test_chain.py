"""Markov chains: classes, periods, what is reached, and n steps, against answers known by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rltrain.mdp import files, pairs, thresholds
from rltrain.mdp.chains import chain
from rltrain.mdp.model import Model, Numbered


def model_of(rows, reward=None):
    """One action everywhere: rows of {next: probability}; None is a terminal state."""
    acting = [sorted(row.items()) for row in rows if row is not None]
    return Model(
        states=Numbered(len(rows)),
        actions=("go",),
        first_pair=np.cumsum([0] + [row is not None for row in rows]).astype(np.int64),
        action=np.zeros(len(acting), dtype=np.int32),
        first_next=np.cumsum([0] + [len(row) for row in acting]).astype(np.int64),
        next=np.array([state for row in acting for state, _ in row], dtype=np.int32),
        prob=np.array([float(prob) for row in acting for _, prob in row]),
        reward=np.zeros(len(acting)) if reward is None else np.array(reward, dtype=float),
    )


def chain_of(rows, reward=None):
    model = model_of(rows, reward)
    return chain.of_policy(model, pairs.uniform(model))


def at(state, size):
    start = np.zeros(size)
    start[state] = 1.0
    return start


def cycle(size, up=0.5):
    """A walk on a circle: one up with probability `up`, else one down."""
    return [{(i + 1) % size: up, (i - 1) % size: 1 - up} for i in range(size)]


@pytest.fixture(params=["small", "large"], autouse=True)
def way(request, monkeypatch):
    """Every answer by plain Python and by scipy."""
    if request.param == "large":
        monkeypatch.setattr(thresholds, "PLAIN_GRAPH", -1)


def test_the_book_under_the_fire_policy():
    """s0: a0, s1: a2, s2: a1; one class that never returns to a rhythm."""
    model = files.read(files.BOOK).model
    fire = np.array([1.0, 0, 0, 0, 1, 1])
    found = chain.of_policy(model, fire)
    assert found.first.tolist() == [0, 2, 3, 6] and found.next.tolist() == [0, 1, 2, 0, 1, 2]
    assert found.prob.tolist() == [0.7, 0.3, 1.0, 0.8, 0.1, 0.1]
    assert found.reward == pytest.approx([7, -50, 32])
    classes = chain.classes(found)
    assert classes.recurrent.tolist() == [True] and classes.period.tolist() == [1]


def test_pairs_with_the_same_successors_become_one_transition():
    model = files.read(files.BOOK).model
    found = chain.of_policy(model, pairs.uniform(model))
    assert found.next[: found.first[1]].tolist() == [0, 1]
    assert found.prob[: found.first[1]] == pytest.approx([2.5 / 3, 0.5 / 3])


def test_a_terminal_state_stays_and_is_a_class_of_its_own():
    found = chain_of([{0: 0.5, 1: 0.5}, None], reward=[3])
    assert found.next.tolist() == [0, 1, 1] and found.reward.tolist() == [3, 0]
    classes = chain.classes(found)
    assert classes.label.tolist() == [0, 1] and classes.recurrent.tolist() == [False, True]
    assert classes.period.tolist() == [1, 1]


@pytest.mark.parametrize(("size", "period"), [(3, 1), (4, 2), (5, 1), (12, 2)])
def test_a_walk_on_a_circle_has_period_2_where_it_is_even(size, period):
    classes = chain.classes(chain_of(cycle(size)))
    assert classes.count == 1 and classes.period.tolist() == [period]


def cycles(*sizes):
    """A start state that leads into one-way circles of these sizes."""
    rows, first = [{}], 1
    for size in sizes:
        rows[0][first] = 1 / len(sizes)
        rows += [{first + (i + 1) % size: 1.0} for i in range(size)]
        first += size
    return rows


@given(st.lists(st.integers(1, 6), min_size=1, max_size=4))
def test_classes_are_numbered_by_their_first_state(sizes):
    classes = chain.classes(chain_of(cycles(*sizes)))
    assert classes.period.tolist() == [0, *sizes]
    assert classes.recurrent.tolist() == [False] + [True] * len(sizes)
    assert classes.label.tolist() == [0] + [n for n, size in enumerate(sizes, start=1) for _ in range(size)]
    assert classes.members(1).tolist() == list(range(1, 1 + sizes[0]))


def test_the_period_is_the_common_divisor_of_all_circles():
    """Circles of 4 and 6 through state 0."""
    rows = [{1: 0.5, 4: 0.5}, {2: 1}, {3: 1}, {0: 1}, {5: 1}, {6: 1}, {7: 1}, {8: 1}, {0: 1}]
    assert chain.classes(chain_of(rows)).period.tolist() == [2]


def test_what_can_be_reached():
    found = chain_of([{1: 1}, {2: 1}, {1: 1}, {0: 1}, None])
    assert chain.reachable(found, at(0, 5)).tolist() == [True, True, True, False, False]
    assert chain.reachable(found, at(3, 5)).tolist() == [True, True, True, True, False]
    assert chain.reachable(found, at(4, 5)).tolist() == [False, False, False, False, True]


def test_n_steps_of_the_two_state_chain():
    """p(n) = pi + (1 - a - b)^n (p(0) - pi), where a and b are the chances to change."""
    a, b = 0.1, 0.5
    found, pi = chain_of([{0: 1 - a, 1: a}, {0: b, 1: 1 - b}]), np.array([b, a]) / (a + b)
    for steps in (0, 1, 2, 7, 50):
        expected = pi + (1 - a - b) ** steps * (at(0, 2) - pi)
        assert chain.after(found, at(0, 2), steps) == pytest.approx(expected, abs=1e-14)


def test_expected_returns_stop_at_the_end():
    """Ends with probability 1/2 after each step, which earns 2: 2 (1 + 1/2 + 1/4) in three steps."""
    found = chain_of([{0: 0.5, 1: 0.5}, None], reward=[2])
    expected = chain.within(found, at(0, 2), 3, 0.5)
    assert expected.total == 3.5 and expected.length == 1.75
    assert expected.discounted == 2 * (1 + 1 / 4 + 1 / 16)
    assert expected.visits.tolist() == [1.75, 0.875]
    nothing = chain.within(found, at(1, 2), 3)
    assert nothing.visits.tolist() == [0, 1] and nothing.length == nothing.total == 0


def test_the_books_expected_returns_near_those_measured():
    """science: 100 steps, 1,000 games: fire 121.1 ± 129, safe 22.3 ± 26, random -22.1 ± 88."""
    model = files.read(files.BOOK).model
    fire, safe = np.array([1.0, 0, 0, 0, 1, 1]), np.array([1.0, 0, 0, 1, 0, 1])
    for name, taken, mean, sd in (
        ("fire", fire, 121.1, 129),
        ("safe", safe, 22.3, 26),
        ("random", pairs.uniform(model), -22.1, 88),
    ):
        exact = chain.within(chain.of_policy(model, taken), at(0, 3), 100).total
        assert abs(exact - mean) < 3 * sd / 1000**0.5, name
