"""The command of a job as a child process: on this machine, or on the node that a job was given.

A child's standard input is a pipe that nothing is written to. It ends with this process, however that ends, and a child
whose input ends saves and stops (`signals.stop_with_input`): a killed parent leaves nobody behind for long. Until then
the child holds its log (`lock.hold`), from before it is there: whoever comes next can wait for it, even for one that
has not yet made the folder of its run.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from rltrain.launchers.job import RunJob
from rltrain.run import group as groups
from rltrain.run.disk import REAL, disk_errors
from rltrain.run.lock import hold, is_held, is_locked
from rltrain.run.own_files import open_tail

LOCKED_SECONDS = 600.0  # until the process of a node that was lost must have let go of a run
POLL_SECONDS = 0.2


def interpreter() -> list[str]:
    """This Python. The working directory is searched for modules only if it is by this process."""
    return [sys.executable, *([] if sys.path[0] in ("", os.getcwd()) else ["-P"])]


def begin(
    job: RunJob,
    flags: Sequence[str],
    own_group: bool = False,
    env: Mapping[str, str] | None = None,
    cwd: str | None = None,
) -> subprocess.Popen[bytes]:
    """Start the job's command, which writes to its log. DiskError if that cannot be written.

    `flags`: the options that bring what a person imports. With a process group of its `own_group`, Ctrl-C and what else
    is sent to this process's group do not reach it.
    """
    command = [*interpreter(), "-m", "rltrain", *job.words(), *flags, "--stop-with-input"]
    with disk_errors(f"{job.folder} cannot be started"), os.fdopen(open_tail(REAL, job.log), "ab") as out:
        held = hold(job.log)  # not `out`: what the run itself starts has that too, and may stay
        try:
            return subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=subprocess.STDOUT,
                pass_fds=(held,),
                process_group=0 if own_group else None,
                env=env,
                cwd=cwd,
            )
        finally:
            os.close(held)


def job_in(folder: Path, seed: int) -> RunJob:
    """The run of this seed, as its group's folder says now. CheckpointError or InputError if that is damaged."""
    group = groups.read(folder)
    return RunJob(group, seed, group.experiment())


def wait_for_lock(job: RunJob) -> None:
    """Until no process works in the run, which one of a node that was lost may for a while; then it says BusyError."""
    end = time.monotonic() + LOCKED_SECONDS
    while (is_held(job.log) or is_locked(job.folder)) and time.monotonic() < end:
        time.sleep(POLL_SECONDS)


def exit_code(process: subprocess.Popen[bytes]) -> int:
    """Wait for its end. It stays to be waited for, so a signal's handler may call this in the middle of this."""
    if process.returncode is not None:
        return process.returncode
    ended = os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert ended is not None  # without WNOHANG
    return ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status


def ask_to_stop(process: subprocess.Popen[bytes]) -> None:
    """SIGTERM: it saves and stops. Not by `send_signal`, which may take its end away from `exit_code`."""
    os.kill(process.pid, signal.SIGTERM)
