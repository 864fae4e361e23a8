"""The best average reward, against stationary distributions by hand and every policy of small models."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rltrain.mdp import average, files
from rltrain.mdp.model import Model, Numbered


def made(rows, num_states):
    """A model from {(state, action): (reward, {next: weight})}."""
    keys = sorted(rows)
    entries = [sorted(rows[key][1].items()) for key in keys]
    return Model(
        states=Numbered(num_states),
        actions=Numbered(3),
        first_pair=np.searchsorted([state for state, _ in keys], np.arange(num_states + 1)).astype(np.int64),
        action=np.array([action for _, action in keys], dtype=np.int32),
        first_next=np.cumsum([0] + [len(row) for row in entries]).astype(np.int64),
        next=np.array([n for row in entries for n, _ in row], dtype=np.int32),
        prob=np.array([w / sum(w for _, w in row) for row in entries for _, w in row]),
        reward=np.array([float(rows[key][0]) for key in keys]),
    )


def gain_of(model, choice):
    """The gain of a policy: limit of the lazy chain's powers, by squaring; terminal states stay and earn nothing."""
    chain = np.eye(model.num_states)
    reward = np.zeros(model.num_states)
    for state, pair in enumerate(choice):
        if pair >= 0:
            span = model.successors(int(pair))
            chain[state] = 0
            chain[state, model.next[span]] = model.prob[span]
            reward[state] = model.reward[pair]
    chain = (chain + np.eye(model.num_states)) / 2
    for _ in range(50):
        chain = chain @ chain
        chain /= chain.sum(axis=1, keepdims=True)
    return chain @ reward


def best_gain(model):
    options = [list(model.pairs(state)) or [-1] for state in range(model.num_states)]
    return np.max([gain_of(model, choice) for choice in itertools.product(*options)], axis=0)


def test_the_book_earns_170_in_137_steps():
    """Through the fire: the stationary shares are 80, 27 and 30 of 137, so the gain is (7 80 - 50 27 + 32 30) / 137."""
    model = files.read(files.BOOK).model
    solved = average.solve(model, 1e-9)
    assert solved.converged and solved.one_number and solved.bound <= 1e-9
    assert np.abs(solved.gain - 170 / 137).max() <= solved.bound
    assert solved.choice.tolist() == [0, 4, 5]
    q = model.reward + np.add.reduceat(model.prob * solved.relative[model.next], model.first_next[:-1])
    best = np.maximum.reduceat(q, model.first_pair[:-1])
    assert np.abs(best - solved.relative - solved.gain).max() <= solved.rest + solved.bound


def test_a_circle_of_any_period():
    for period in (1, 2, 3, 50, 1000):
        model = made({(s, 0): (s, {(s + 1) % period: 1}) for s in range(period)}, period)
        solved = average.solve(model, 1e-6, max_sweeps=3000)
        if period <= average.DENSE:
            assert solved.converged
        assert abs(solved.gain[0] - (period - 1) / 2) <= solved.bound


def test_several_ends_have_each_their_gain():
    """State 0 may go to 1 for ever, or to 1 or 2 by chance; 3 and 4 earn 2 together, and may leave for 0 at a price."""
    rows = {
        (0, 0): (0, {1: 1}),
        (0, 1): (0, {1: 1, 2: 1}),
        (1, 0): (1, {1: 1}),
        (2, 0): (5, {2: 1}),
        (3, 0): (1, {4: 1}),
        (4, 0): (3, {3: 1}),
        (4, 1): (-100, {0: 1}),
    }
    model = made(rows, 5)
    solved = average.solve(model, 1e-9)
    assert not solved.one_number and solved.components == 3
    assert solved.gain == pytest.approx([3, 1, 5, 3, 3], abs=solved.bound)
    assert gain_of(model, solved.choice) == pytest.approx([3, 1, 5, 3, 3], abs=1e-9)


def test_what_ends_earns_nothing_in_the_long_run():
    model = made({(0, 0): (9, {1: 1}), (2, 0): (-1, {2: 1}), (2, 1): (-5, {0: 1})}, 3)
    solved = average.solve(model)
    assert solved.gain.tolist() == [0, 0, 0] and solved.choice.tolist() == [0, -1, 2]


def test_what_is_not_proven_is_not_called_converged():
    size = average.DENSE + 1
    model = made({(s, 0): (s, {(s + 1) % size: 1}) for s in range(size)}, size)
    solved = average.solve(model, 1e-9, max_sweeps=5)
    assert not solved.converged and solved.bound > 1 and solved.sweeps == 5
    assert abs(solved.gain[0] - (size - 1) / 2) <= solved.bound


@st.composite
def models(draw):
    num = draw(st.integers(1, 4))
    rows = {}
    for state in range(num):
        for action in range(draw(st.integers(0 if num > 1 else 1, 3))):
            to = draw(st.dictionaries(st.integers(0, num - 1), st.integers(1, 3), min_size=1, max_size=2))
            rows[state, action] = (draw(st.integers(-5, 5)), to)
    if not rows:
        rows[0, 0] = (1, {0: 1})
    return made(rows, num)


@settings(max_examples=400)
@given(models())
def test_no_policy_is_better_and_the_policy_is_as_good(model):
    solved = average.solve(model, 1e-7)
    assert solved.converged
    best = best_gain(model)
    assert np.abs(solved.gain - best).max() <= solved.bound + 1e-9
    assert (gain_of(model, solved.choice) >= best - 2 * solved.bound - 1e-9).all()
