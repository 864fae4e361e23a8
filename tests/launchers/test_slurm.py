"""Jobs of a queue: handed in, found again, told apart from others, and how they ended. No Slurm is needed."""

import json
import os
import pickle
from pathlib import Path

import pytest
from in_process import command
from local_queue import LocalQueue
from paper_queue import PaperQueue
from waiting import wait_for

from rltrain.errors import BusyError, CheckpointError, InputError
from rltrain.experiment import config
from rltrain.launchers import slurm, slurm_queue
from rltrain.launchers.job import RunJob
from rltrain.launchers.needs import Needs
from rltrain.launchers.pool import Pool
from rltrain.launchers.slurm_options import parsed
from rltrain.launchers.slurm_queue import QueueState, asked_of_sbatch, states_of
from rltrain.run import group as groups

CONFIG = """\
algorithm: {name: basic, policy: angle}
environment: CartPole-v1
run: {budget: {episodes: 600}, threads: 1}
"""


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    """Nobody waits between two looks."""
    for name in ("LOOK_SECONDS", "QUEUE_SECONDS", "LATE_SECONDS"):
        monkeypatch.setattr(slurm, name, 0.0)


@pytest.fixture
def group(tmp_path):
    return groups.create(config.loads(CONFIG, "c.yaml"), [3, 4], tmp_path, "g", "rltrain")


def jobs_of(group):
    return [RunJob(group, seed, group.experiment()) for seed in group.seeds]


def end(job, key, code):
    """As the job itself does on its node."""
    job.ended.write_text(json.dumps({"job": key[0], "index": key[1], "code": code}))


def test_runs_that_start_together_are_one_submission_and_each_has_a_note_of_its_job(group):
    queue, jobs = PaperQueue(), jobs_of(group)
    running = slurm.Slurm(group.folder, queue).start(jobs)
    [(folder, name, runs)] = queue.submitted
    assert folder == group.folder.resolve() / ".slurm" / name and folder.stat().st_mode & 0o777 == 0o700
    assert [(run.seed, run.index, run.job) for run in runs] == [(3, 0, name), (4, 1, name)]
    assert json.loads(jobs[1].queued.read_text()) == {"job": name, "index": 1}
    assert [each.poll() for each in running] == [None, None]
    assert pickle.loads(pickle.dumps(runs[0])) == runs[0]


def test_a_job_that_wrote_its_end_is_over_and_its_notes_are_gone(group):
    queue, job = PaperQueue(), jobs_of(group)[0]
    [running] = slurm.Slurm(group.folder, queue).start([job])
    end(job, ("other-000000000000", 0), 1)
    assert running.poll() is None, "another job's end"
    end(job, running.key, 6)
    assert running.poll() == 6
    assert not job.queued.exists() and not job.ended.exists()


def test_a_job_that_was_stopped_but_is_put_back_into_the_queue_goes_on(group):
    queue, job = PaperQueue(), jobs_of(group)[0]
    [running] = slurm.Slurm(group.folder, queue).start([job])
    end(job, running.key, 143)
    assert running.poll() is None
    queue.now[running.key] = QueueState("7_0", "CANCELLED", "None")
    assert running.poll() == 143


@pytest.mark.parametrize(
    ("state", "reason", "code", "said"),
    [
        ("NODE_FAIL", "None", 1, "slurm: job 7_0 ended as NODE_FAIL; what it said lies in"),
        ("FAILED", "NonZeroExitCode", 1, "ended as FAILED (NonZeroExitCode)"),
        ("CANCELLED", "None", 143, "ended as CANCELLED"),
        (None, "", 1, "left the queue, and Slurm no longer says why"),
    ],
)
def test_a_job_that_ended_without_a_word_is_told_with_the_reason_of_the_queue(group, state, reason, code, said):
    queue, job = PaperQueue(), jobs_of(group)[0]
    pool = Pool(slurm.Slurm(group.folder, queue), [job], 1)
    pool.tend()
    [key] = queue.now
    queue.now = {} if state is None else {key: QueueState("7_0", state, reason)}
    pool.tend()
    pool.tend()
    [member] = pool.members
    assert member.code == code
    assert said in member.said[-1]
    pool.launcher.close()
    assert (group.folder / ".slurm" / key[0]).is_dir(), "what a job said that did not write down its end"


def test_whoever_comes_later_takes_over_what_waits_and_starts_what_is_gone(group):
    queue, (first, second) = PaperQueue(), jobs_of(group)
    slurm.Slurm(group.folder, queue).start([first, second])
    keys = list(queue.now)
    queue.now[keys[1]] = QueueState("7_1", "NODE_FAIL", "None")
    later = slurm.Slurm(group.folder, queue)
    pool = Pool(later, [first, second], 2)
    pool.tend()
    assert [len(runs) for _, _, runs in queue.submitted] == [2, 1]
    assert queue.submitted[1][2][0].seed == second.seed
    pool.stop()
    assert pool.left and not pool.busy and queue.cancelled == []
    [advice] = later.parting()
    assert keys[0][0] in advice and queue.submitted[1][1] in advice


def test_a_queue_that_does_not_answer_starts_nothing_twice(group):
    queue, job = PaperQueue(), jobs_of(group)[0]
    [running] = slurm.Slurm(group.folder, queue).start([job])
    queue.now = None
    assert running.poll() is None
    with pytest.raises(BusyError, match="Slurm does not answer"):
        slurm.Slurm(group.folder, queue).taken([job])


@pytest.mark.parametrize(
    "text", ["", "[]", '{"job": "x; rm -rf", "index": 0}', '{"job": "a-0123456789ab", "index": -1}']
)
def test_a_damaged_note_of_a_job_is_one_clear_error(group, text):
    job = jobs_of(group)[0]
    job.queued.write_text(text)
    with pytest.raises(CheckpointError, match=r"s3\.job"):
        slurm.Slurm(group.folder, PaperQueue()).taken([job])


def test_nothing_that_lies_in_a_folder_is_unpickled(group, tmp_path):
    class Bomb:
        def __reduce__(self):
            return Path.touch, (tmp_path / "exploded",)

    hostile = group.folder / ".slurm" / "a-0123456789ab"
    hostile.mkdir(parents=True)
    job = jobs_of(group)[0]
    for place in (hostile / "7_0_submitted.pkl", hostile / "7_0_0_result.pkl", job.ended):
        place.write_bytes(pickle.dumps(Bomb()))
    job.queued.write_text('{"job": "a-0123456789ab", "index": 0}')
    queue = PaperQueue()
    queue.now = {("a-0123456789ab", 0): QueueState("7_0", "COMPLETED", "None")}
    launcher = slurm.Slurm(group.folder, queue)
    assert launcher.taken([job]) == [None]
    [running] = launcher.start([job])
    assert running.poll() is None
    launcher.close()
    assert not (tmp_path / "exploded").exists()


def test_a_link_in_place_of_the_folder_of_jobs_is_refused(group, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (group.folder / ".slurm").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(CheckpointError, match="symbolic link"):
        slurm.Slurm(group.folder, PaperQueue()).start(jobs_of(group))


def test_what_a_run_needs_is_asked_of_sbatch_unless_it_is_said():
    needs = Needs(cores=2, memory=700_000_000, gpus=1)
    assert asked_of_sbatch(parsed("time=1h"), needs) == {"mem": "700M", "gpus-per-node": "1", "cpus-per-task": "2"}
    given = parsed("time=1h,mem=8G,cpus=4,gres=gpu:a100:2,partition=big")
    found = {"mem": "8G", "gres": "gpu:a100:2", "partition": "big", "cpus-per-task": "4"}
    assert asked_of_sbatch(given, needs) == found


def test_lines_of_squeue_are_read_and_others_left_out():
    said = "57|0|RUNNING|None|a-b|c\n57|1|PENDING|Resources|a\n58|N/A|COMPLETED|None|alone\n\nsqueue: what\n"
    found = states_of(said)
    assert found["a-b|c", 0] == ("57_0", "RUNNING", "None")
    assert found["alone", 0].over and not found["a", 1].over


def test_the_time_of_a_job_has_to_be_said(group):
    queue = object.__new__(slurm_queue.SlurmQueue)
    queue._options = parsed("partition=gpu")
    with pytest.raises(InputError, match=r"how long may a job take.*--slurm time=4h"):
        slurm.Slurm(group.folder, queue).start(jobs_of(group))
    assert not any(job.queued.exists() for job in jobs_of(group))
    assert not (group.folder / ".slurm").exists()


def test_what_sbatch_refuses_is_said_once(group, tmp_path, monkeypatch, capfd):
    pytest.importorskip("submitit")
    for name in ("sbatch", "squeue", "srun"):
        program = tmp_path / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text("#!/bin/sh\necho 'sbatch: error: invalid partition specified: nowhere' >&2\nexit 1\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    needs = Needs(cores=1, memory=1_000_000, gpus=0)
    queue = slurm_queue.SlurmQueue(parsed("time=1h,partition=nowhere"), needs)
    with pytest.raises(InputError, match=r"sbatch refuses: invalid partition specified: nowhere$"):
        slurm.Slurm(group.folder, queue).start(jobs_of(group))
    assert capfd.readouterr() == ("", "")


@pytest.mark.slow
def test_a_run_that_is_told_of_the_end_of_its_time_saves_and_goes_on_to_the_byte(group, tmp_path, capsys):
    queue, jobs = LocalQueue(), jobs_of(group)
    launcher = slurm.Slurm(group.folder, queue)
    pool = Pool(launcher, jobs, 2)
    pool.tend()
    wait_for(lambda: all((job.folder / "config.yaml").exists() for job in jobs))
    queue.interrupt()
    while pool.busy:
        pool.tend()
    launcher.close()
    assert [member.state for member in pool.members] == ["finished", "finished"]
    assert "stopped by SIGTERM" in jobs[0].log.read_text()
    (tmp_path / "c.yaml").write_text(CONFIG)
    assert (
        command(capsys)("train", tmp_path / "c.yaml", "--seeds", "3,4", "-q", "-f", tmp_path, "--name", "here")[0] == 0
    )
    for seed in (3, 4):
        for name in ("metrics.jsonl", "metrics.csv"):
            assert (group.member(seed) / name).read_bytes() == (tmp_path / "here" / f"s{seed}" / name).read_bytes()
