"""The best H steps, against the book's sweeps, fractions and hand-made answers."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rltrain.errors import InputError, OutOfMemoryError
from rltrain.mdp import files
from rltrain.mdp.model import Exact, Model, Numbered
from rltrain.mdp.solvers import horizon


@pytest.fixture(scope="module")
def book():
    return files.read(files.BOOK).model


def test_fifty_steps_are_the_books_fifty_sweeps(book):
    solved = horizon.solve(book, 0.95, 50)
    printed = [21.73304188, 20.63807938, 16.70138772, 0.95462106, 1.01361207, 53.70728682]
    assert solved.q[50] == pytest.approx(printed, abs=5e-9)


def test_two_steps_by_hand(book):
    """One step: 7, 0, 32. Two: 7 + .95 x .7 x 7 = 11.655; through the fire -50 + .95 x 32 = -19.6 < 0."""
    solved = horizon.solve(book, 0.95, 2)
    assert solved.value[1] == pytest.approx([7, 0, 32], abs=1e-13)
    assert solved.value[2] == pytest.approx([11.655, 0, 32 + 0.95 * (0.8 * 7 + 3.2)], abs=1e-13)
    assert solved.q[2][4] == pytest.approx(-19.6, abs=1e-13)


def test_discount_1_walks_through_the_fire_once_six_steps_are_left(book):
    """Five steps after the fire are worth 51.0672 > 50, four are worth 48.824 < 50."""
    solved = horizon.solve(book, 1.0, 10)
    assert solved.value[5][2] == pytest.approx(51.0672, abs=1e-12)
    assert solved.value[4][2] == pytest.approx(48.824, abs=1e-12)
    assert solved.changes() == [1, 6]
    assert [int(pair) for pair in solved.choice[5]] == [0, 3, 5]
    assert [int(pair) for pair in solved.choice[6]] == [0, 4, 5]


@st.composite
def models(draw):
    num = draw(st.integers(1, 4))
    first_pair, first_next, following, prob, reward = [0], [0], [], [], []
    for _ in range(num):
        for _ in range(draw(st.integers(0, 2))):
            to = draw(st.dictionaries(st.integers(0, num - 1), st.integers(1, 5), min_size=1))
            following += sorted(to)
            prob += [Fraction(to[n], sum(to.values())) for n in sorted(to)]
            first_next.append(len(following))
            reward.append(Fraction(draw(st.integers(-20, 20)), 7))
        first_pair.append(len(reward))
    action = [i - first_pair[s] for s in range(num) for i in range(first_pair[s], first_pair[s + 1])]
    return Model(
        states=Numbered(num),
        actions=Numbered(2),
        first_pair=np.array(first_pair),
        action=np.array(action, dtype=np.int32),
        first_next=np.array(first_next),
        next=np.array(following, dtype=np.int32),
        prob=np.array([float(p) for p in prob]),
        reward=np.array([float(r) for r in reward]),
        exact=Exact(tuple(prob), tuple(reward), None),
    )


@given(models(), st.integers(0, 12), st.sampled_from([Fraction(0), Fraction(1, 3), Fraction(19, 20), Fraction(1)]))
def test_every_stage_is_within_its_bound_of_fractions(model, steps, discount):
    value = [Fraction(0)] * model.num_states
    prob, reward = model.exact.prob, model.exact.reward
    for stage in horizon.stages(model, float(discount), steps):
        bound = Fraction(stage.bound)
        assert all(abs(Fraction(float(v)) - truth) <= bound for v, truth in zip(stage.value, value, strict=True))
        q = []
        for pair in range(model.num_pairs):
            span = range(*model.successors(pair).indices(model.num_next))
            q.append(reward[pair] + discount * sum(prob[i] * value[int(model.next[i])] for i in span))
        value = [max((q[i] for i in model.pairs(s)), default=Fraction(0)) for s in range(model.num_states)]


def test_no_step_is_worth_nothing_and_nonsense_is_refused(book):
    assert not horizon.solve(book, 0.95, 0).value.any()
    assert horizon.solve(book, 0.95, 0).changes() == []
    with pytest.raises(InputError):
        horizon.solve(book, 1.5, 3)
    with pytest.raises(OutOfMemoryError, match="shorter horizon"):
        horizon.solve(book, 0.95, 10**9)
