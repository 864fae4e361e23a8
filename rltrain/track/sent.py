"""How much of a table was sent to a tracker, so that no row goes twice and a log that was cut back does no harm.

A table is a file of JSON lines that grows; a resume of training cuts it back to its checkpoint and writes the rows
anew. What is remembered is the hash of the file's beginning and, of the last rows, step, length and hash of each. From
these follows how far the file still is what was sent. Rows that were sent from beyond that place are kept by step: one
that comes back with the same bytes is not sent again.
"""

from __future__ import annotations

import hashlib
import math
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from rltrain.core import Table
from rltrain.plain_files import MAX_LINE, is_count, open_plain, parse_json
from rltrain.run.disk import PIECE

MOST_ROWS = 1_000  # that are remembered one by one; more would make the file that holds them large
Count = Annotated[int, Field(ge=0, lt=2**63)]
Digest = Annotated[str, Field(pattern="^[0-9a-f]{16}$")]


class SentRow(NamedTuple):
    """A row that was sent."""

    step: Count
    size: Count  # bytes, with the line's end
    digest: Digest


class SentState(BaseModel):
    """What is remembered of a table, as JSON has it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rows: Count = 0  # of the file's beginning that was sent
    bytes: Count = 0
    last_step: int = Field(default=-1, ge=-1, lt=2**63)  # the highest that was ever sent
    skip_to: int = Field(default=-1, ge=-1, lt=2**63)  # rows up to this step were sent, though not these bytes
    begin_bytes: Count = 0  # of the beginning, without the rows below
    begin_sha256: str = hashlib.sha256().hexdigest()
    tail: list[SentRow] = []
    beyond: list[SentRow] = []  # sent, and cut away since


class TableRow(NamedTuple):
    """A row of a table that was not sent yet."""

    table: Table
    step: int  # env_steps, else the first counter; of a line that is no row that of the one before
    metrics: dict[str, float]  # finite numbers; those of evaluations are called eval/...
    sent: SentRow


class SentTable:
    """A table and how much of it was sent."""

    def __init__(self, table: Table, path: Path, state: SentState) -> None:
        self.table, self.path = table, path
        self.rows, self.last_step, self.skip_to = state.rows, state.last_step, state.skip_to
        self.differing = False  # a row came back with other bytes at a step that was sent
        self.rewritten = False  # the file is another one, further back than the rows that are remembered
        self._begin, self._hash, self._known = state.begin_bytes, hashlib.sha256(), state.begin_sha256
        self._tail, self._beyond = deque(state.tail), {(row.step, row.digest) for row in state.beyond}
        self._checked = False

    @property
    def bytes(self) -> int:
        """The bytes of the file's beginning that were sent."""
        return self._begin + sum(row.size for row in self._tail)

    def state(self) -> SentState:
        """What to remember."""
        return SentState(
            rows=self.rows,
            bytes=self.bytes,
            last_step=self.last_step,
            skip_to=self.skip_to,
            begin_bytes=self._begin,
            begin_sha256=self._known if not self._checked else self._hash.hexdigest(),
            tail=list(self._tail),
            beyond=[SentRow(step, 0, digest) for step, digest in sorted(self._beyond)],
        )

    def fresh(self, end: int) -> Iterator[TableRow]:
        """The rows up to a byte of the file that are not in `self`; whoever took one says so by `took`. OSError."""
        self._agree()
        place, step = self.bytes, max(0, self.last_step)
        try:
            file = open_plain(self.path)
        except FileNotFoundError:
            return
        with file:
            file.seek(place)
            while place < end and (line := file.readline(MAX_LINE)).endswith(b"\n"):
                row = _row(self.table, line, step)
                step, place = row.step, place + len(line)
                yield row

    def is_new(self, row: TableRow) -> bool:
        """Whether this row is to be sent."""
        if not row.metrics or row.step <= self.skip_to or (row.step, row.sent.digest) in self._beyond:
            return False
        self.differing |= any(step == row.step for step, _ in self._beyond)
        return True

    def has_up_to(self, step: int) -> None:
        """The tracker holds the rows up to this step, whatever is remembered of them."""
        if not self._beyond and step > self.last_step:
            self.skip_to = max(self.skip_to, step)

    def took(self, row: TableRow) -> None:
        """This row is sent, or need not be."""
        self._tail.append(row.sent)
        self.rows, self.last_step = self.rows + 1, max(self.last_step, row.step)
        if self._beyond and row.step > max(self._beyond)[0]:
            self._beyond.clear()
        if len(self._tail) > 2 * MOST_ROWS:
            self._shorten()

    def _agree(self) -> None:
        """Look how far the file still is what was sent; what comes after that was cut away."""
        if self._checked and self._is_as_it_was():
            return
        try:
            file = open_plain(self.path)
        except FileNotFoundError:
            self._cut(0, lost=bool(self._begin))
            return
        with file:
            digest, left = hashlib.sha256(), self._begin
            while left and (piece := file.read(min(PIECE, left))):
                digest.update(piece)
                left -= len(piece)
            if left or digest.hexdigest() != (self._hash.hexdigest() if self._checked else self._known):
                self._cut(0, lost=True)
                return
            self._hash, self._checked = digest, True
            for number, row in enumerate(self._tail):
                if _digest(file.read(row.size)) != row.digest:
                    self._cut(number, lost=False)
                    return

    def _is_as_it_was(self) -> bool:
        """Whether the last row that was sent still stands where it stood."""
        if not self._tail:
            return self._begin == 0
        last = self._tail[-1]
        try:
            with open_plain(self.path) as file:
                file.seek(self.bytes - last.size)
                return _digest(file.read(last.size)) == last.digest
        except OSError:
            return False

    def _cut(self, kept: int, lost: bool) -> None:
        """Only so many rows of the tail are there still; `lost`: not even what came before it is."""
        gone = [self._tail.pop() for _ in range(len(self._tail) - kept)]
        self.rows -= len(gone)
        self._beyond |= {(row.step, row.digest) for row in gone}
        if lost:
            self.rewritten, self.skip_to = True, max(self.skip_to, self.last_step)
            self.rows, self._begin, self._hash = 0, 0, hashlib.sha256()
            self._beyond.clear()
        self._checked = True

    def _shorten(self) -> None:
        """Remember the first rows of the tail by the hash of all before."""
        with open_plain(self.path) as file:
            file.seek(self._begin)
            for row in list(self._tail)[:MOST_ROWS]:
                line = file.read(row.size)
                if _digest(line) != row.digest:  # cut away meanwhile, which `_agree` will see
                    return
                self._hash.update(line)
                self._begin += row.size
                self._tail.popleft()


def _row(table: Table, line: bytes, before: int) -> TableRow:
    """A line as a row; without metrics if it is none, and then at the step `before`."""
    sent = SentRow(before, len(line), _digest(line))
    try:
        found = parse_json(line)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        return TableRow(table, before, {}, sent)
    counters = {key: value for key, value in found.items() if is_count(value)}
    step = counters.get("env_steps", next(iter(counters.values()), before))
    prefix = "eval/" if table == "eval" else ""
    metrics = {prefix + key: value for key, value in found.items() if isinstance(value, float) and math.isfinite(value)}
    return TableRow(table, step, metrics, sent._replace(step=step))


def _digest(line: bytes) -> str:
    return hashlib.sha256(line).hexdigest()[:16]
