"""What a tracker must be able to do, and what it is told of a run before the first row."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from rltrain.core import Table

Scalar = str | int | float | bool


@dataclass(frozen=True)
class TrackedRun:
    """A run as a tracker is told of it, before the first row."""

    name: str  # what the tracker shows: dqn-CartPole-v1-3, or several/s0
    project: str  # or experiment: the tracker's word for runs that are looked at together
    counter: str  # what the steps count: env_steps, else the run's first counter
    params: Mapping[str, Scalar]  # the flat config, and run.json as `run.json/machine.python`
    tags: Mapping[str, str]  # algorithm, environment


class Tracker(Protocol):
    """A run of an experiment tracker, open for writing. Its methods may raise whatever the tracker's package raises."""

    id: str  # by which `open` finds the run again
    where: str  # how a person looks at it: an address or a command
    again: str  # what becomes of a second row at a step that it has: `keeps both`
    whole: bool  # it takes a row in one piece: the row at its last step is there, or not at all

    def last_steps(self) -> Mapping[Table, int]:
        """The highest step that it holds of each table; empty where it cannot tell."""
        ...

    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        """Take a row of finite numbers. Steps of a table never fall, unless its training was not resumed exactly."""
        ...

    def flush(self) -> None:
        """Bring all rows so far to where they survive the end of this process, as far as the package can."""
        ...

    def file(self, path: Path) -> None:
        """Take a picture, a page or a film; it replaces an earlier one of this name."""
        ...

    def finish(self, state: str, summary: Mapping[str, Scalar]) -> None:
        """Close it. `state` is that of status.json: running, finished, interrupted, diverged, crashed."""
        ...


Open = Callable[[TrackedRun, str | None], Tracker]  # the second: the id of a run to go on with; None: a new one
