"""The trackers, by name: how their package is installed, and how a run of theirs is opened."""

from __future__ import annotations

import contextlib
import importlib.util
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from rltrain.core import Table
from rltrain.errors import InputError, MissingError
from rltrain.guard import Guarded
from rltrain.track.contract import Open, Scalar, TrackedRun, Tracker

NAMES = ("trackio", "wandb", "mlflow")  # as their packages and our extras are called
EVENTS = "tensorboard"  # a run writes its event files itself
Answer = TypeVar("Answer")


def missing(name: str) -> str | None:
    """What to do where the tracker's package is not installed; None where it is. It is not imported."""
    if importlib.util.find_spec(name) is not None:
        return None
    return f'{name} is not installed: pip install "rltrain[{name}]"'


def opener(name: str) -> Open:
    """The function that opens a run of this tracker. MissingError without its package."""
    lacking = missing(name)
    if lacking is not None:
        raise MissingError(f"--to {name}: {lacking}")
    return lambda run, known: _Guarded(name, _called(name, "opening the run", lambda: _open(name, run, known)))


def _open(name: str, run: TrackedRun, known: str | None) -> Tracker:
    if name == "trackio":
        from rltrain.track.to_trackio import Trackio

        return Trackio(run, known)
    if name == "wandb":
        from rltrain.track.to_wandb import Wandb

        return Wandb(run, known)
    from rltrain.track.to_mlflow import Mlflow

    return Mlflow(run, known)


class _Guarded:
    """A tracker whose package prints to standard error and fails with an InputError that names it."""

    def __init__(self, name: str, tracker: Tracker) -> None:
        self._name, self._tracker = name, tracker
        self.id, self.where, self.again = tracker.id, tracker.where, tracker.again
        self.whole = tracker.whole

    def last_steps(self) -> Mapping[Table, int]:
        return _called(self._name, "reading what it has", self._tracker.last_steps)

    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        _called(self._name, "a row", lambda: self._tracker.log(step, metrics))

    def flush(self) -> None:
        _called(self._name, "sending", self._tracker.flush)

    def file(self, path: Path) -> None:
        _called(self._name, f"the file {path.name}", lambda: self._tracker.file(path))

    def finish(self, state: str, summary: Mapping[str, Scalar]) -> None:
        _called(self._name, "closing the run", lambda: self._tracker.finish(state, summary))


def _called(name: str, what: str, function: Callable[[], Answer]) -> Answer:
    with contextlib.redirect_stdout(sys.stderr):
        answer: Any = Guarded(f"tracker '{name}'", what, function, InputError)()
        return answer  # type: ignore[no-any-return]
