"""What a sweep's config is made of besides itself, an environment of one's own and known models: its trials have it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from in_process import command

from rltrain.mdp import files

ENVIRONMENT = """import gymnasium

class Line(gymnasium.Env):
    observation_space = gymnasium.spaces.Discrete(5)
    action_space = gymnasium.spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.at = 2
        return self.at, {}

    def step(self, action):
        self.at += 1 if action else -1
        return self.at, float(self.at == 4), self.at in (0, 4), False, {}

gymnasium.register("lines/Line-v0", entry_point=Line, max_episode_steps=20)
"""
RUN = "run: {budget: {env_steps: 400}, evaluate: {every: {env_steps: 200}, episodes: 2}}\n"
SPACE = "space: {algorithm.learning_rate: [0.1, 0.5]}\n"


@pytest.fixture
def rltrain(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    return command(capsys)


@pytest.mark.slow
def test_trials_have_what_is_imported_and_a_resume_asks_for_it_again(rltrain, monkeypatch):
    Path("elsewhere").mkdir()
    Path("line_env.py").write_text(ENVIRONMENT)
    Path("line.yaml").write_text(f"algorithm: qlearn\nenvironment: lines/Line-v0\n{RUN}")
    Path("s.yaml").write_text(f"sweep: {{config: line.yaml, search: random, trials: 1}}\n{SPACE}")
    brought = ("--import", "./line_env.py")
    code, out, err = rltrain("sweep", "s.yaml", "--name", "s", *brought)
    assert (code, err) == (0, ""), err
    assert rltrain("train", "line.yaml", "algorithm.gamma=.5,.9", "--name", "grid", "-q", *brought)[0] == 0
    monkeypatch.chdir("elsewhere")
    code, out, err = rltrain("sweep", "resume", "../runs/s", "sweep.trials=2", "--import", "../line_env.py")
    assert (code, err) == (0, "") and "finished: 2 trials" in out
    assert rltrain("sweep", "best", "../runs/s", "-o", "best.yaml")[0] == 0
    assert rltrain("train", "best.yaml", "-q", "--import", "../line_env.py")[0] == 0


@pytest.mark.slow
def test_a_sweep_keeps_copies_of_all_models_that_it_tries_and_goes_on_without_the_originals(rltrain, monkeypatch):
    Path("models").mkdir()
    for name in ("small.npz", "large.csv", "folder.mdpd"):
        side = "3" if name == "small.npz" else "4"
        assert rltrain("mdp", "generate", "grid", f"models/{name}", "--side", side, "--discount", "0.9")[0] == 0
    environment = "{id: models/small.npz, max_episode_steps: 20}"
    Path("model.yaml").write_text(f"algorithm: {{name: qlearn, gamma: 0.9}}\nenvironment: {environment}\n{RUN}")
    tried = "environment.id=models/small.npz,models/large.csv,models/folder.mdpd"
    code, _, err = rltrain("train", "model.yaml", tried, "--name", "m", "--max-wall", "1s", "-q")
    assert (code, err) == (0, ""), err
    shutil.rmtree("models")
    Path("elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")
    code, _, err = rltrain("sweep", "resume", "../runs/m")
    assert (code, err) == (0, ""), err
    assert sorted(path.name for path in Path("../runs/m/model").iterdir()) == ["folder.mdpd", "large.csv", "small.npz"]
    kept = [f"../runs/m/t000{n}/s0/model/{name}" for n, name in enumerate(("small.npz", "large.csv", "folder.mdpd"))]
    assert [files.read(path).model.num_states for path in kept] == [9, 16, 16]
    assert rltrain("sweep", "best", "../runs/m", "-o", "best.yaml")[0] == 0
    assert rltrain("train", "best.yaml", "-q")[0] == 0


def test_two_models_of_one_name_cannot_lie_side_by_side(rltrain):
    for name in ("a", "b"):
        Path(name).mkdir()
        assert rltrain("mdp", "generate", "grid", f"{name}/grid.csv", "--side", "3", "--discount", "0.9")[0] == 0
    Path("model.yaml").write_text(f"algorithm: qlearn\nenvironment: a/grid.csv\n{RUN}")
    code, _, err = rltrain("train", "model.yaml", "environment.id=a/grid.csv,b/grid.csv", "--name", "m")
    assert code == 2 and "two models are called grid.csv, and a sweep keeps a copy of each; rename one" in err
    assert not Path("runs").exists()
