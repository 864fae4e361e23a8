"""Many runs looked after: begun when there is room, listened to, asked to stop, and what became of each."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from rltrain.errors import DiskError, DivergedError
from rltrain.launchers.contract import Launcher, Running
from rltrain.launchers.job import RunJob, RunState
from rltrain.plain_files import open_plain
from rltrain.run import unverified
from rltrain.run.lock import is_held
from rltrain.spelling import in_one_line

MOST_LOG = 1 << 24  # bytes of a log that are read at once
STOPPED = (130, 143, -signal.SIGTERM)  # the last: asked to stop before it could save anything


@dataclass
class Member:
    """A job in a pool."""

    job: RunJob
    state: RunState = "waiting"
    code: int | None = None  # of its command, once it has ended
    said: list[str] = field(default_factory=list)  # lines of this session that are no warnings
    running: Running | None = None
    read: int = 0  # bytes of the log that were read
    taken: bool = False  # over from an earlier process, and not begun here since

    @property
    def live(self) -> bool:
        return self.state == "running"


class Pool:
    """These jobs in this order, of which at most `at_once` are with the launcher together."""

    def __init__(self, launcher: Launcher, jobs: Iterable[RunJob], at_once: int) -> None:
        self.launcher, self.at_once = launcher, at_once
        self.members = [Member(job) for job in jobs]
        self.stopping = False  # asked to: nothing new is begun
        self._known = 0  # members of which it is known whether an earlier process started them

    def add(self, job: RunJob) -> Member:
        """One more, which waits."""
        self.members.append(member := Member(job))
        return member

    def tend(self) -> list[tuple[Member, list[str]]]:
        """Take note of who ended and begin who may. Returns whoever changed state or warned, with the warnings."""
        news = []
        for member in self.members:
            if member.running is None or not member.live:
                continue
            member.code = member.running.poll()  # before the log is read, so that its last lines are in
            warnings = self._listen(member)
            if member.code is not None:
                member.state = state_after(member.code, member.job.folder)
                if member.taken and member.state == "finished" and not member.job.finished:
                    member.state, member.taken = "waiting", False  # it has more to do than it was begun with
            if warnings or not member.live:
                news.append((member, warnings))
        if not (self.stopping or self.out_of_time):
            news += [(member, []) for member in self._take_over()]
            waiting = [member for member in self.members if member.state == "waiting"]
            free = self.at_once - sum(map(_is_live, self.members))
            due = [member for member in waiting[: max(0, free)] if not self._is_held(member)]
            news += [(member, []) for member in self._begin(due)]
        return news

    def _is_held(self, member: Member) -> bool:
        """Whether a child of a killed predecessor is at this run still: it saves and ends, and is waited for."""
        return not self.launcher.outlives and is_held(member.job.log)

    @property
    def out_of_time(self) -> bool:
        """Whether a run found its --max-wall over, which is that of all: it stopped and nobody had asked it to."""
        return any(member.state == "stopped" and member.code == 0 for member in self.members)

    @property
    def busy(self) -> bool:
        """Whether somebody runs, or still has to."""
        due = ("running",) if self.stopping else ("running", "waiting")
        return not self.left and any(member.state in due for member in self.members)

    @property
    def left(self) -> bool:
        """Whether runs were left to a launcher that outlives this process: they go on."""
        return self.stopping and self.launcher.outlives and any(map(_is_live, self.members))

    def stop(self) -> None:
        """Ask every run to save and stop, or leave them be where they outlive this; a second call does nothing."""
        if not self.stopping:
            self.stopping = True
            for member in () if self.launcher.outlives else self._live():
                member.stop()

    @contextmanager
    def pausing(self) -> Iterator[None]:
        """While open, Ctrl-Z pauses the runs too, and `fg` wakes them."""

        def handle(number: int, frame: FrameType | None) -> None:
            for member in self._live():
                member.pause()
            os.kill(os.getpid(), signal.SIGSTOP)
            for member in self._live():
                member.wake()

        before = signal.signal(signal.SIGTSTP, handle)
        try:
            yield
        finally:
            signal.signal(signal.SIGTSTP, before)

    def _live(self) -> list[Running]:
        return [member.running for member in self.members if member.running is not None and member.live]

    def _take_over(self) -> Sequence[Member]:
        """Of members that are new here, go on with those that an earlier process started and that wait or run still."""
        new = self.members[self._known :]
        for member, running in zip(new, self.launcher.taken([member.job for member in new]), strict=True):
            if running is not None:
                member.read = _size(member.job.log)
                member.running, member.state, member.taken = running, "running", True
        self._known += len(new)
        return [member for member in new if member.live]

    def _begin(self, due: Sequence[Member]) -> Sequence[Member]:
        """Start these."""
        for member in due:
            member.read = _size(member.job.log)
        started = self.launcher.start([member.job for member in due]) if due else []
        for member, running in zip(due, started, strict=True):
            member.running, member.state = running, "running"
        return due

    def _listen(self, member: Member) -> list[str]:
        """The warnings among the whole lines that the run has said since; the others are kept."""
        try:
            with open_plain(member.job.log) as file:
                file.seek(member.read)
                new = file.read(MOST_LOG)
        except OSError:
            return []
        whole = new if member.code is not None else new[: new.rfind(b"\n") + 1]
        member.read += len(whole)
        lines = whole.decode("utf-8", "replace").splitlines()
        warnings = [line.removeprefix("warning: ") for line in lines if line.startswith("warning: ")]
        member.said += [line for line in lines if not line.startswith("warning: ")]
        return warnings


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _is_live(member: Member) -> bool:
    return member.live


def state_after(code: int, folder: Path) -> RunState:
    """What became of a run whose process ended so."""
    if code == 0:
        return "finished" if unverified.status(folder).state == "finished" else "stopped"
    if code in STOPPED:
        return "stopped"
    return "diverged" if code == DivergedError.exit_code else "failed"


def first_fault(members: Iterable[Member], asked_to_stop: bool) -> int:
    """The exit code of the first run that failed; 0 if none did. Who was asked to stop did not fail."""
    for member in members:
        if member.code and not (asked_to_stop and member.state == "stopped"):
            return member.code if member.code > 0 else 128 - member.code  # as shells say of a process that was killed
    return 0


def last_words(code: int | None, said: Sequence[str]) -> str:
    """Why a run failed whose command ended with this code, from the lines that it said."""
    words = [line for line in said if line.strip()]
    if code is not None and code < 0:
        with suppress(ValueError):
            words.append(f"killed by {signal.Signals(-code).name}")
        if code == -signal.SIGKILL:
            words.append("perhaps because memory ran out; run fewer at once with --jobs")
    if code == DiskError.exit_code and not words:
        words.append("perhaps because the disk is full: it could not even write why")
    return in_one_line("; ".join(words[-4:]), 2_000) or "it said nothing"
