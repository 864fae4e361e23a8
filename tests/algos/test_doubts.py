"""Settings under which nothing is learned: said before a run by `check` and `train`, and true."""

import json

import pytest
from built import app

from rltrain.cli.errors import exit_code_of
from rltrain.core import Pausing
from rltrain.experiment import config
from rltrain.run import build

CASES = [  # algorithm, its settings, the budget, whether something is learned
    ("dqn", "learning_starts: 400", "{env_steps: 300}", False),
    ("dqn", "learning_starts: 400", "{env_steps: 500}", True),
    ("dqn", "learning_starts: 0, train_freq: 500", "{env_steps: 300}", False),
    ("dqn", "learning_starts: 100_000", "{episodes: 9}", False),
    ("dqn", "learning_starts: 100_000", "{updates: 9}", True),
    ("pqn", "rollout_steps: 128", "{env_steps: 300}", False),
    ("pqn", "rollout_steps: 128", "{env_steps: 512}", True),
]


def text_of(algorithm, settings, budget):
    environment = "{id: CartPole-v1, num_envs: 4}"
    return f"algorithm: {{name: {algorithm}, {settings}}}\nenvironment: {environment}\nrun: {{budget: {budget}}}\n"


@pytest.mark.parametrize(("algorithm", "settings", "budget", "learns"), CASES)
def test_a_budget_that_ends_before_the_first_update_is_told_and_no_other(algorithm, settings, budget, learns):
    experiment = config.loads(text_of(algorithm, settings, budget), "test.yaml")
    made, limits = build.build(experiment), dict(experiment.run.budget)
    doubts = build.doubts(experiment, made.env.spec)
    assert [doubt.startswith("nothing will be learned: ") for doubt in doubts] == [True] * (not learns)
    if "updates" in limits:
        return
    learner = made.algorithm
    assert isinstance(learner, Pausing)
    learner.pause_at(limits)
    while not any(learner.counters[name] >= limit for name, limit in limits.items()):
        learner.step()
    assert (learner.counters["updates"] > 0) == learns


def test_a_batch_larger_than_the_memory_is_told():
    experiment = config.loads(text_of("dqn", "batch_size: 512, buffer_size: 200", "{env_steps: 2000}"), "test.yaml")
    doubts = build.doubts(experiment, build.world(experiment).spec)
    assert len(doubts) == 1 and doubts[0].startswith("algorithm.batch_size: 512 transitions are drawn from a memory")


def test_check_and_train_both_say_so(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "c.yaml").write_text(text_of("dqn", "learning_starts: 400", "{env_steps: 300}"))
    said = []
    for words in (["check", "c.yaml", "--probe", "0"], ["train", "c.yaml", "-q"]):
        assert exit_code_of(lambda words=words: app(words)) == 0
        said.append(capsys.readouterr().out)
    warning = (
        "warning: nothing will be learned: the budget is 300 environment steps, and the first update comes after 404"
    )
    assert all(warning in out for out in said)
    assert exit_code_of(lambda: app(["check", "c.yaml", "--probe", "0", "--json"])) == 0
    assert json.loads(capsys.readouterr().out)["warnings"][0] in said[0]


COSTS = "discount: 1\nvalues: cost\nstates:\n  a: {go: b reward 3, wait: a reward 1}\n  b: terminal\n"
EARNS = "discount: 1\nstates:\n  a: {go: b reward 3, wait: a reward 1}\n  b: terminal\n"
GOES_ON = "discount: 0.9\nstates:\n  a: {go: b reward 3}\n  b: {go: a}\n"
TOLD = [
    (COSTS, "{name: qlearn}", "{env_steps: 20}", ["values: cost: each cost is read as a negative reward"]),
    (COSTS, "{name: dqn, learning_starts: 0}", "{env_steps: 20}", ["values: cost: each cost is read as a"]),
    (COSTS, "{name: viter}", "{sweeps: 20}", ["values: cost: each cost is read as a negative reward"]),
    (EARNS, "{name: qlearn}", "{env_steps: 20}", ["algorithm.gamma: at discount 1 this model has no finite values"]),
    (EARNS, "{name: qlearn, gamma: 0.9}", "{env_steps: 20}", []),
    (EARNS, "{name: td}", "{env_steps: 20}", []),  # it walks at random, and ends
    (GOES_ON, "{name: td, gamma: 1}", "{env_steps: 20}", ["algorithm.gamma: at discount 1 the policy has no finite"]),
    (GOES_ON, "{name: qlearn}", "{env_steps: 20, episodes: 3}", []),
]


@pytest.mark.parametrize(("model", "algorithm", "budget", "expected"), TOLD)
def test_what_is_odd_about_a_model_is_told_where_it_is_learned(
    tmp_path, monkeypatch, capsys, model, algorithm, budget, expected
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m.yaml").write_text(model)
    (tmp_path / "c.yaml").write_text(f"algorithm: {algorithm}\nenvironment: m.yaml\nrun: {{budget: {budget}}}\n")
    assert exit_code_of(lambda: app(["train", "c.yaml", "-q"])) == 0
    found = [line for line in capsys.readouterr().out.splitlines() if line.startswith("warning: ")]
    assert len(found) == len(expected) and all(text in line for text, line in zip(expected, found, strict=True)), found


@pytest.mark.parametrize(("limit", "never"), [("null", True), ("50", False)])
def test_a_budget_of_episodes_that_never_end_is_told(tmp_path, monkeypatch, capsys, limit, never):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m.yaml").write_text(GOES_ON)
    environment = f"{{id: m.yaml, max_episode_steps: {limit}}}"
    (tmp_path / "c.yaml").write_text(
        f"algorithm: qlearn\nenvironment: {environment}\nrun: {{budget: {{episodes: 9}}}}\n"
    )
    assert exit_code_of(lambda: app(["check", "c.yaml", "--probe", "0"])) == 0
    said = "warning: run.budget: 9 episodes never come: no state of m.yaml is terminal"
    assert (said in capsys.readouterr().out) == never
