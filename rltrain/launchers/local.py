"""Jobs as processes of this machine: `rltrain train` or `rltrain resume` each, as a person would start it.

A child's standard input is a pipe that nothing is written to. It ends with this process, however that ends, and a child
whose input ends saves and stops (`signals.stop_with_input`): a killed parent leaves nobody behind. Each child is in a
process group of its own, so Ctrl-C reaches this process alone, which then asks every child once.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Sequence

from rltrain import imports
from rltrain.launchers.job import RunJob, interpreter
from rltrain.run.disk import REAL, disk_errors
from rltrain.run.own_files import open_tail


class LocalProcess:
    """A job at work: see `contract.Running`."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def poll(self) -> int | None:
        code = self._process.poll()
        if code is not None and self._process.stdin is not None:
            self._process.stdin.close()
        return code

    def stop(self) -> None:
        self._process.send_signal(signal.SIGTERM)

    def pause(self) -> None:
        self._process.send_signal(signal.SIGSTOP)

    def wake(self) -> None:
        self._process.send_signal(signal.SIGCONT)


class Local:
    """This machine: see `contract.Launcher`."""

    name = "local"
    queues = False
    outlives = False

    def start(self, jobs: Sequence[RunJob]) -> list[LocalProcess]:
        return [LocalProcess(self._begin(job)) for job in jobs]

    def taken(self, job: RunJob) -> None:
        """Nobody: who started a process of this machine took it along when it ended."""

    def close(self) -> None:
        pass

    def _begin(self, job: RunJob) -> subprocess.Popen[bytes]:
        command = [*interpreter(), "-m", "rltrain", *job.words(), *imports.flags(), "--stop-with-input"]
        with disk_errors(f"{job.folder} cannot be started"), os.fdopen(open_tail(REAL, job.log), "ab") as out:
            return subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=out, stderr=subprocess.STDOUT, process_group=0
            )
