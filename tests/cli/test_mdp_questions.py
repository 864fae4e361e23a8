"""What a question needs is checked when it is asked: a file's own discount of 1 stands in no other question's way."""

import json
import re

import pytest
from in_process import command

from rltrain import envs
from rltrain.algos import qlearn
from rltrain.core import Hardware
from rltrain.experiment.settings import EnvironmentConfig
from rltrain.rng import Streams

LOOP = """discount: 1
states:
  a: {go: b reward 1, wait: a reward 0.5}
  b: {go: a reward 2}
"""
DEAD = """discount: 1
states:
  start: {safe: {goal: 1, reward: -5}, risky: {goal: 0.9, dead: 0.1, reward: -1}}
  dead: {wait: dead reward -1}
  goal: terminal
"""


@pytest.fixture
def rltrain(tmp_path, monkeypatch, capsys):
    """Runs the command in a folder with the two models; returns the exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    (tmp_path / "loop.yaml").write_text(LOOP)
    (tmp_path / "dead.yaml").write_text(DEAD)
    return command(capsys)


@pytest.mark.parametrize(
    ("arguments", "key", "expected"),
    [
        (("solve", "loop.yaml", "--discount", "0.9"), "V", [2.8 / 0.19, 2.9 / 0.19]),  # 1 and 2 in turn
        (("solve", "loop.yaml", "--average"), "gain", [1.5, 1.5]),
        (("solve", "dead.yaml", "--discount", "0.9"), "V", [-1.9, -10, 0]),  # risky: -1 + .9 x .1 x -10
        (("evaluate", "loop.yaml", "--policy", "go", "--discount", "0.9"), "V", [2.8 / 0.19, 2.9 / 0.19]),
    ],
)
def test_a_question_of_another_discount_has_its_answer(rltrain, arguments, key, expected):
    code, out, err = rltrain("mdp", *arguments, "--json")
    assert (code, err) == (0, "")
    assert json.loads(out)[key] == pytest.approx(expected, abs=1e-5)


def test_the_best_ten_steps_need_no_end(rltrain):
    code, out, err = rltrain("mdp", "solve", "loop.yaml", "--horizon", 10, "--json")
    assert (code, err) == (0, "") and json.loads(out)["V"][10] == [15, 15]


@pytest.mark.parametrize(
    "arguments",
    [
        ("convert", "loop.yaml", "loop.csv"),
        ("info", "loop.yaml"),
        ("discounts", "loop.yaml"),
        ("verify", "optimal", "loop.yaml", "--discount", "0.9"),
        ("simulate", "loop.yaml", "--policy", "go"),
    ],
)
def test_what_asks_for_no_value_at_discount_1_is_never_refused_for_it(rltrain, arguments):
    assert rltrain("mdp", *arguments)[0] == 0


def test_a_learner_of_another_discount_reads_the_file_too(tmp_path):
    (tmp_path / "loop.yaml").write_text(LOOP)
    env = envs.make(EnvironmentConfig.model_construct(id=str(tmp_path / "loop.yaml"), num_envs=1), task="tabular")
    learner = qlearn.make(qlearn.QlearnConfig(gamma=0.9), env, Streams(0), Hardware())
    assert learner.rule.truth.solution.value == pytest.approx([2.8 / 0.19, 2.9 / 0.19])


def test_who_asks_for_discount_1_is_told(rltrain):
    for arguments in (("solve", "loop.yaml"), ("solve", "loop.yaml", "--exact"), ("evaluate", "loop.yaml")):
        code, _, err = rltrain("mdp", *arguments)
        assert code == 2 and "discount 1" in err and "take a discount below 1" in err
    assert "gives 1 again and again" in rltrain("mdp", "info", "loop.yaml")[2]


def test_a_dead_end_is_said_and_hides_nothing(rltrain):
    code, out, err = rltrain("mdp", "solve", "dead.yaml")
    assert (code, err) == (0, "") and "1 of 3 states (dead) is worth -infinity: whatever is done" in out
    assert re.search(r"start +-5\.\d+ +safe +- +-5\.\d+ +-infinity", out) and re.search(r"dead +-infinity +any", out)
    found = json.loads(rltrain("mdp", "solve", "dead.yaml", "--json")[1])
    assert found["V"] == [-5, None, 0] and found["minus_infinity"] == ["dead"] and found["ties"] == []
    code, out, err = rltrain("mdp", "solve", "dead.yaml", "--exact")
    assert (code, err) == (0, "") and re.search(r"dead +wait +-infinity +-infinity", out)
    assert json.loads(rltrain("mdp", "solve", "dead.yaml", "--exact", "--json")[1])["V"] == ["-5", "-infinity", "0"]
    found = json.loads(rltrain("mdp", "evaluate", "dead.yaml", "--policy", "random", "--json")[1])
    assert found["V"] == [None, None, 0] and found["loss"] == [None, 0, 0] and found["V_optimal"] == [-5, None, 0]
    assert found["minus_infinity"] == ["start", "dead"] and found["worst_state"] == "start"


@pytest.mark.parametrize("name", ["p.json", "p.npz", "p.csv", "p.yaml"])
def test_a_policy_with_a_dead_end_is_saved_and_read(rltrain, name):
    assert rltrain("mdp", "solve", "dead.yaml", "--save", name)[0] == 0
    assert rltrain("mdp", "verify", name, "dead.yaml")[0] == 0


def test_a_circle_worth_nothing_is_said(rltrain, tmp_path):
    (tmp_path / "circle.yaml").write_text(
        "discount: 1\nstates:\n  s0: {a0: s1 reward -1, a2: s3 reward 1}\n  s1: {a1: s2 reward 2, a2: s0 reward 1}\n"
        "  s2: terminal\n  s3: terminal\n"
    )
    for exactly in (["--exact"], []):
        code, out, err = rltrain("mdp", "solve", "circle.yaml", *exactly)
        assert (code, err) == (0, "") and "through s0 optimal actions form a circle" in out
        found = json.loads(rltrain("mdp", "solve", "circle.yaml", *exactly, "--json")[1])
        assert [float(v) for v in found["V"]] == [1, 2, 0, 0] and found["circle"] == "s0"


def test_of_several_best_actions_the_policy_takes_one_that_ends_and_says_so(rltrain, tmp_path):
    (tmp_path / "tie.yaml").write_text(
        "discount: 1\nstates:\n  s1: {a1: s2, a2: s3 reward -1}\n  s2: {a3: s1, a4: s3 reward 1}\n  s3: terminal\n"
    )
    code, out, _ = rltrain("mdp", "solve", "tie.yaml")
    assert code == 0 and re.search(r"s2 +1\.\d+ +a4 +tie", out)
    assert "the policy takes one with which it ends" in " ".join(out.split())


def test_an_end_that_is_far_away_is_found_in_fractions(rltrain, tmp_path):
    (tmp_path / "slow.yaml").write_text(
        "discount: 1\nstates:\n  a: {go: {a: 0.99999999999999999, b: 1e-17, reward: -1}}\n  b: terminal\n"
    )
    for arguments in (("solve", "slow.yaml", "--exact"), ("evaluate", "slow.yaml", "--policy", "random", "--exact")):
        code, out, err = rltrain("mdp", *arguments)
        assert (code, err) == (0, "") and "-100000000000000000" in out
    code, _, err = rltrain("mdp", "solve", "slow.yaml")
    assert code == 9 and "take --exact" in err and "Warning" not in err


def test_a_simulation_says_that_a_policy_loses_for_ever(rltrain):
    code, out, _ = rltrain("mdp", "simulate", "dead.yaml", "--policy", "random", "--episodes", 20)
    assert code == 0 and "-infinity is the value of the start" in out
    found = json.loads(rltrain("mdp", "simulate", "dead.yaml", "--policy", "random", "--episodes", 20, "--json")[1])
    assert found["value"]["start"] is None
    assert rltrain("mdp", "graph", "dead.yaml", "--policy", "optimal")[0] == 0


@pytest.mark.parametrize(("algorithm", "value"), [("qlearn", -1), ("td", -3)])
def test_a_learner_of_discount_1_is_held_against_the_truth_in_its_rows_and_in_eval(rltrain, tmp_path, algorithm, value):
    """Home is one step away for -1; at random one stays half the time, for -2: V = -1.5 + V / 2, though it draws."""
    (tmp_path / "home.yaml").write_text(
        "discount: 1\nstates:\n  out: {go: home reward -1, stay: out reward -2}\n  home: terminal\n"
    )
    (tmp_path / "run.yaml").write_text(
        f"algorithm: {{name: {algorithm}, gamma: 1}}\nenvironment: home.yaml\nrun: {{budget: {{env_steps: 1000}}}}\n"
    )
    assert rltrain("train", "run.yaml", "--quiet", "--runs-dir", "out", "--name", "r")[0] == 0
    heading, *rows = (tmp_path / "out" / "r" / "metrics.csv").read_text().splitlines()
    assert float(dict(zip(heading.split(","), rows[-1].split(","), strict=True))["error/max"]) < 2
    found = json.loads(rltrain("eval", "out/r", "-n", "2", "--json")[1])["exact"]
    assert found["value"] == pytest.approx(value) and found["optimal"] == pytest.approx(-1)
    assert found["policy"] == ({"out": "go"} if algorithm == "qlearn" else None)
