"""The best average reward, against stationary distributions by hand and every policy of small models."""

import itertools

import numpy as np
import pytest
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from rltrain.mdp import files, thresholds
from rltrain.mdp.graph import end_components
from rltrain.mdp.model import Model, Numbered
from rltrain.mdp.solvers import bellman
from rltrain.mdp.undiscounted import average, howard


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
        if period <= thresholds.DENSE_FOR_AVERAGE:
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
    size = thresholds.DENSE_FOR_AVERAGE + 1
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


@settings(max_examples=examples(400))
@given(models())
def test_no_policy_is_better_and_the_policy_is_as_good(model):
    solved = average.solve(model, 1e-7)
    assert solved.converged
    best = best_gain(model)
    assert np.abs(solved.gain - best).max() <= solved.bound + 1e-9
    assert (gain_of(model, solved.choice) >= best - 2 * solved.bound - 1e-9).all()


@st.composite
def communicating(draw):
    """A model whose action 2 leads round all states, and a policy of it."""
    num = draw(st.integers(1, 5))
    rows = {(state, 2): (draw(st.integers(-5, 5)), {(state + 1) % num: 1, state: 1}) for state in range(num)}
    for state in range(num):
        for action in range(draw(st.integers(0, 2))):
            to = draw(st.dictionaries(st.integers(0, num - 1), st.integers(1, 3), min_size=1, max_size=2))
            rows[state, action] = (draw(st.integers(-5, 5)), to)
    model = made(rows, num)
    return model, np.array([draw(st.sampled_from(list(model.pairs(state)))) for state in range(num)])


@settings(max_examples=examples(300))
@given(communicating())
def test_a_policy_with_several_ends_is_led_to_the_best_of_them(case):
    model, choice = case
    h, taken = howard.evaluated(model, choice)
    gain = gain_of(model, taken)
    assert gain == pytest.approx(np.full(len(gain), gain.max()), abs=1e-9)
    assert gain.max() >= gain_of(model, choice).max() - 1e-9
    own = bellman.backup(model, h, 1.0)[taken]
    assert own - h == pytest.approx(gain, abs=1e-9)


def queue(most):
    """A queue with three speeds of service: rows of {next: probability} and rewards, uniformised."""
    rows = {}
    for waiting in range(most + 1):
        for action, (speed, cost) in enumerate(((0.4, 0), (0.5, 1), (0.55, 3))):
            to = dict.fromkeys((min(waiting + 1, most), max(waiting - 1, 0), waiting), 0.0)
            to[min(waiting + 1, most)] += 0.45
            to[max(waiting - 1, 0)] += speed
            to[waiting] += 0.55 - speed
            rows[waiting, action] = (-0.01 * waiting - cost, {state: p for state, p in to.items() if p > 1e-12})
    return rows


def test_a_long_queue_takes_a_few_policies_rather_than_thousands_of_sweeps():
    most = 900
    solved = average.solve(made(queue(most), most + 1), 1e-6)
    assert solved.converged and solved.one_number
    assert solved.policies <= 12 and solved.sweeps <= 60
    prob, reward = np.zeros((3, most + 1, most + 1)), np.zeros((3, most + 1))
    for (state, action), (earned, to) in queue(most).items():
        reward[action, state] = earned
        prob[action, state, list(to)] = np.array(list(to.values())) / sum(to.values())
    choice, states = np.zeros(most + 1, int), np.arange(most + 1)
    while True:  # Howard 1960, with full matrices
        matrix = np.eye(most + 1) - prob[choice, states]
        matrix[:, 0] = 1
        found = np.linalg.solve(matrix, reward[choice, states])
        gain, h = found[0], np.concatenate(([0], found[1:]))
        q = reward + prob @ h
        better = q.max(axis=0) > q[choice, states] + 1e-9
        if not better.any():
            break
        choice = np.where(better, q.argmax(axis=0), choice)
    assert np.abs(solved.gain - gain).max() <= solved.bound + 1e-9


def test_a_ring_of_two_thousand_states_is_proven_at_once(tmp_path):
    size = 2001
    lines = ["state,action,next,probability,reward"]
    for state in range(size):
        ahead, back, earned = (state + 1) % size, (state - 1) % size, int(state == 0)
        for name, forward in (("slow", 0.5), ("fast", 0.6)):
            lines += [f"{state},{name},{ahead},{forward},{earned}", f"{state},{name},{back},{1 - forward:.1f},{earned}"]
    path = tmp_path / "ring.csv"
    path.write_text("\n".join(lines) + "\n")
    solved = average.solve(files.read(path).model, 1e-6)
    assert solved.converged and solved.sweeps <= 60
    assert solved.gain[0] == pytest.approx(0.00995074, abs=1e-8)


def test_what_cannot_be_factorised_is_left_to_sweeps(monkeypatch):
    monkeypatch.setattr(thresholds, "BAND_NUMBERS", 0)
    model = made({(s, 0): (s % 7, {(s + 1) % 800: 1, (s + 3) % 800: 1}) for s in range(800)}, 800)
    assert howard.evaluated(model, np.arange(800)) is None
    solved = average.solve(model, 1e-6, max_sweeps=100)
    assert solved.policies == 0 and abs(solved.gain[0] - np.mean([s % 7 for s in range(800)])) <= solved.bound


def test_a_long_walk_between_two_ends_has_no_end_component():
    """What leads out is peeled off from the ends inward, ten thousand times."""
    size = 20_000
    rows = {(s, 0): (0, {s - 1: 1, s + 1: 1}) for s in range(1, size - 1)}
    number, kept = end_components(made(rows, size), np.ones(size - 2, dtype=bool))
    assert (number == -1).all() and not kept.any()
