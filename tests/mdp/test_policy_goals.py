"""Policies by the average reward and by H steps: against the chain's powers, sums by hand, and fractions."""

from fractions import Fraction

import numpy as np
import pytest
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from rltrain.mdp import files, losses, pairs
from rltrain.mdp.exact import average, horizon
from rltrain.mdp.model import Model, Numbered
from rltrain.mdp.undiscounted.average import exactly

BOOK = files.read(files.BOOK).model


@st.composite
def models_and_policies(draw):
    """A model, and a policy of it with shares in tenths; it may have terminal states and several closed classes."""
    num = draw(st.integers(1, 4))
    rows = [
        (state, action, draw(st.integers(-5, 5)), draw(st.sets(st.integers(0, num - 1), min_size=1, max_size=2)))
        for state in range(num)
        for action in range(draw(st.integers(0 if num > 1 else 1, 2)))
    ] or [(0, 0, 1, {0})]
    model = Model(
        states=Numbered(num),
        actions=Numbered(2),
        first_pair=np.searchsorted([row[0] for row in rows], np.arange(num + 1)).astype(np.int64),
        action=np.array([row[1] for row in rows], dtype=np.int32),
        first_next=np.cumsum([0] + [len(row[3]) for row in rows]).astype(np.int64),
        next=np.array([state for row in rows for state in sorted(row[3])], dtype=np.int32),
        prob=np.array([1 / len(row[3]) for row in rows for _ in row[3]]),
        reward=np.array([float(row[2]) for row in rows]),
    )
    taken = np.ones(model.num_pairs)
    for state in range(num):
        pairs = list(model.pairs(state))
        if len(pairs) == 2:
            taken[pairs] = np.array([1.0, 9.0] if draw(st.booleans()) else [10.0, 0.0]) / 10
    return model, taken


def matrices(model, taken):
    """P [S, S] and r [S] of the policy; a terminal state stays and earns nothing."""
    prob = np.diag(model.terminal.astype(float))
    reward = np.zeros(model.num_states)
    for pair, share in enumerate(taken):
        state, span = model.pair_state[pair], model.successors(pair)
        prob[state, model.next[span]] += share * model.prob[span]
        reward[state] += share * model.reward[pair]
    return prob, reward


def shares(model, taken):
    return [
        {pair: Fraction(round(10 * taken[pair]), 10) for pair in model.pairs(state) if taken[pair] > 0}
        for state in range(model.num_states)
    ]


@settings(max_examples=examples(150), deadline=None)
@given(models_and_policies())
def test_the_average_of_a_policy_is_the_long_run_of_its_chain(case):
    model, taken = case
    found = losses.by_average(model, taken, 1e-7)
    chain, reward = matrices(model, taken)
    lazy = (chain + np.eye(model.num_states)) / 2
    for _ in range(50):
        lazy = lazy @ lazy
        lazy /= lazy.sum(axis=1, keepdims=True)
    assert found.bound <= 1e-7
    assert np.abs(found.value - lazy @ reward).max() <= found.bound + 1e-9
    assert (found.loss >= -found.bound).all()
    exact = average.evaluate(model, shares(model, taken))
    assert np.abs(found.value - [float(g) for g in exact]).max() <= found.bound
    best = exactly(model)
    assert np.abs(found.best - [float(g) for g in best.gain]).max() <= found.bound
    own = [{pair: Fraction(1)} if pair >= 0 else {} for pair in best.choice.tolist()]
    assert average.evaluate(model, own) == best.gain
    if found.wrong is not None:  # an action that leads to less gain than the best does
        assert found.loss[found.wrong.state] > 0


@settings(max_examples=examples(100), deadline=None)
@given(models_and_policies(), st.integers(0, 6), st.sampled_from([Fraction(0), Fraction(1, 2), Fraction(1)]))
def test_h_steps_of_a_policy_are_h_products(case, steps, discount):
    model, taken = case
    found = losses.by_horizon(model, taken, float(discount), steps)
    chain, reward = matrices(model, taken)
    value = np.zeros(model.num_states)
    for _ in range(steps):
        value = reward + float(discount) * chain @ value
    assert np.abs(found.value - value).max() <= found.bound + 1e-12
    own = horizon.values(model, shares(model, taken), discount, steps)
    best = horizon.values(model, None, discount, steps)
    assert np.abs(found.value - [float(v) for v in own]).max() <= found.bound
    assert np.abs(found.best - [float(v) for v in best]).max() <= found.bound
    assert (found.loss >= -found.bound).all()
    assert losses.by_horizon(model, None, float(discount), steps).value == pytest.approx(found.best)


def test_the_book_in_fractions():
    """Through the fire, the shares of time are 80, 27 and 30 of 137."""
    solved = exactly(BOOK)
    assert set(solved.gain) == {Fraction(170, 137)} and solved.choice.tolist() == [0, 4, 5]
    random = losses.by_average(BOOK, pairs.uniform(BOOK))
    assert random.value == pytest.approx([-9 / 38] * 3, abs=1e-9)


def test_the_first_wrong_action_is_the_one_with_most_steps_to_go():
    always = pairs.of_choice(BOOK, np.array([0, 4, 5]))  # through the fire: best only with many steps left
    found = losses.by_horizon(BOOK, always, 0.95, 3)
    assert found.wrong is not None and (found.wrong.state, found.wrong.to_go) == (1, 3)
    assert found.wrong.better == 3 and found.wrong.loss > 0


def test_hillier_and_liebermans_machine_costs_5000_thirds_a_step(tmp_path):
    path = tmp_path / "machine.yaml"
    path.write_text(
        "states:\n"
        "  '0': {nothing: {'1': 7/8, '2': 1/16, '3': 1/16}}\n"
        "  '1': {nothing: {'1': 3/4, '2': 1/8, '3': 1/8, reward: -1000}, replace: 0 reward -6000}\n"
        "  '2': {nothing: {'2': 1/2, '3': 1/2, reward: -3000}, overhaul: 1 reward -4000, replace: 0 reward -6000}\n"
        "  '3': {replace: 0 reward -6000}\n"
    )
    solved = exactly(files.read(path).model)
    assert set(solved.gain) == {Fraction(-5000, 3)} and solved.relative is not None
