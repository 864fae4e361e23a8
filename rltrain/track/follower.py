"""Rows of a run folder on their way to a tracker: sent, flushed, then remembered, in this order.

So a process that is killed at any moment loses nothing. What it had sent and not yet remembered is left out by the next
one where the tracker can tell what it holds.
"""

from __future__ import annotations

import hashlib
import heapq
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path

from rltrain.core import Table
from rltrain.errors import CheckpointError, DiskError
from rltrain.plain_files import open_plain, reason
from rltrain.run.disk import PIECE
from rltrain.run.sinks import STEMS
from rltrain.spelling import shown
from rltrain.track import memory
from rltrain.track.contract import Open, Scalar, TrackedRun, Tracker
from rltrain.track.memory import Tracked
from rltrain.track.sent import SentState, SentTable, TableRow

BATCH = 500  # rows that are sent before they are remembered
FILES = (".png", ".html", ".mp4", ".gif")
LARGEST = 500_000_000  # bytes of a file that goes along


class Follower:
    """A run folder and the run of a tracker that it is sent to."""

    def __init__(self, folder: Path, to: str, run: TrackedRun, open_tracker: Open) -> None:
        known = memory.recall(folder, to)
        self.folder, self.to = folder, to
        self.notes: list[str] = []
        self.rows: dict[Table, int] = dict.fromkeys(STEMS, 0)  # sent by this process
        self.files: list[str] = []  # sent by this process
        run = run if known is None else replace(run, project=known.project)
        self.project = run.project
        self.id, self.where = ("", "") if known is None else (known.run, known.where)  # of the tracker's run
        self._open = partial(open_tracker, run, None if known is None else known.run)
        self._tracker: Tracker | None = None  # until there is something to send
        state: Mapping[Table, SentState] = {} if known is None else known.tables
        self._tables = {
            table: SentTable(table, folder / f"{stem}.jsonl", state.get(table, SentState()))
            for table, stem in STEMS.items()
        }
        self._files = {} if known is None else dict(known.files)
        self._finished = "" if known is None else known.finished
        self._said: set[str] = set()
        if known is None:
            self._opened()
            self._remember()  # first: whoever comes next goes on with this run and opens no second one

    @property
    def step(self) -> int:
        """The highest step that was sent."""
        return max(table.last_step for table in self._tables.values())

    def send(self, tick: Callable[[], None] = lambda: None) -> int:
        """Send the rows that are there and were not sent; `tick` is called after each batch. Returns how many went."""
        before = sum(self.rows.values())
        rows = self._fresh()
        while batch := list(islice(rows, BATCH)):
            tracker = self._opened()
            new = [row for row in batch if self._tables[row.table].is_new(row)]
            for row in new:
                tracker.log(row.step, row.metrics)
            if new:
                tracker.flush()
            for row in batch:
                self._tables[row.table].took(row)
            for row in new:
                self.rows[row.table] += 1
            self._remember()
            self._warn()
            tick()
        return sum(self.rows.values()) - before

    def finish(self, state: str, summary: Mapping[str, Scalar]) -> None:
        """Send pictures, pages and films that are new or changed, say how the run ended, and close the tracker."""
        for path in sorted(path for path in self.folder.iterdir() if path.suffix in FILES):
            try:
                digest = _hash_of(path)
            except OSError as error:
                self.notes.append(f"{shown(path.name)}: left out: {shown(reason(error))}")
                continue
            if self._files.get(path.name) != digest:
                self._opened().file(path)
                self._files[path.name] = digest
                self.files.append(path.name)
        if self._tracker is not None or self._finished != state:
            self._opened().finish(state, summary)
            self._finished = state
            self._remember()

    def _fresh(self) -> Iterator[TableRow]:
        """The rows of all tables by step. The evaluation at a step is written before training's next row."""
        # In the order of STEMS: an evaluation that is looked for later cannot be missed among older rows.
        ends = {table: _size(part.path) for table, part in self._tables.items()}
        try:
            yield from heapq.merge(
                *(part.fresh(ends[table]) for table, part in self._tables.items()), key=lambda row: row.step
            )
        except OSError as error:
            raise CheckpointError(f"{self.folder}: cannot be read: {shown(reason(error))}") from error

    def _opened(self) -> Tracker:
        """The tracker. What a killed process sent and could not remember is left out, where the tracker tells."""
        if self._tracker is None:
            self._tracker = self._open()
            for table, step in self._tracker.last_steps().items() if self.id else ():
                # Else the row at the last step may be there in part: to have it twice is better than to lack some.
                self._tables[table].has_up_to(step if self._tracker.whole else step - 1)
            self.id, self.where = self._tracker.id, self._tracker.where
        return self._tracker

    def _warn(self) -> None:
        for table, part in self._tables.items():
            name = f"{STEMS[table]}.jsonl"
            if part.rewritten:
                self._say(f"{name}: not the file that was sent; only its rows after step {part.skip_to:,} are sent")
            if part.differing:
                why = "rows at steps that were sent have other numbers now, as after a resume that is not exact"
                self._say(f"{name}: {why}; they are sent as well, and {self.to} {self._opened().again}")

    def _say(self, note: str) -> None:
        if note not in self._said:
            self._said.add(note)
            self.notes.append(note)

    def _remember(self) -> None:
        try:
            memory.remember(
                self.folder,
                Tracked(
                    to=self.to,
                    project=self.project,
                    run=self.id,
                    where=self.where,
                    tables={table: part.state() for table, part in self._tables.items()},
                    files=self._files,
                    finished=self._finished,
                ),
            )
        except DiskError as error:
            raise DiskError(f"{error}; call it again when there is room, and it goes on") from error


def _size(path: Path) -> int:
    try:
        return os.stat(path, follow_symlinks=False).st_size
    except FileNotFoundError:
        return 0


def _hash_of(path: Path) -> str:
    with open_plain(path) as file:
        if os.fstat(file.fileno()).st_size > LARGEST:
            raise OSError(f"larger than {LARGEST:,} bytes")
        digest = hashlib.sha256()
        while piece := file.read(PIECE):
            digest.update(piece)
        return digest.hexdigest()
