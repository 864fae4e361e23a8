"""Packages and programs that are not there, clusters that refuse: one line says what to do, and nothing is left."""

import sys

import pytest
from in_process import command

from rltrain.launchers.choose import LauncherChoice

CONFIG = """\
algorithm: {name: reinforce, games_per_update: 4}
environment: {id: CartPole-v1, num_envs: 4}
run: {budget: {env_steps: 400}, threads: 1, evaluate: {every: {env_steps: 200}, episodes: 2}}
"""
SWEEP = """\
sweep: {config: c.yaml, search: tpe, trials: 4}
space: {algorithm.learning_rate: {from: 1e-3, to: 1e-1, log: true}}
"""
SLURM = ("--launcher", "slurm", "--slurm", "time=1h")
RAY = ("--launcher", "ray")
SEEDS = ("train", "c.yaml", "--seeds", "2")


@pytest.fixture
def rltrain(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    (tmp_path / "c.yaml").write_text(CONFIG)
    (tmp_path / "s.yaml").write_text(SWEEP)
    return command(capsys)


@pytest.mark.parametrize(
    ("package", "extra", "words"),
    [
        ("submitit", "slurm", (*SEEDS, *SLURM)),
        ("submitit", "slurm", ("sweep", "s.yaml", *SLURM)),
        ("ray", "ray", (*SEEDS, *RAY)),
        ("ray", "ray", ("sweep", "s.yaml", *RAY)),
        ("ray", "ray", ("train", "c.yaml", "algorithm.gamma=.9,.99", *RAY)),
        ("ray", "ray", ("train", "c.yaml", "run.distribute.actors=2")),
        ("optuna", "sweep", ("sweep", "s.yaml")),
        ("optuna", "sweep", ("sweep", "s.yaml", "sweep.search=gp")),
        ("optuna", "sweep", ("sweep", "s.yaml", "--dry-run")),
    ],
)
def test_what_is_not_installed_is_said_with_what_installs_it(package, extra, words, rltrain, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    code, _, err = rltrain(*words)
    assert code == 4
    assert err.count("\n") == 1 and f'pip install "rltrain[{extra}]"' in err
    assert not list(tmp_path.glob("runs/*"))


def test_an_evaluation_by_actors_says_so_too(rltrain, monkeypatch):
    assert rltrain("train", "c.yaml", "--name", "a", "-q")[0] == 0
    monkeypatch.setitem(sys.modules, "ray", None)
    code, _, err = rltrain("eval", "a", "-n", "2", "--actors", "2")
    assert code == 4 and 'pip install "rltrain[ray]"' in err


@pytest.mark.parametrize("words", [SEEDS, ("sweep", "s.yaml")])
def test_a_machine_that_is_in_no_cluster_of_slurms_is_told_so(words, rltrain, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    code, _, err = rltrain(*words, *SLURM)
    assert code == 4 and err == "--launcher slurm: no program sbatch on this machine; run it where Slurm is\n"
    assert not list(tmp_path.glob("runs/*"))


def test_of_a_sweep_that_no_cluster_takes_nothing_is_left_and_its_name_is_free(rltrain, tmp_path, monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    words = ("sweep", "s.yaml", "sweep.search=random", "--name", "s")
    code, _, err = rltrain(*words, *RAY)
    assert code == 2 and "RAY_ADDRESS=127.0.0.1:1: cannot be joined" in err
    assert not list(tmp_path.glob("runs/*"))


@pytest.mark.parametrize("words", [SEEDS, ("sweep", "s.yaml")])
def test_ctrl_c_while_a_launcher_is_made_leaves_nothing(words, rltrain, tmp_path, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(LauncherChoice, "launcher", interrupted)
    assert rltrain(*words)[0] == 130
    assert not list(tmp_path.glob("runs/*"))


def test_of_a_sweep_in_which_a_run_has_begun_all_is_kept(rltrain, tmp_path, monkeypatch):
    words = ("sweep", "s.yaml", "sweep.search=random", "sweep.trials=1", "--name", "s", "-q")
    assert rltrain(*words)[0] == 0
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    assert rltrain("sweep", "resume", "s", "sweep.trials=2", *RAY)[0] == 2
    assert (tmp_path / "runs/s/t0000/s0/eval.jsonl").is_file() and (tmp_path / "runs/s/study.journal").is_file()
