"""Where a run's numbers go: JSON lines, CSV and TensorBoard events, all in the run folder.

A sink only ever appends, and its state is how many bytes it has written and their hash. To load a state is to cut the
file back to it, so a resumed log equals, byte for byte, that of a run which was never stopped (TensorBoard's wall-clock
times apart). A file that somebody edited meanwhile is set aside first: see `log_repair`.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import math
import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rltrain import registry
from rltrain.cells import guarded
from rltrain.core import Metrics, Sink, State, Table
from rltrain.errors import CheckpointError, DiskError, InputError, RltrainError
from rltrain.plain_files import open_plain
from rltrain.run import events
from rltrain.run.disk import PIECE, REAL, Disk, disk_errors
from rltrain.run.own_files import make_own_folder, open_tail
from rltrain.saved import MAX_COUNT, Saved

if TYPE_CHECKING:
    from hashlib import _Hash as Digest

MAX_FILE = 2**62  # bytes
STEMS: Mapping[Table, str] = {"train": "metrics", "eval": "eval"}  # a table's file is called after its stem


class Tail:
    """A file that grows at its end and can be cut back. What the disk refused is queued and goes out first next time.

    Nothing is touched before the first byte; then whatever an earlier, killed process left beyond `size` is cut away.
    """

    def __init__(self, path: Path, disk: Disk = REAL) -> None:
        self.path = path
        self.size = 0  # bytes that belong to the log
        self._digest = hashlib.sha256()  # of them
        self._disk = disk
        self._queue = bytearray()
        self._file: int | None = None
        self._new = self._unsynced = False

    def append(self, data: bytes) -> None:
        """Write to the end, at once. DiskError if that fails; the data is kept for the next call."""
        self._queue += data
        self.drain()

    def drain(self) -> None:
        """Bring everything queued to the file."""
        if not self._queue:
            return
        with _writing(self.path):
            file = self._open()
            while self._queue:
                with memoryview(self._queue) as queue:
                    written = self._disk.write(file, queue)
                    self._digest.update(queue[:written])
                self.size += written
                del self._queue[:written]

    def sync(self) -> None:
        """Bring everything queued to the disk itself."""
        self.drain()
        if self._file is not None and self._unsynced:
            with _writing(self.path):
                self._disk.sync(self._file)
                if self._new:
                    self._disk.sync_folder(self.path.parent)
            self._unsynced = self._new = False

    def state(self) -> State:
        """What to come back to; nothing may be waiting, or a resumed run would miss it."""
        self.drain()
        return {"size": self.size, "sha256": self._digest.hexdigest()}

    def cut(self, state: State | int) -> None:
        """Go back to what the file was; of old checkpoints the size alone. CheckpointError if it is not that."""
        self.close()
        kept = prefix(self.path, state)
        if kept is None:
            raise CheckpointError(f"{self.path}: not the numbers that the checkpoint was made with")
        self.size, self._digest = size_of(state), kept
        self._queue.clear()
        if self.path.exists() and self.path.stat().st_size > self.size:
            with _writing(self.path):
                self._open()

    def close(self) -> None:
        if self._file is not None:
            self._disk.close(self._file)
            self._file = None

    def _open(self) -> int:
        if self._file is None:
            self._new = not self.path.exists()
            self._file = open_tail(self._disk, self.path)
            self._disk.truncate(self._file, self.size)
        self._unsynced = True
        return self._file


def size_of(state: State | int) -> int:
    """The bytes that a log had. Checkpoints of before 2026-12 hold nothing else."""
    return int(state["size"]) if isinstance(state, Mapping) else state


def prefix(path: Path, state: State | int) -> Digest | None:
    """The hash of what a log held when this was its state; None if the file does not begin with that any more."""
    digest, left = hashlib.sha256(), size_of(state)
    try:
        with open_plain(path) as file:
            while left and (piece := file.read(min(PIECE, left))):
                digest.update(piece)
                left -= len(piece)
    except FileNotFoundError:
        pass
    known = state.get("sha256") if isinstance(state, Mapping) else None
    return None if left or known not in (None, digest.hexdigest()) else digest


def log_of(saved: Saved, key: str) -> State | int:
    """What a checkpoint says that a log was; of those of before 2026-12 the size alone."""
    if not isinstance(saved[key], Mapping):
        return saved.integer(key, high=MAX_FILE)
    return _known(saved.part(key))


def cells_of(saved: Saved, key: str) -> dict[str, Any]:
    """What a checkpoint says that a CSV file was, with its columns."""
    log = saved.part(key)
    columns = log.listed("columns")
    return {**_known(log), "columns": [columns.text(number) for number in columns]}


def step_of(saved: Saved) -> int:
    """The first step that an event file does not hold."""
    return saved.integer("step", high=MAX_COUNT + 1)


def _known(log: Saved) -> dict[str, Any]:
    hashed = {"sha256": log.text("sha256")} if "sha256" in log else {}
    return {"size": log.integer("size", high=MAX_FILE), **hashed}


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
    that is why, unlike the other sinks, this one starts a new file.
    """

    def __init__(self, folder: Path, disk: Disk = REAL) -> None:
        self._folder = folder / "events"
        self._disk = disk
        self._step = 0  # the first step that is not yet written for good
        self._tail: Tail | None = None

    def write(self, table: Table, counters: Mapping[str, int], metrics: Metrics) -> None:
        step = counters["env_steps"] if "env_steps" in counters else next(iter(counters.values()))
        prefix = "eval/" if table == "eval" else ""
        scalars = {prefix + key: float(value) for key, value in metrics.items() if not math.isnan(value)}
        opening = b""
        if self._tail is None:
            with _writing(self._folder):
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
            hint = "install the package that brings it, or leave it out of run.sinks"
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


def _writing(path: Path) -> AbstractContextManager[None]:
    return disk_errors(f"{path}: cannot be written")
