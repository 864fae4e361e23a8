"""Fractions: answers by hand, what the numbers are taken for, and where a sum without a discount does not exist."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from rltrain.errors import InputError, UncertifiedError
from rltrain.mdp import files, problems, thresholds
from rltrain.mdp.exact.discounted import evaluate_exact, rational, solve_exact
from rltrain.mdp.exact.linear import solve
from rltrain.mdp.exact.rational import Clock, read_numbers
from rltrain.mdp.graph import ordered_components
from rltrain.mdp.model import Model, Numbered
from rltrain.mdp.undiscounted import total_reward

ONE = Fraction(1)


def small(*pairs, reward=None, size=None) -> Model:
    """pairs: (state, {next: probability}, reward), ascending by state."""
    size = size or 1 + max(max(state, *after) for state, after, _ in pairs)
    owner = [state for state, _, _ in pairs]
    first_pair = np.searchsorted(owner, np.arange(size + 1))
    return Model(
        states=tuple(f"s{k}" for k in range(size)),
        actions=Numbered(4),
        first_pair=first_pair,
        action=np.array([k - first_pair[s] for k, s in enumerate(owner)], dtype=np.int32),
        first_next=np.cumsum([0] + [len(after) for _, after, _ in pairs]),
        next=np.array([s for _, after, _ in pairs for s in sorted(after)], dtype=np.int32),
        prob=np.array([after[s] for _, after, _ in pairs for s in sorted(after)]),
        reward=np.array([float(r) for *_, r in pairs]),
    )


def lake(**arguments) -> Model:
    from rltrain.envs import model_named

    return model_named("FrozenLake-v1", arguments)


def test_the_book():
    book = files.read(files.BOOK).model
    low = solve_exact(book, Fraction(9, 10))
    # s0 stays with .7: V = 7 + .9 (.7 V + .3 * 0), so V = 7 / .37
    assert low.value[:2] == (Fraction(700, 37), 0)
    assert [book.actions[int(book.action[i])] for i in low.choice] == ["a0", "a0", "a1"]
    high = solve_exact(book, Fraction(95, 100))
    assert [round(float(v), 8) for v in high.q] == [
        21.89925005, 20.80428755, 16.86759588, 1.12082922, 1.17982024, 53.87349498,
    ]  # fmt: skip
    assert [book.actions[int(book.action[i])] for i in high.choice] == ["a0", "a2", "a1"]
    assert high.optimal == ((0,), (4,), (5,)) and high.numbers == "as written"


@pytest.mark.parametrize(
    ("arguments", "value"),
    [({}, Fraction(14, 17)), ({"map_name": "8x8"}, ONE), ({"is_slippery": False}, ONE)],
)
def test_frozen_lakes_without_a_discount(arguments, value):
    model = lake(**arguments)
    truth = solve_exact(model, ONE)
    assert truth.value[0] == value
    assert evaluate_exact(model, truth.choice, ONE) == truth.value  # it arrives, though all ways are as good
    found = total_reward.solve(model)
    assert abs(Fraction(found.value[0]) - value) <= found.bound <= 1e-9 and found.converged
    assert evaluate_exact(model, found.choice, ONE) == truth.value


def test_the_cliff_and_the_taxi_without_a_discount():
    from rltrain.envs import model_named

    cliff = model_named("CliffWalking-v1", {})
    assert solve_exact(cliff, ONE).value[36] == -13
    assert abs(total_reward.solve(cliff).value[36] + 13) < 1e-9
    taxi = model_named("Taxi-v4", {})
    truth = solve_exact(taxi, ONE)
    assert abs(float(sum(truth.value[s] for s in np.flatnonzero(taxi.start)) / 300) - 7.93) < 0.005


def test_every_tie_is_listed():
    model = small((0, {1: 1.0}, 2), (0, {1: 1.0}, 1), (0, {2: 1.0}, 0), (2, {1: 1.0}, 4), size=3)
    truth = solve_exact(model, Fraction(1, 2))
    assert truth.value == (2, 0, 4) and truth.optimal == ((0, 2), (), (3,)) and truth.choice.tolist() == [0, -1, 3]


@pytest.mark.parametrize(
    ("pairs", "says"),
    [
        ([(0, {0: 1.0}, 1), (0, {1: 1.0}, 0)], "a circle through state 's0' earns for ever"),
        ([(0, {0: 1.0}, -1)], "no policy surely ends from state 's0'"),
        ([(0, {1: 1.0}, 1), (1, {0: 1.0}, -1)], "no policy surely ends from state 's0'"),
        ([(0, {0: 0.5, 1: 0.5}, 0), (1, {1: 1.0}, -1)], "no policy surely ends from state 's0'"),
    ],
)
def test_a_sum_that_does_not_exist_is_refused(pairs, says):
    with pytest.raises(InputError, match=says):
        solve_exact(small(*pairs, size=3), ONE)
    with pytest.raises(InputError, match=says):
        total_reward.solve(small(*pairs, size=3))


def test_circles_of_zeros_are_kept_where_leaving_costs_and_left_where_it_pays():
    circle = [(0, {1: 1.0}, 0), (1, {0: 1.0}, 0)]
    for gain, value in ((-1, 0), (1, 1), (0, 0)):
        model = small(*circle, (1, {2: 1.0}, gain))
        truth = solve_exact(model, ONE)
        assert truth.value == (value, value, 0)
        assert truth.choice.tolist() == [0, 1 if gain < 0 else 2, -1]
        assert total_reward.solve(model).value.tolist() == [value, value, 0]


def test_a_policy_that_never_ends():
    model = small((0, {0: 1.0}, -1), (0, {1: 1.0}, -5))
    assert evaluate_exact(model, [1, -1], ONE) == (-5, 0)
    assert evaluate_exact(model, [0, -1], ONE) == (float("-inf"), 0)
    for reward in (1, 0.5):
        earning = small((0, {0: 1.0}, reward), (0, {1: 1.0}, -5))
        with pytest.raises(InputError, match="the policy never ends from state 's0'"):
            evaluate_exact(earning, [0, -1], ONE)
    half = {0: Fraction(1, 2), 1: Fraction(1, 2)}
    assert evaluate_exact(model, {0: half}, ONE) == (-6, 0)  # V = -3 + V / 2
    with pytest.raises(InputError, match="state s0: the policy has pairs"):
        evaluate_exact(model, [7, -1], ONE)


def test_what_numbers_are_taken_for():
    thirds = small((0, {0: 1 / 3, 1: 1 / 3, 2: 1 / 3}, 0.1), (1, {0: 0.7, 1: 0.3}, 1 / 3))
    exact, reading = read_numbers(thirds)
    assert exact.prob == (*[Fraction(1, 3)] * 3, Fraction(7, 10), Fraction(3, 10))
    assert exact.reward == (Fraction(1, 10), Fraction(1, 3)) and reading == "simple fractions"
    assert read_numbers(small((0, {0: 0.1, 1: 0.9}, 0)))[1] == "decimals"
    odd = np.random.default_rng(0).dirichlet([1, 1, 1])
    exact, reading = read_numbers(small((0, dict(enumerate(odd)), 0)))
    assert sum(exact.prob) == 1 and reading == "binary values"
    written = replace(thirds, exact=replace(rational(thirds), prob=(*[Fraction("0.3333333333")] * 3, *[ONE / 2] * 2)))
    assert rational(written).prob[:3] == (Fraction(1, 3),) * 3  # what sums to nearly 1 is mended


def test_equations_that_depend_on_each_other_in_blocks():
    half = Fraction(1, 2)
    rows = [{1: half}, {0: half}, {0: half, 2: half}]
    assert [sorted(block) for block in ordered_components(rows)] == [[0, 1], [2]]
    # x0 = 1 + x1/2, x1 = x0/2: x0 = 4/3; x2 = 1 + x0/2 + x2/2 = 2 (1 + 2/3)
    assert solve(rows, [ONE, Fraction(0), ONE], Clock(None)) == [Fraction(4, 3), Fraction(2, 3), Fraction(10, 3)]


def test_python_flint_and_our_own_elimination_give_the_same_fractions(monkeypatch):
    pytest.importorskip("flint", reason="python-flint is not installed: only our own elimination is there")
    model = problems.garnet(24, actions=2, branching=4, seed=5)
    found = {}
    for way, sizes in (("flint", range(2, 100)), ("own", range(0))):
        monkeypatch.setattr(thresholds, "EXACT_BY_FLINT", sizes)
        solved = solve_exact(model, Fraction(9, 10))
        found[way] = solved.value, solved.q, evaluate_exact(model, solved.choice, Fraction(1, 3))
    assert found["flint"] == found["own"]


def test_the_equations_of_many_states_by_python_flint_leave_nothing(monkeypatch):
    pytest.importorskip("flint", reason="python-flint is not installed: fractions of 200 states take minutes without")
    chance = np.random.default_rng(0)
    rows = [
        {int(j): Fraction(int(chance.integers(1, 120)), 1000) for j in chance.permutation(200)[:8]} for _ in range(200)
    ]
    constant = [Fraction(k % 7 - 3, 4) for k in range(200)]
    x = solve(rows, constant, Clock(60.0))
    assert all(x[i] == c + sum(a * x[j] for j, a in rows[i].items()) for i, c in enumerate(constant))


def test_limits_are_said():
    with pytest.raises(UncertifiedError, match="not found within 0 s"):
        solve_exact(lake(), Fraction(99, 100), max_seconds=0)
    with pytest.raises(InputError, match=r"discount: 3/2 is not in \[0, 1\]"):
        solve_exact(lake(), Fraction(3, 2))


def test_a_time_limit_without_a_discount():
    with pytest.raises(UncertifiedError, match="no proven answer within the time"):
        total_reward.solve(lake(), max_seconds=0)
