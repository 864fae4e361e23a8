"""`rltrain sweep`: what is printed and returned, and real processes that are killed at any moment."""

from __future__ import annotations

import errno
import json
import os
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest
from in_process import command
from paper_launcher import PaperLauncher

from rltrain.launchers.choose import LauncherChoice
from rltrain.run.disk import disk_errors
from rltrain.verbs.sweep import train
from rltrain.verbs.sweep.journal import StudyJournal

SMALL = """algorithm: qlearn
environment: FrozenLake-v1
run: {seed: 5, budget: {env_steps: 4_000}, evaluate: {every: {env_steps: 1_000}, episodes: 2}}
"""
SWEEP = """sweep: {config: small.yaml, search: random, trials: 6, at_once: 2}
space: {algorithm.learning_rate: {from: 1e-3, to: 1.0, log: true}, algorithm.gamma: [0.5, 0.9]}
"""


@pytest.fixture
def rltrain(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("small.yaml").write_text(SMALL)
    Path("s.yaml").write_text(SWEEP)
    return command(capsys)


@pytest.fixture
def on_paper(monkeypatch):
    """Runs are on paper; returns the launchers, the last at its end."""
    made = [PaperLauncher()]
    monkeypatch.setattr(train, "TICK_SECONDS", 0.0)
    monkeypatch.setattr(LauncherChoice, "launcher", lambda *_: made[-1])
    return made


def test_a_sweep_says_each_trial_the_verdict_the_best_and_what_to_type_next(rltrain, on_paper):
    code, out, err = rltrain("sweep", "s.yaml", "--name", "lr", "--jobs", "2")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == "qlearn on FrozenLake-v1 · runs/lr · random, 6 trials, 2 runs at a time"
    assert sorted(line.split()[0] for line in lines[1:7]) == [f"t000{n}" for n in range(6)]
    assert lines[-3].startswith("finished: 6 trials in ") and lines[-3].endswith(", in runs/lr")
    assert lines[-2].startswith("best: t000")
    assert lines[-1] == "next: rltrain sweep show runs/lr, then rltrain sweep best runs/lr -o best.yaml"
    code, out, _ = rltrain("sweep", "resume", "lr")
    assert code == 0 and "nothing to do: 6 of 6 trials scored\n" in out and "sweep.trials=12" in out
    code, out, _ = rltrain("sweep", "resume", "lr", "sweep.trials=8", "-q")
    assert code == 0 and out.startswith("finished: 8 trials")
    assert "8 of 8" in rltrain("sweep", "show", "lr")[1]


def test_a_fault_is_named_and_gives_its_code(rltrain, on_paper):
    on_paper.append(PaperLauncher(fails=lambda job: 8 if job.group.folder.name == "t0001" else 0))
    code, out, err = rltrain("sweep", "s.yaml", "--name", "lr")
    assert code == 8
    assert err == "t0001/s5 failed (exit code 8): it said nothing\n"
    assert "when that is mended, go on with: rltrain sweep resume runs/lr" in out
    on_paper.append(PaperLauncher())
    assert rltrain("sweep", "resume", "lr")[0] == 0


def test_how_far_a_sweep_came_is_one_number_wherever_it_is_said(rltrain, on_paper):
    halving = "sweep.halving={counter: env_steps, from: 1000, to: 3000, factor: 3}"
    steep = PaperLauncher(
        diverges=lambda experiment: experiment.algorithm.model_dump()["learning_rate"] > 0.3,
        fails=lambda job: 8 if (job.experiment.run.budget or {})["env_steps"] > 1_000 else 0,
    )
    on_paper.append(steep)
    code, out, _ = rltrain("sweep", "s.yaml", halving, "--name", "lr")
    assert code == 8 and "stopped after" in out and ": 6 of 6 trials scored\n" in out
    assert "; interrupted, 6 of 6 trials scored\n" in rltrain("sweep", "show", "lr")[1]


def test_of_many_seeds_the_score_is_the_mean_that_is_said_and_lies_in_the_middle_of_its_interval(rltrain, on_paper):
    assert rltrain("sweep", "s.yaml", "sweep.seeds=5", "sweep.trials=1", "--name", "lr")[0] == 0
    assert "score: the last evaluation, mean of 5 seeds\n" in rltrain("sweep", "show", "lr")[1]
    (trial,) = json.loads(rltrain("sweep", "show", "lr", "--json")[1])["ranking"]
    tell = next(line for line in Path("runs/lr/study.journal").read_text().splitlines() if '"seeds":[' in line)
    assert trial["score"] == pytest.approx(statistics.fmean(json.loads(tell)["user_attr"]["seeds"]))
    assert trial["score"] == pytest.approx(statistics.fmean(trial["ci95"]))


def test_a_full_disk_is_one_error_and_how_to_go_on(rltrain, on_paper, monkeypatch):
    add, room = StudyJournal.add, [0]

    def filling(self, lines):
        room[0] -= 1
        with disk_errors("cannot write study.journal"):
            if room[0] < 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        add(self, lines)

    monkeypatch.setattr(StudyJournal, "add", filling)
    fault = "cannot write study.journal: No space left on device; free some space"
    code, _, err = rltrain("sweep", "s.yaml", "--name", "lr")
    assert (code, err.splitlines(), Path("runs/lr").exists()) == (7, [fault], False)
    again = "when the disk takes it again, go on with: rltrain sweep resume runs/lr"
    for words in (["s.yaml", "--name", "lr"], ["resume", "lr"]):
        room[0] = 2
        code, _, err = rltrain("sweep", *words)
        assert (code, err.splitlines()) == (7, [again, fault])
    room[0] = 99
    assert rltrain("sweep", "resume", "lr")[0] == 0


def test_a_crash_names_the_command_that_goes_on_with_a_sweep(rltrain, on_paper, monkeypatch):
    monkeypatch.setattr(StudyJournal, "add", lambda *_: 1 / 0)
    code, _, err = rltrain("sweep", "s.yaml", "--name", "lr")
    assert code == 1 and err.rstrip().endswith("rltrain sweep resume runs/lr")
    assert Path("runs/lr/crash.txt").exists()


def test_a_misspelt_verb_is_told_the_nearest(rltrain):
    code, _, err = rltrain("sweep", "shwo", "lr")
    assert (code, err) == (2, "shwo: no sweep file and no verb; did you mean 'rltrain sweep show'?\n")


def test_a_dry_run_prints_a_complete_sweep_and_its_first_batch_and_makes_nothing(rltrain):
    code, out, _ = rltrain("sweep", "s.yaml", "sweep.seeds=3", "--dry-run")
    assert code == 0 and not Path("runs").exists()
    assert out.startswith("# 6 trials, 18 runs; the first batch:\n#   t0000  algorithm.learning_rate=")
    Path("whole.yaml").write_text(out)
    assert rltrain("sweep", "whole.yaml", "--dry-run")[1] == out


def test_what_is_wrong_is_said_before_anything_is_made(rltrain):
    for words, said in [
        (["s.yaml", "--max-wall", "soon"], "--max-wall: expected a duration"),
        (["s.yaml", "sweep.serch=tpe"], "did you mean 'search'?"),
        (["small.yaml"], "one config, no sweep"),
        (["resume", "lr"], "no sweep 'lr'"),
    ]:
        code, _, err = rltrain("sweep", *words)
        assert code == 2 and said in err, err
    assert not Path("runs").exists()


def test_an_async_sweep_is_marked(rltrain, on_paper):
    assert rltrain("sweep", "s.yaml", "--name", "lr", "--async")[0] == 0
    facts = json.loads(Path("runs/lr/sweep.json").read_text())
    assert facts["exact"] is False and facts["why"].startswith("--async: ")


# Real processes


def start(*words):
    argv = [sys.executable, "-m", "rltrain", "sweep", *words]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def children_of(pid):
    """The processes that work in this sweep."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            if int(path.read_text().rpartition(")")[2].split()[1]) == pid:
                found.append(int(path.parent.name))
        except (OSError, ValueError):
            pass
    return found


def until(holds, seconds=120):
    limit = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < limit, "it never came"
        time.sleep(0.02)


def gone(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def left(folder):
    files = [*folder.glob("t*/s*/eval.jsonl"), *folder.glob("t*/s*/metrics.jsonl"), folder / "study.journal"]
    files.append(folder / "trials.csv")
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.mark.slow
def test_a_controller_that_is_killed_leaves_no_orphan_and_resumes_to_the_byte(rltrain):
    halving = "sweep.halving={counter: env_steps, from: 1000, to: 3000, factor: 3}"
    assert start("s.yaml", halving, "--name", "whole", "--jobs", "2").wait() == 0
    words = ["s.yaml", halving, "--name", "killed", "--jobs", "1"]
    marks = ["study.journal", "t0000/s5/config.yaml", "t0001/s5.log", "t0002/s5/eval.jsonl", "t0004/seeds.json"]
    for mark in marks:
        process = start(*words)
        until(lambda place=Path("runs/killed", mark), process=process: place.exists() or process.poll() is not None)
        if process.poll() is not None:
            raise AssertionError(f"{mark} never came: {process.communicate()[0]}")
        runs = children_of(process.pid)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        until(lambda runs=runs: all(map(gone, runs)))
        words = ["resume", "killed", "--jobs", "2"]
    process = start(*words)
    out = process.communicate()[0]
    assert process.returncode == 0, out
    assert left(Path("runs/killed")) == left(Path("runs/whole"))


@pytest.mark.slow
def test_ctrl_c_saves_and_the_sweep_goes_on(rltrain):
    process = start("s.yaml", "run.budget.env_steps=400000", "--name", "lr", "--jobs", "2")
    until(lambda: Path("runs/lr/t0000/s5/metrics.jsonl").exists())
    process.send_signal(signal.SIGINT)
    out = process.communicate()[0]
    assert process.returncode == 130, out
    assert "stopped by Ctrl-C after" in out and "go on with: rltrain sweep resume runs/lr" in out
    assert json.loads(Path("runs/lr/t0000/s5/status.json").read_text())["state"] == "interrupted"


@pytest.mark.slow
def test_a_time_limit_in_a_batch_or_a_halving_changes_nothing_and_a_second_controller_is_refused(rltrain):
    halving = "sweep.halving={counter: env_steps, from: 100000, to: 300000, factor: 3}"
    settings = ["run.evaluate.every.env_steps=100000", "run.budget.env_steps=300000", halving]
    process = start("s.yaml", *settings, "--name", "whole")
    until(lambda: Path("runs/whole/t0000/s5/config.yaml").exists())
    assert rltrain("sweep", "s.yaml", *settings, "--name", "whole")[0] == 2
    code, _, err = rltrain("sweep", "resume", "whole")
    assert code == 5 and "in use" in err
    assert process.wait() == 0
    process = start("s.yaml", *settings, "--name", "legs", "--max-wall", "1s")
    legs = 0
    while "finished" not in (out := process.communicate()[0]):
        assert process.returncode == 0 and "stopped by --max-wall" in out, out
        process = start("resume", "legs", "--max-wall", "1s")
        legs += 1
    assert legs > 0 and left(Path("runs/legs")) == left(Path("runs/whole"))


@pytest.mark.slow
def test_a_trial_is_a_group_of_runs_like_any_other(rltrain):
    assert start("s.yaml", "sweep.seeds=2", "sweep.trials=2", "--name", "lr").wait() == 0
    code, out, _ = rltrain("eval", "--checkpoint", "lr/t0001", "--episodes", "2", "--json")
    assert code == 0 and len(json.loads(out)["seeds"]) == 2
    assert "nothing to do" in rltrain("resume", "lr/t0000/s5")[1]
    assert rltrain("plot", "lr/t0000/s5")[0] == 0


@pytest.mark.slow
def test_a_grid_on_the_command_line_is_a_sweep_whose_trials_are_groups_like_any_other(rltrain):
    code, out, err = rltrain("train", "small.yaml", "algorithm.gamma=.5,.9", "--seeds", "2", "--name", "grid", "-q")
    assert (code, err, out.splitlines()[0][:20]) == (0, "", "finished: 2 trials i")
    assert sorted(path.name for path in Path("runs/grid/t0001").glob("s?")) == ["s5", "s6"]
    assert "gamma: 0.9" in Path("runs/grid/t0001/s6/config.yaml").read_text()
    assert rltrain("eval", "grid/t0001", "--episodes", "2")[0] == 0
    assert rltrain("eval", "grid/t0001/s6", "--episodes", "2")[0] == 0
    code, out, _ = rltrain("plot", "grid/t0000", "grid/t0001", "-o", "both.png")
    assert code == 0 and "gamma 0.9" in out
    code, out, _ = rltrain("resume", "grid/t0001/s6", "run.budget.env_steps=5000", "-q")
    assert (code, out.split(":")[0]) == (0, "finished")
    assert "nothing to do" in rltrain("resume", "grid/t0000")[1]
