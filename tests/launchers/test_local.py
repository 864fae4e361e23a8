"""Processes of this machine: whoever comes after their launcher can tell that they are still there."""

from __future__ import annotations

import os
import sys

from paper_launcher import PaperLauncher

from rltrain.experiment.config import loads
from rltrain.launchers import child, local
from rltrain.launchers.job import RunJob
from rltrain.launchers.pool import Pool
from rltrain.run import group as groups
from rltrain.run.lock import hold, is_held

CONFIG = "{algorithm: qlearn, environment: FrozenLake-v1, run: {budget: {env_steps: 10}}}"


def test_a_child_holds_its_log_from_before_it_is_there_to_its_end(tmp_path, monkeypatch):
    waits = [sys.executable, "-c", "import sys; sys.stdin.read()", "--"]
    monkeypatch.setattr(child, "interpreter", lambda: waits)
    experiment = loads(CONFIG, "c.yaml")
    group = groups.create(experiment, [0], tmp_path, "g", "rltrain train")
    job = RunJob(group, 0, experiment)
    (running,) = local.Local().start([job])
    try:
        assert is_held(job.log) and not job.folder.exists()
    finally:
        running._process.stdin.close()
        assert running._process.wait() == 0
    assert not is_held(job.log)


def test_a_run_is_not_begun_while_a_child_of_a_killed_predecessor_is_at_it(tmp_path):
    experiment = loads(CONFIG, "c.yaml")
    group = groups.create(experiment, [0, 1], tmp_path, "g", "rltrain train")
    jobs = [RunJob(group, seed, experiment) for seed in group.seeds]
    jobs[0].log.touch()
    held = hold(jobs[0].log)
    pool = Pool(PaperLauncher(), jobs, 2)
    pool.tend()
    assert [member.state for member in pool.members] == ["waiting", "running"] and pool.busy
    os.close(held)
    pool.tend()
    assert pool.members[0].state == "running"
