"""`train C --from RUN` as a person types it, the Zoo's -i, and what does not go together."""

import json

import pytest
from in_process import command

from rltrain.launchers.job import RunJob
from rltrain.run import facts
from rltrain.run import group as groups

CONFIG = """\
algorithm: {name: search, batch: 4, games: 1, recheck: 2}
environment: {id: CartPole-v1, num_envs: 4}
run: {budget: {policies: 8}, save: {every: {policies: 4}}}
"""


@pytest.fixture
def rltrain(tmp_path, monkeypatch, capsys):
    """Runs a verb in an empty folder with a config and a run `a` of it; returns the exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "c.yaml").write_text(CONFIG)
    run = command(capsys)
    run("train", "c.yaml", "--name", "a", "--quiet")
    return run


@pytest.mark.parametrize(
    "how",
    [
        pytest.param(["--from", "a"], marks=pytest.mark.slow),
        ["-i", "a"],
        pytest.param(["--trained-agent", "runs/a"], marks=pytest.mark.slow),
        ["--from", "a", "--last"],
    ],
)
def test_a_new_run_says_what_it_starts_from_and_takes(rltrain, tmp_path, how):
    code, out, _ = rltrain("train", "c.yaml", "--name", "b", *how)
    assert code == 0
    first, second = out.splitlines()[:2]
    assert first.startswith("starts from runs/a/checkpoints/ckpt-000000000008 (the newest")
    assert second == "  taken: the champion, a linear policy of 5 parameters"
    assert facts.read(tmp_path / "runs/b")["started_from"]["checkpoint"] == "ckpt-000000000008"
    assert rltrain("resume", "b", "run.budget.policies=12", "-q")[0] == 0


def test_a_checkpoint_may_be_named_itself_and_quiet_is_still_one_line(rltrain):
    code, out, err = rltrain("train", "c.yaml", "-q", "--from", "runs/a/checkpoints/ckpt-000000000004", "--name", "b")
    assert (code, err, len(out.splitlines())) == (0, "", 1)


def test_i_without_a_config_goes_on_with_the_run(rltrain):
    code, out, _ = rltrain("train", "-i", "a", "run.budget.policies=12", "-q")
    assert code == 0 and out.startswith("finished: 12 policies") and "runs/a" in out


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--from", "nothing"], 2, "no run 'nothing'"),
        (["--last"], 2, "--last: of the run that --from names"),
        (["--from", "a", "-i", "a"], 2, "leave out one of them"),
        (["--resume", "a"], 2, "--from a"),
        (["algorithm.policy=mlp", "--from", "a"], 2, "the policy here an mlp of 8 tanh"),
    ],
)
def test_what_does_not_go_together_is_said(rltrain, tmp_path, arguments, code, said):
    done, out, err = rltrain("train", "c.yaml", *arguments)
    assert (done, out) == (code, "") and said in err
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["a"]


def test_a_damaged_checkpoint_is_one_error(rltrain, tmp_path):
    for place in (tmp_path / "runs/a/checkpoints").iterdir():
        (place / "arrays.safetensors").write_bytes(b"no arrays")
    code, out, err = rltrain("train", "c.yaml", "--from", "a")
    assert (code, out) == (3, "") and "arrays.safetensors" in err


def test_the_processes_of_several_seeds_are_told_the_checkpoint_itself(rltrain, tmp_path):
    start = tmp_path / "runs/a/checkpoints/ckpt-000000000008"
    experiment = groups.load(tmp_path / "c.yaml")
    made = groups.create(experiment, [0, 1], tmp_path / "runs", "g", "", start)
    command = RunJob(made, 0, experiment).words()
    assert command[command.index("--from") + 1] == str(start)


@pytest.mark.slow
def test_every_seed_starts_from_the_same_run(rltrain, tmp_path):
    assert rltrain("train", "c.yaml", "--seeds", "2", "--name", "g", "--from", "a", "-q")[0] == 0
    assert json.loads((tmp_path / "runs/g/seeds.json").read_text())["started_from"]["path"].endswith(
        "ckpt-000000000008"
    )
    said = [facts.read(tmp_path / f"runs/g/s{seed}")["started_from"] for seed in (0, 1)]
    assert said[0] == said[1] and said[0]["checkpoint"] == "ckpt-000000000008"
    rltrain("train", "c.yaml", "--seed", "1", "--name", "alone", "--from", "a", "-q")
    for file in ("metrics.csv", "checkpoints/ckpt-000000000008/state.json"):
        assert (tmp_path / "runs/alone" / file).read_bytes() == (tmp_path / "runs/g/s1" / file).read_bytes()
