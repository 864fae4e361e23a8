"""The loop that drives every algorithm: improve, record, evaluate, save, until the budget is spent.

It is a generator of events; whoever needs to watch consumes it. Between two steps nothing is in flight, and all that
changes is in `Run.save`, so a run that is killed and resumed ends, bit for bit, where it would have ended anyway. Its
beginnings are in `begin`; its cadences are arithmetic on counters, in `cadence`. Wall-clock times go to files of their
own, and nothing that is learned depends on them.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from rltrain import registry
from rltrain.core import Metrics, Pausing, Policy, State, Table
from rltrain.errors import DiskError, EnvironmentFault
from rltrain.policies.normalizing import normalizing
from rltrain.run import cadence, edits, facts, reserve
from rltrain.run.build import Parts, doubts, in_the_world
from rltrain.run.checkpoint import Checkpoints
from rltrain.run.disk import REAL, Disk
from rltrain.run.lock import Lock
from rltrain.run.reading import name_of_best
from rltrain.run.recorder import Recorder
from rltrain.run.scores import RunScores, games_at
from rltrain.run.status import StatusFile
from rltrain.run.tables import write_tables
from rltrain.run.wall_clock import WallClock
from rltrain.saved import Saved
from rltrain.steps import Normalizing

Kind = Literal["step", "busy", "eval", "save", "warning", "end"]  # busy: `text` says what now takes a while
Reason = Literal["SIGINT", "SIGTERM", "SIGHUP", "wall"]


class Event(NamedTuple):
    """What just happened."""

    kind: Kind
    counters: Mapping[str, int]
    metrics: Mapping[str, float]
    text: str = ""

    @property
    def warnings(self) -> Sequence[str]:
        """What its user should know, if that is what happened."""
        return [self.text] if self.kind == "warning" else []


class Run:
    """An experiment, its algorithm, and their folder, which this process holds: `advance`, then `close`."""

    def __init__(self, parts: Parts, folder: Path, lock: Lock, disk: Disk = REAL) -> None:
        self.experiment, self.rng, self.env, self.algorithm, self.threads, _, self._crew = parts
        self.folder, self._lock, self._disk = folder, lock, disk
        self.spec = self.env.spec
        self._statistics = self.env.statistics if isinstance(self.env, Normalizing) else None
        run = self.experiment.run
        self.budget: dict[str, int] = dict(run.budget or {})
        self.primary = next(iter(self.budget))  # the counter that names checkpoints
        self.recorder = Recorder(folder, run.sinks, disk)
        self.checkpoints = Checkpoints(folder, run.save.keep, disk)
        self.scores = RunScores(run.evaluate.until)
        self.clock = WallClock(run.max_wall)
        self._status = StatusFile(folder, disk)
        self._kept = edits.recorded(self.experiment)  # in each checkpoint, so that an edit of config.yaml is seen
        self._plugin = registry.plugin(self.experiment.algorithm_name)
        self.warnings = [*doubts(self.experiment, self.spec), *self._plugin.warnings(self.algorithm)]  # not yet told
        self.started_from: Mapping[str, Any] | None = (
            None  # the run that this new one starts from, see `starting_point`
        )
        self.new_facts: dict[str, Any] | None = None  # for run.json, once a step is made that is not exact
        self._saves, self._saves_asked = cadence.saves(self.experiment), run.save.every is not None
        self.stop: Reason | None = None
        self._saved: tuple[dict[str, int], bool] | None = None  # what `_now` was at the last save or load

    # The loop

    def advance(self) -> Iterator[Event]:
        """Improve until the budget is spent, the algorithm is done, or a stop is requested. Saves at the end."""
        self.clock.start()
        while self.warnings:
            yield Event("warning", self.counters, {}, self.warnings.pop(0))
        if self.chosen and not self.checkpoints.names():
            yield from self._save(last=False)  # what was chosen at the start, such as the arithmetic, is chosen once
        if self.scores.due:  # it was given up when the run was stopped
            best = self.scores.best
            yield from self._evaluate()
            if self.scores.best != best:
                yield from self._save(last=False)
        while not (self.finished or self.stop):
            self._write_status("running")
            if self.new_facts is not None:  # not before: a run that is only looked at stays as exact as it was
                facts.write(self.folder, self.new_facts, self._disk)
                self.new_facts = None
            before, best = dict(self.counters), self.scores.best
            if isinstance(self.algorithm, Pausing):
                self.algorithm.pause_at(cadence.next_limits(self.experiment, self.counters))
            metrics = self.algorithm.step()
            yield from self._news()
            if not self._paused:
                yield from self._record("train", metrics)
            yield Event("step", self.counters, metrics)
            if self.clock.is_over:
                self.stop = self.stop or "wall"
            if cadence.is_due(self.experiment.run.evaluate.every, before, self.counters):
                self.scores.due = True
                yield from self._evaluate()
            saving = cadence.is_due(self._saves, before, self.counters)
            if (saving and (self._saves_asked or self.clock.is_worth_a_save)) or self.scores.best != best:
                yield from self._save(last=False)
        if self._saved != self._now:
            yield from self._save(last=True)
        if self.finished and isinstance(self.algorithm, Pausing) and self._paused:
            # The row of a unit that the budget cut. It stands beyond what the checkpoint holds: a run that is resumed
            # with more writes the row of the whole unit in its place.
            yield from self._record("train", self.algorithm.so_far())
        self._write_status("finished" if self.finished else "interrupted", at_once=True)
        yield Event("end", self.counters, {}, "" if self.finished else f"stopped by {self.stop}")

    def request_stop(self, reason: Reason) -> None:
        """Finish the step, save, and return from `advance`. Safe to call from a signal handler: it only sets a flag."""
        self.stop = reason

    @property
    def counters(self) -> Mapping[str, int]:
        """How far the run is: {counter: count}, as the algorithm counts."""
        return self.algorithm.counters

    @property
    def chosen(self) -> Mapping[str, str]:
        """What the settings left to the machine, and how that was decided."""
        return self._plugin.chosen(self.algorithm)

    @property
    def finished(self) -> bool:
        """Whether the budget is spent, the algorithm is done, or an evaluation reached run.evaluate.until.

        Not while an evaluation is due that a stop has cut off: a resume has that to do.
        """
        spent = any(self.counters[name] >= limit for name, limit in self.budget.items())
        return (self.scores.solved or self.algorithm.done or spent) and not self.scores.due

    def progress(self) -> dict[str, float]:
        """share: of the budget, 0..1. elapsed_seconds: of all sessions. steps_per_second: or sweeps, lately.

        With a `max_wall` also wall_seconds_left: of this session.
        """
        share = max(self.counters[name] / limit for name, limit in self.budget.items())
        return {"share": min(1.0, share), **self.clock.progress()}

    def reopen(self) -> None:
        """Say in status.json that the run is not at its end, until it says otherwise."""
        self._write_status("interrupted", at_once=True)

    def close(self, state: str | None = None) -> None:
        """Free the folder and its reserve. `state` goes to status.json: diverged, crashed, disk, environment failed."""
        if state is not None:
            self._write_status(state, at_once=True)
        self.recorder.close()
        try:
            # An environment may fail here too; after a first fault its second is no news.
            with contextlib.suppress(*() if state is None else (EnvironmentFault,)):
                self.env.close()
        finally:
            if self._crew is not None:
                self._crew.close()
            reserve.release_ballast(self.folder)
            self._lock.release()

    # Recording

    def _record(self, table: Table, metrics: Metrics) -> Iterator[Event]:
        if table == "train":
            self.scores.trained(metrics)
            self.clock.row(self.counters.get("env_steps", self.counters[self.primary]))
        warning = self.recorder.write(table, self.counters, metrics, self.progress())
        if warning is not None:
            yield Event("warning", self.counters, {}, warning)

    def _evaluate(self) -> Iterator[Event]:
        """Play evaluation games. Given up when a stop is requested: the resumed run plays them anew."""
        many = self.experiment.run.evaluate.episodes
        games, announced = f"{many} game{'s' if many > 1 else ''}", 0
        yield Event("busy", self.counters, {}, f"evaluating: {games}")
        step = self.counters[self.primary]
        with contextlib.closing(games_at(step, self.experiment, self._policy(), self.threads, self._crew)) as playing:
            for played in playing.steps():
                if self.stop is not None:
                    return
                if played != announced:
                    announced = played
                    yield Event("busy", self.counters, {}, f"evaluating: {played} of {games}")
            metrics = self.scores.evaluated(playing.result(), step)
        yield from self._news()
        yield from self._record("eval", metrics)
        yield Event("eval", self.counters, metrics)

    def _news(self) -> Iterator[Event]:
        """What happened to those who play the environments; a run that is no longer exact by it is marked so."""
        while self._crew is not None and self._crew.notices:
            text, exact = self._crew.notices.pop(0)
            yield Event("warning", self.counters, {}, text)
            if not exact and (known := facts.read(self.folder))["exact"]:
                facts.write(self.folder, known | facts.inexact(text, self.counters), self._disk)

    def _policy(self) -> Policy:
        """What is learned, for observations as the environments give them."""
        policy = in_the_world(self.experiment.algorithm_name, self.spec, self.algorithm.policy())
        return policy if self._statistics is None else normalizing(policy, self._statistics.save())

    def _write_status(self, state: str, at_once: bool = False) -> None:
        self._status.write(state, self.counters, self.scores.summary(), at_once=at_once)

    # Remembering

    def save(self) -> State:
        """All that changes between two steps: the state of a checkpoint."""
        return {
            "algorithm": self.algorithm.save(),
            "rng": self.rng.save(),
            "sinks": self.recorder.save(),
            **self.scores.save(),
            **({} if self._statistics is None else {"world": self._statistics.save()}),
        }

    def load(self, state: State) -> None:
        """Go back to a state. CheckpointError for what does not fit; no log is touched then."""
        saved = Saved.of(state)
        if self._statistics is not None:
            self._statistics.load(saved.part("world"))
        self.algorithm.load(saved.part("algorithm"))
        self.rng.load(saved.part("rng"))
        self.scores.load(saved)
        # Last: nothing in the folder is changed for a state that is refused.
        self.warnings += self.recorder.load(saved.part("sinks"))
        self._saved = self._now

    def save_start(self) -> None:
        """Write a checkpoint before the first step, for a run whose config alone does not say how it starts."""
        self._save_once(last=True)

    def _save(self, last: bool) -> Iterator[Event]:
        """Write a checkpoint. A full disk is a warning and the next save tries again; the last frees the ballast."""
        try:
            yield self._save_once(last)
        except DiskError as error:
            if not last:
                text = f"not saved: {error}; training goes on and the next save tries again"
                yield Event("warning", self.counters, {}, text)
                return
            reserve.release_ballast(self.folder)
            yield self._save_once(last)

    def _save_once(self, last: bool) -> Event:
        began, best = time.monotonic(), self.scores.best
        self.recorder.flush()
        meta = {
            "algorithm": self.experiment.algorithm_name,
            "environment": self.experiment.environment.name,
            "counters": dict(self.counters),
            "best": best,
            **self.clock.meta(),
            **self._kept,
        }
        state = self.save()
        with contextlib.suppress(DiskError):  # the next save writes them whole
            write_tables(self.experiment, self.spec, state["algorithm"], self.folder, durable=last)
        protect = [] if best is None else [name_of_best(self.folder / "checkpoints", **best)]
        name = self.checkpoints.save(self.counters[self.primary], state, meta, protect)
        self._saved = self._now
        self.clock.saved(began)
        return Event("save", self.counters, {}, name)

    @property
    def _now(self) -> tuple[dict[str, int], bool]:
        """What tells two moments of a run apart: an evaluation changes no counter."""
        return dict(self.counters), self.scores.due

    @property
    def _paused(self) -> bool:
        return isinstance(self.algorithm, Pausing) and self.algorithm.paused
