"""Where there is one action to take, every algorithm takes it: found by discovery."""

from pathlib import Path

import numpy as np
import pytest
from built import app
from out_of_tree import PLUGINS

from rltrain.cli.errors import exit_code_of
from rltrain.core import Hardware, Scoring
from rltrain.experiment import config
from rltrain.rng import Streams
from rltrain.run import build

CHAIN = """\
name: walk
discount: 0.9
start: s0
chain:
  s0: {s0: 0.5, s1: 0.5, reward: -1}
  s1: {s0: 0.5, s2: 0.5, reward: -1}
  s2: terminal
"""


@pytest.fixture
def chain(tmp_path: Path) -> Path:
    path = tmp_path / "walk.yaml"
    path.write_text(CHAIN)
    return path


@pytest.mark.parametrize("name", PLUGINS)
def test_the_only_action_is_taken(name: str, chain: Path) -> None:
    text = f"algorithm: {name}\nenvironment: {{id: {chain}, num_envs: 4, max_episode_steps: 20}}"
    experiment = config.loads(text, "test.yaml")
    env = build.world(experiment)
    algorithm = build.algorithm(experiment, experiment.algorithm, env, Streams(0), Hardware("cpu", 1))
    for _ in range(2):
        algorithm.step()
    obs = np.eye(3, dtype=np.float32)[:2] if experiment.task == "env" else np.arange(2)[:, None]
    load = PLUGINS[name].load_policy or (lambda *_: algorithm.policy())
    for policy in (algorithm.policy(), load(experiment.algorithm, env.spec, algorithm.save(), Hardware("cpu", 1))):
        assert policy.act(obs).tolist() == [0, 0]
        if isinstance(policy, Scoring):
            assert policy.scores(obs).shape == (2, 1)


@pytest.mark.parametrize("hidden", ["[]", "[3]"])
@pytest.mark.parametrize("name", ["genetic", "cmaes", "openai_es", "search"])
def test_so_does_a_small_network(name: str, hidden: str, chain: Path) -> None:
    policy = "linear" if hidden == "[]" else "mlp, hidden: [3]"
    text = f"algorithm: {{name: {name}, policy: {policy}}}\nenvironment: {{id: {chain}, max_episode_steps: 9}}"
    build.build(config.loads(text, "test.yaml")).algorithm.step()


@pytest.mark.parametrize("verb", ["check", "train"])
def test_what_training_refuses_a_check_refuses_too(
    verb: str, chain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "c.yaml").write_text(f"algorithm: genetic\nenvironment: {chain}\n")
    words = ["--probe", "0"] if verb == "check" else ["-q"]
    assert exit_code_of(lambda: app([verb, "c.yaml", *words])) == 2
    said = capsys.readouterr()
    assert "environment.max_episode_steps" in said.err and "correct" not in said.out
