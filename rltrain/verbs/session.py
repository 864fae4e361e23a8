"""A run in a program's hands: it is advanced event by event, and put in order however the program leaves it.

It is advanced in a thread of its own. So Ctrl-C, which Python raises in the main thread and anywhere, never falls into
the middle of a step: the step that is under way is finished, the run is saved, and then KeyboardInterrupt goes on. No
signal handler is installed, and it works in any thread of a program.

The thread is a plain daemon, no `concurrent.futures` executor: those refuse work as soon as the main thread has come
to its end, while the threads that it began still train. A run that is at work when the process ends is saved by atexit.
"""

from __future__ import annotations

import atexit
import base64
import concurrent.futures.thread  # noqa: F401  # torch loads it, which fails once the main thread has ended
import html
import math
import os
import warnings
from collections.abc import Callable, Generator, Mapping
from concurrent.futures import Future
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from threading import Lock, Thread

from rltrain import words
from rltrain.core import Array
from rltrain.errors import RltrainError
from rltrain.report import curve, reading
from rltrain.run import blas, facts
from rltrain.run.loop import Event, Run
from rltrain.verbs.diagnosis import LearningFault, diagnose
from rltrain.verbs.train import draw, state_after

TOLD = ("return/mean", "error/max", "bound", "loss/td")  # metrics that the text of a result names, where there are any


@dataclass(frozen=True)
class RunResult:
    """A run as a session left it. It may be given wherever a run's folder may."""

    folder: Path  # absolute: the run is found though the working folder changes
    title: str  # algorithm and environment
    counters: Mapping[str, int]  # how far it is: env_steps, episodes, updates, ...
    metrics: Mapping[str, float]  # of the session's last step: return/mean, loss/td, ...; NaN where not known
    finished: bool  # its budget is spent, its score is reached, or nothing is left to improve
    stopped: str | None  # why it is not finished: "wall", the time that `max_wall` allows
    best: tuple[float, int] | None  # the score of the best evaluation, and the count at which it was made
    seconds: float  # of all sessions
    warnings: tuple[str, ...]  # of this session

    def __fspath__(self) -> str:
        return str(self.folder)

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.folder.name

    @property
    def training(self) -> dict[str, Array]:
        """metrics.jsonl as columns, one entry a step of all sessions: counters, and float64 metrics, NaN: unknown."""
        return _columns(self.folder / "metrics.jsonl")

    @property
    def evaluations(self) -> dict[str, Array]:
        """eval.jsonl as columns, one entry an evaluation of all sessions: mean, sd, ci95/low, ...; {} without any."""
        return _columns(self.folder / "eval.jsonl")

    @property
    def diagnosis(self) -> tuple[LearningFault, ...]:
        """The faults of learning that the run's numbers show, each with `rule`, `text` and `advice`."""
        return diagnose(self.folder)

    def picture(self) -> Path:
        """The PNG of the run's curve, drawn now where it is not there. InputError without numbers, MissingError."""
        path = self.folder / curve.NAME
        return path if path.is_file() else curve.draw(self.folder)

    def _shown(self) -> str:
        """The folder as seen from the working folder."""
        return str(self.folder.relative_to(Path.cwd()) if self.folder.is_relative_to(Path.cwd()) else self.folder)

    def _rows(self) -> dict[str, str]:
        rows = {words.counter(name): words.count(value) for name, value in self.counters.items()}
        rows |= {
            name: words.number(self.metrics[name]) for name in TOLD if math.isfinite(self.metrics.get(name, math.nan))
        }
        if self.best is not None:
            rows["best evaluation"] = words.score(self.best[0])
        state = "finished" if self.finished else f"stopped ({self.stopped})"
        return {**rows, "in": words.spell(self.seconds), "state": state}

    def __repr__(self) -> str:
        rows = self._rows()
        return f"<{self.title}, {rows.pop('state')}: {', '.join(f'{k} {v}' for k, v in rows.items())}, {self._shown()}>"

    def _repr_html_(self) -> str:
        """For a notebook: the last numbers as a table, and the curve."""
        cells = {**self._rows(), "folder": self._shown()}
        if self.warnings:
            cells["warnings"] = "; ".join(self.warnings)
        rows = "".join(
            f"<tr><th style='text-align:left'>{html.escape(name)}</th><td>{html.escape(value)}</td></tr>"
            for name, value in cells.items()
        )
        shown = f"<b>{html.escape(self.title)}</b><table>{rows}</table>"
        with suppress(RltrainError, OSError):
            data = base64.b64encode(self.picture().read_bytes()).decode()
            shown += f"<img alt='{html.escape(self.title)}' src='data:image/png;base64,{data}'/>"
        return shown


class Session:
    """A run that is at work, in a thread of its own, until it ends, whoever watches leaves, or the process ends."""

    def __init__(self, run: Run) -> None:
        self._run, self._advance = run, run.advance()
        self._error: BaseException | None = None
        self._process, self._left = os.getpid(), False
        self._worker = Thread(target=self._work, name="rltrain", daemon=True)
        self._asked: SimpleQueue[tuple[Callable[[], Event | None], Future[Event | None]]] = SimpleQueue()
        self._lock = Lock()
        self._ending: Future[Event | None] | None = None  # the last that is asked of the thread

    def events(self) -> Generator[Event, None, None]:
        """What happens in the run. Whoever leaves before its end, by Ctrl-C too, leaves it saved and closed.

        A second Ctrl-C does not wait for that; it goes on in its thread.
        """
        self._worker.start()
        try:
            atexit.register(self._leave)
            while (event := self._ask(self._next).result()) is not None:
                yield event._replace(counters=dict(event.counters), metrics=dict(event.metrics))
        except (GeneratorExit, KeyboardInterrupt):
            self._run.request_stop("SIGINT")
            raise
        finally:
            self._finish()

    def _leave(self) -> None:
        """The process ends while the run is at work. Its thread stays: torch aborts where one ends as Python does."""
        self._left = True
        self._run.request_stop("SIGINT")
        self._finish()

    def _finish(self) -> None:
        """End the run, and wait for it. A forked child has no part in it: it has neither the thread nor the lock."""
        if os.getpid() == self._process:
            self._ask(self._end, last=True).result()

    def _ask(self, work: Callable[[], Event | None], last: bool = False) -> Future[Event | None]:
        """Have it done by the thread. After the last nothing else is: whoever asks gets the same answer."""
        with self._lock:
            if self._ending is not None:
                return self._ending
            answer: Future[Event | None] = Future()
            self._asked.put((work, answer))
            self._ending = answer if last else None
            return answer

    def _work(self) -> None:
        while True:
            work, answer = self._asked.get()
            try:
                answer.set_result(work())
            except BaseException as error:
                answer.set_exception(error)
            if answer is self._ending and not self._left:
                return

    def _next(self) -> Event | None:
        try:
            return next(self._advance, None)
        except BaseException as error:
            self._error = error
            raise

    def _end(self) -> None:
        try:
            for _ in self._advance:  # to the save of a run that was asked to stop; after an error there is nothing left
                pass
        except BaseException as error:
            self._error = error
        atexit.unregister(self._leave)
        self._run.close(None if self._error is None else state_after(self._error))
        if self._error is not None:  # also one that came while Ctrl-C did
            raise self._error


def watched(run: Run, sure: bool, picture: bool) -> Generator[Event, None, None]:
    """The events of a run; at its end its curve is drawn, if a `picture` is wanted and there is something to see.

    Where matrix products may take several threads, so that it is not `sure` to be exact, it is marked so.
    """
    if not sure:
        facts.write(run.folder, {**facts.read(run.folder), **facts.inexact(blas.WHY, run.counters)})
    steps = 0
    with closing(Session(run).events()) as events:
        for event in events:
            steps += event.kind == "step"
            yield event
    if picture and steps:
        with suppress(RltrainError):  # the numbers are there without it
            draw(run)


def driven(run: Run, sure: bool, picture: bool) -> RunResult:
    """Advance a run to its end, and draw its curve if `picture` is wanted.

    Ctrl-C saves it and raises KeyboardInterrupt, whose text says how to go on.
    """
    metrics: Mapping[str, float] = {}
    told: list[str] = []
    try:
        with closing(watched(run, sure, picture)) as events:
            for event in events:
                if event.kind == "step":
                    metrics = event.metrics
                elif event.kind == "warning":
                    told.append(event.text)
                    warnings.warn(event.text, stacklevel=3)  # at whoever called the function that calls this one
    except KeyboardInterrupt:
        done = ", ".join(f"{words.count(value)} {words.counter(name)}" for name, value in run.counters.items())
        raise KeyboardInterrupt(f"after {done}; saved: go on with rltrain.resume({str(run.folder)!r})") from None
    best = run.scores.best
    return RunResult(
        folder=run.folder,
        title=f"{run.experiment.algorithm_name} on {run.experiment.environment.name}",
        counters=dict(run.counters),
        metrics=metrics,
        finished=run.finished,
        stopped=None if run.finished else run.stop,
        best=None if best is None else (best["score"], best["step"]),
        seconds=run.progress()["elapsed_seconds"],
        warnings=tuple(told),
    )


def _columns(path: Path) -> dict[str, Array]:
    counters = reading.counters_of(path)
    found = reading.read(path, most=None)
    return {name: reading.column(values, name in counters) for name, values in found.items()}
