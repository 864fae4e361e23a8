"""Cassandra's text: every shape of a statement against tables written by hand, faults by line, and there and back."""

from fractions import Fraction

import numpy as np
import pytest
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from rltrain.errors import InputError
from rltrain.mdp import build, files
from rltrain.mdp.files import cassandra
from rltrain.mdp.solvers.solve import solve

HEAD = "discount: 0.9\nvalues: reward\nstates: a b c\nactions: stay go\n"
REST = "T: * identity\n"


def tables(text):
    """T [A, S, S] and R [A, S, S] of a text."""
    model = cassandra.parse(text, "m.mdp").model
    T = np.zeros((model.num_actions, model.num_states, model.num_states))
    R = np.zeros_like(T)
    each = np.repeat(model.reward, np.diff(model.first_next)) if model.next_reward is None else model.next_reward
    for pair in range(model.num_pairs):
        span = model.successors(pair)
        place = model.action[pair], model.pair_state[pair], model.next[span]
        T[place], R[place] = model.prob[span], each[span]
    return T, R


def test_the_shapes_of_t():
    T, _ = tables(
        HEAD
        + "T: * uniform\n"  # all of it
        + "T: stay\nidentity\n"  # one action
        + "T: go : a\n0.5 0.25 0.25\n"  # a row
        + "T: go : 1 : c 1.0  T: go : b : * 0.0 T: go:b:c 1\n"  # an entry, over a row of zeros
    )
    assert T[0].tolist() == np.eye(3).tolist()
    assert T[1, 0].tolist() == [0.5, 0.25, 0.25]
    assert T[1, 1].tolist() == [0, 0, 1]
    assert T[1, 2].tolist() == [1 / 3] * 3


def test_a_matrix_and_a_reset():
    T, _ = tables(HEAD + "start: 0.25 0.75 0.0\nT: stay\n1 0 0\n0 0 1.0\n.5 0.5 0\nT: go identity\nT: go : c reset\n")
    assert T[0].tolist() == [[1, 0, 0], [0, 0, 1], [0.5, 0.5, 0]]
    assert T[1].tolist() == [[1, 0, 0], [0, 1, 0], [0.25, 0.75, 0]]


def test_later_lines_override_earlier_ones():
    _, R = tables(
        HEAD
        + "T: * uniform\nR: * : * : * 1\nR: * : * : c -2\nR: go : * : * 3\nR: go : b\n4 5 6\nR: stay : a : b : * +7.5\n"
        + "R: * : c : a 0\n"
    )
    assert R[0].tolist() == [[1, 7.5, -2], [1, 1, -2], [0, 1, -2]]
    assert R[1].tolist() == [[3, 3, 3], [4, 5, 6], [0, 3, 3]]
    _, R = tables(HEAD + "T: * uniform\nR: go\n1 2 3 4 5 6\n7 8 9\n")
    assert R[1].tolist() == [[1, 2, 3], [4, 5, 6], [7, 8, 9]]
    assert not R[0].any()


@pytest.mark.parametrize(
    ("said", "start"),
    [
        ("", None),
        ("start: uniform", [1 / 3] * 3),
        ("start: b", [0, 1, 0]),
        ("start: 2", [0, 0, 1]),
        ("start: 0.5 0.5 0.0", [0.5, 0.5, 0]),
        ("start include: a c", [0.5, 0, 0.5]),
        ("start exclude: 0", [0, 0.5, 0.5]),
    ],
)
def test_the_forms_of_start(said, start):
    model = cassandra.parse(f"{HEAD}{said}\n{REST}", "m.mdp").model
    assert (None if model.start is None else model.start.tolist()) == start


def test_costs_are_negative_rewards():
    loaded = cassandra.parse(HEAD.replace("reward", "cost") + REST + "R: go : a : * 2.5\n", "m.mdp")
    assert loaded.model.reward.tolist() == [0, -2.5, 0, 0, 0, 0]
    assert any("cost" in warning for warning in loaded.warnings)


POMDP = """# two doors
discount: 0.75
values: reward
states: tiger-left tiger-right
actions: listen open-left open-right
observations: left right
T: listen identity
T: open-left uniform
T: open-right uniform
O: listen
0.85 0.15
0.15 0.85
O: open-left uniform
O: open-right uniform
R: listen : * : * : * -1
R: open-left : tiger-left : * : * -100
R: open-left : tiger-right : * : * 10
R: open-right : tiger-left : * : * 10
R: open-right : tiger-right : *
-100 -100
"""


def test_a_pomdp_is_read_as_if_its_state_were_seen():
    loaded = cassandra.parse(POMDP, "tiger.pomdp")
    assert "observations are passed over" in loaded.warnings[0]
    solution = solve(loaded.model, 0.75)
    assert solution.policy == ["open-right", "open-left"]
    assert solution.value == pytest.approx([40, 40])  # 10 / (1 - 0.75)


def test_a_reward_that_depends_on_what_is_seen_is_its_mean():
    """listen: left is heard with 0.85 in tiger-left, with 0.15 in tiger-right."""
    loaded = cassandra.parse(POMDP + "R: listen : * : * : left -2\n", "tiger.pomdp")
    assert loaded.model.reward.tolist()[::3] == pytest.approx([-1.85, -1.15])
    assert loaded.model.exact.reward[0] == Fraction(-37, 20)
    assert "their mean over what O: says is seen" in loaded.warnings[1]
    wide = cassandra.parse(POMDP.replace("-100 -100", "-100 -50"), "tiger.pomdp").model
    assert wide.reward.tolist()[5] == -75  # both are heard alike


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("O: listen\n0.85 0.15\n0.15 0.85\n", "", "the reward depends on what is seen, and no O: says what that is"),
        ("0.85 0.15\n", "0.85 0.1\n", "the probabilities of O: sum to 0.95, expected 1"),
        ("0.85 0.15\n0.15 0.85", "0.85 0.15", "O: 2 numbers, expected 4"),
        ("O: listen\n", "O: listn\n", "tiger.pomdp:10: no action is called 'listn'"),
    ],
)
def test_what_is_seen_is_checked_where_it_counts(old, new, said):
    assert old in POMDP
    cassandra.parse(POMDP.replace(old, new), "tiger.pomdp")
    with pytest.raises(InputError) as caught:
        cassandra.parse(POMDP.replace(old, new) + "R: listen : * : * : left -2\n", "tiger.pomdp")
    assert said in str(caught.value)


def test_rewards_written_for_each_observation_need_no_observation_function_where_they_are_the_same():
    text = "discount: 0.5\nvalues: reward\nstates: 2\nactions: 1\nobservations: 2\nT: 0 identity\n"
    rules = "".join(f"R: 0 : {s} : {s} : {o} {pay}\n" for s, pay in ((0, 3), (1, 5)) for o in (0, 1))
    assert cassandra.parse(text + rules, "m.pomdp").model.reward.tolist() == [3, 5]


def test_a_sign_stands_apart_and_the_only_state_has_a_number():
    model = cassandra.parse(HEAD + REST + "R: go : a : * - 4\nR: go : b : * +4\n", "m.mdp").model
    assert model.reward.tolist()[1::2] == [-4, 4, 0]
    one = "discount: 0.9\nvalues: reward\nstates: 1\nactions: 1\nstart: {}\nT: 0\nidentity\n"
    for said in ("0", "1", "1.0", "uniform"):
        assert cassandra.parse(one.format(said), "one.mdp").model.start.tolist() == [1]


def test_six_digits_are_enough_and_strict_wants_nine():
    text = HEAD + REST + "T: go : a\n0.333333 0.333333 0.333335\n"
    loaded = cassandra.parse(text, "m.mdp")
    sums = np.add.reduceat(loaded.model.prob, loaded.model.first_next[:-1])
    assert sums == pytest.approx(np.ones(6), abs=1e-15) and "divided by the sum" in loaded.warnings[0]
    for wrong, strict in ((text, True), (text.replace("0.333335", "0.333935"), False)):
        with pytest.raises(InputError, match=r"m\.mdp:6: state 'a', action 'go': the 3 probabilities sum to"):
            cassandra.parse(wrong, "m.mdp", strict=strict)


def test_numbers_are_kept_as_written():
    model = cassandra.parse(HEAD + "T: * uniform\nT: stay : a\n0.1 0.2 0.7\nR: stay : a : * 0.3\n", "m.mdp").model
    assert model.exact.prob[:4] == (Fraction(1, 10), Fraction(1, 5), Fraction(7, 10), Fraction(1, 3))
    assert (model.exact.reward[0], model.exact.discount) == (Fraction(3, 10), Fraction(9, 10))
    assert (
        cassandra.parse(HEAD + REST + "T: go : a\n0.333333333 0.333333333 0.333333334\n", "m").model.exact is not None
    )
    assert cassandra.parse(HEAD + REST + "T: go : a\n0.3333333333 0.3333333333 0.3333333333\n", "m").model.exact is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "m.mdp:1: empty"),
        ("hello", "m.mdp:1: expected a statement, got 'hello'"),
        ("state: a b\n", "m.mdp:1: expected a statement, got 'state'; did you mean 'states'"),
        ("discount: 1.5\n" + HEAD[14:] + REST, "m.mdp:1: discount: must be a number from 0 to 1, got '1.5'"),
        (HEAD + "discount: 0.9\n", "m.mdp:5: 'discount' is given twice, first in line 1"),
        (HEAD.replace("reward", "gain") + REST, "m.mdp:2: values: must be reward or cost"),
        ("states: 2\nT: * identity", "m.mdp:2: no actions: before T:"),
        (HEAD.replace("states", "stotes"), "m.mdp:3: no statement is called 'stotes'; did you mean 'states'?"),
        ("states: 0\n", "m.mdp:1: states: must be from 1"),
        ("states: 5000000\nactions: 2\nT: * : * : 3 0.0", "more than 5,000,000 transitions"),
        (HEAD.replace("a b c", "a b a") + REST, "m.mdp:3: two states are called 'a'"),
        (HEAD + REST + "T: walk : a : b 1", "m.mdp:6: no action is called 'walk'"),
        (HEAD + REST + "T: stey : a : b 1", "m.mdp:6: no action is called 'stey'; did you mean 'stay'"),
        (HEAD + REST + "T: go : 3 : b 1", "m.mdp:6: states: 3 is not from 0 to 2"),
        (HEAD + REST + "T: go : a\n0.5 0.5", "m.mdp:6: T: 2 numbers, expected 3"),
        (HEAD + REST + "T: go : a : b x", "m.mdp:6: T: expected a number, got 'x'"),
        (HEAD + REST + "T: go : a : b nan", "m.mdp:6: T: expected a number, got 'nan'"),
        (HEAD + REST + "T: go : a identity", "m.mdp:6: T: expected a number, got 'identity'"),
        (HEAD + REST + "T: go : a : b :", "m.mdp:6: a colon where none is expected"),
        (HEAD + REST + "T: go :", "m.mdp:6: the file ends where a name of states is expected"),
        (HEAD + REST + "R: go : a : b : left 1", "m.mdp:6: no observation is called 'left'"),
        (HEAD + "start: 0.5 0.4 0.0\n" + REST, "m.mdp:5: start: the 2 probabilities sum to 0.9"),
        (HEAD + "start: 1e999 0.0 0.0\n" + REST, "m.mdp:5: start: a probability is not from 0 to 1"),
        (HEAD + "start exclude: a b c\n" + REST, "m.mdp:5: start: no state is left"),
        (HEAD + REST + "T: go : a : b 0.5", r"m.mdp:6: state 'a', action 'go': the 2 probabilities sum to 1.5"),
        (HEAD + REST + "R: go : a : a 1e999", "reward inf is not a finite number"),
        (HEAD + "T: stay identity", "m.mdp: state 'a', action 'go': no T: says where it leads"),
        (HEAD + REST + "#! impossible stay : a\n#! impossible go : a\n", "state 'a': every action impossible"),
    ],
)
def test_faults_are_told_by_line(text, said):
    with pytest.raises(InputError) as caught:
        cassandra.parse(text, "m.mdp")
    assert said in str(caught.value)


def test_several_faults_are_told_at_once():
    with pytest.raises(InputError) as caught:
        cassandra.parse(HEAD + "T: walk identity\nT: run identity\nR: go : x : y 1\n", "m.mdp")
    assert str(caught.value).count("\n") == 3


def same(one, two):
    assert (one.states, one.actions, one.name, one.discount) == (two.states, two.actions, two.name, two.discount)
    for field in ("first_pair", "action", "first_next", "next", "prob", "reward", "next_reward", "start"):
        left, right = getattr(one, field), getattr(two, field)
        assert (left is None) == (right is None), field
        assert left is None or np.array_equal(left, right), field


@pytest.mark.parametrize("suffix", [".mdp", ".pomdp"])
def test_the_book_there_and_back(tmp_path, suffix):
    book = files.read(files.BOOK).model
    files.write(book, tmp_path / f"book{suffix}")
    back = files.read(tmp_path / f"book{suffix}").model
    same(book, back)
    assert back.exact == book.exact


def test_another_program_finds_the_same_values(tmp_path):
    """Without the comments every action is possible and no state is terminal: V stays."""
    book = files.read(files.BOOK).model
    ends = build.from_transitions(
        ("x", "y", "end"), ("go", "wait"), [0, 1], [0, 1], [1, 2], [1, 1], [-1, -3.5], discount=0.5
    )
    for model in (book, ends):
        files.write(model, tmp_path / "m.mdp", overwrite=True)
        text = (tmp_path / "m.mdp").read_text()
        plain = cassandra.parse("\n".join(line.partition("#")[0] for line in text.split("\n")), "plain").model
        assert plain.num_pairs == model.num_states * model.num_actions
        assert solve(plain, model.discount).value == pytest.approx(solve(model, model.discount).value, abs=1e-9)
        same(model, files.read(tmp_path / "m.mdp").model) if model.name else None


@st.composite
def models(draw):
    num_states, num_actions = draw(st.integers(1, 5)), draw(st.integers(1, 3))
    name = st.text("ab,> #:0", min_size=1, max_size=4).map(str.strip).filter(bool)
    states = draw(st.lists(name, min_size=num_states, max_size=num_states, unique=True))
    rows = []
    for state in range(num_states):
        for action in range(num_actions):
            shares = draw(st.lists(st.integers(0, 3), min_size=num_states, max_size=num_states))
            total = sum(shares)
            for to, share in enumerate(shares):
                if share:
                    rows.append((state, action, to, share / total, draw(st.floats(-1e6, 1e6))))
    if not rows:
        rows = [(0, 0, 0, 1.0, 0.0)]
    start = draw(st.sampled_from([None, *np.eye(num_states).tolist(), [1 / num_states] * num_states]))
    return build.from_transitions(
        states, [f"a{i}" for i in range(num_actions)], *zip(*rows, strict=True), start=start, discount=0.875, name="m"
    )


@settings(max_examples=examples(100), deadline=None)
@given(models(), st.sampled_from([True, False]))
def test_every_model_there_and_back(model, observed):
    text = "\n".join(cassandra.cassandra_out.lines(model, observed))
    same(model, cassandra.parse(text, "m").model)


def test_the_format_has_to_have_a_discount(tmp_path):
    model = build.from_transitions(("x",), ("go",), [0], [0], [0], [1], [0.1])
    with pytest.raises(InputError, match=r"m\.mdp: this format has to say a discount.*--discount 0\.95"):
        files.write(model, tmp_path / "m.mdp")
    assert list(tmp_path.iterdir()) == []
    assert any("no discount" in warning for warning in cassandra.parse(HEAD[14:] + REST, "m.mdp").warnings)


@pytest.mark.parametrize(
    ("start", "observed", "said"),
    [
        ([0, 1, 0], False, "start: b"),
        ([0, 1, 0], True, "start include: b"),
        ([0.5, 0, 0.5], True, "start include: a c"),
        ([1 / 3] * 3, True, "start: uniform"),
        ([0.25, 0, 0.75], True, "start: 0.25 0.0 0.75"),
        ([0.25, 0, 0.75], False, "#! start 0.25 0.0 0.75"),
        ([1 / 3] * 3, False, "#! start"),
    ],
)
def test_a_start_is_written_as_the_formats_own_parser_takes_it(start, observed, said):
    """In a .mdp it is one state; in a .pomdp a number alone would be the first of as many probabilities as states."""
    rows = ([0, 1, 2], [0] * 3, [1, 2, 0], [1.0] * 3, [0.0] * 3)
    model = build.from_transitions(("a", "b", "c"), ("go",), *rows, start=start, discount=0.5)
    lines = list(cassandra.cassandra_out.lines(model, observed))
    assert [line for line in lines if line.startswith(said)]
    assert sum(line.startswith("start") for line in lines) == (not said.startswith("#"))
    assert cassandra.parse("\n".join(lines), "m").model.start.tolist() == start


WORDS = st.sampled_from(
    [*"TRO:*abc0123x\n", "stay", "go", "states", "actions", "observations", "start", "include", "exclude", "reset"]
    + ["uniform", "identity", "discount", "values", "cost", "0.5", "1.0", "-1", "1e999", "\n#! terminal", "\n#! state"]
)


@settings(max_examples=examples(300), deadline=None)
@given(st.sampled_from(["", HEAD, HEAD + REST, POMDP]), st.lists(WORDS, max_size=25).map(" ".join))
def test_any_text_is_read_or_refused(head, text):
    try:
        cassandra.parse(head + text, "m.mdp")
    except InputError as error:
        assert "m.mdp" in str(error)
