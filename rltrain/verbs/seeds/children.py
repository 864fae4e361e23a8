"""The runs of several seeds as processes: `rltrain train` or `rltrain resume` each, as a person would start it.

A child's standard input is a pipe that nothing is written to. It ends with this process, however that ends, and a child
whose input ends saves and stops (`signals.stop_with_input`): a killed parent leaves nobody behind. Each child is in a
process group of its own, so Ctrl-C reaches this process alone, which then asks every child once.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from rltrain import imports
from rltrain.errors import DivergedError
from rltrain.experiment.config import Experiment
from rltrain.plain_files import open_plain
from rltrain.run import unverified
from rltrain.run.disk import REAL, disk_errors
from rltrain.run.group import SeedGroup
from rltrain.run.own_files import open_tail
from rltrain.spelling import in_one_line
from rltrain.verbs.seeds.progress import SeedState

MOST_LOG = 1 << 24  # bytes of a log that are read at once
STOPPED = (130, 143, -signal.SIGTERM)  # the last: asked to stop before it could save anything


@dataclass
class Child:
    """The run of one seed."""

    seed: int
    state: SeedState = "waiting"
    code: int | None = None  # of the process, once it has ended
    said: list[str] = field(default_factory=list)  # lines of this session that are no warnings
    process: subprocess.Popen[bytes] | None = None
    read: int = 0  # bytes of the log that were read

    @property
    def live(self) -> bool:
        return self.state == "running"


class Children:
    """Runs of the seeds in `due`, in this order, at most `jobs` at once; the other seeds of the group are finished."""

    def __init__(self, group: SeedGroup, experiment: Experiment, due: Sequence[int], jobs: int) -> None:
        self.group, self.jobs, self._experiment = group, jobs, experiment
        self.all = {seed: Child(seed, "waiting" if seed in due else "finished") for seed in group.seeds}
        self.stopping = False  # asked to: nothing new is begun

    def tend(self) -> list[tuple[Child, list[str]]]:
        """Take note of who ended and begin who may. Returns whoever changed state or warned, with the warnings."""
        news = []
        for child in self.all.values():
            if child.process is None or not child.live:
                continue
            child.code = child.process.poll()  # before the log is read, so that its last lines are in
            warnings = self._listen(child)
            if child.code is not None:
                child.state = state_after(child.code, self.group.member(child.seed))
                assert child.process.stdin is not None
                child.process.stdin.close()
            if warnings or not child.live:
                news.append((child, warnings))
        free = self.jobs - sum(child.live for child in self.all.values())
        waiting = [child for child in self.all.values() if child.state == "waiting"]
        for child in [] if self.stopping or self.out_of_time else waiting[:free]:
            self._begin(child)
            news.append((child, []))
        return news

    @property
    def out_of_time(self) -> bool:
        """Whether a run found its --max-wall over, which is that of all: it stopped and nobody had asked it to."""
        return any(child.state == "stopped" and child.code == 0 for child in self.all.values())

    @property
    def busy(self) -> bool:
        """Whether somebody runs, or still has to."""
        due = ("running",) if self.stopping else ("running", "waiting")
        return any(child.state in due for child in self.all.values())

    def stop(self) -> None:
        """Ask every child to save and stop; a second call does nothing."""
        if not self.stopping:
            self.stopping = True
            self._send(signal.SIGTERM)

    @contextmanager
    def pausing(self) -> Iterator[None]:
        """While open, Ctrl-Z pauses the children too, and `fg` wakes them."""

        def handle(number: int, frame: FrameType | None) -> None:
            self._send(signal.SIGSTOP)
            os.kill(os.getpid(), signal.SIGSTOP)
            self._send(signal.SIGCONT)

        before = signal.signal(signal.SIGTSTP, handle)
        try:
            yield
        finally:
            signal.signal(signal.SIGTSTP, before)

    def _send(self, number: signal.Signals) -> None:
        for child in self.all.values():
            if child.process is not None and child.live:
                child.process.send_signal(number)

    def _begin(self, child: Child) -> None:
        log = self.group.log(child.seed)
        child.state, child.read = "running", log.stat().st_size if log.exists() else 0
        with disk_errors(f"seed {child.seed} cannot be started"), os.fdopen(open_tail(REAL, log), "ab") as out:
            child.process = subprocess.Popen(
                self.command(child.seed), stdin=subprocess.PIPE, stdout=out, stderr=subprocess.STDOUT, process_group=0
            )

    def command(self, seed: int) -> list[str]:
        """The process of a seed: its run from the beginning, or from where it stands."""
        member = self.group.member(seed)
        self.group.clear(seed)
        if self.group.begun(seed):
            what = [
                "resume",
                member.name,
                "--runs-dir",
                str(self.group.folder),
                *self.group.changes(seed, self._experiment),
            ]
        else:
            start = self.group.start
            where = ["--runs-dir", str(self.group.folder), "--name", member.name]
            where += [] if start is None else ["--from", start.path]
            what = ["train", str(self.group.config), "--seed", str(seed), *where]
        return [*interpreter(), "-m", "rltrain", *what, *imports.flags(), "--quiet", "--stop-with-input"]

    def _listen(self, child: Child) -> list[str]:
        """The warnings among the whole lines that the child has said since; the others are kept."""
        try:
            with open_plain(self.group.log(child.seed)) as file:
                file.seek(child.read)
                new = file.read(MOST_LOG)
        except OSError:
            return []
        whole = new if child.code is not None else new[: new.rfind(b"\n") + 1]
        child.read += len(whole)
        lines = whole.decode("utf-8", "replace").splitlines()
        warnings = [line.removeprefix("warning: ") for line in lines if line.startswith("warning: ")]
        child.said += [line for line in lines if not line.startswith("warning: ")]
        return warnings


def interpreter() -> list[str]:
    """This Python. The working directory is searched for modules only if it is by this process."""
    return [sys.executable, *([] if sys.path[0] in ("", os.getcwd()) else ["-P"])]


def state_after(code: int, folder: Path) -> SeedState:
    """What became of a run whose process ended so."""
    if code == 0:
        return "finished" if unverified.status(folder).state == "finished" else "stopped"
    if code in STOPPED:
        return "stopped"
    return "diverged" if code == DivergedError.exit_code else "failed"


def first_fault(children: Mapping[int, Child], asked_to_stop: bool) -> int:
    """The exit code of the first seed that failed; 0 if none did. Who was asked to stop did not fail."""
    for child in children.values():
        if child.code and not (asked_to_stop and child.state == "stopped"):
            return child.code if child.code > 0 else 128 - child.code  # as shells say of a process that was killed
    return 0


def last_words(child: Child) -> str:
    """Why it failed, as it said itself."""
    said = [line for line in child.said if line.strip()]
    if child.code is not None and child.code < 0:
        with suppress(ValueError):
            said.append(f"killed by {signal.Signals(-child.code).name}")
        if child.code == -signal.SIGKILL:
            said.append("perhaps because memory ran out; run fewer at once with --jobs")
    return in_one_line("; ".join(said[-4:]), 2_000) or "it said nothing"
