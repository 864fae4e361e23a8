"""study.journal: what every trial tried and what came of it, in the format of Optuna's journal storage.

    {"op_code": 0, ...}   the study, once                      4   a trial is asked, with its parameters
    {"op_code": 3, ...}   what its values are called, once     7   its score at a rung of a halving
    {"op_code": 8, ...}   what else is known of its score      6   it ends: complete, pruned (paused at a rung) or fail

A line of JSON each. Whatever reads such a file, `optuna.storages.JournalStorage(JournalFileBackend(...))` or Optuna's
dashboard, reads ours. One process writes it, so it has no worker's name and needs no lock; as rltrain's other logs it
holds no times: a fixed one stands in their place. So equal sweeps have equal journals, to the byte.

Nothing is ever rewritten. A tell is whole once its last line is there; what follows the last whole one is cut off when
the file is opened, and is found out again: of an ask by `search.asks`, of a tell in the folders of its runs.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

from rltrain.errors import CheckpointError
from rltrain.experiment.space import OneOf, Range, Varied
from rltrain.experiment.sweep import Sweep
from rltrain.plain_files import as_number, open_plain, parse_json, reason
from rltrain.run.disk import REAL, disk_errors
from rltrain.run.own_files import open_tail
from rltrain.spelling import shown
from rltrain.verbs.sweep.dimensions import Point, Space
from rltrain.yaml_subset import flow

NAME = "study.journal"
WORKER = "rltrain"
STUDY = "sweep"
TIME = "2000-01-01T00:00:00.000000+00:00"
CREATE_STUDY, STUDY_ATTRIBUTE, ASK, END, RUNG, TRIAL_ATTRIBUTE = 0, 3, 4, 6, 7, 8  # `JournalOperation` of Optuna
MAXIMIZE = 2
TrialState = Literal["running", "complete", "pruned", "fail"]
STATES: dict[TrialState, int] = {"running": 0, "complete": 1, "pruned": 2, "fail": 3}  # `TrialState` of Optuna
MOST_LINE = 1 << 26  # bytes: an ask has the whole space, which sweep.yaml states in at most one megabyte


class Tell(NamedTuple):
    """What a trial came to: at its end, or at a rung of a halving."""

    score: float | None  # the mean over its runs; of one that diverged the worst of any so far, None: there is none
    seeds: tuple[float | None, ...]  # the scores of its runs; None of one that diverged
    diverged: bool = False


@dataclass
class JournaledTrial:
    """A trial as the journal has it."""

    number: int
    point: Point
    tells: list[Tell] = field(default_factory=list)  # one a rung; without a halving one
    state: TrialState = "running"

    @property
    def score(self) -> float | None:
        """The latest; None before the first."""
        return self.tells[-1].score if self.tells else None


@dataclass
class JournaledStudy:
    """All trials that were asked."""

    trials: list[JournaledTrial] = field(default_factory=list)
    order: list[int] = field(default_factory=list)  # numbers of trials as they were first told
    brackets: list[int] = field(default_factory=list)  # how many trials there were when a halving went on to rung 1


# Lines


def opening(sweep: Sweep) -> list[str]:
    """What a journal begins with."""
    study = {"study_name": STUDY, "directions": [MAXIMIZE]}
    names = {"study_id": 0, "system_attr": {"study:metric_names": [sweep.settings.score]}}
    return [_line(CREATE_STUDY, study), _line(STUDY_ATTRIBUTE, names)]


def ask_lines(space: Space, points: Sequence[Point]) -> list[str]:
    """Trials that try these points from now on, numbered in their order."""
    kinds = {key: _distribution(varied) for key, varied in space.items()}
    empty: dict[str, Any] = {"user_attrs": {}, "system_attrs": {}, "intermediate_values": {}}
    head = {"study_id": 0, "datetime_start": TIME, "state": STATES["running"], "value": None, "values": None}
    return [_line(ASK, {**head, "distributions": kinds, "params": point, **empty}) for point in points]


def tell_lines(number: int, tell: Tell, rung: int | None) -> list[str]:
    """What a trial came to: at this count of a halving's counter, or, if that is None, at its end."""
    known: dict[str, Any] = {"seeds": list(tell.seeds)} if len(tell.seeds) > 1 else {}
    known |= {"diverged": True} if tell.diverged else {}
    lines = [_line(TRIAL_ATTRIBUTE, {"trial_id": number, "user_attr": {key: value}}) for key, value in known.items()]
    if tell.score is None:
        return [*lines, end_line(number, "fail", None)]
    if rung is None:
        return [*lines, end_line(number, "complete", tell.score)]
    return [*lines, _line(RUNG, {"trial_id": number, "step": rung, "intermediate_value": tell.score})]


def end_line(number: int, state: TrialState, score: float | None) -> str:
    """A trial ends, with its last score."""
    values = None if score is None else [score]
    return _line(END, {"trial_id": number, "state": STATES[state], "values": values, "datetime_complete": TIME})


def _line(operation: int, fields: Mapping[str, Any]) -> str:
    return json.dumps({"op_code": operation, "worker_id": WORKER, **fields}, separators=(",", ":"), allow_nan=False)


def _distribution(varied: Varied) -> str:
    """What can be tried of a setting, as JSON in JSON. Of values that are lists the text stands there."""
    if isinstance(varied, OneOf):
        return json.dumps({"name": "CategoricalDistribution", "attributes": {"choices": labels(varied)}})
    ends = {"low": varied.low, "high": varied.high, "log": varied.log}
    step = (varied.step or 1) if varied.whole else varied.step
    name = "IntDistribution" if varied.whole else "FloatDistribution"
    return json.dumps({"name": name, "attributes": {**ends, "step": step}})


def labels(varied: OneOf) -> list[Any]:
    """The values as Optuna may have them: plain and different from each other, which 1, 1.0 and true are not."""
    plain = [value if isinstance(value, str | int | float | None) else flow(value) for value in varied.values]
    return plain if len(set(plain)) == len(plain) else [flow(value) for value in varied.values]


# Reading


def read(path: Path, space: Space) -> tuple[JournaledStudy, int]:
    """The study of a journal, and how many bytes of it are whole tells. CheckpointError for what is no line of ours."""
    reader = _Reader(space)
    whole = size = 0
    try:
        with open_plain(path) as file:
            for number, line in enumerate(iter(lambda: file.readline(MOST_LINE), b""), 1):
                torn = not line.endswith(b"\n")
                if torn and len(line) < MOST_LINE:
                    break
                size += len(line)
                try:
                    if torn:
                        raise ValueError(f"longer than {MOST_LINE:,} bytes")
                    reader.take(parse_json(line))
                except (ValueError, TypeError, LookupError, OverflowError) as error:
                    why = shown(str(error)[:200])
                    raise CheckpointError(f"{path}:{number}: no line of a sweep's journal: {why}") from error
                if reader.named and not reader.pending:
                    whole = size
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {shown(reason(error))}") from error
    return reader.study, whole


class _Reader:
    """Takes line after line. What is not by `WORKER`, such as notes of the dashboard, is left alone."""

    def __init__(self, space: Space) -> None:
        self.space, self.study = space, JournaledStudy()
        self.named = False  # what a journal begins with is there
        self.pending: dict[int, dict[str, Any]] = {}  # what is known of a tell whose last line is to come

    def take(self, line: Mapping[str, Any]) -> None:
        operation = line["op_code"]
        if line["worker_id"] != WORKER or operation in (CREATE_STUDY, STUDY_ATTRIBUTE):
            self.named = self.named or operation == STUDY_ATTRIBUTE
            return
        if operation == ASK:
            params = line["params"]
            point = {key: _number(varied, params[key]) for key, varied in self.space.items()}
            if len(params) != len(point):
                raise ValueError(f"settings that are not varied: {', '.join(sorted(params.keys() - point.keys()))}")
            self.study.trials.append(JournaledTrial(len(self.study.trials), point))
            return
        number = line["trial_id"]
        if type(number) is not int or not 0 <= number < len(self.study.trials):
            raise ValueError(f"trial_id: {number!r} was not asked")
        trial = self.study.trials[number]
        if operation == TRIAL_ATTRIBUTE:
            self.pending.setdefault(number, {}).update(line["user_attr"])
        elif operation == RUNG:
            if trial.tells:
                self._rungs_began()
            self._told(trial, _score(line["intermediate_value"]))
        elif operation == END:
            state = {code: name for name, code in STATES.items()}[line["state"]]
            if state == "fail" or not trial.tells:
                self._told(trial, None if line["values"] is None else _score(line["values"][0]))
            else:
                self._rungs_began()
            trial.state = state
        else:
            raise ValueError(f"the operation {operation}")

    def _told(self, trial: JournaledTrial, score: float | None) -> None:
        known = self.pending.pop(trial.number, {})
        if not trial.tells:
            self.study.order.append(trial.number)
        seeds = tuple(None if seed is None else _score(seed) for seed in known.get("seeds", [score]))
        trial.tells.append(Tell(score, seeds, "diverged" in known))

    def _rungs_began(self) -> None:
        count = len(self.study.trials)
        if self.study.brackets[-1:] != [count]:
            self.study.brackets.append(count)


def _score(said: Any) -> float:
    """A score as the journal has it. ValueError."""
    number = as_number(said)
    if not math.isfinite(number):
        raise ValueError(f"expected a score, found {said!r}")
    return number


def _number(varied: Varied, said: Any) -> int | float:
    """A parameter as the number of a point. ValueError."""
    if type(said) not in (int, float):
        raise ValueError(f"expected a number, found {said!r}")
    whole = isinstance(varied, OneOf) or varied.whole
    number = int(said) if whole else float(said)
    fits = varied.low <= number <= varied.high if isinstance(varied, Range) else 0 <= number < len(varied.values)
    if not fits:
        raise ValueError(f"{said!r} is outside of the space")
    return number


# Writing


class StudyJournal:
    """The journal of a sweep, opened to be gone on with: `study` is what it holds, `add` adds to its end, for good.

    A new one is begun if there is none. What follows its last whole tell is cut off. CheckpointError, DiskError.
    """

    def __init__(self, path: Path, sweep: Sweep) -> None:
        self._path, self._space = path, sweep.space
        self.study = JournaledStudy()
        whole = 0
        if path.exists():
            self.study, whole = read(path, sweep.space)
        with disk_errors(f"cannot open {path}"):
            self._descriptor = open_tail(REAL, path)
            os.ftruncate(self._descriptor, whole)
        if whole == 0:
            self.add(opening(sweep))
            REAL.sync_folder(path.parent)

    def add(self, lines: Sequence[str]) -> None:
        """Lines at the end of the file, on the disk when this returns."""
        if not lines:
            return
        rest = memoryview(("\n".join(lines) + "\n").encode())
        with disk_errors(f"cannot write {self._path}"):
            while rest:
                rest = rest[REAL.write(self._descriptor, rest) :]
            REAL.sync(self._descriptor)
        reader = _Reader(self._space)
        reader.study = self.study
        for line in lines:
            reader.take(json.loads(line))

    def close(self) -> None:
        """Let go of the file; a second call does nothing."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
