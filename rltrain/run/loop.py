"""The loop that drives every algorithm: improve, record, evaluate, save, until the budget is spent.

It is a generator of events; whoever needs to watch consumes it. Between two steps nothing is in flight, and all that
changes is in `Run._state`, so a run that is killed and resumed ends, bit for bit, where it would have ended anyway.
Cadences are arithmetic on counters. Wall-clock times go to files of their own, and nothing that is learned depends on
them: they decide `run.max_wall`, and which of the saves that no config asks for are worth their time.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from rltrain import registry
from rltrain.core import EnvSpec, Metrics, Pausing, State, crossed
from rltrain.errors import DiskError, EnvironmentFault
from rltrain.experiment import config
from rltrain.experiment.config import Experiment
from rltrain.plain_files import as_number, last_json_line
from rltrain.rng import derive
from rltrain.run import edits, facts, log_repair, machine
from rltrain.run import folder as folders
from rltrain.run.build import Parts, build, doubts, experiment_of, keep_model
from rltrain.run.checkpoint import Checkpoints
from rltrain.run.disk import REAL, Disk
from rltrain.run.evaluation import Playing
from rltrain.run.own_files import append, write_small
from rltrain.run.sinks import Csv, JsonLines, Sink, TensorBoard, sinks_of
from rltrain.run.tables import write_tables
from rltrain.saved import Saved, loading

SAVES_A_BUDGET = 20
SAVING_SHARE = 0.0075  # of the time between two saves, so that a dearer next one stays under a hundredth
MOST_SECONDS_UNSAVED = 600.0  # if saves are as dear as that
MAX_SECONDS = 1e10  # of a run so far: three centuries
MOST_STEPS_BETWEEN_SAVES = 50_000  # of the environments: about two minutes of an Atari run

Kind = Literal["step", "busy", "eval", "save", "warning", "end"]  # busy: `text` says what now takes a while
Reason = Literal["SIGINT", "SIGTERM", "SIGHUP", "wall"]


class Event(NamedTuple):
    """What just happened."""

    kind: Kind
    counters: Mapping[str, int]
    metrics: Mapping[str, float]
    text: str = ""


class Run:
    """An experiment, its algorithm, and their folder: `create` or `resume`, then `advance`, then `close`."""

    def __init__(self, parts: Parts, folder: Path, lock: folders.Lock, disk: Disk = REAL) -> None:
        self.experiment, self.rng, self.env, self.algorithm, self.threads = parts
        self.folder, self._lock, self._disk = folder, lock, disk
        self.spec: EnvSpec = self.env.spec
        self._plugin = registry.plugin(self.experiment.algorithm_name)
        run = self.experiment.run
        self.budget: dict[str, int] = dict(run.budget or {})
        self.primary = next(iter(self.budget))  # the counter that names checkpoints
        self.sinks: dict[str, Sink] = {
            "jsonl": JsonLines(folder, disk),
            "csv": Csv(folder, disk),
            "tensorboard": TensorBoard(folder, disk),
        }
        self.checkpoints = Checkpoints(folder, run.save.keep, disk)
        self._kept = edits.kept(self.experiment)  # in each checkpoint, so that an edit of config.yaml is seen
        self.best: dict[str, Any] | None = None  # score and step of the best evaluation
        self.last_evaluation: dict[str, float] | None = None
        self._evaluation_due = False
        self._saved: tuple[dict[str, int], bool] | None = None  # what `_now` was at the last save or load

        self.stop: Reason | None = None
        self._elapsed_before = 0.0  # seconds of the sessions that led here
        self._started = time.monotonic()
        self._recent: list[tuple[float, int]] = []  # (seconds, environment steps) of the last steps, for the speed
        self._warnings = doubts(self.experiment, self.spec)
        self._warnings += self._plugin.warnings(self.algorithm)
        self._facts: dict[str, Any] | None = None  # for run.json, once a step is made that is not exact
        self._unwritten = False  # the sinks hold numbers that the disk refused
        self._mean: float | None = None  # of the last training games, for a run that is never evaluated
        self._status_written = -1e9
        self._saved_at = self._started  # when the last save or load ended
        self._save_seconds = 0.0  # what the last one took

    # Beginnings

    @classmethod
    def create(cls, experiment: Experiment, runs_dir: Path, name: str | None, command: str, disk: Disk = REAL) -> Run:
        """A new run in a new folder. DiskError at once if the folder cannot be written; then none is left behind."""
        stem = f"{experiment.algorithm_name}-{experiment.environment.name.split('/')[-1]}"
        parts = build(experiment)  # before the folder: what cannot be built leaves nothing behind
        folder = folders.create(runs_dir, name, stem, disk)
        run = cls(parts, folder, _locked(folder, new=True), disk)
        began = time.monotonic()
        try:
            run._try_disk()
            facts.write(folder, facts.begun(command, run._machine(), run._chosen), disk)
            keep_model(experiment, folder, disk)
            # Last, since it makes the folder a run that can be resumed.
            write_small(folder / folders.MARKER, experiment.to_yaml(), disk)
            run._save_seconds = time.monotonic() - began  # a guess, until there is a save to time
        except BaseException:
            run.close()
            folders.forget_unbegun(folder)
            raise
        return run

    @classmethod
    def resume(cls, folder: Path, overrides: Sequence[str] = (), disk: Disk = REAL) -> Run:
        """Go on where the newest good checkpoint stands; from the beginning if the run was killed before its first."""
        lock = _locked(folder)
        try:
            folders.check_own(folder)
            experiment = experiment_of(folder, overrides)
            written = config.load(folder / folders.MARKER)
            run = cls(build(experiment), folder, lock, disk)
        except BaseException:
            lock.release()
            raise
        try:
            run._try_disk()
            run._restore(written)
            if run.experiment != written:
                write_small(folder / folders.MARKER, run.experiment.to_yaml(), disk)
        except BaseException:
            run.close()
            raise
        return run

    def _try_disk(self) -> None:
        """Try now what a save will need. DiskError if the folder cannot be written."""
        self._warnings += folders.probe(self.folder)
        if not folders.create_ballast(self.folder):
            self._warnings.append("the disk is nearly full: no room for the reserve that the last save may need")

    def _restore(self, written: Experiment) -> None:
        """Load the newest whole checkpoint; `written` is what config.yaml says. InputError if it was edited since."""
        if not self.checkpoints.names():
            self._facts, warnings = facts.resumed(self.folder, self._machine(), self._chosen, self.counters)
            self._warnings += [*warnings, "no checkpoint yet: the run starts from its beginning"]
            return
        loaded = self.checkpoints.load()
        self._warnings += [*loaded.warnings, *edits.told(self.folder, loaded.meta, written)]
        elapsed = loaded.meta.number("elapsed_seconds", 0, MAX_SECONDS)
        timed = "save_seconds" in loaded.meta  # checkpoints of before 2026-12 do not say it
        saving = loaded.meta.number("save_seconds", 0, MAX_SECONDS) if timed else 0.0
        with loading(loaded.name):
            self._load(loaded.state)
        self._mean = self._last_mean()
        self._facts, warnings = facts.resumed(self.folder, self._machine(), self._chosen, self.counters)
        self._warnings += warnings
        self._saved = self._now
        self._elapsed_before, self._save_seconds = elapsed, saving

    def _last_mean(self) -> float | None:
        """The score of the last training games as metrics.jsonl has it, so that `list` still knows it."""
        with contextlib.suppress(OSError, ValueError):
            mean = as_number(last_json_line(self.folder / "metrics.jsonl").get("return/mean"))
            return mean if math.isfinite(mean) else None
        return None

    # The loop

    def advance(self) -> Iterator[Event]:
        """Improve until the budget is spent, the algorithm is done, or a stop is requested. Saves at the end."""
        self._started = self._saved_at = time.monotonic()
        yield from self._drain_warnings()
        if self._chosen and not self.checkpoints.names():
            yield from self._save(last=False)  # what was chosen at the start, such as the arithmetic, is chosen once
        if self._evaluation_due:
            yield from self._evaluate()
        while not (self.finished or self.stop):
            self._write_status("running")
            if self._facts is not None:  # not before: a run that is only looked at stays as exact as it was
                facts.write(self.folder, self._facts, self._disk)
                self._facts = None
            before = dict(self.counters)
            if isinstance(self.algorithm, Pausing):
                self.algorithm.pause_at(self._limits())
            metrics = self.algorithm.step()
            if not self._paused:
                yield from self._record("train", metrics)
            yield Event("step", self.counters, metrics)
            self._stop_at_max_wall()
            best = self.best
            if self._due(self.experiment.run.evaluate.every, before):
                self._evaluation_due = True
                yield from self._evaluate()
            if self._save_due(before) or self.best != best:
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
        return self.algorithm.counters

    @property
    def solved(self) -> bool:
        """Whether an evaluation reached the score at which the run was to end."""
        until = self.experiment.run.evaluate.until
        return until is not None and self.best is not None and self.best["score"] >= until

    @property
    def finished(self) -> bool:
        return (
            self.solved
            or self.algorithm.done
            or any(self.counters[name] >= limit for name, limit in self.budget.items())
        )

    def progress(self) -> dict[str, float]:
        """share: of the budget, 0..1. elapsed_seconds: of all sessions. steps_per_second: or sweeps, lately.

        With a `max_wall` also wall_seconds_left: of this session.
        """
        share = max(self.counters[name] / limit for name, limit in self.budget.items())
        speed = float("nan")
        if len(self._recent) > 1:
            (t0, n0), (t1, n1) = self._recent[0], self._recent[-1]
            speed = (n1 - n0) / (t1 - t0) if t1 > t0 else speed
        here = time.monotonic() - self._started
        found = {
            "share": min(1.0, share),
            "elapsed_seconds": self._elapsed_before + here,
            "steps_per_second": speed,
        }
        limit = self.experiment.run.max_wall
        return found if limit is None else {**found, "wall_seconds_left": max(0.0, config.parse_duration(limit) - here)}

    def close(self, state: str | None = None) -> None:
        """Free the folder and its reserve. `state` goes to status.json: diverged, crashed, disk, environment failed."""
        if state is not None:
            with contextlib.suppress(DiskError):
                self._write_status(state, at_once=True)
        for sink in self.sinks.values():
            sink.close()
        try:
            # An environment may fail here too; after a first fault its second is no news.
            with contextlib.suppress(*() if state is None else (EnvironmentFault,)):
                self.env.close()
        finally:
            folders.release_ballast(self.folder)
            self._lock.release()

    # Recording

    def _record(self, table: Literal["train", "eval"], metrics: Metrics) -> Iterator[Event]:
        """To every sink. A full disk is one warning, until all is written again: sinks keep what it refused."""
        if table == "train":
            mean = metrics.get("return/mean", math.nan)
            self._mean = mean if math.isfinite(mean) else self._mean
            self._recent = [
                *self._recent[-20:],
                (time.monotonic(), self.counters.get("env_steps", self.counters[self.primary])),
            ]
        faults = []
        for sink in self.sinks.values():
            try:
                sink.write(table, self.counters, metrics)
            except DiskError as error:
                faults.append(error)
        if faults and not self._unwritten:
            text = f"{faults[0]}; training goes on, the numbers are kept in memory and written later"
            yield Event("warning", self.counters, {}, text)
        self._unwritten = bool(faults)
        timing = {name: value if math.isfinite(value) else None for name, value in self.progress().items()}
        with contextlib.suppress(OSError):
            line = json.dumps({**self.counters, **timing, "table": table}) + "\n"
            append(self.folder / "timings.jsonl", line, self._disk)

    def _evaluate(self) -> Iterator[Event]:
        """Play evaluation games. Given up when a stop is requested: the resumed run plays them anew."""
        many = self.experiment.run.evaluate.episodes
        games, told = f"{many} game{'s' if many > 1 else ''}", 0
        yield Event("busy", self.counters, {}, f"evaluating: {games}")
        with contextlib.closing(self._evaluation()) as playing:
            for played in playing.steps():
                if self.stop is not None:
                    return
                if played != told:
                    told = played
                    yield Event("busy", self.counters, {}, f"evaluating: {played} of {games}")
            result = playing.result()
        self._evaluation_due = False
        metrics = {"mean": result.mean, "sd": result.sd, "min": result.min, "max": result.max, "median": result.median}
        metrics |= {"ci95/low": result.ci95[0], "ci95/high": result.ci95[1], "episodes": float(len(result.returns))}
        self.last_evaluation = metrics
        if self.best is None or result.mean > self.best["score"]:
            self.best = {"score": result.mean, "step": self.counters[self.primary]}
        yield from self._record("eval", metrics)
        yield Event("eval", self.counters, metrics)

    def _evaluation(self) -> Playing:
        """An evaluation on seeds that depend on the run's seed and the counter alone."""
        settings = self.experiment.run.evaluate
        return Playing(
            self.algorithm.policy(),
            self.experiment.environment,
            settings.protocol,
            settings.episodes,
            derive(self.experiment.run.seed, "eval", self.counters[self.primary]),
            threads=self.threads,
            task=self.experiment.task,
        )

    # Remembering

    def _state(self) -> State:
        return {
            "algorithm": self.algorithm.save(),
            "rng": self.rng.save(),
            "sinks": {name: sink.save() for name, sink in self.sinks.items()},
            "best": self.best,
            "last_evaluation": self.last_evaluation,
            "evaluation_due": self._evaluation_due,
        }

    def _load(self, state: State) -> None:
        saved = Saved.of(state)
        self.algorithm.load(saved.part("algorithm"))
        self.rng.load(saved.part("rng"))
        self.best = self.last_evaluation = None
        if saved.given("best"):
            best = saved.part("best")
            self.best = {"score": best.number("score"), "step": best.integer("step")}
        if saved.given("last_evaluation"):
            evaluation = saved.part("last_evaluation")
            self.last_evaluation = {"mean": evaluation.number("mean")}
            self.last_evaluation |= {name: evaluation.number(name) for name in evaluation}
        self._evaluation_due = saved.flag("evaluation_due")
        # Last: nothing in the folder is changed for a state that is refused.
        sinks, mended = log_repair.mend(self.folder, sinks_of(saved.part("sinks")), self._disk)
        self._warnings += mended
        for name, sink in self.sinks.items():
            sink.load(sinks[name])

    def _save(self, last: bool) -> Iterator[Event]:
        """Write a checkpoint. A full disk is a warning and the next save tries again; the last frees the ballast."""
        try:
            yield self._save_once(last)
        except DiskError as error:
            if not last:
                yield Event(
                    "warning", self.counters, {}, f"not saved: {error}; training goes on and the next save tries again"
                )
                return
            folders.release_ballast(self.folder)
            yield self._save_once(last)

    def _save_once(self, last: bool = False) -> Event:
        began = time.monotonic()
        for sink in self.sinks.values():
            sink.flush()
        meta = {
            "algorithm": self.experiment.algorithm_name,
            "environment": self.experiment.environment.name,
            "counters": dict(self.counters),
            "best": self.best,
            "elapsed_seconds": self.progress()["elapsed_seconds"],
            "save_seconds": self._save_seconds,
            **self._kept,
        }
        protect = [] if self.best is None else [checkpoint_name(self.best["step"])]
        state = self._state()
        with contextlib.suppress(DiskError):  # the next save writes it whole
            write_tables(self.experiment, self.spec, state["algorithm"], self.folder, durable=last)
        name = self.checkpoints.save(self.counters[self.primary], state, meta, protect)
        self._saved, self._saved_at = self._now, time.monotonic()
        self._save_seconds = self._saved_at - began
        return Event("save", self.counters, {}, name)

    # Small parts

    @property
    def _now(self) -> tuple[dict[str, int], bool]:
        """What tells two moments of a run apart: an evaluation changes no counter."""
        return dict(self.counters), self._evaluation_due

    def _save_due(self, before: Mapping[str, int]) -> bool:
        """Whether to save after this step: as the config says, or at each part of the budget that is worth a save."""
        every = self.experiment.run.save.every
        if every is not None:
            return self._due(every, before)
        worth = min(MOST_SECONDS_UNSAVED, self._save_seconds / SAVING_SHARE)
        return self._due(self._parts_of_budget, before) and time.monotonic() - self._saved_at >= worth

    @property
    def _parts_of_budget(self) -> Mapping[str, int]:
        cadence = {name: max(1, limit // SAVES_A_BUDGET) for name, limit in self.budget.items()}
        if "env_steps" in cadence and self.experiment.task == "env":
            cadence["env_steps"] = min(cadence["env_steps"], MOST_STEPS_BETWEEN_SAVES)
        return cadence

    def _due(self, every: Mapping[str, int] | None, before: Mapping[str, int]) -> bool:
        return any(crossed(before[name], self.counters[name], interval) for name, interval in (every or {}).items())

    @property
    def _paused(self) -> bool:
        return isinstance(self.algorithm, Pausing) and self.algorithm.paused

    def _limits(self) -> dict[str, int]:
        """Where each counter comes next to its budget, to an evaluation, or to a save that the config asks for."""
        found, run = dict(self.budget), self.experiment.run
        for every in (run.evaluate.every, run.save.every):
            for name, interval in (every or {}).items():
                due = (self.counters[name] // interval + 1) * interval
                found[name] = min(found.get(name, due), due)
        return found

    def _stop_at_max_wall(self) -> None:
        limit = self.experiment.run.max_wall
        if limit is not None and time.monotonic() - self._started >= config.parse_duration(limit):
            self.stop = self.stop or "wall"

    def _machine(self) -> dict[str, str]:
        return machine.facts(self.threads, machine.device(self.experiment))

    @property
    def _chosen(self) -> Mapping[str, str]:
        """What the settings left to the machine, and how that was decided."""
        return self._plugin.chosen(self.algorithm)

    def _drain_warnings(self) -> Iterator[Event]:
        while self._warnings:
            yield Event("warning", self.counters, {}, self._warnings.pop(0))

    def _write_status(self, state: str, at_once: bool = False) -> None:
        """status.json, for `rltrain list`; at most every two seconds, and never worth stopping for."""
        if not at_once and time.monotonic() - self._status_written < 2:
            return
        self._status_written = time.monotonic()
        score = self.last_evaluation["mean"] if self.last_evaluation else self._mean
        scored = "evaluation" if self.last_evaluation else "training"
        status = {"state": state, "counters": dict(self.counters), "score": score, "scored": scored, "best": self.best}
        text = json.dumps({**status, "updated": time.time(), "pid": os.getpid()}) + "\n"
        with contextlib.suppress(DiskError):
            write_small(self.folder / "status.json", text, self._disk, durable=at_once)


def checkpoint_name(step: int) -> str:
    """The name that `Checkpoints.save` gives to a step."""
    return f"ckpt-{step:012d}"


def _locked(folder: Path, new: bool = False) -> folders.Lock:
    lock = folders.Lock(folder, new)
    lock.__enter__()
    return lock
