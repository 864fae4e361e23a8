"""Slurm's queue: jobs are handed in by submitit, and looked for by squeue, which needs no accounting (sacct).

Sources: sbatch(1), squeue(1), signal times and requeuing in slurm.conf(5); submitit's SlurmExecutor.

submitit pickles what a job calls and what it returns. It does so in a folder that is made new for each submission,
which nobody but the user can write to and which only the jobs themselves read.
"""

from __future__ import annotations

import contextlib
import io
import shlex
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from rltrain.errors import InputError, MissingError
from rltrain.launchers.child import interpreter
from rltrain.launchers.needs import Needs
from rltrain.launchers.slurm_node import QueuedRun
from rltrain.launchers.slurm_options import SlurmOptions
from rltrain.spelling import in_one_line

SAVE_SECONDS = 120  # before its time is over a job is told; of a short job a third
MOST_RESUBMISSIONS = 1_000_000  # as long as a run needs
SQUEUE = ["squeue", "--me", "--noheader", "--array", "--states=all", "--format=%F|%K|%T|%r|%j"]
SQUEUE_SECONDS = 60  # that it may take
OVER = {  # states that a job does not leave again, of "JOB STATE CODES" in squeue(1)
    "BOOT_FAIL",
    "CANCELLED",
    "COMPLETED",
    "DEADLINE",
    "FAILED",
    "NODE_FAIL",
    "OUT_OF_MEMORY",
    "PREEMPTED",
    "REVOKED",
    "TIMEOUT",
}

Key = tuple[str, int]  # the name of a submission, and which job of its array


class QueueState(NamedTuple):
    """How a job stands in a queue."""

    number: str  # as the queue's own programs take it: 57_0
    state: str  # PENDING, RUNNING, ...
    reason: str

    @property
    def over(self) -> bool:
        return self.state in OVER


class Queue(Protocol):
    """Where jobs wait until there is room for them."""

    def submit(self, folder: Path, name: str, runs: Sequence[QueuedRun]) -> None:
        """Hand these in as one submission of this name; `folder` is submitit's. InputError if it is refused."""
        ...

    def states(self) -> Mapping[Key, QueueState] | None:
        """Of all jobs of the user, those that ended a few minutes ago included; None: there is no answer now."""
        ...

    def cancel(self, number: str) -> None:
        """Take a job out; it is sent SIGTERM where it runs."""
        ...


class SlurmQueue:
    """The queue of the cluster that this machine belongs to: see `Queue`."""

    def __init__(self, options: SlurmOptions, needs: Needs) -> None:
        """MissingError if submitit, or one of Slurm's programs, is not installed."""
        self._submitit = _submitit()
        lacking = [name for name in ("sbatch", "squeue", "srun") if shutil.which(name) is None]
        if lacking:
            raise MissingError(f"--launcher slurm: no program {lacking[0]} on this machine; run it where Slurm is")
        self._options, self._needs = options, needs

    def submit(self, folder: Path, name: str, runs: Sequence[QueuedRun]) -> None:
        minutes = self._options.minutes
        if minutes is None:
            rule = "how long may a job take? A run that takes longer saves, and goes on in the next job"
            raise InputError(f"--launcher slurm: {rule}: --slurm time=4h")
        executor = self._submitit.SlurmExecutor(folder, MOST_RESUBMISSIONS, python=shlex.join(interpreter()))
        words = asked_of_sbatch(self._options, self._needs)
        executor.update_parameters(
            job_name=name,
            time=minutes,
            signal_delay_s=min(SAVE_SECONDS, 20 * minutes),
            array_parallelism=len(runs),
            stderr_to_stdout=True,
            srun_args=[f"--cpus-per-task={words['cpus-per-task']}"],  # srun does not take it from sbatch
            additional_parameters={**words, "requeue": True},
        )
        try:
            with contextlib.redirect_stderr(io.StringIO()), executor.batch():  # where submitit prints what it raises
                for run in runs:
                    executor.submit(run)
        except (self._submitit.core.utils.FailedJobError, OSError) as error:
            raise InputError(f"--launcher slurm: sbatch refuses: {in_one_line(_complaint(str(error)))}") from error

    def states(self) -> Mapping[Key, QueueState] | None:
        return states()

    def cancel(self, number: str) -> None:
        subprocess.run(["scancel", number], capture_output=True, timeout=SQUEUE_SECONDS)


def asked_of_sbatch(options: SlurmOptions, needs: Needs) -> dict[str, str]:
    """The options of sbatch: what was given, and else what a run needs."""
    words = dict(options.others)
    cores, gpus = words.pop("cpus", str(needs.cores)), words.pop("gpus", None)
    if gpus is not None:
        words["gpus-per-node"] = gpus
    elif needs.gpus and "gres" not in words:
        words["gpus-per-node"] = str(needs.gpus)
    megabytes = -(-needs.memory // 1_000_000)
    return {"mem": f"{megabytes}M", **words, "cpus-per-task": cores}


def states() -> Mapping[Key, QueueState] | None:
    """Of all jobs of the user, as squeue says; None: there is no squeue here, or it has no answer now."""
    try:
        said = subprocess.run(SQUEUE, capture_output=True, text=True, check=True, timeout=SQUEUE_SECONDS).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    return states_of(said)


def states_of(said: str) -> dict[Key, QueueState]:
    """What squeue says in the format of `SQUEUE`, by submission and index; lines of other forms are left out."""
    found = {}
    for line in said.splitlines():
        number, index, state, reason, name = [*line.split("|", 4), *[""] * 5][:5]
        if index.isdecimal():
            found[name, int(index)] = QueueState(f"{number}_{index}", state, reason)
        else:
            found[name, 0] = QueueState(number, state, reason)
    return found


def _complaint(text: str) -> str:
    """The words of sbatch, without submitit's around them."""
    lines = [line for line in text.splitlines() if "sbatch: error:" in line]
    return "; ".join(line.partition("sbatch: error:")[2].strip() for line in lines) or text


def _submitit() -> Any:
    try:
        import submitit
    except ImportError as error:
        raise MissingError('--launcher slurm needs submitit: pip install "rltrain[slurm]"') from error
    return submitit
