"""What a question needs is checked when it is asked: a file's own discount of 1 stands in no other question's way."""

import json

import pytest

from rltrain.algos import qlearn
from rltrain.cli import app
from rltrain.cli.errors import exit_code_of
from rltrain.core import Hardware
from rltrain.envs import tabular
from rltrain.rng import Streams
from rltrain.settings import EnvironmentConfig

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

    def run(*arguments):
        code = exit_code_of(lambda: app(list(map(str, arguments))))
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


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
    env = tabular.make(EnvironmentConfig.model_construct(id=str(tmp_path / "loop.yaml"), num_envs=1))
    learner = qlearn.Algorithm(qlearn.Config(gamma=0.9), env, Streams(0), Hardware())
    assert learner.truth.solution.value == pytest.approx([2.8 / 0.19, 2.9 / 0.19])


def test_who_asks_for_discount_1_is_told(rltrain):
    for arguments in (("solve", "loop.yaml"), ("solve", "loop.yaml", "--exact"), ("evaluate", "loop.yaml")):
        code, _, err = rltrain("mdp", *arguments)
        assert code == 2 and "discount 1" in err and "take a discount below 1" in err
    assert "gives 1 again and again" in rltrain("mdp", "info", "loop.yaml")[2]
