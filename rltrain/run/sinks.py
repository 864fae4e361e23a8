"""Where a run's numbers go: JSON lines, CSV and TensorBoard events, all in the run folder.

A sink only ever appends, and its state is how many bytes it has written. To load a state is to cut the file back to it,
so a resumed log equals, byte for byte, that of a run which was never stopped (TensorBoard's wall-clock times apart).
"""

from __future__ import annotations

import csv
import io
import json
import math
import os
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Literal, Protocol

from rltrain.core import Metrics, State, Stateful
from rltrain.errors import CheckpointError
from rltrain.run import events
from rltrain.run.disk import REAL, disk_errors

Table = Literal["train", "eval"]
STEMS: Mapping[Table, str] = {"train": "metrics", "eval": "eval"}  # a table's file is called after its stem


class Sink(Stateful, Protocol):
    """Takes rows of numbers. `flush` comes before a checkpoint that holds `save()`."""

    def write(self, table: Table, counters: Mapping[str, int], metrics: Metrics) -> None: ...
    def flush(self) -> None: ...
    def close(self) -> None: ...


class Tail:
    """A file that grows at its end and can be cut back. What the disk refused is queued and goes out first next time.

    Nothing is touched before the first byte; then whatever an earlier, killed process left beyond `size` is cut away.
    """

    def __init__(self, path: Path, size: int = 0) -> None:
        self.path = path
        self.size = size  # bytes that belong to the log
        self._queue = bytearray()
        self._file: int | None = None

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
                written = os.write(file, self._queue)
                self.size += written
                del self._queue[:written]

    def sync(self) -> None:
        """Bring everything queued to the disk itself."""
        self.drain()
        if self._file is not None:
            with _writing(self.path):
                REAL.sync(self._file)

    def cut(self, size: int) -> None:
        """Go back to a size that the file had. CheckpointError if bytes are missing."""
        self.close()
        present = self.path.stat().st_size if self.path.exists() else 0
        if present < size:
            raise CheckpointError(f"{self.path}: {present} bytes, but the checkpoint was made when it had {size}")
        self.size = size
        self._queue.clear()
        if present > size:
            with _writing(self.path):
                self._open()

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _open(self) -> int:
        if self._file is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
            self._file = os.open(self.path, flags, 0o644)
            os.ftruncate(self._file, self.size)
            REAL.sync_folder(self.path.parent)
        return self._file


class JsonLines:
    """metrics.jsonl and eval.jsonl: an object a line, counters first. What is not a finite number is null."""

    def __init__(self, folder: Path) -> None:
        self._tails: dict[Table, Tail] = {table: Tail(folder / f"{stem}.jsonl") for table, stem in STEMS.items()}

    def write(self, table: Table, counters: Mapping[str, int], metrics: Metrics) -> None:
        row = {key: value if math.isfinite(value) else None for key, value in _row(counters, metrics).items()}
        self._tails[table].append(json.dumps(row, separators=(",", ":")).encode() + b"\n")

    def flush(self) -> None:
        for tail in self._tails.values():
            tail.sync()

    def save(self) -> State:
        return {table: _size(tail) for table, tail in self._tails.items()}

    def load(self, state: State) -> None:
        for table, tail in self._tails.items():
            tail.cut(state[table])

    def close(self) -> None:
        for tail in self._tails.values():
            tail.close()


class Csv:
    """metrics.csv and eval.csv. The first row fixes the columns, later new keys are left out. NaN is an empty cell."""

    def __init__(self, folder: Path) -> None:
        self._tails: dict[Table, Tail] = {table: Tail(folder / f"{stem}.csv") for table, stem in STEMS.items()}
        self._columns: dict[Table, list[str]] = {table: [] for table in STEMS}  # empty until the first row

    def write(self, table: Table, counters: Mapping[str, int], metrics: Metrics) -> None:
        row = _row(counters, metrics)
        text = b""
        if not self._columns[table]:
            self._columns[table] = list(row)
            text = _csv_line(self._columns[table])
        cells = [row.get(column, math.nan) for column in self._columns[table]]
        self._tails[table].append(text + _csv_line(["" if math.isnan(cell) else repr(cell) for cell in cells]))

    def flush(self) -> None:
        for tail in self._tails.values():
            tail.sync()

    def save(self) -> State:
        return {
            table: {"size": _size(tail), "columns": list(self._columns[table])} for table, tail in self._tails.items()
        }

    def load(self, state: State) -> None:
        for table, tail in self._tails.items():
            tail.cut(state[table]["size"])
            self._columns[table] = list(state[table]["columns"])

    def close(self) -> None:
        for tail in self._tails.values():
            tail.close()


class TensorBoard:
    """events/: an event file a session. A resumed one begins by telling TensorBoard from which step on to forget.

    TensorBoard reads files in the order of their names and keeps its place in each, so none may be cut under a reader;
    that is why, unlike the other sinks, this one starts a new file.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "events"
        self._step = 0  # the first step that is not yet written for good
        self._tail: Tail | None = None

    def write(self, table: Table, counters: Mapping[str, int], metrics: Metrics) -> None:
        step = counters["env_steps"] if "env_steps" in counters else next(iter(counters.values()))
        prefix = "eval/" if table == "eval" else ""
        scalars = {prefix + key: float(value) for key, value in metrics.items() if not math.isnan(value)}
        opening = b""
        if self._tail is None:
            number = len(list(self._folder.glob("events.out.tfevents.*"))) + 1
            self._tail = Tail(self._folder / f"events.out.tfevents.{number:010d}.rltrain")
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
        self._step = state["step"]

    def close(self) -> None:
        if self._tail is not None:
            self._tail.close()
            self._tail = None


def _row(counters: Mapping[str, int], metrics: Metrics) -> dict[str, int | float]:
    """Counters as ints, then metrics as floats. A counter keeps its name against a metric that shares it."""
    row: dict[str, int | float] = {key: int(value) for key, value in counters.items()}
    row.update({key: float(value) for key, value in metrics.items() if key not in counters})
    return row


def _csv_line(cells: Sequence[str]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue().encode()


def _size(tail: Tail) -> int:
    """The size to come back to; nothing may be waiting, or a resumed run would miss it."""
    tail.drain()
    return tail.size


def _writing(path: Path) -> AbstractContextManager[None]:
    return disk_errors(f"{path}: cannot be written")
