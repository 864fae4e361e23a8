"""Rows become a model: sorted, merged with nothing, checked, and every fault named."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rltrain.errors import InputError
from rltrain.mdp import build, checks, fates, graph, thresholds
from rltrain.mdp.model import Numbered
from rltrain.mdp.undiscounted import total_reward

ROWS = [  # s a next prob reward
    (1, 1, 0, 1.0, 5.0),
    (0, 0, 1, 0.3, 0.0),
    (0, 0, 0, 0.7, 10.0),
    (0, 2, 2, 1.0, -1.0),
]


def made(rows=ROWS, **more):
    return build.from_transitions(("x", "y", "end"), ("a", "b", "c"), *zip(*rows, strict=True), **more)


def test_rows_are_sorted_into_pairs():
    model = made()
    assert model.first_pair.tolist() == [0, 2, 3, 3]
    assert model.action.tolist() == [0, 2, 1]
    assert model.first_next.tolist() == [0, 2, 3, 4]
    assert model.next.tolist() == [0, 1, 2, 0]
    assert model.prob.tolist() == [0.7, 0.3, 1.0, 1.0]
    assert model.reward.tolist() == [7.0, -1.0, 5.0]
    assert model.next_reward.tolist() == [10.0, 0.0, -1.0, 5.0]
    assert model.terminal.tolist() == [False, False, True]


def test_rewards_that_are_the_same_for_all_successors_take_no_room():
    model = made([(0, 0, 0, 0.7, 0.1), (0, 0, 1, 0.3, 0.1), (1, 0, 2, 1.0, 3.0)])
    assert model.next_reward is None and model.reward.tolist() == [0.1, 3.0]


@given(st.permutations(range(len(ROWS))))
def test_the_order_of_rows_changes_nothing(order):
    one, other = made(), made([ROWS[number] for number in order])
    assert (one.next == other.next).all() and (one.prob == other.prob).all() and (one.reward == other.reward).all()


def test_rows_of_probability_zero_are_dropped_with_their_rewards():
    model = made([(0, 0, 0, 1.0, 2.0), (0, 0, 1, 0.0, np.nan), (0, 1, 0, 0.0, 9.0), (0, 1, 2, 1.0, 1.0)])
    assert model.next.tolist() == [0, 2] and model.reward.tolist() == [2.0, 1.0] and model.next_reward is None


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ((0, 1, 1, 0.9, 0.0), "state 'x', action 'b': the one probability is 0.9; they must sum to 1 within 1e-09"),
        ((0, 1, 1, -0.5, 0.0), "state 'x', action 'b', next 'y': the probability -0.5 is not a number from 0 to 1"),
        ((0, 1, 1, np.nan, 0.0), "the probability nan is not a number from 0 to 1"),
        ((0, 1, 1, np.inf, 0.0), "the probability inf is not a number from 0 to 1"),
        ((0, 1, 1, 1.0, np.nan), "state 'x', action 'b', next 'y': the reward nan is not a finite number"),
        ((0, 1, 1, 1.0, -np.inf), "the reward -inf is not a finite number"),
        ((0, 1, 1, 1.0, 1e151), "the reward 1e+151 is beyond 1e+150"),
        ((0, 1, 3, 1.0, 0.0), "next number 3; expected 0 to 2"),
        ((-1, 1, 0, 1.0, 0.0), "state number -1; expected 0 to 2"),
        ((2, 0, 0, 0.0, 0.0), "state 'end', action 'a': the one probability is 0"),
    ],
)
def test_a_fault_names_place_state_and_action(row, said):
    with pytest.raises(InputError) as caught:
        made([*ROWS, row], place=lambda number: f"file:{number + 1}")
    assert str(caught.value).startswith("file:5: ") and said in str(caught.value)


def test_five_faults_are_shown_and_the_rest_is_counted():
    rows = [(state, 0, state, 0.5, 0.0) for state in range(20)]
    with pytest.raises(InputError) as caught:
        build.from_transitions(Numbered(20), ("a",), *zip(*rows, strict=True))
    lines = str(caught.value).splitlines()
    assert len(lines) == 6 and lines[-1] == "and 15 more"


def test_terminal_states_are_those_that_are_declared():
    made(terminal=[False, False, True])
    with pytest.raises(InputError, match="state 'end': has no action and is not declared terminal"):
        made(terminal=[False, False, False])
    with pytest.raises(InputError, match="state 'x': is declared terminal and has actions"):
        made(terminal=[True, False, True])


def test_a_row_within_the_tolerance_is_divided_by_its_sum_and_that_is_said():
    warnings = []
    model = made([(0, 0, 0, 0.5, 1.0), (0, 0, 1, 0.5 + 1e-9, 0.0), (1, 0, 2, 1.0, 0.0)], warnings=warnings)
    assert abs(model.prob[:2].sum() - 1) < 1e-15
    assert model.reward[0] == model.prob[0]
    assert len(warnings) == 1 and "state 'x', action 'a', 1.000000001" in warnings[0]
    with pytest.raises(InputError, match=r"sum to 1\.000000003; they must sum to 1 within 2e-09"):
        made([(0, 0, 0, 0.5, 1.0), (0, 0, 1, 0.5 + 3e-9, 0.0)])


def test_a_sum_may_be_off_by_what_the_digits_of_its_numbers_leave_open():
    third = np.float32(1 / 3)
    for row in ([0.333333, 0.333333, 0.333333], [third] * 3, [0.33333] * 3, [0.1234567, 0.8765434], [1.000001]):
        rows = [(0, 0, n, float(p), 1.0) for n, p in enumerate(row)]
        warnings = []
        assert abs(made(rows, warnings=warnings).prob.sum() - 1) < 1e-15 and "divided by the sum" in warnings[0]
        with pytest.raises(InputError, match="must sum to 1 within"):
            made(rows, strict=True)
    for row in (
        [0.333] * 3,
        [0.5, 0.4],
        [0.33333, 0.33333, 0.3333],
        [0.1234567891, 0.876544],
        [third, 1 / 3, 1 / 3 + 1e-7],
    ):
        with pytest.raises(InputError, match="must sum to 1 within"):
            made([(0, 0, n, float(p), 1.0) for n, p in enumerate(row)])


def test_what_rounding_left_below_0_is_0():
    warnings = []
    model = made([(0, 0, 0, 1.0, 2.0), (0, 0, 1, -1e-17, 0.0), (1, 0, 2, 1.0, 0.0)], warnings=warnings)
    assert model.next.tolist() == [0, 2] and model.reward.tolist() == [2.0, 0.0]
    assert warnings == ["1 negative probability of at most 1e-09, such as -1e-17, taken as 0"]
    written = build.Written([Fraction(1), Fraction("-1e-17")], [Fraction(2), Fraction(0)], None)
    assert made([(0, 0, 0, 1.0, 2.0), (0, 0, 1, -1e-17, 0.0)], exact=written).exact is None
    for small, strict in ((-1e-17, True), (-1e-8, False)):
        with pytest.raises(InputError, match="is not a number from 0 to 1"):
            made([(0, 0, 0, 1.0, 2.0), (0, 0, 1, small, 0.0)], strict=strict)


def test_a_transition_in_several_rows_has_their_probabilities_and_their_mean_reward():
    rows = [(0, 0, 1, 0.5, 4.0), (0, 0, 0, 0.25, 1.0), (0, 0, 1, 0.25, 1.0), (1, 0, 2, 0.0, 9.0), (1, 0, 2, 1.0, 5.0)]
    written = build.Written([Fraction(p) for *_, p, _ in rows], [Fraction(r) for *_, r in rows], None)
    warnings = []
    model = made(rows, exact=written, warnings=warnings, place=lambda row: f"file:{row + 1}")
    assert model.prob.tolist() == [0.25, 0.75, 1.0] and model.next_reward.tolist() == [1.0, 3.0, 5.0]
    assert model.exact.prob == (Fraction(1, 4), Fraction(3, 4), 1) and model.exact.reward == (Fraction(5, 2), 5)
    assert warnings == [
        "2 rows repeat a transition: probabilities added, rewards averaged; first file:3: "
        "state 'x', action 'a', next 'y'"
    ]
    with pytest.raises(InputError, match="file:3: state 'x', action 'a', next 'y': given twice"):
        made(rows, strict=True, place=lambda row: f"file:{row + 1}")


def test_what_rounding_explains_is_left_as_it_is():
    tenth = [(0, 0, n, 0.1, 0.0) for n in range(10)]
    warnings = []
    model = build.from_transitions(Numbered(10), ("a",), *zip(*tenth, strict=True), warnings=warnings)
    assert (model.prob == 0.1).all() and warnings == []


def test_numbers_are_kept_as_written_where_they_sum_to_one():
    third = Fraction(1, 3)
    rows = [(0, 0, n, 1 / 3, 1.0) for n in (2, 0, 1)]
    written = build.Written([third] * 3, [Fraction(1)] * 3, Fraction(9, 10))
    assert made(rows, exact=written).exact.prob == (third, third, third)
    assert made(rows, exact=written).exact.reward == (Fraction(1),)
    rough = build.Written([Fraction("0.3333333333")] * 3, [Fraction(1)] * 3, None)
    assert made(rows, exact=rough).exact is None


def test_arrays_of_the_right_type_are_not_copied_and_are_checked():
    model = made()
    parts = {
        key: getattr(model, key)
        for key in ("first_pair", "action", "first_next", "next", "prob", "reward", "next_reward")
    }
    again = build.from_arrays(states=model.states, actions=model.actions, **parts)
    assert again.prob is model.prob and again.next is model.next
    for key, wrong, said in [
        ("next", [0, 1, 2, 3], "'next' holds 3; expected 0 to 2"),
        ("next", [1, 0, 2, 0], "must ascend"),
        ("next", [0, 0, 2, 0], "given twice"),
        ("action", [2, 0, 1], "actions of a state must ascend"),
        ("prob", [0.7, 0.3, 0.0, 1.0], "must be a finite number above 0"),
        ("prob", [0.7, 0.2, 1.0, 1.0], "state 'x', action 'a': the 2 probabilities sum to 0.9"),
        ("first_next", [0, 2, 2, 4], "every pair has a successor"),
        ("first_pair", [0, 2, 1, 3], "must not descend"),
        ("first_pair", [0, 2, 3], "shape"),
        ("reward", [7.0, np.nan, 5.0], "not a finite number"),
        ("reward", [7.0, -1e308, 5.0], r"the reward -1e\+308 is beyond 1e\+150"),
        ("reward", [6.0, -1.0, 5.0], "is not the mean of its successors', 7"),
    ]:
        with pytest.raises(InputError, match=said):
            build.from_arrays(states=model.states, actions=model.actions, **parts | {key: np.array(wrong)})


@pytest.mark.parametrize("names", [("x", "x", "end"), ("", "y", "end"), ("x ", "y", "end"), ("x\n", "y", "end")])
def test_names_differ_and_can_be_printed(names):
    with pytest.raises(InputError):
        build.from_transitions(names, ("a",), [0], [0], [1], [1.0], [0.0])


def test_names_that_are_the_numbers_in_order_are_not_stored():
    assert build.names_of(("0", "1", "2")) == Numbered(3)
    assert build.names_of(("0", "2")) == ("0", "2")
    assert "2" in Numbered(3) and "3" not in Numbered(3) and "02" not in Numbered(3) and Numbered(3).index("2") == 2


@pytest.mark.parametrize("start", [[0.5, 0.4, 0], [1.5, -0.5, 0], [np.nan, 1, 0], [1.0]])
def test_a_start_is_a_distribution(start):
    with pytest.raises(InputError, match="start"):
        made(start=start)


@pytest.mark.parametrize("discount", [-0.1, 1.1, np.nan])
def test_a_discount_is_from_0_to_1(discount):
    with pytest.raises(InputError, match="discount: must be from 0 to 1"):
        made(discount=discount)


def test_pieces_cover_every_pair_once(monkeypatch):
    monkeypatch.setattr(checks, "PIECE", 3)
    model = made()
    assert list(checks.pieces(model)) == [(0, 2), (2, 3)]
    checks.check(model)


# what can be reached, and whether it ends


def walk(edges, num_states, start=None):
    """One action an edge, for certain."""
    edges = sorted(edges)
    actions = [sum(s == other for other, _ in edges[:n]) for n, (s, _) in enumerate(edges)]
    sources, targets = zip(*edges, strict=True)
    ones = [1.0] * len(edges)
    return build.from_transitions(
        Numbered(num_states), Numbered(num_states), sources, actions, targets, ones, ones, start=start
    )


def test_what_ends_and_what_does_not():
    model = walk([(0, 1), (1, 0), (1, 2), (3, 3), (4, 3), (4, 2), (5, 2)], 6)  # 2 is terminal
    assert np.flatnonzero(graph.cannot_end(model)).tolist() == [3]
    assert np.flatnonzero(graph.may_not_end(model)).tolist() == [0, 1, 3, 4]
    assert np.flatnonzero(graph.reachable(model)).tolist() == [0, 1, 2]
    (warning,) = fates.endings(model)
    assert "state '3', action '0': gives 1 again and again" in warning
    assert graph.strong_components(*graph.of_states(model))[0] == 5


def test_a_discount_of_1_may_go_with_a_choice_that_never_ends_and_with_one_that_pays_nothing():
    (warning,) = fates.endings(walk([(0, 1), (1, 0), (1, 2)], 3))
    assert "some policies never end: from 2 of 3 states, such as '0'" in warning
    still = build.from_transitions(Numbered(2), ("a",), [0, 1], [0, 0], [1, 1], [1.0, 1.0], [5.0, 0.0])
    assert fates.endings(still) == []  # 5 once, then 0 for ever


def test_a_circle_without_rewards_is_as_good_as_an_end():
    """0 may stay for nothing, or go to 1 and back for -1 each; 2 and 3 pass 1 and -1 to and fro."""
    rows = ([0, 0, 1], [0, 1, 0], [0, 1, 0], [1.0] * 3, [0.0, -1.0, -1.0])
    free = build.from_transitions(Numbered(2), Numbered(2), *rows)
    (warning,) = fates.endings(free)
    assert "from 2 of 2 states" in warning
    assert total_reward.solve(free).value.tolist() == [0.0, -1.0]
    paid = [column + more for column, more in zip(rows, ([2, 3], [0, 0], [3, 2], [1.0] * 2, [1.0, -1.0]), strict=True)]
    (warning,) = fates.endings(build.from_transitions(Numbered(4), Numbered(2), *paid))
    assert "state '2', action '0': gives 1 again and again" in warning and "(2 such states)" in warning


def test_states_that_a_stated_start_never_leads_to_are_counted():
    edges = [(0, 1), (1, 0), (2, 0), (3, 0)]
    assert graph.check_reachable(walk(edges, 4)) == []
    assert graph.check_reachable(walk(edges, 4, [1.0, 0, 0, 0])) == [
        "2 of 4 states cannot be reached from the start: '2', '3'"
    ]


def test_long_walks_and_large_models_give_the_same_as_short_ones(monkeypatch):
    line = walk([(s, s + 1) for s in range(49)] + [(49, 49)], 60, [1.0] + [0.0] * 59)
    short = [graph.reachable(line), graph.cannot_end(line), graph.may_not_end(line)]
    monkeypatch.setattr(thresholds, "WAVES", 3)
    monkeypatch.setattr(thresholds, "SORTED_BY_NUMPY", 0)
    long = [graph.reachable(line), graph.cannot_end(line), graph.may_not_end(line)]
    assert all((one == other).all() for one, other in zip(short, long, strict=True))
    assert short[0].sum() == 50 and short[1].sum() == 50
