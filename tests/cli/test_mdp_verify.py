"""`rltrain mdp verify` as a person types it."""

import json
import re

import pytest
from built import app

from rltrain.cli.errors import exit_code_of


@pytest.fixture
def mdp(tmp_path, monkeypatch, capsys):
    """Runs a verb of `rltrain mdp`; returns the exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    (tmp_path / "safe.yaml").write_text("s0: a0\ns1: a0\ns2: a1\n")

    def run(*arguments):
        code = exit_code_of(lambda: app(["mdp", *map(str, arguments)]))
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


@pytest.mark.parametrize("name", ["p.json", "p.npz", "p.csv", "p.yaml"])
def test_what_solve_saves_passes(mdp, name):
    assert mdp("solve", "--save", name)[0] == 0
    code, out, err = mdp("verify", name)
    assert (code, err) == (0, "") and "passed" in out


def test_the_first_wrong_state_and_the_better_action_are_named(mdp):
    """At .95 staying loses 0.058991 at once, and 1.17982 in all, in s1; s0 and s2 only suffer from it."""
    code, out, err = mdp("verify", "safe.yaml")
    assert code == 9 and "state s1 loses 1.17982" in err
    assert "first wrong in state s1: a0 loses 0.058991 at once; better: a2" in err
    assert re.search(r"s0 +1\.00372766 +a0 *\n", out) and re.search(r"s1 +1\.17982024 +a0 +a2 +0\.05899101", out)
    code, out, _ = mdp("verify", "safe.yaml", "--json")
    found = json.loads(out)
    assert code == 9 and found["passed"] is False and found["wrong_states"] == 1
    assert found["first_wrong"]["state"] == "s1" and found["first_wrong"]["better"] == "a2"
    assert found["loss"] == pytest.approx([1.00372766, 1.17982024, 0.96675795], abs=1e-8)


def test_the_tolerance_and_the_discount_decide(mdp):
    assert mdp("verify", "safe.yaml", "--tolerance", "1.2")[0] == 0
    assert mdp("verify", "safe.yaml", "--tolerance", "1.1")[0] == 9
    assert mdp("verify", "safe.yaml", "--discount", "0.9")[0] == 0  # below 0.947633 staying is right


def test_what_cannot_be_told_is_not_passed(mdp):
    code, out, err = mdp("verify", "optimal", "--tolerance", "1e-15")
    assert code == 9 and "cannot tell" in err and "cannot tell" in out
    assert json.loads(mdp("verify", "optimal", "--tolerance", "1e-15", "--json")[1])["passed"] is None


def test_a_random_policy_fails_everywhere_it_can_choose(mdp):
    code, out, _ = mdp("verify", "random", "--json")
    assert code == 9 and json.loads(out)["wrong_states"] == 2


def test_no_tolerance_is_no_question(mdp):
    code, _, err = mdp("verify", "random", "--tolerance", "0")
    assert code == 2 and "--tolerance 0: a number above 0" in err


CORNERS = """discount: 1
states:
  a: {left: end reward -1, right: b reward -1}
  b: {left: a reward -1, right: b reward -1}
  end: terminal
"""


def test_a_policy_that_loses_for_ever_is_not_optimal(mdp, tmp_path):
    (tmp_path / "corners.yaml").write_text(CORNERS)
    code, out, err = mdp("verify", "right", "corners.yaml")
    assert code == 9 and "state a loses infinitely much" in err and "better: left" in err
    assert re.search(r"a +infinity +right +left +2\.0", out)  # -3 for -1 at once, and the rest for ever
    code, out, _ = mdp("verify", "right", "corners.yaml", "--json")
    found = json.loads(out)
    assert code == 9 and found["passed"] is False and found["infinite_loss"] == ["a", "b"]
    assert found["loss"] == [None, None, 0] and found["worst_loss"] is None
    assert mdp("verify", "left", "corners.yaml")[0] == 0


def test_where_every_policy_loses_for_ever_none_loses_more(mdp, tmp_path):
    (tmp_path / "dead.yaml").write_text(CORNERS + "  lost: {wait: lost reward -1}\n")
    (tmp_path / "p.yaml").write_text("a: left\nb: left\nlost: wait\n")
    assert mdp("verify", "p.yaml", "dead.yaml")[0] == 0


def test_by_the_average_reward_and_by_h_steps(mdp):
    """Waiting in s1 for ever earns nothing in the long run; with three steps to go it is right."""
    code, out, err = mdp("verify", "safe.yaml", "--average")
    assert code == 9 and "failed" in out
    assert err.startswith("not optimal: state s0 loses 1.24088 a step")
    assert mdp("verify", "safe.yaml", "--horizon", "3")[0] == 0
    assert mdp("verify", "optimal", "--average")[0] == 0
    assert mdp("solve", "--save", "fire.yaml")[0] == 0
    code, out, err = mdp("verify", "fire.yaml", "--horizon", "3")
    assert code == 9 and "first wrong in state s1, with 3 steps to go: a2 loses" in err and "better: a0" in err
    found = json.loads(mdp("verify", "fire.yaml", "--horizon", "3", "--json")[1])
    assert (found["passed"], found["horizon"]) == (False, 3)
    assert (found["first_wrong"]["to_go"], found["first_wrong"]["better"]) == (3, "a0")
    assert mdp("verify", "fire.yaml", "--average")[0] == 0
