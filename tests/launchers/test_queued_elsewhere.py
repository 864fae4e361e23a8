"""Runs that wait in a queue are started nowhere else: who goes on by another launcher is told where they are."""

import json
from contextlib import closing

import pytest
from in_process import command
from local_queue import LocalQueue
from paper_queue import PaperQueue
from waiting import wait_for

from rltrain.errors import BusyError
from rltrain.experiment import config
from rltrain.experiment import sweep as sweeps
from rltrain.launchers import slurm, slurm_queue
from rltrain.launchers.job import RunJob
from rltrain.launchers.local import Local
from rltrain.launchers.pool import Pool
from rltrain.run import group as groups
from rltrain.verbs.sweep import folder
from rltrain.verbs.sweep.train import SweepTraining

CONFIG = "{algorithm: {name: basic, policy: angle}, environment: CartPole-v1, run: {budget: {episodes: 5}, threads: 1}}"
SWEEP = """\
sweep: {config: c.yaml, search: random, trials: 2, seeds: 2}
space: {algorithm.policy: [angle, random]}
"""


@pytest.fixture
def queue(monkeypatch):
    """The queue of this machine, of which `squeue` says what a test wants; nobody waits between two looks."""
    for name in ("LOOK_SECONDS", "QUEUE_SECONDS", "CLOSE_SECONDS"):
        monkeypatch.setattr(slurm, name, 0.0)
    made = PaperQueue()
    monkeypatch.setattr(slurm_queue, "states", made.states)
    return made


@pytest.fixture
def rltrain(tmp_path, monkeypatch, capsys):
    """The command, in this process."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "c.yaml").write_text(CONFIG)
    return command(capsys)


def submitted(queue, folder):
    """A group whose second run was given to the queue by a process that is gone."""
    group = groups.create(config.loads(CONFIG, "c.yaml"), [3, 4], folder, "g", "rltrain")
    jobs = [RunJob(group, seed, group.experiment()) for seed in group.seeds]
    slurm.Slurm(group.folder, queue).start(jobs[1:])
    return group, jobs


@pytest.mark.parametrize("state", ["PENDING", "RUNNING"])
def test_a_group_of_which_a_run_is_queued_begins_no_run_here(state, rltrain, queue, tmp_path):
    group, (_, job) = submitted(queue, tmp_path / "runs")
    [(key, found)] = queue.now.items()
    queue.now = {key: found._replace(state=state)}
    before = group.config.read_bytes()
    code, _, err = rltrain("resume", "g", "run.budget.episodes=9", "--jobs", "1")
    assert code == 5 and group.config.read_bytes() == before
    assert f"1 run of these in its queue, {job.folder.relative_to(tmp_path)} is {state}" in err
    assert f"go on with --launcher slurm, or take them out with: scancel --name={key[0]}" in err
    assert not group.member(3).exists() and job.queued.exists()


def test_a_queue_that_does_not_answer_here_begins_no_run_here(rltrain, queue, tmp_path):
    group, (_, job) = submitted(queue, tmp_path / "runs")
    queue.now = None
    code, _, err = rltrain("resume", "g")
    assert code == 5 and f"{job.queued.relative_to(tmp_path)}: Slurm does not answer here" in err
    job.queued.unlink()
    assert rltrain("resume", "g", "-q")[0] == 0
    assert all(map(group.begun, group.seeds))


def test_runs_whose_jobs_are_over_go_on_here(queue, tmp_path):
    _, jobs = submitted(queue, tmp_path)
    [(key, found)] = queue.now.items()
    queue.now = {key: found._replace(state="CANCELLED")}
    assert Local().taken(jobs) == [None, None]
    assert not jobs[1].queued.exists()


def test_whoever_comes_back_takes_over_all_that_is_queued_however_few_run_at_once(queue, tmp_path):
    _, jobs = submitted(queue, tmp_path)
    slurm.Slurm(tmp_path / "g", queue).start(jobs[:1])
    pool = Pool(slurm.Slurm(tmp_path / "g", queue), jobs, 1)
    pool.tend()
    assert [member.state for member in pool.members] == ["running", "running"] and len(queue.submitted) == 2


def test_a_sweep_of_which_runs_are_queued_begins_none_here(rltrain, queue, tmp_path):
    (tmp_path / "s.yaml").write_text(SWEEP)
    (tmp_path / "c.yaml").write_text(CONFIG.replace("threads: 1", "evaluate: {every: {episodes: 5}}"))
    home = folder.create(sweeps.load(tmp_path / "s.yaml"), tmp_path / "runs", "s", "rltrain")
    with closing(SweepTraining(home, slurm.Slurm(home.folder, queue), 2)) as left:
        next(moment for moment in left.moments() if queue.now)
    assert len(queue.now) == 2
    code, _, err = rltrain("sweep", "resume", "s")
    assert code == 5 and "Slurm has 2 runs of these in its queue, runs/s/t0000/s0 is PENDING" in err
    assert not list(tmp_path.glob("runs/s/t*/s*/"))


def test_a_run_that_was_queued_with_a_smaller_budget_is_queued_again_at_its_end(queue, tmp_path):
    group, (_, job) = submitted(queue, tmp_path)
    [key] = queue.now
    more = RunJob(group, 4, group.experiment(["run.budget.episodes=9"]))
    pool = Pool(slurm.Slurm(group.folder, queue), [more], 1)
    pool.tend()
    job.folder.mkdir()
    (job.folder / "config.yaml").write_text(CONFIG)
    (job.folder / "status.json").write_text('{"state": "finished"}')
    job.ended.write_text(json.dumps({"job": key[0], "index": key[1], "code": 0}))
    pool.tend()
    assert pool.members[0].state == "running" and len(queue.submitted) == 2


def test_notes_of_jobs_that_finished_meanwhile_are_gone_after_a_resume(rltrain, queue, tmp_path):
    _, (_, job) = submitted(queue, tmp_path / "runs")
    [key] = queue.now
    note = job.queued.read_text()
    job.queued.unlink()
    assert rltrain("resume", "g", "-q")[0] == 0
    job.queued.write_text(note)
    job.ended.write_text(json.dumps({"job": key[0], "index": key[1], "code": 0}))
    code, out, _ = rltrain("resume", "g", "--launcher", "slurm")
    assert code == 0 and "nothing to do" in out
    assert not job.queued.exists() and not job.ended.exists()


@pytest.mark.slow
def test_a_run_of_submitits_own_queue_is_left_to_it_and_goes_on_here_once_it_is_cancelled(
    rltrain, tmp_path, monkeypatch
):
    long = CONFIG.replace("episodes: 5", "episodes: 1_000_000")
    group = groups.create(config.loads(long, "c.yaml"), [3], tmp_path / "runs", "g", "rltrain")
    job, queue = RunJob(group, 3, group.experiment()), LocalQueue()
    monkeypatch.setattr(slurm_queue, "states", queue.states)
    [running] = slurm.Slurm(group.folder, queue).start([job])
    wait_for(lambda: (job.folder / "metrics.jsonl").exists())
    with pytest.raises(BusyError, match="is RUNNING: go on with --launcher slurm"):
        Pool(Local(), [job], 1).tend()
    running.stop()
    wait_for(lambda: running.poll() is not None)
    assert rltrain("resume", "g", "run.budget.episodes=1", "-q")[0] == 0
    assert group.log(3).read_text().count("stopped by SIGTERM") == 1
