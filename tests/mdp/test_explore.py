"""A model from a Python function: what is found and in which order, known answers, every slip one clear error."""

import itertools
import re
from contextlib import nullcontext
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pytest

import rltrain
from rltrain.errors import InputError
from rltrain.mdp import explore as module
from rltrain.mdp import files
from rltrain.mdp.explore import explore
from rltrain.mdp.model import Numbered


def gambler(capital):
    """Sutton and Barto 2018, example 4.3: stakes on heads, which come with probability 0.4."""
    return {
        stake: [(0.4, capital + stake, float(capital + stake == 100)), (0.6, capital - stake, 0.0)]
        for stake in range(1, min(capital, 100 - capital) + 1)
    }


def walk(length):
    """A walk to the right in steps of 1, which slips half the time."""

    def step(place):
        return {} if place == length else {"go": [(0.5, place + 1, -1.0), (0.5, place, -1.0)]}

    return step


ROOM = 3  # of each store


def stores(state):
    """Two stores, of which one may send a unit to the other before each sells one with probability 1/2."""
    north, south = state
    moves = {"stay": (north, south), "south": (north - 1, south + 1), "north": (north + 1, south - 1)}
    found = {}
    for action, (n, s) in moves.items():
        if not (0 <= n <= ROOM and 0 <= s <= ROOM):
            continue
        found[action] = []
        for sold_n, sold_s in itertools.product((0, 1), (0, 1)):
            after = (min(n - min(n, sold_n) + 1, ROOM), max(s - sold_s, 0))  # the north gets a new unit each day
            found[action].append((0.25, after, 5.0 * min(n, sold_n) + 7.0 * min(s, sold_s) - (action != "stay")))
    return found


def iterated(step, first, discount, sweeps):
    """Value iteration over dicts: nothing of rltrain."""
    value = {first: 0.0}
    for _ in range(sweeps):
        after = {}
        for state in list(value):
            returns = [
                sum(p * (r + discount * value.setdefault(n, 0.0)) for p, n, r in o) for o in step(state).values()
            ]
            after[state] = max(returns, default=0.0)
        value |= after
    return value


# What is found


def test_the_gamblers_problem_has_the_known_answer():
    model = rltrain.model(gambler, 50)
    assert model.num_states == 101 and model.num_pairs == sum(min(c, 100 - c) for c in range(101))
    found = rltrain.solve(model, discount=1)
    assert [found.value[capital] for capital in (0, 25, 50, 75, 100)] == pytest.approx([0, 0.16, 0.4, 0.64, 0])
    assert found.policy[50] == 50 and found.policy[0] is None and found.q[50][50] == pytest.approx(0.4)
    assert "50: 50 0.4" in repr(found)
    assert rltrain.solve(model, discount=1, exact=True).value[75] == Fraction(16, 25)


def test_two_stores_are_worth_what_value_iteration_over_dicts_says():
    model = rltrain.model(stores, (0, 0), discount="19/20")
    found = rltrain.solve(model)
    truth = iterated(stores, (0, 0), 0.95, 600)
    assert set(found.value) == set(truth) and found.value == pytest.approx(truth, abs=1e-5)
    assert model.discount == 0.95 and found.policy[(3, 0)] == "south"


def test_states_are_numbered_breadth_first_and_twice_the_same():
    step = {"a": "cb", "b": "d", "c": "eb", "d": "", "e": ""}.get

    def rows(state):
        return {n: [(1, n, 0)] for n in step(state)}

    model = explore(rows, "a")
    assert model.states == ("a", "c", "b", "e", "d") and model.objects.states == model.states
    assert model.actions == ("c", "b", "e", "d")
    again = explore(rows, "a")
    for name in ("first_pair", "action", "first_next", "next", "prob", "reward", "start"):
        assert getattr(model, name).tobytes() == getattr(again, name).tobytes()


def test_several_first_states_have_their_probabilities():
    model = explore(walk(5), {3: 0.25, 1: 0.75})
    assert model.start.tolist() == [0.25, 0.75, 0, 0, 0] and model.objects.states == (3, 1, 4, 2, 5)
    assert explore(walk(5), 3).start.tolist() == [1, 0, 0]


def test_each_state_is_asked_once_and_what_cannot_happen_is_not_visited():
    asked = []

    def step(state):
        asked.append(state)
        return {} if state == 2 else {"go": ((p, s, r) for p, s, r in [(1.0, state + 1, 0.0), (0.0, -7, float("nan"))])}

    assert explore(step, 0).num_states == 3
    assert asked == [0, 1, 2]


def test_outcomes_that_lead_to_one_state_are_one_without_a_word():
    said = []
    model = explore(lambda s: {0: [(0.25, 1, 4.0), (0.5, 0, 0.0), (0.25, 1, 8.0)]} if s == 0 else {}, 0, warnings=said)
    assert model.prob.tolist() == [0.5, 0.5] and model.next_reward.tolist() == [0.0, 6.0] and said == []


def test_what_rounding_explains_is_mended_and_said():
    with pytest.warns(UserWarning, match="did not sum to 1 exactly"):
        model = rltrain.model(lambda s: {0: [(0.333333, 0, 1), (0.666666, 1, 0)]} if s == 0 else {}, 0)
    assert model.prob.sum() == pytest.approx(1, abs=1e-15)
    assert explore(lambda s: {0: [(1.0, 1, 0), (1 - 0.9 - 0.1, 2, 0)]} if s == 0 else {}, 0).num_next == 1


def test_equal_states_are_one_and_unequal_ones_of_one_text_have_names_of_their_own():
    after = {"1": 1, 1: True}  # 1 and True are one, which stays where it is
    model = explore(lambda s: {"go": [(1, after[s], 0)]}, "1")
    assert model.states == ("'1'", "1") and model.next.tolist() == [1, 1]
    assert rltrain.solve(model, discount=0.5).value == {"1": 0.0, 1: 0.0}


@dataclass(frozen=True)
class Place:
    row: int


class Nameless:
    def __init__(self, number):
        self.number = number

    def __eq__(self, other):
        return self.number == other.number

    def __hash__(self):
        return hash(self.number)


def test_a_state_is_anything_that_is_a_key():
    model = explore(lambda p: {"up": [(1.0, Place(p.row - 1), np.float32(2))]} if p.row else {}, Place(2))
    assert model.states == ("Place(row=2)", "Place(row=1)", "Place(row=0)")
    assert rltrain.solve(model, discount=1).value[Place(2)] == 4
    nameless = explore(lambda s: {0: [(1, Nameless(s.number - 1), 1)]} if s.number else {}, Nameless(3))
    assert nameless.states == Numbered(4)  # their texts are addresses
    assert rltrain.solve(nameless, discount=1).value[Nameless(3)] == 3


def test_many_states_have_numbers_unless_names_are_asked_for(monkeypatch):
    monkeypatch.setattr(module, "NAMED", 3)
    assert explore(walk(3), 0).states == Numbered(4)
    assert explore(walk(2), 5 - 5).states == Numbered(3)  # 0, 1, 2 are numbers themselves
    assert explore(walk(4), 1, names=True).states == ("1", "2", "3", "4")
    assert explore(walk(4), 3, names=False).states == Numbered(2)


def test_a_model_is_saved_read_and_solved_alike(tmp_path):
    model = rltrain.model(stores, (0, 0), discount=0.9, name="stores")
    for suffix in (".npz", ".yaml", ".csv"):
        path = tmp_path / f"stores{suffix}"
        rltrain.save_model(model, path)
        found = rltrain.solve(path, discount=0.9)
        assert found.value["(0, 0)"] == rltrain.solve(model).value[(0, 0)]
        with pytest.raises(InputError, match="exists"):
            rltrain.save_model(model, path)
        rltrain.save_model(model, path, overwrite=True)
    assert files.read(tmp_path / "stores.yaml").model.discount == 0.9


class Listener:
    """A `Progress` that keeps what it hears."""

    def __init__(self):
        self.heard = []

    def phase(self, what, about=""):
        return nullcontext()

    def at(self, done, total, spent=float("nan"), unit=""):
        self.heard.append((done, total, unit))


def test_how_far_it_is_is_told_live():
    listener = Listener()
    rltrain.model(walk(20_000), 0, progress=listener)
    assert listener.heard == [(0, 1, "states"), (8192, 8193, "states"), (16384, 16385, "states")]


# What is wrong


def row(outcomes):
    return lambda s: {"go": outcomes} if s == 0 else {}


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (row([(0.5, 1, 0.0), (0.4, 2, 0.0)]), "step(0): state '0', action 'go': the 2 probabilities sum to 0.9;"),
        (row([(1.5, 1, 0.0), (-0.5, 2, 0.0)]), "step(0): state '0', action 'go', next '1': the probability 1.5 is not"),
        (row([(float("nan"), 1, 0.0)]), "next '1': the probability nan is not a number from 0 to 1"),
        (row([(1.0, 1, float("nan"))]), "next '1': the reward nan is not a finite number"),
        (row([(1.0, 1, float("-inf"))]), "next '1': the reward -inf is not a finite number"),
        (row([(1.0, [1], 0.0)]), "step(0), action 'go': outcome (1.0, [1], 0.0): the next state [1] is no key"),
        (row([("1", 1, 0.0)]), "outcome ('1', 1, 0.0): the probability '1' is no number"),
        (row([(1, 1, None)]), "outcome (1, 1, None): the reward None is no number"),
        (
            row([(1.0, 1, 0.0, True)]),
            "expected a list of (probability, next_state, reward), and one of them is (1.0, 1,",
        ),
        (row((1.0, 1, 0.0)), "expected a list of (probability, next_state, reward), and one of them is 1.0"),
        (row(1), "step(0), action 'go': expected a list of (probability, next_state, reward), got 1"),
        (row([]), "step(0), action 'go': nothing can happen after it; leave an action out that is impossible"),
        (row(x for x in ()), "step(0), action 'go': nothing can happen after it"),
        (row([(0, 1, 0)]), "step(0), action 'go': nothing can happen after it"),
        (row((1 / 0, 1, 0) for _ in "a"), "step(0), action 'go': ZeroDivisionError: division by zero (test_explore.py"),
        (
            lambda s: None,
            "step(0) returned None; expected {action: [(probability, next_state, reward), ...]}, and {} for",
        ),
        (lambda s: [(1.0, 1, 0.0)], "step(0) returned [(1.0, 1, 0.0)]; expected {action: "),
        (lambda s: {}, "step(0) returned {}: no state has an action"),
        (lambda s: {"go": [(1.0, {}[s], 0.0)]}, "step(0): KeyError: 0 (test_explore.py, line"),
    ],
)
def test_a_slip_is_one_error_with_its_state_and_action(step, message):
    with pytest.raises(InputError, match=re.escape(message)):
        rltrain.model(step, 0)


def test_what_the_function_raised_is_kept_for_who_looks():
    with pytest.raises(InputError) as caught:
        rltrain.model(lambda s: {"go": [(1.0, {}[s], 0.0)]}, ("a", 1))
    assert isinstance(caught.value.__cause__, KeyError) and str(caught.value).startswith("step(('a', 1)): KeyError")


@pytest.mark.parametrize(
    ("initial", "message"),
    [
        ([0], "initial: [0] is no key of a dict"),
        ({}, "initial: {} has no state"),
        ({0: 0.5, 1: 0.4}, "start: the 2 probabilities sum to 0.9"),
        ({0: "half"}, "initial: could not convert string to float: 'half'"),
        ({0: -1.0, 1: 2.0}, "start: state '0': the probability -1 must be"),
    ],
)
def test_a_first_state_that_is_none_is_refused(initial, message):
    with pytest.raises(InputError, match=re.escape(message)):
        rltrain.model(walk(3), initial)


def test_states_without_end_meet_the_limit_which_says_what_was_found():
    message = "more than 50 states can be reached from 7: 49 were explored, and the newest found is 57; if they have an"
    with pytest.raises(InputError, match=re.escape(message) + ".*most=500"):
        rltrain.model(lambda s: {"go": [(1.0, s + 1, 0.0)]}, 7, most=50)
    with pytest.raises(InputError, match="0 were explored"):
        rltrain.model(lambda s: {"go": ((0.1, n, 0.0) for n in itertools.count())}, 0)  # in one state
    assert rltrain.model(walk(49), 0, most=50).num_states == 50
    with pytest.raises(InputError, match="most: expected a whole number of at least 1"):
        rltrain.model(walk(3), 0, most=0)


def test_a_slip_is_found_long_before_all_states_are():
    asked = []

    def step(state):
        asked.append(state)
        return {"go": [(0.5 if state == 7 else 1.0, state + 1, 0.0)]}

    with pytest.raises(InputError, match=re.escape("step(7): state '7', action 'go': the one probability is 0.5")):
        rltrain.model(step, 0)
    assert len(asked) == module.LOOK_EVERY


def test_ctrl_c_goes_through():
    def step(state):
        if state == 3:
            raise KeyboardInterrupt
        return {"go": [(1.0, state + 1, 0.0)]}

    with pytest.raises(KeyboardInterrupt):
        rltrain.model(step, 0)


def test_the_text_of_a_state_that_cannot_be_told_hides_no_error():
    class Mute(Nameless):
        def __repr__(self):
            raise RuntimeError

    with pytest.raises(InputError, match=r"step\(a Mute\) returned None"):
        rltrain.model(lambda s: None, Mute(1))
    assert explore(lambda s: {"go": [(1, s, 0)]}, Mute(1)).states == Numbered(1)
