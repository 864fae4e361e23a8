"""Transitions that end an episode: against value iteration on the rows as they are, which counts nothing after them."""

from fractions import Fraction

import numpy as np
import pytest
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from rltrain.errors import InputError
from rltrain.mdp import build
from rltrain.mdp.exact.discounted import solve_exact
from rltrain.mdp.model import Numbered


def made(*rows, states=3, start=None, **more):
    """rows: (state, action, next, probability, reward, done)."""
    *columns, done = zip(*rows, strict=True)
    return build.from_transitions(Numbered(states), Numbered(3), *columns, done=done, start=start, **more)


def test_a_state_that_is_entered_both_ways_goes_on_and_done_leads_to_an_end_of_its_own():
    model = made((0, 0, 1, 1.0, 0.0, False), (0, 1, 1, 1.0, 5.0, True), (1, 0, 0, 1.0, 1.0, False))
    assert model.states == ("0", "1", "2", "end")
    assert model.next.tolist() == [1, 3, 0] and model.terminal.tolist() == [False, False, True, True]


def test_a_state_that_acts_goes_on_though_all_who_enter_it_are_done():
    model = made((0, 0, 1, 1.0, 5.0, True), (1, 0, 0, 1.0, 1.0, False), states=2)
    assert model.states == ("0", "1", "end") and model.next.tolist() == [2, 0]


@pytest.mark.parametrize("done", [True, False])
def test_a_state_that_only_stays_for_nothing_is_the_end(done):
    model = made((0, 0, 1, 1.0, 5.0, True), (1, 0, 1, 1.0, 0.0, done), (1, 1, 1, 1.0, 0.0, done), states=2)
    assert model.states == Numbered(2) and model.terminal.tolist() == [False, True] and model.num_pairs == 1


def test_a_start_is_never_an_end():
    assert made((0, 0, 1, 1.0, 1.0, True), states=2).num_states == 2
    model = made((0, 0, 1, 1.0, 1.0, True), states=2, start=[0.5, 0.5])
    assert model.states == ("0", "1", "end") and model.start.tolist() == [0.5, 0.5, 0]


def test_what_cannot_happen_ends_nothing():
    assert (
        made((0, 0, 1, 1.0, 1.0, False), (0, 0, 0, 0.0, 9.0, True), (1, 0, 0, 1.0, 1.0, False), states=2).num_states
        == 2
    )


def test_several_ways_to_the_end_are_one_with_the_mean_reward_exactly():
    half = Fraction(1, 2)
    rows = [
        (0, 0, 0, 0.25, 4.0, True),
        (0, 0, 1, 0.25, 0.0, True),
        (0, 0, 1, 0.5, 1.0, False),
        (1, 0, 0, 1.0, 1.0, True),
    ]
    written = build.Written(
        [half / 2, half / 2, half, Fraction(1)], [Fraction(4), Fraction(0), *[Fraction(1)] * 2], None
    )
    model = made(*rows, states=2, exact=written)
    assert model.next.tolist() == [1, 2, 2] and model.prob.tolist() == [0.5, 0.5, 1]
    assert model.next_reward.tolist() == [1, 2, 1] and model.exact.reward == (Fraction(3, 2), 1)


def test_an_end_is_called_so_unless_a_state_is():
    model = build.from_transitions(("end", "x"), ("a",), [0, 1], [0, 0], [1, 0], [1.0, 1.0], [1.0, 1.0], done=[1, 0])
    assert model.states == ("end", "x", "end 2")


def test_a_fault_is_where_the_row_was_written_though_others_were_merged():
    rows = [(0, 0, 0, 0.5, 0.0, True), (0, 0, 1, 0.5, 0.0, True), (1, 0, 0, 0.7, 0.0, False)]
    with pytest.raises(InputError, match=r"line 2: state '1', action '0': the one probability is 0\.7"):
        made(*rows, states=2, place=lambda row: f"line {row}")
    with pytest.raises(InputError, match="differ in length"):
        build.from_transitions(Numbered(2), Numbered(1), [0], [0], [1], [1.0], [0.0], done=[True, False])


@st.composite
def tables(draw):
    """{state: {action: [(weight, next, reward, done)]}} of up to 4 states."""
    size = draw(st.integers(1, 4))
    row = st.tuples(st.integers(1, 3), st.integers(0, size - 1), st.integers(-2, 2), st.booleans())
    return [draw(st.lists(st.lists(row, min_size=1, max_size=3), min_size=1, max_size=2)) for _ in range(size)]


@settings(max_examples=examples(400), derandomize=True, deadline=None, database=None)
@given(tables())
def test_the_model_of_a_table_is_worth_what_the_table_is(table):
    """Policy by policy would be long: V of the model must solve the table's own Bellman equation, in fractions."""
    from rltrain.mdp.done import Rows, groups, merged

    given = [
        (s, a, t, w / sum(x for x, *_ in rows), float(r), done)
        for s, of_state in enumerate(table)
        for a, rows in enumerate(of_state)
        for w, t, r, done in rows
    ]
    kinds = (np.int64, np.int64, np.int64, np.float64, np.float64, np.bool_)
    rows = Rows(*(np.array(column, dtype=kind) for column, kind in zip(zip(*given, strict=True), kinds, strict=True)))
    rows = merged(rows, groups(rows, len(table), 2))
    model = build.from_transitions(Numbered(len(table)), Numbered(2), *rows[:5], done=rows.done)
    value = solve_exact(model, Fraction(1, 2)).value[: len(table)]
    for s, of_state in enumerate(table):
        best = max(
            sum(Fraction(w, sum(x for x, *_ in rows)) * (r + (0 if done else value[t] / 2)) for w, t, r, done in rows)
            for rows in of_state
        )
        # a state of which `done` alone is said, and staying for nothing, is terminal: worth 0 either way
        assert abs(best - value[s]) < Fraction(1, 10**9)
