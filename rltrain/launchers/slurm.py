"""Jobs in the queue of a cluster: one array for the runs that are started together.

Nothing here waits for the jobs, so who started them may leave: a file beside each log says which job has the run, and
whoever comes later goes on with it.

    s0.job     {"job": "dqn-1f3a5c7e9b2d", "index": 0}    while it is not known how that job ended
    s0.exit    how it ended, written by the job itself
    .slurm/    submitit's files, in a new folder for each submission; read by its jobs alone
"""

from __future__ import annotations

import json
import secrets
import shutil
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from rltrain import imports
from rltrain.launchers.job import RunJob
from rltrain.launchers.pool import STOPPED
from rltrain.launchers.queue_notes import forget, has_still, written
from rltrain.launchers.slurm_node import QueuedRun
from rltrain.launchers.slurm_queue import Key, Queue, QueueState
from rltrain.run.disk import REAL, disk_errors
from rltrain.run.own_files import append, make_own_folder, own_file, write_small

FOLDER = ".slurm"
MOST_OF_ARRAY = 1_000  # Slurm's own limit, where a cluster has no other (MaxArraySize)
LOOK_SECONDS = 1.0  # between two looks for what a job wrote
QUEUE_SECONDS = 4.0  # between two questions to the queue
CLOSE_SECONDS = 5.0  # that jobs which wrote their end may take to end
LATE_SECONDS = 20.0  # that a file written on a node may need until it is seen here
CANCELLED, LOST = 143, 1  # exit codes of jobs that wrote none


class QueuedJob:
    """A job that waits or runs: see `contract.Running`."""

    def __init__(self, launcher: Slurm, job: RunJob, key: Key) -> None:
        self._launcher, self._job, self.key = launcher, job, key
        self._looked = -LOOK_SECONDS
        self._missed: float | None = None  # since when it is in the queue no more

    def poll(self) -> int | None:
        now = time.monotonic()
        if now - self._looked < LOOK_SECONDS:
            return None
        self._looked = now
        code = written(self._job, self.key)
        if code is not None and code not in STOPPED:
            return self._over(code)
        states = self._launcher.states()
        if states is None:
            return None
        found = states.get(self.key)
        if found is not None and not found.over:  # one that was stopped for another may begin anew
            self._missed = None
            return None
        code = written(self._job, self.key)
        if code is not None:
            return self._over(code)
        self._missed = self._missed or now
        if now - self._missed < LATE_SECONDS:
            return None
        with suppress(OSError):
            append(self._job.log, f"{self._launcher.epitaph(self.key, found)}\n")
        self._launcher.kept.add(self.key[0])
        return self._over(CANCELLED if found is not None and found.state == "CANCELLED" else LOST)

    def stop(self) -> None:
        self._launcher.cancel(self.key)

    def pause(self) -> None:
        """Nothing: it is not this process's."""

    def wake(self) -> None:
        """Nothing: it was not paused."""

    def _over(self, code: int) -> int:
        forget(self._job)
        self._launcher.ended(self.key)
        return code


class Slurm:
    """The queue of a cluster: see `contract.Launcher`. `folder`: of the group, or of the sweep with all its groups."""

    name = "slurm"
    outlives = True

    def __init__(self, folder: Path, queue: Queue) -> None:
        self._folder, self._queue = folder.resolve(), queue
        self._states: Mapping[Key, QueueState] | None = None
        self._asked = -QUEUE_SECONDS
        self._live: dict[str, set[int]] = {}  # submissions, and which of their jobs have not ended
        self.kept: set[str] = set()  # submissions whose files say what became of a job

    def start(self, jobs: Sequence[RunJob]) -> list[QueuedJob]:
        found: list[QueuedJob] = []
        for first in range(0, len(jobs), MOST_OF_ARRAY):
            found += self._submit(jobs[first : first + MOST_OF_ARRAY])
        return found

    def taken(self, jobs: Sequence[RunJob]) -> list[QueuedJob | None]:
        keys = [has_still(job, self.states) for job in jobs]
        for key in filter(None, keys):
            self._live.setdefault(key[0], set()).add(key[1])
        return [None if key is None else QueuedJob(self, job, key) for job, key in zip(jobs, keys, strict=True)]

    def close(self) -> None:
        ended, until = {name for name, live in self._live.items() if not live}, time.monotonic() + CLOSE_SECONDS
        while ended and time.monotonic() < until:  # a job has a last word for submitit after it wrote its end
            states = self._queue.states() or {}
            if not any(key[0] in ended and not state.over for key, state in states.items()):
                break
            time.sleep(LOOK_SECONDS / 4)
        for name in ended - self.kept:
            self._remove(name)

    def states(self) -> Mapping[Key, QueueState] | None:
        """Of the jobs in the queue; None: it does not answer."""
        if time.monotonic() - self._asked >= QUEUE_SECONDS:
            self._states, self._asked = self._queue.states(), time.monotonic()
        return self._states

    def ended(self, key: Key) -> None:
        """Take note that this job has come to its end."""
        self._live[key[0]].discard(key[1])

    def cancel(self, key: Key) -> None:
        """Take a job out of the queue; a run at work saves first."""
        found = (self.states() or {}).get(key)
        if found is not None and not found.over:
            self._queue.cancel(found.number)

    def parting(self) -> list[str]:
        names = [name for name, live in self._live.items() if live]
        return [f"take them out of the queue with: scancel --name={','.join(names)}"] if names else []

    def epitaph(self, key: Key, state: QueueState | None) -> str:
        """Why a job ended that did not write down how, for its log."""
        if state is None:
            return f"slurm: job {key[0]}[{key[1]}] left the queue, and Slurm no longer says why"
        because = f" ({state.reason})" if state.reason not in ("", "None") else ""
        own = self._folder / FOLDER / key[0]
        return f"slurm: job {state.number} ended as {state.state}{because}; what it said lies in {own}"

    def _submit(self, jobs: Sequence[RunJob]) -> list[QueuedJob]:
        name = f"{self._folder.name[:100]}-{secrets.token_hex(6)}"
        make_own_folder(REAL, self._folder / FOLDER)
        home = self._folder / FOLDER / name
        with disk_errors(f"cannot make {home}"):
            home.mkdir(0o700)  # new, so that no pickle of somebody else lies in it
        flags = tuple(imports.flags())
        runs = []
        for index, job in enumerate(jobs):
            forget(job)
            own_file(job.log)
            write_small(job.queued, json.dumps({"job": name, "index": index}) + "\n")  # before it can begin
            runs.append(QueuedRun(str(job.group.folder.resolve()), job.seed, flags, name, index))
        try:
            self._queue.submit(home, name, runs)
        except BaseException:
            for job in jobs:
                forget(job)
            self._remove(name)
            raise
        self._live[name] = set(range(len(jobs)))
        self._asked = -QUEUE_SECONDS  # what was known is older than these
        return [QueuedJob(self, job, (name, index)) for index, job in enumerate(jobs)]

    def _remove(self, name: str) -> None:
        """Take away submitit's files of a submission that is over."""
        shutil.rmtree(self._folder / FOLDER / name, ignore_errors=True)
        with suppress(OSError):  # others lie there
            (self._folder / FOLDER).rmdir()
