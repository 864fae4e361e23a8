"""What a task of Ray does on its node: the command of one run; and what is looked at there before anything begins."""

from __future__ import annotations

import os
import platform
import socket
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from rltrain.errors import RltrainError
from rltrain.launchers import child
from rltrain.launchers.job import RunJob
from rltrain.run.own_files import append
from rltrain.version import __version__

ASKED = 143  # the exit code of a run that was asked to stop
THREADS = "OMP_NUM_THREADS"  # Ray sets it; a run has what its person has set


class NodeFacts(NamedTuple):
    """What is seen of a node."""

    host: str
    shared: bool  # whether the folder's token was there
    rltrain: str
    python: str


def look(folder: str, token: str, node: str) -> NodeFacts:
    """Read the token in the folder, and leave an answer beside it, if it can be written."""
    path = Path(folder) / token
    try:
        shared = path.read_text() == token
        (Path(folder) / f"{token}-{node}").write_text(token)
    except OSError:
        shared = False
    return NodeFacts(socket.gethostname(), shared, __version__, platform.python_version())


def asked_to_stop(job: RunJob) -> Path:
    """The file that says so, in the folder that all nodes share."""
    return job.group.folder / f"{job.folder.name}.stop"


def bring(folder: str, seed: int, flags: Sequence[str], threads: str | None, cwd: str) -> int:
    """Bring the run to its end, or until somebody asks it to stop. Returns the exit code.

    `threads`: OMP_NUM_THREADS of the person. A task of Ray that ends takes its child along, whose input ends.
    """
    job = child.job_in(Path(folder), seed)
    stop = asked_to_stop(job)
    try:
        child.wait_for_lock(job)
        if stop.exists():
            return ASKED
        env = {name: value for name, value in os.environ.items() if name != THREADS}
        env |= {} if threads is None else {THREADS: threads}
        # Ray kills the group of a task that it ends; the child ends by its input, and saves before that.
        process = child.begin(job, flags, own_group=True, env=env, cwd=cwd if os.path.isdir(cwd) else None)
    except RltrainError as error:
        with suppress(OSError):
            append(job.log, f"{error}\n")
        return error.exit_code
    asked = False
    while process.poll() is None:
        if not asked and stop.exists():
            asked = True
            process.terminate()
        time.sleep(child.POLL_SECONDS)
    return process.returncode
