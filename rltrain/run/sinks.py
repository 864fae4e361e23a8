"""Where a run's numbers go: JSON lines, CSV and TensorBoard events, all in the run folder.

A sink only ever appends, and its state is how many bytes it has written and their hash. To load a state is to cut the
file back to it, so a resumed log equals, byte for byte, that of a run which was never stopped (TensorBoard's wall-clock
times apart). A file that somebody edited meanwhile is set aside first: see `log_repair`.
"""

from __future__ import annotations

import csv
import io
import json
import math
import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from rltrain import registry
from rltrain.cells import guarded
from rltrain.core import Metrics, Sink, State, Table
from rltrain.errors import DiskError, InputError, RltrainError
from rltrain.run import events
from rltrain.run.disk import REAL, Disk
from rltrain.run.own_files import make_own_folder
from rltrain.run.tail import Tail, known_of, log_of, writing
from rltrain.saved import MAX_COUNT, Saved

STEMS: Mapping[Table, str] = {"train": "metrics", "eval": "eval"}  # a table's file is called after its stem


def cells_of(saved: Saved, key: str) -> dict[str, Any]:
    """What a checkpoint says that a CSV file was, with its columns."""
    log = saved.part(key)
    columns = log.listed("columns")
    return {**known_of(log), "columns": [columns.text(number) for number in columns]}


def step_of(saved: Saved) -> int:
    """The first step that an event file does not hold."""
    return saved.integer("step", high=MAX_COUNT + 1)


def logs_of(saved: Saved) -> State:
    """What a checkpoint says that the JSON lines and the CSV files were, checked before anything is mended by it."""
    rows, cells = saved.part("jsonl"), saved.part("csv")
    return {
        "jsonl": {table: log_of(rows, table) for table in STEMS},
        "csv": {table: cells_of(cells, table) for table in STEMS},
    }


class JsonLines:
    """metrics.jsonl and eval.jsonl: an object a line, counters first. What is not a finite number is null."""

    def __init__(self, folder: Path, disk: Disk = REAL) -> None:
        self._tails: dict[Table, Tail] = {table: Tail(folder / f"{stem}.jsonl", disk) for table, stem in STEMS.items()}

    def write(self, table: Table, counters: Mapping[str, int], metrics: Metrics) -> None:
        row = {key: value if math.isfinite(value) else None for key, value in _row(counters, metrics).items()}
        self._tails[table].append(json_line(row))

    def flush(self) -> None:
        for tail in self._tails.values():
            tail.sync()

    def save(self) -> State:
        return {table: tail.state() for table, tail in self._tails.items()}

    def load(self, state: State) -> None:
        for table, tail in self._tails.items():
            tail.cut(log_of(Saved.of(state), table))

    def close(self) -> None:
        for tail in self._tails.values():
            tail.close()


class Csv:
    """metrics.csv and eval.csv. The first row fixes the columns, later new keys are left out. NaN is an empty cell.

    They are not waited for at a checkpoint: what a power loss takes is written anew from the JSON lines.
    """

    def __init__(self, folder: Path, disk: Disk = REAL) -> None:
        self._tails: dict[Table, Tail] = {table: Tail(folder / f"{stem}.csv", disk) for table, stem in STEMS.items()}
        self._columns: dict[Table, list[str]] = {table: [] for table in STEMS}  # empty until the first row

    def write(self, table: Table, counters: Mapping[str, int], metrics: Metrics) -> None:
        row = _row(counters, metrics)
        text = b""
        if not self._columns[table]:
            self._columns[table] = list(row)
            text = csv_head(self._columns[table])
        self._tails[table].append(text + csv_row(row, self._columns[table]))

    def flush(self) -> None:
        for tail in self._tails.values():
            tail.drain()

    def save(self) -> State:
        return {table: {**tail.state(), "columns": list(self._columns[table])} for table, tail in self._tails.items()}

    def load(self, state: State) -> None:
        for table, tail in self._tails.items():
            cells = cells_of(Saved.of(state), table)
            tail.cut(cells)
            self._columns[table] = cells["columns"]

    def close(self) -> None:
        for tail in self._tails.values():
            with suppress(DiskError):  # as above
                tail.sync()
            tail.close()


class TensorBoard:
    """events/: an event file a session. A resumed one begins by telling TensorBoard from which step on to forget.

    TensorBoard reads files in the order of their names and keeps its place in each, so none may be cut under a reader;
    that is why, unlike the other sinks, this one starts a new file. What is forgotten is all from a step on, so nothing
    comes after a checkpoint at a step that the checkpoint has: the row of a unit that a budget cut, at the very step of
    an evaluation, stands a step later, and is forgotten once the unit is made whole.
    """

    def __init__(self, folder: Path, disk: Disk = REAL) -> None:
        self._folder = folder / "events"
        self._disk = disk
        self._step = 0  # the first step that is not yet written for good
        self._tail: Tail | None = None

    def write(self, table: Table, counters: Mapping[str, int], metrics: Metrics) -> None:
        step = counters["env_steps"] if "env_steps" in counters else next(iter(counters.values()))
        if table == "train":
            step = max(step, self._step)
        prefix = "eval/" if table == "eval" else ""
        scalars = {prefix + key: float(value) for key, value in metrics.items() if not math.isnan(value)}
        opening = b""
        if self._tail is None:
            with writing(self._folder):
                make_own_folder(self._disk, self._folder)
            number = 1 + max(map(_event_number, os.listdir(self._folder)), default=0)
            self._tail = Tail(self._folder / f"events.out.tfevents.{number:010d}.rltrain", self._disk)
            opening = events.version(time.time()) + events.session_start(time.time(), self._step)
        self._step = max(self._step, step + 1)
        self._tail.append(opening + events.scalars(time.time(), step, scalars))

    def flush(self) -> None:
        if self._tail is not None:
            self._tail.sync()

    def save(self) -> State:
        return {"step": self._step}

    def load(self, state: State) -> None:
        self.close()
        self._step = step_of(Saved.of(state))

    def close(self) -> None:
        if self._tail is not None:
            self._tail.close()
            self._tail = None


OURS: Mapping[str, Callable[[Path, Disk], Sink]] = {  # of every run
    "jsonl": JsonLines,
    "csv": Csv,
    "tensorboard": TensorBoard,
}


def check(asked: Sequence[str]) -> None:
    """Whether these sinks of other packages are there, before a run needs them. InputError, MissingError."""
    for name in asked:
        if name in OURS:
            raise InputError(f"run.sinks: '{name}' is there in every run; leave it out")
        try:
            registry.sink(name)
        except RltrainError as error:
            hint = "mend or install the package that brings it, or leave it out of run.sinks"
            raise type(error)(f"run.sinks: {error}; {hint}") from error


def make(folder: Path, asked: Sequence[str], disk: Disk = REAL) -> dict[str, Sink]:
    """Our sinks and those that a config asks for, by name, in the order in which they write."""
    ours: dict[str, Sink] = {name: kind(folder, disk) for name, kind in OURS.items()}
    return ours | {name: registry.sink(name)(folder) for name in asked}


def _row(counters: Mapping[str, int], metrics: Metrics) -> dict[str, int | float]:
    """Counters as ints, then metrics as floats. A counter keeps its name against a metric that shares it."""
    row: dict[str, int | float] = {key: int(value) for key, value in counters.items()}
    row.update({key: float(value) for key, value in metrics.items() if key not in counters})
    return row


def json_line(row: Mapping[str, int | float | None]) -> bytes:
    """A row of a file of JSON lines."""
    return json.dumps(row, separators=(",", ":")).encode() + b"\n"


def csv_row(row: Mapping[str, int | float], columns: Sequence[str]) -> bytes:
    """A row of a CSV file: each number so that it reads back the same, NaN and what is missing empty."""
    cells = [row.get(column, math.nan) for column in columns]
    return csv_line(["" if math.isnan(cell) else repr(cell) for cell in cells])


def csv_head(columns: Sequence[str]) -> bytes:
    """The names of columns as the first line of a CSV file."""
    return csv_line([guarded(column) for column in columns])


def csv_line(cells: Sequence[object]) -> bytes:
    """Cells as a line of a CSV file."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerow(cells)  # both are quoted where they stand in a cell
    return text.getvalue().encode()[:-2] + b"\n"


def _event_number(name: str) -> int:
    found = re.fullmatch(r"events\.out\.tfevents\.([0-9]{1,15})\..*", name)
    return int(found[1]) if found else 0
