"""`rltrain mdp evaluate` as a person types it."""

import json
import re
from fractions import Fraction

import pytest
from built import app

from rltrain.cli.errors import exit_code_of


@pytest.fixture
def evaluate(tmp_path, monkeypatch, capsys):
    """Runs the verb; returns the exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")

    def run(*arguments):
        code = exit_code_of(lambda: app(["mdp", "evaluate", *map(str, arguments)]))
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def test_staying_beside_the_best(evaluate):
    """Staying at s1 is worth 1400/67 in s0 and nothing in s1."""
    code, out, err = evaluate("--policy", "a0")
    assert (code, err) == (0, "")
    assert re.search(r"s0 +20\.89552239 +21\.89925005 +1\.00372766", out)
    assert re.search(r"s1 +0\.00000000 +1\.17982024 +1\.17982024", out)
    found = json.loads(evaluate("--policy", "a0", "--json")[1])
    assert found["V"][0] == pytest.approx(1400 / 67, abs=found["bound"] + 1e-13)
    assert found["start_value"] == found["V"][0] and found["worst_state"] == "s1"


def test_the_optimal_policy_loses_nothing(evaluate):
    code, out, _ = evaluate()
    assert code == 0 and "nothing is lost anywhere" in out


def test_a_policy_may_end_where_the_best_never_does(evaluate):
    """Without discount, staying earns 7 for 1/.3 steps; the walk round earns for ever, so there is no best."""
    code, out, _ = evaluate("--policy", "a0", "--discount", 1)
    assert code == 0 and "V*" not in out and "earns for ever" in out
    found = json.loads(evaluate("--policy", "a0", "--discount", 1, "--json")[1])
    assert found["V"] == pytest.approx([70 / 3, 0, (32 + 0.8 * 70 / 3) / 0.9], abs=1e-12)
    assert found["V_optimal"] is None and found["loss"] is None


def test_exact_is_in_fractions_and_agrees_with_floating_point(evaluate, tmp_path):
    """Of a policy that mixes thirds and tenths; and without a discount, where the best has no value."""
    (tmp_path / "p.yaml").write_text("s0: {a0: 0.9, a1: 0.1}\ns1: a2\ns2: a1\n")
    for policy in ("random", "p.yaml", "a0", "optimal"):
        found = json.loads(evaluate("--policy", policy, "--exact", "--json")[1])
        near = json.loads(evaluate("--policy", policy, "--json")[1])
        assert [float(Fraction(v)) for v in found["V"]] == pytest.approx(near["V"], abs=1e-11)
        assert [float(Fraction(v)) for v in found["loss"]] == pytest.approx(near["loss"], abs=1e-11)
        assert found["worst_state"] == near["worst_state"] or policy == "optimal"
    code, out, err = evaluate("--policy", "a0", "--exact")
    assert (code, err) == (0, "") and re.search(r"s0 +1400/67 +20\.895522388060", out)
    code, out, _ = evaluate("--policy", "a0", "--exact", "--discount", 1)
    assert code == 0 and re.search(r"s0 +70/3 +23\.333333333333\n", out) and "best        none:" in out
    for exactly in (["--exact"], []):
        code, out, _ = evaluate("--policy", "random", *exactly, "--discount", 1)
        assert code == 0 and "3 of 3 states (s0, s1, s2) are worth -infinity: this policy may" in out


def test_what_cannot_be_proven_as_near_as_asked_exits_9(evaluate):
    code, out, err = evaluate("--epsilon", "1e-14")
    assert code == 9 and "s0" in out and "floating point can prove no more" in err


def test_a_policy_written_by_hand(evaluate, tmp_path):
    (tmp_path / "p.yaml").write_text("s0: {a0: 0.5, a1: 0.5}\ns1: a0\ns2: a1\n")
    found = json.loads(evaluate("--policy", "p.yaml", "--discount", "0", "--json")[1])
    assert found["V"] == [3.5, 0, 32] and found["V_optimal"] == [7, 0, 32] and found["loss"] == [3.5, 0, 0]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--policy", "a1"], "action a1 is impossible in state s1"),
        (["--policy", "optimum"], "did you mean 'optimal'?"),
        (["--policy", "none.yaml"], "none.yaml: no such file"),
        (["--policy", "optimal", "--discount", "1"], "a circle through state 's2' earns for ever"),
        (["--json", "--limit", "1"], "--json goes without --limit"),
    ],
)
def test_what_is_no_policy_is_refused(evaluate, arguments, says):
    code, out, err = evaluate(*arguments)
    assert (code, out) == (2, "") and says in err


def test_by_the_average_reward_and_by_h_steps(evaluate):
    """At random the book earns -9/38 a step; three steps of a0 from s0 at 0.95 bring 7 (1 + .665 + .665^2)."""
    found = json.loads(evaluate("--policy", "random", "--average", "--json")[1])
    assert found["gain"] == pytest.approx([-9 / 38] * 3, abs=found["bound"])
    assert found["gain_optimal"] == pytest.approx([170 / 137] * 3, abs=found["bound"])
    exact = json.loads(evaluate("--policy", "random", "--average", "--exact", "--json")[1])
    assert (exact["gain"][0], exact["loss"][0], exact["bound"]) == (
        "-9/38",
        str(Fraction(170, 137) + Fraction(9, 38)),
        0,
    )
    found = json.loads(evaluate("--policy", "a0", "--horizon", "3", "--json")[1])
    wanted = 7 * (1 + Fraction(665, 1000) + Fraction(665, 1000) ** 2)
    assert found["horizon"] == 3 and found["V"][0] == pytest.approx(float(wanted), abs=found["bound"])
    exact = json.loads(evaluate("--policy", "a0", "--horizon", "3", "--exact", "--json")[1])
    assert Fraction(exact["V"][0]) == wanted
    code, out, err = evaluate("--policy", "a0", "--horizon", "3", "--exact")
    assert (code, err) == (0, "") and str(wanted) in out and "exact, in fractions" in out
    code, out, err = evaluate("--average")
    assert (code, err) == (0, "") and "nothing is lost anywhere" in out


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (("--average", "--horizon", "3"), "--average goes without --horizon"),
        (("--average", "--discount", "0.9"), "the average reward has no discount"),
    ],
)
def test_goals_that_make_no_sense_together_are_refused(evaluate, options, why):
    code, out, err = evaluate(*options)
    assert (code, out) == (2, "") and why in err


def test_an_average_that_cannot_be_proven_as_near_is_said(evaluate):
    code, out, err = evaluate("--policy", "random", "--average", "--epsilon", "1e-18")
    assert code == 9 and "gain" in out and "not proven" in err
