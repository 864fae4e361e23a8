"""What a job of a queue does on its node: the command of one run, whose end it writes down; what submitit calls.

Before its time is over Slurm sends SIGUSR2 (sbatch --signal). submitit then calls `checkpoint`: the run is asked to
save and waited for, and the job is put back into the queue, from where it goes on to the byte. What is typed is decided
anew each time from the group's folder, so nothing but the place of the run is kept.

    s0.exit    {"job": "dqn-1f3a5c7e9b2d", "index": 0, "code": 0}
"""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from rltrain.errors import RltrainError
from rltrain.launchers import child
from rltrain.launchers.job import RunJob
from rltrain.launchers.pool import STOPPED
from rltrain.run.own_files import append, write_small

if TYPE_CHECKING:
    from submitit.helpers import DelayedSubmission


@dataclass
class QueuedRun:
    """The run of a seed as a job of a queue; plain values alone, so that any node can have it."""

    folder: str  # of its group, absolute
    seed: int
    flags: tuple[str, ...]  # the options that bring what the person imports
    job: str  # the name of the submission
    index: int  # in its array
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False, repr=False, compare=False)
    _asked: bool = field(default=False, init=False, repr=False, compare=False)

    def __call__(self) -> int:
        """Bring the run to its end, or as far as it is let. Returns the exit code, which is written down."""
        signal.signal(signal.SIGTERM, self._pass_on)  # of scancel, and of a job that is more urgent
        job = child.job_in(Path(self.folder), self.seed)
        job.ended.unlink(missing_ok=True)
        try:
            child.wait_for_lock(job)
            with _held(signal.SIGUSR2):  # Slurm sends it to all; the child must not end by it, and keeps it held
                self._process = child.begin(job, self.flags)
        except RltrainError as error:
            with suppress(OSError):
                append(job.log, f"{error}\n")
            return self._write_down(job, error.exit_code)
        if self._asked:
            child.ask_to_stop(self._process)
        return self._write_down(job, child.exit_code(self._process))

    def checkpoint(self) -> DelayedSubmission | None:
        """The time of the job is nearly over: save, and go on in the next. None if the run has come to its end."""
        from submitit.helpers import DelayedSubmission

        if self._process is not None:
            with suppress(ProcessLookupError):
                child.ask_to_stop(self._process)
            code = child.exit_code(self._process)
            if code not in STOPPED:
                self._write_down(child.job_in(Path(self.folder), self.seed), code)
                return None
        return DelayedSubmission(replace(self))

    def _pass_on(self, number: int, frame: FrameType | None) -> None:
        self._asked = True
        if self._process is not None:
            with suppress(ProcessLookupError):
                child.ask_to_stop(self._process)

    def _write_down(self, job: RunJob, code: int) -> int:
        write_small(job.ended, json.dumps({"job": self.job, "index": self.index, "code": code}) + "\n")
        return code


@contextmanager
def _held(number: signal.Signals) -> Iterator[None]:
    """While open this signal waits; of processes begun meanwhile for ever."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [number])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
