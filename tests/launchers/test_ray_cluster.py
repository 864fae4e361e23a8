"""Runs as tasks of Ray: the same bytes as here, whatever becomes of a node or of the process that started them."""

import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import own_ray
import psutil
import pytest
from in_process import command
from waiting import wait_for

from rltrain.errors import InputError
from rltrain.launchers.ray_node import NodeFacts
from rltrain.launchers.ray_tasks import refuse
from rltrain.version import __version__

FIXTURES = Path(__file__).parents[1] / "fixtures"
CONFIG = """\
algorithm: {name: reinforce, hidden: [8], games_per_update: 4}
environment: {id: slow_world/SlowWorld, needs: [slow_world.py], num_envs: 1}
run: {budget: {env_steps: 5000}, threads: 1, evaluate: {every: {env_steps: 1000}, episodes: 2},
      save: {every: {env_steps: 500}}}
"""
WORLD = ("--import", str(FIXTURES / "slow_world.py"))
PYTHON = platform.python_version()
KEPT = ("metrics.jsonl", "eval.jsonl", "metrics.csv")


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "c.yaml").write_text(CONFIG)
    return tmp_path


@pytest.fixture
def rltrain(place, capsys):
    return command(capsys)


@pytest.fixture
def cluster(monkeypatch):
    """A cluster of which two nodes can have a run each."""
    with own_ray.cluster(1) as (made, nodes):
        monkeypatch.setenv("RAY_ADDRESS", made.address)
        yield made, nodes


def begin(*arguments):
    line = [sys.executable, "-m", "rltrain", *arguments]
    return subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def same_as_here(rltrain, group, monkeypatch):
    """Whether the runs of this group are what processes of this machine come to."""
    monkeypatch.setenv("SLOW_WORLD_SECONDS", "0")
    assert rltrain("train", "c.yaml", "--seeds", "2", "-q", "--name", "here", *WORLD)[0] == 0
    for seed in range(2):
        for name in KEPT:
            assert (group / f"s{seed}" / name).read_bytes() == (group.parent / "here" / f"s{seed}" / name).read_bytes()


@pytest.mark.slow
def test_runs_of_a_node_that_is_lost_go_on_elsewhere_to_the_byte(rltrain, place, cluster, monkeypatch):
    made, nodes = cluster
    group = place / "runs" / "a"
    controller = begin("train", "c.yaml", "--seeds", "2", "--name", "a", "--launcher", "ray", *WORLD)
    try:
        wait_for(lambda: all((group / f"s{seed}" / "metrics.jsonl").exists() for seed in range(2)), controller)
        logs = [(group / f"s{seed}.log").read_text() for seed in range(2)]
        assert not any("finished" in log for log in logs), (
            "each of the nodes, which have one processor each, is at work on a run"
        )
        made.remove_node(nodes[0], allow_graceful=False)
        out = controller.communicate()[0]
    finally:
        controller.kill()
        controller.wait()
    assert controller.returncode == 0, out
    assert not [path for path in group.iterdir() if path.name.startswith(".ray") or path.suffix == ".stop"]
    same_as_here(rltrain, group, monkeypatch)


@pytest.mark.slow
def test_a_killed_process_leaves_nobody_behind_and_its_runs_go_on(rltrain, place, monkeypatch):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    group = place / "runs" / "a"
    controller = begin("train", "c.yaml", "--seeds", "2", "--name", "a", "--launcher", "ray", *WORLD)
    try:
        wait_for(lambda: all((group / f"s{seed}" / "metrics.jsonl").exists() for seed in range(2)), controller)
        family = psutil.Process(controller.pid).children(recursive=True)
        assert len(family) > 2
    finally:
        controller.kill()
        controller.communicate()
    psutil.wait_procs(family)
    states = [json.loads((group / f"s{seed}" / "status.json").read_text())["state"] for seed in range(2)]
    assert states == ["interrupted"] * 2, "each saved before it ended"
    assert rltrain("resume", "a", "-q", *WORLD)[0] == 0
    same_as_here(rltrain, group, monkeypatch)


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        (
            NodeFacts("far", False, __version__, PYTHON),
            "node far does not share /runs/a: .* --runs-dir",
        ),
        (
            NodeFacts("far", True, "0.0.1", PYTHON),
            rf"node far has rltrain 0\.0\.1, here is {__version__}",
        ),
        (NodeFacts("far", True, __version__, "3.9.0"), r"node far has python 3\.9\.0, here is"),
    ],
)
def test_a_node_on_which_runs_would_be_lost_or_others_is_refused_with_the_reason(facts, said):
    with pytest.raises(InputError, match=said):
        refuse(facts, facts.shared, Path("/runs/a"))


@pytest.mark.slow
def test_a_cluster_that_cannot_be_joined_is_one_clear_error(rltrain, place, monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    code, _, err = rltrain("train", "c.yaml", "--seeds", "2", "--launcher", "ray", *WORLD)
    assert code == 2 and "RAY_ADDRESS=127.0.0.1:1: cannot be joined" in err
    assert list((place / "runs").iterdir()) == []
    assert os.environ["RAY_ADDRESS"] == "127.0.0.1:1"
