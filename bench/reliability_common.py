"""What the figures of reliability share: how one is told, and how rltrain is started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
GOLDEN = ROOT / "tests" / "golden" / "0.1.0"
GIVEN_UP_SECONDS = 120.0  # for one command, on however busy a machine; it then counts as one that hangs
BASIC = """\
algorithm: {name: basic, policy: angle}
environment: CartPole-v1
run: {budget: {episodes: 60}, evaluate: {every: {episodes: 20}, episodes: 2}, save: {every: {episodes: 10}}, threads: 1}
"""


@dataclass(frozen=True)
class Figure:
    """One row of the table. `found` goes to the JSON, `faults` says what was not as it must be, case by case."""

    number: str
    what: str
    target: str
    result: str
    passed: bool
    found: dict[str, Any] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)


def environment(**more: str) -> dict[str, str]:
    """For a child: this checkout's rltrain, one thread, no colours."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "NO_COLOR": "1", **more}


def command(*words: str | Path) -> list[str]:
    return [sys.executable, "-m", "rltrain", *map(str, words)]


def start(words: Sequence[str | Path], cwd: Path) -> subprocess.Popen[str]:
    """rltrain in a session of its own, so that a signal reaches it as a person's would; both streams in one."""
    return subprocess.Popen(
        command(*words),
        cwd=cwd,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )


def ended(process: subprocess.Popen[str], seconds: float = GIVEN_UP_SECONDS) -> tuple[int | None, str]:
    """The exit code and what was said. The code is None for a process that had to be killed."""
    try:
        said, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        said, _ = process.communicate()
        return None, said
    return process.returncode, said


def rltrain(*words: str | Path, cwd: Path) -> tuple[int | None, str]:
    """One command to its end."""
    return ended(start(words, cwd))
