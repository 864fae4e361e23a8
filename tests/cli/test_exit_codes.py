"""Every exit code, reached by a command as a person types it. 130 and 143 are in test_verbs.py."""

import errno
import json
import os
import sys

import pytest
from in_process import command

from rltrain.algos import basic
from rltrain.run import disk
from rltrain.run.checkpoint import Checkpoints
from rltrain.run.lock import Lock
from rltrain.verbs import cost

CONFIG = """\
algorithm: {name: basic, policy: angle}
environment: CartPole-v1
run: {budget: {episodes: 60}, save: {every: {episodes: 10}}}
"""


@pytest.fixture
def rltrain(tmp_path, monkeypatch, capsys):
    """Runs a verb in a folder with a config; returns the exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "c.yaml").write_text(CONFIG)
    return command(capsys)


@pytest.fixture
def fill_disk(monkeypatch):
    """`fill_disk(first, last)`: nothing can be written while the games from `first` to `last` are played."""
    real_write, real_step = os.write, basic.HardCoded.step
    full = []

    def write(descriptor, data):
        if full and descriptor > 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real_write(descriptor, data)

    def fill(first, last):
        full.clear()

        def step(self):
            metrics = real_step(self)
            full[:] = [True] if first <= self.counters["episodes"] <= last else []
            return metrics

        monkeypatch.setattr(basic.HardCoded, "step", step)
        monkeypatch.setattr(os, "write", write)

    yield fill
    full.clear()


def test_0_and_2_and_4(rltrain):
    assert rltrain("train", "c.yaml", "-q")[0] == 0
    assert rltrain("train", "c.yaml", "run.sed=1")[0] == 2
    assert rltrain("train", "c.yaml", "--env", "ALE/MsPackman-v5")[0] == 4


def test_1_a_bug_leaves_its_traceback_in_the_run(rltrain, tmp_path, monkeypatch):
    monkeypatch.setattr(basic.HardCoded, "step", lambda self: 1 // 0)
    code, _, err = rltrain("train", "c.yaml", "--name", "r")
    assert code == 1 and len(err.splitlines()) == 2 and "Traceback" not in err
    assert "ZeroDivisionError" in (tmp_path / "runs/r/crash.txt").read_text()
    assert json.loads((tmp_path / "runs/r/status.json").read_text())["state"] == "crashed"


def test_a_run_that_is_stopped_while_its_folder_is_made_leaves_nothing_behind(rltrain, tmp_path, monkeypatch):
    real, allowed = disk.RealDisk.rename, 0

    def rename(self, old, new):
        nonlocal allowed
        if not allowed:
            raise KeyboardInterrupt
        allowed -= 1
        real(self, old, new)

    for before_it in range(2):  # run.json, config.yaml
        allowed = before_it
        monkeypatch.setattr(disk.RealDisk, "rename", rename)
        assert rltrain("train", "c.yaml", "--name", "r")[0] == 130
        monkeypatch.setattr(disk.RealDisk, "rename", real)
        assert not (tmp_path / "runs/r").exists()
    assert rltrain("train", "c.yaml", "--name", "r", "-q")[0] == 0


def test_3_no_checkpoint_is_whole(rltrain, tmp_path):
    rltrain("train", "c.yaml", "--name", "r", "-q")
    for manifest in tmp_path.glob("runs/r/checkpoints/*/MANIFEST.json"):
        manifest.write_text("{}")
    for words in (["resume", "r"], ["eval", "r"], ["check", "r"]):
        assert rltrain(*words)[0] == 3


def test_5_a_run_in_use(rltrain, tmp_path, monkeypatch):
    rltrain("train", "c.yaml", "--name", "r", "-q")
    monkeypatch.setattr(cost, "available_bytes", lambda: 0)  # the other one may have taken all memory
    with Lock(tmp_path / "runs/r"):
        code, _, err = rltrain("resume", "r")
    assert code == 5 and str(os.getpid()) in err


def test_6_numbers_that_are_no_longer_finite(rltrain, tmp_path):
    settings = ["algorithm={name: dqn, hidden: [], learning_starts: 100, reward_scale: 1e30, loss: mse}"]
    code, out, err = rltrain("train", "c.yaml", *settings, "-n", "2000", "--name", "r")
    assert code == 6 and "Traceback" not in err, out + err
    assert json.loads((tmp_path / "runs/r/status.json").read_text())["state"] == "diverged"


def test_7_no_folder_can_be_made(rltrain):
    code, out, err = rltrain("train", "c.yaml", "-f", "c.yaml/runs")
    assert (code, out) == (7, "") and "c.yaml/runs" in err


def test_7_the_disk_is_full_until_the_end(rltrain, tmp_path, fill_disk):
    fill_disk(25, 10**9)
    code, out, err = rltrain("train", "c.yaml", "--name", "r")
    assert code == 7 and "No space left" in err and "rltrain resume runs/r" in err
    assert out.count("warning: not saved") == 4  # at 30, 40, 50, 60; then comes the last try
    assert out.count("kept in memory") == 1
    store = Checkpoints(tmp_path / "runs/r")
    assert store.names()[-1] == "ckpt-000000000020" and store.verify(store.names()[-1]) == []
    assert rltrain("resume", "r")[0] == 7  # at once
    fill_disk(0, 0)
    code, out, _ = rltrain("resume", "r", "-q")
    assert code == 0 and "finished: 60 episodes" in out
    assert rltrain("train", "c.yaml", "--name", "whole", "-q")[0] == 0
    for file in ("metrics.jsonl", "metrics.csv"):
        assert (tmp_path / "runs/r" / file).read_bytes() == (tmp_path / "runs/whole" / file).read_bytes()


@pytest.mark.parametrize("words", [("list", "configs"), ("list", "configs", "--json"), ("--help",), ("--version",)])
def test_7_what_a_command_says_cannot_be_written(rltrain, monkeypatch, words):
    with open("/dev/full", "w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        code, _, err = rltrain(*words)
    assert (code, err) == (7, "standard output: cannot be written: No space left on device; free some space\n")


def test_7_of_a_run_whose_log_cannot_be_written_and_which_is_whole(rltrain, tmp_path, monkeypatch):
    with open("/dev/full", "w") as full, monkeypatch.context() as changed:
        changed.setattr(sys, "stdout", full)
        assert rltrain("train", "c.yaml", "--name", "r", "-q")[0] == 7
    assert json.loads((tmp_path / "runs/r/status.json").read_text())["state"] == "finished"
    assert rltrain("list", "runs")[0] == 0  # of one command, not of the next


def test_0_where_nobody_reads_on(rltrain, monkeypatch):
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w") as closed:
        monkeypatch.setattr(sys, "stdout", closed)
        assert rltrain("list", "configs") == (0, "", "")


def test_a_disk_that_is_full_for_a_while_costs_nothing(rltrain, tmp_path, fill_disk):
    fill_disk(25, 45)
    code, out, err = rltrain("train", "c.yaml", "--name", "r")
    assert (code, err) == (0, "")
    assert out.count("warning: not saved") == 2 and "saved       ckpt-000000000050" in out
    fill_disk(0, 0)
    rltrain("train", "c.yaml", "--name", "whole", "-q")
    for file in ("metrics.jsonl", "metrics.csv"):
        assert (tmp_path / "runs/r" / file).read_bytes() == (tmp_path / "runs/whole" / file).read_bytes()


@pytest.mark.parametrize("words", [["train", "c.yaml"], ["check", "c.yaml"], ["resume", "r"], ["train", "-i", "r"]])
def test_8_more_memory_than_there_is(rltrain, monkeypatch, words):
    rltrain("train", "c.yaml", "--name", "r", "-q")
    monkeypatch.setattr(cost, "available_bytes", lambda: 1000)
    code, _, err = rltrain(*words)
    assert code == 8 and "available" in err
    assert ("keeps its settings" in err) == ("r" in words)
