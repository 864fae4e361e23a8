"""Which job of a queue has a run: a file beside the run's log, and another in which the job itself writes its end.

    s0.job     {"job": "dqn-1f3a5c7e9b2d", "index": 0}              while it is not known how that job ended
    s0.exit    {"job": "dqn-1f3a5c7e9b2d", "index": 0, "code": 0}   how it ended

Whoever wants to start the run looks here first, by whichever launcher: a run that waits in a queue begins nowhere else.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path

from rltrain import words
from rltrain.errors import BusyError, CheckpointError
from rltrain.launchers import slurm_queue
from rltrain.launchers.job import RunJob
from rltrain.launchers.pool import STOPPED
from rltrain.launchers.slurm_queue import Key, QueueState
from rltrain.plain_files import read_object, reason
from rltrain.run.disk import disk_errors
from rltrain.spelling import shown

NAME = re.compile(r"[A-Za-z0-9_.-]{1,100}-[0-9a-f]{12}", re.ASCII)  # of our submissions
MOST_FACTS = 10_000  # bytes


def has_still(job: RunJob, ask: Callable[[], Mapping[Key, QueueState] | None]) -> Key | None:
    """The job that waits or runs with this run. None if there is none; what says of one that is over is removed.

    `ask` says how the user's jobs stand. BusyError where it does not, CheckpointError if the file is damaged.
    """
    key = given_to(job)
    if key is None:
        return None
    code = written(job, key)
    if code is None or code in STOPPED:  # one that was stopped may be back in the queue
        states = ask()
        if states is None:
            rule = "Slurm does not answer here, so it is not known whether its job still waits or runs"
            raise BusyError(f"{job.queued}: {rule}; remove that file if it does not")
        found = states.get(key)
        if found is not None and not found.over:
            return key
    forget(job)
    return None


def check_none_queued(jobs: Sequence[RunJob]) -> None:
    """BusyError if Slurm has one of these runs, or may have, which another launcher is asked to start."""
    ask = cache(slurm_queue.states)
    keys = [(job, key) for job in jobs if (key := has_still(job, ask)) is not None]
    if keys:
        job, key = keys[0]
        states = (ask() or {})[key]
        names = ",".join(dict.fromkeys(name for _, (name, _) in keys))
        what = f"Slurm has {words.many(len(keys), 'run')} of these in its queue, {job.folder} is {states.state}"
        raise BusyError(f"{what}: go on with --launcher slurm, or take them out with: scancel --name={names}")


def forget_ended(job: RunJob) -> None:
    """Remove what says that a job has this run, which has come to its end, where that job wrote down its own."""
    key = given_to(job)
    if key is not None and written(job, key) not in (None, *STOPPED):
        forget(job)


def given_to(job: RunJob) -> Key | None:
    """The job of a queue that was given this run, where it is not known how that ended. CheckpointError if damaged."""
    facts = _facts(job.queued)
    if facts is None:
        return None
    name, index = facts.get("job"), facts.get("index")
    if not isinstance(name, str) or not NAME.fullmatch(name) or type(index) is not int or index < 0:
        rule = "expected `job`, the name of a submission, and `index`"
        raise CheckpointError(f"{job.queued}: {rule}; remove it if no job of a queue has this run")
    return name, index


def written(job: RunJob, key: Key) -> int | None:
    """The exit code that this very job wrote down; None if it has not."""
    try:
        facts = _facts(job.ended) or {}
    except CheckpointError:
        return None
    code = facts.get("code")
    return code if (facts.get("job"), facts.get("index")) == key and type(code) is int else None


def forget(job: RunJob) -> None:
    """Remove what says that a job of a queue has this run."""
    with disk_errors(f"{job.queued}: cannot be removed"):
        for path in (job.queued, job.ended):
            path.unlink(missing_ok=True)


def _facts(path: Path) -> dict[str, object] | None:
    try:
        return read_object(path, MOST_FACTS)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path}: cannot be read: {shown(reason(error))}") from error
