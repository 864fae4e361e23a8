"""Runs in the queue of a real Slurm, which the tests start on this machine: the same bytes as here."""

import os
import signal
import subprocess
from pathlib import Path

import own_slurm
import pytest
from in_process import command
from started_processes import starting
from waiting import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.skipif(own_slurm.LACKING is not None, reason=str(own_slurm.LACKING))]

FIXTURES = Path(__file__).parents[1] / "fixtures"
CONFIG = """\
algorithm: {name: reinforce, hidden: [8], games_per_update: 4}
environment: {id: slow_world/SlowWorld, needs: [slow_world.py], num_envs: 1}
run: {budget: {env_steps: 1500}, threads: 1, evaluate: {every: {env_steps: 500}, episodes: 2}}
"""
WORLD = ("--import", str(FIXTURES / "slow_world.py"))
SLURM = ("--launcher", "slurm", "--slurm", "time=1m,mem=200M,cpus=1")
KEPT = ("metrics.jsonl", "eval.jsonl", "metrics.csv")


@pytest.fixture(scope="module")
def cluster():
    with own_slurm.slurm() as conf:
        yield conf


@pytest.fixture
def place(tmp_path, monkeypatch, cluster):
    """A folder to work in, on a machine of the cluster."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SLURM_CONF", str(cluster))
    (tmp_path / "c.yaml").write_text(CONFIG)
    return tmp_path


@pytest.fixture
def rltrain(place, capsys):
    return command(capsys)


@pytest.fixture
def begun(place):
    """Starts a verb as a process; whoever is left at the end is killed."""
    with starting() as begin:
        yield begin


def queue(*states):
    """The numbers of the user's jobs in these states."""
    line = ["squeue", "--me", "-h", "-r", "-o", "%i", *([f"--states={','.join(states)}"] if states else [])]
    return subprocess.run(line, capture_output=True, text=True, check=True).stdout.split()


def left_by(run):
    """What training left, without times."""
    return {name: (run / name).read_bytes() for name in KEPT}


def same_as_here(rltrain, group, seeds, *settings):
    """Whether the runs of this group are what processes of this machine come to."""
    os.environ["SLOW_WORLD_SECONDS"] = "0"
    try:
        seeds_text = ",".join(map(str, seeds))
        assert rltrain("train", "c.yaml", "--seeds", seeds_text, "-q", "--name", "here", *settings, *WORLD)[0] == 0
    finally:
        del os.environ["SLOW_WORLD_SECONDS"]
    for seed in seeds:
        assert left_by(group / f"s{seed}") == left_by(group.parent / "here" / f"s{seed}")


def test_seeds_in_a_queue_are_what_they_are_here(rltrain, place):
    code, _, err = rltrain("train", "c.yaml", "--seeds", "3", "-q", "--name", "a", *SLURM, *WORLD)
    assert (code, err) == (0, "")
    group = place / "runs" / "a"
    same_as_here(rltrain, group, range(3))
    assert not list(group.glob("*.job")) and not list(group.glob("*.exit"))
    assert not (group / ".slurm").exists()


def test_a_run_that_takes_longer_than_a_job_may_saves_and_goes_on_in_the_next_to_the_byte(rltrain, place):
    longer = "run.budget.env_steps=25000"  # 50 s and more; a job of a minute is told after 40 s at most
    code, out, err = rltrain("train", "c.yaml", longer, "--seeds", "4,5", "-q", "--name", "a", *SLURM, *WORLD)
    assert (code, err) == (0, ""), out
    group = place / "runs" / "a"
    assert "stopped by SIGTERM" in (group / "s4.log").read_text()
    same_as_here(rltrain, group, [4, 5], longer)


def test_a_cancelled_job_saves_and_a_resume_goes_on(rltrain, begun, place):
    controller = begun("train", "c.yaml", "--seeds", "2", "--name", "a", *SLURM, *WORLD)
    group = place / "runs" / "a"
    wait_for(lambda: (group / "s1" / "metrics.jsonl").exists())
    subprocess.run(["scancel", *queue("RUNNING")], check=True)
    out = controller.communicate()[0]
    assert controller.returncode == 143, out
    assert "stopped and saved" in out and "--launcher slurm --slurm time=1m,mem=200M,cpus=1" in out
    assert rltrain("resume", "a", "-q", *SLURM, *WORLD)[0] == 0
    same_as_here(rltrain, group, range(2))


def test_jobs_outlive_the_command_and_are_collected_by_the_next(rltrain, begun, place):
    group, longer = place / "runs" / "a", "run.budget.env_steps=5000"
    killed = begun("train", "c.yaml", longer, "--seeds", "2", "--name", "a", *SLURM, *WORLD)
    wait_for(lambda: len(queue("RUNNING")) == 2)
    killed.kill()
    killed.communicate()
    left = begun("resume", "a", *SLURM, *WORLD)
    wait_for(lambda: (group / "s1" / "metrics.jsonl").exists())
    left.send_signal(signal.SIGINT)
    out = left.communicate()[0]
    assert left.returncode == 130, out
    assert (
        "2 left in the queue" in out and "come back to them with: rltrain resume" in out and "scancel --name=a-" in out
    )
    assert len(queue()) == 2, "nothing was started twice, and nothing was ended"
    code, out, err = rltrain("resume", "a", "-q", "--launcher", "slurm", *WORLD)
    assert (code, err) == (0, "")
    assert (group / "s0.log").read_text().count("finished:") == 1
    same_as_here(rltrain, group, range(2), longer)


def test_what_slurm_refuses_is_said_and_nothing_is_left(rltrain, place):
    code, _, err = rltrain("train", "c.yaml", "--seeds", "2", "--launcher", "slurm", *WORLD)
    assert code == 2 and "how long may a job take?" in err and "--slurm time=4h" in err
    line = ("--launcher", "slurm", "--slurm", "time=1m,partition=nowhere")
    code, _, err = rltrain("train", "c.yaml", "--seeds", "2", *line, *WORLD)
    assert code == 2 and "sbatch refuses: " in err and "invalid partition" in err
    assert list((place / "runs").iterdir()) == []
