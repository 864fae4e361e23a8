"""Jobs as processes of this machine: `rltrain train` or `rltrain resume` each, as a person would start it.

They end with this process, see `child`. Each is in a process group of its own, so Ctrl-C reaches this process alone,
which then asks every child once.
"""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Sequence

from rltrain import imports
from rltrain.launchers.child import begin
from rltrain.launchers.job import RunJob
from rltrain.launchers.queue_notes import check_none_queued


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
    outlives = False

    def start(self, jobs: Sequence[RunJob]) -> list[LocalProcess]:
        return [LocalProcess(begin(job, imports.flags(), own_group=True)) for job in jobs]

    def taken(self, jobs: Sequence[RunJob]) -> list[None]:
        """Nobody: who started a process of this machine took it along when it ended."""
        check_none_queued(jobs)
        return [None] * len(jobs)

    def parting(self) -> list[str]:
        return []

    def close(self) -> None:
        pass
