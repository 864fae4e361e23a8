"""The contract of a launcher: it starts jobs, says how each ended, and asks them to stop."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from rltrain.launchers.job import RunJob


class Running(Protocol):
    """A job that a launcher has taken."""

    def poll(self) -> int | None:
        """The exit code of its command; -N if signal N killed it; None while it waits in a queue or runs."""
        ...

    def stop(self) -> None:
        """Ask it to save and stop, as SIGTERM does. It goes on until `poll` says otherwise."""
        ...

    def pause(self) -> None:
        """Hold it still, as Ctrl-Z does, where that can be done."""
        ...

    def wake(self) -> None:
        """Let it go on after a `pause`."""
        ...


class Launcher(Protocol):
    """Somewhere to run jobs. It holds nothing that a run needs: whatever becomes of it, the folders can go on."""

    name: str  # as --launcher takes it
    outlives: bool  # jobs go on when the process that started them ends

    def start(self, jobs: Sequence[RunJob]) -> Sequence[Running]:
        """Take these, in one submission where it has such. DiskError if a log cannot be written."""
        ...

    def taken(self, jobs: Sequence[RunJob]) -> Sequence[Running | None]:
        """Each job that an earlier process started here and that waits or runs still; None: it may be started.

        BusyError if another launcher has one, or nobody says whether it has.
        """
        ...

    def parting(self) -> Sequence[str]:
        """What is said to whoever leaves jobs behind that go on: how to end them."""
        ...

    def close(self) -> None:
        """Let go of what the launcher itself holds; jobs of one that `outlives` go on."""
        ...
