"""CSV as people and programs write it: what a column means, what is refused, and what a spreadsheet makes of it."""

import csv
import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rltrain.cells import guarded, unguarded
from rltrain.errors import InputError
from rltrain.mdp import build, files, pairs
from rltrain.mdp.files import policy_files, policy_saving
from rltrain.mdp.model import Numbered
from rltrain.mdp.solvers.solve import solve

HEADER = "state,action,next,probability,reward\n"


@pytest.fixture
def read(tmp_path):
    def of(text, strict=False):
        (tmp_path / "m.csv").write_text(text)
        return files.read(tmp_path / "m.csv", strict)

    return of


def values(loaded, discount=0.9):
    return dict(zip(loaded.model.states, solve(loaded.model, discount).value.tolist(), strict=True))


# columns


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("state,action,next,probability,rewrads", "the column 'rewrads' is not understood; did you mean 'reward'?"),
        ("state,action,next,probability,reward,dome", "the column 'dome' is not understood; did you mean 'done'?"),
        (
            "state,action,next,probability,reward,zzz",
            "the column 'zzz' is not understood; known are state, action, next",
        ),
        (",state,action,next,probability,reward", "a column without a name in the header; pandas writes none with"),
        ("state,action,next,probability", "no column 'reward' in the header"),
        ("state,action,next,probability,reward,cost", "both a column 'reward' and a column 'cost'"),
        ("state,action,next,reward,cost", "no column 'probability' in the header"),
        ("state,action,nxt,probability,reward", "no column 'next' in the header; expected"),
        ("state,action,next,to,probability,reward", "two columns for the next: 'next' and 'to'"),
    ],
)
def test_a_column_that_is_not_understood_or_not_there_is_an_error_that_names_it(read, header, said):
    with pytest.raises(InputError) as caught:
        read(header + "\n")
    assert "m.csv:1: " in str(caught.value) and said in str(caught.value)


def test_costs_are_minimised_and_rewards_may_be_many(read):
    loaded = read("state,action,next_state,prob,cost\n0,0,1,1,5\n0,1,0,1,7\n1,0,1,1,0\n")
    assert values(loaded) == {"0": -5, "1": 0} and loaded.costs
    assert loaded.model.exact.reward == (-5, -7, 0) and "each cost is read as a negative reward" in loaded.warnings[0]
    with pytest.raises(InputError, match="--minimize: the file says itself"):
        files.minimised(loaded)
    assert values(read("state,action,next_state,prob,rewards\n0,0,1,1,5\n1,0,1,1,1\n")) == pytest.approx(
        {"0": 14, "1": 10}
    )


def test_rewards_may_be_read_as_costs(read):
    loaded = files.minimised(read(HEADER + "0,0,1,0.5,5\n0,0,0,0.5,0\n0,1,1,1,7\n1,0,1,1,0\n"))
    assert values(loaded)["0"] == pytest.approx(-2.5 / 0.55) and loaded.model.exact.reward[0] == -2.5
    assert "--minimize" in loaded.warnings[-1]


def test_whole_numbers_that_pandas_wrote_as_floats_are_the_same_states(read):
    loaded = read(HEADER + "0,0.0,1.0,1.0,5.0\n1,0.0,2.0,0.5,1.0\n1,0.0,0.0,0.5,1.0\n2,,,,\n")
    assert values(loaded) == pytest.approx({"0": 5.9 / 0.595, "1": 1 + 0.45 * 5.9 / 0.595, "2": 0})
    assert loaded.model.states == Numbered(3) and loaded.model.actions == Numbered(1)
    assert "states: whole numbers written as 1.0 are read as 1" in loaded.warnings[0]
    assert read(HEADER + "a,0.0,1.0,1,0\n1.0,0.0,a,1,0\n").model.states == ("a", "1.0")  # names, not numbers
    with pytest.raises(InputError, match=r"both '1\.0' and '1' stand in one column"):
        read(HEADER + "1,0,1.0,1,0\n1.0,0,1,1,0\n")


def test_a_next_state_without_a_row_is_an_error_that_names_the_nearest(read):
    with pytest.raises(InputError) as caught:
        read(HEADER + "home,go,shopp,1,5\nshop,go,home,1,1\n")
    assert "m.csv:2: next state 'shopp': no row is about it; did you mean 'shop'?" in str(caught.value)
    assert "the row `shopp,,,,` declares it terminal" in str(caught.value)


# the end


def test_done_ends_an_episode_whatever_its_next_state_does(read):
    """From b the walk to a pays 2 and ends, although a goes on for those who begin there."""
    text = "state,action,next,probability,reward,done\na,go,b,1,1,False\nb,go,a,1,2,TRUE\nb,wait,b,1,0,0\n"
    assert values(read(text)) == pytest.approx({"a": 1 + 0.9 * 2, "b": 2, "end": 0})
    text = "state,action,next,probability,reward,done\na,go,goal,1,1,1\n"  # no row is about the goal: done says enough
    assert values(read(text)) == {"a": 1, "goal": 0}
    with pytest.raises(InputError, match=r"m\.csv:2: state 'a', action 'go', next 'a': done is 'maybe'"):
        read("state,action,next,probability,reward,done\na,go,a,1,1,maybe\n")
    with pytest.raises(InputError, match="next state 'b': no row is about it"):
        read("state,action,next,probability,reward,done\na,go,b,1,1,false\n")


def test_a_terminal_state_with_a_reward_pays_it(read):
    loaded = read(HEADER + "s0,go,s1,1,1\ns1,,,,5\n")
    assert values(loaded) == pytest.approx({"s0": 5.5, "s1": 5, "end": 0})
    assert "a reward in the row of a terminal state is paid there: V of 's1' is 5" in loaded.warnings[0]
    assert loaded.model.exact.reward == (1, 5)
    assert values(read(HEADER + "s0,go,s1,1,1\ns1,,,,0.0\n")) == {"s0": 1, "s1": 0}
    assert values(read(HEADER.replace("reward", "cost") + "s0,go,s1,1,1\ns1,,,,5\n"))["s0"] == pytest.approx(-5.5)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            HEADER + "s0,go,s1,1,1\ns1,,,,abc\n",
            "m.csv:3: state 's1': the reward 'abc' of a terminal state is no number",
        ),
        (
            HEADER + "s0,go,s1,1,1\ns1,,,,inf\n",
            "m.csv:3: state 's1': the reward 'inf' of a terminal state is no number",
        ),
        (HEADER + "s0,go,s1,1,1\ns1,,,,1\ns1,,,,2\n", "m.csv:4: state 's1': another reward than in line 3"),
        ("state,action,next,probability,reward,done\ns0,go,s1,1,1,1\ns1,,,,5,\n", "after which nothing is paid"),
        (HEADER + "s0,go,s0,1_000e999,1\n", "the probability inf is not a number from 0 to 1"),
    ],
)
def test_what_a_terminal_row_cannot_say(read, text, said):
    with pytest.raises(InputError) as caught:
        read(text)
    assert said in str(caught.value)


# rows


def test_repeated_rows_of_a_transition_are_one(read):
    text = HEADER + "a,go,b,0.25,4\na,go,b,0.25,0\na,go,a,0.5,0\nb,go,b,1,0\n"
    loaded = read(text)
    assert loaded.model.prob.tolist() == [0.5, 0.5, 1] and loaded.model.next_reward.tolist() == [0, 2, 0]
    assert "1 row repeats a transition" in loaded.warnings[0] and "m.csv:3" in loaded.warnings[0]
    with pytest.raises(InputError, match=r"m\.csv:3: state 'a', action 'go', next 'b': given twice"):
        read(text, strict=True)


def test_a_line_without_end_is_refused_before_it_is_read(read):
    with pytest.raises(InputError, match=r"m\.csv:2: a line of more than 1,000,000 characters"):
        read(HEADER + "a" * 3_000_000)
    with pytest.raises(InputError, match=r"m\.csv:1: a line of more than 1,000,000 characters"):
        read("a" * 3_000_000)


# spreadsheets


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@x", "'=1+1", "''=x", "'", "'a", "a=1", "", "\t=", "plain"])
def test_no_cell_is_run_and_every_name_comes_back(name):
    cell = guarded(name)
    assert cell[:1] not in ("=", "+", "-", "@", "\t", "\r") and unguarded(cell) == name


@given(st.text("'=+-@\t\rab"), st.text("'=+-@\t\rab"))
def test_guarding_loses_nothing(one, other):
    assert unguarded(guarded(one)) == one
    assert (guarded(one) == guarded(other)) == (one == other)


NAMES = ("=cmd|' /C calc'!A0", "+1+1", "-2", "@SUM(1)", "'=x", "a,=1+1", "b;=1", "#x")


def test_no_csv_of_a_model_or_a_policy_has_a_cell_that_a_spreadsheet_runs(tmp_path):
    """Numbers may begin with a sign. Comments above the header are no cells in quotes, and are cut at commas too."""
    count = len(NAMES)
    rows = (range(count), range(count), [*range(1, count), 0], [1.0] * count, [-1.0] * count)
    model = build.from_transitions(NAMES, NAMES, *rows, start=np.full(count, 1 / count), discount=0.5, name="=1+1,=2")
    files.write(model, tmp_path / "m.csv")
    back = files.read(tmp_path / "m.csv").model
    assert (back.states, back.actions, back.name) == (NAMES, NAMES, "=1+1,=2") and (back.next == model.next).all()
    policy_saving.write(tmp_path / "p.csv", model, pairs.uniform(model))
    assert (policy_files.read(tmp_path / "p.csv", model) == 1).all()
    for name in ("m.csv", "p.csv"):
        for row in csv.reader(io.StringIO((tmp_path / name).read_text())):
            for cell in row:
                assert cell[:1] not in ("=", "+", "-", "@", "\t", "\r") or cell == "-1.0", (name, row)
