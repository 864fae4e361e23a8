"""The rows of a run's logs: those of NAME.jsonl or, where that has lost some, those of NAME.csv, which tells the same.

A run writes each row into both. So a line that is no row, a file that was emptied, and one that ends before the other
does cost nothing as long as the other is whole, and what was damaged and what was read instead is told.
"""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from rltrain import words
from rltrain.cells import unguarded
from rltrain.errors import InputError
from rltrain.plain_files import MAX_LINE, open_plain, parse_json, reason
from rltrain.spelling import shown

WHOLE = re.compile(r"-?[0-9]+")
MISSING = "is missing"
BY_NAME = ("metrics.jsonl", "eval.jsonl")  # of which there is a CSV file


@dataclass(frozen=True)
class RowFile:
    """What was found in a file of rows."""

    rows: int  # that can be read
    bad: int  # lines that are no rows; the last, if it has no end yet, is none of them
    first_bad: int | None  # the number of the first of these lines, from 1
    fault: str | None  # why none can be read: it is missing, empty, no regular file


def rows(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a log, by the path of its JSON lines; none without the file. InputError if it cannot be read."""
    source = _source(path)
    try:
        for row in _csv_rows(source) if source.suffix == ".csv" else _json_rows(path):
            if row is not None:
                yield row
    except FileNotFoundError:
        return
    except OSError as error:
        raise InputError(f"{shown(str(path))}: cannot be read: {reason(error)}") from error


def damage(path: Path) -> list[str]:
    """What is wrong with a log, and what was read instead, in a line; none if nothing is, or it was never written."""
    source = _source(path)
    found = _look(path)
    if source == path:
        if found.bad:
            return [f"{path.name}: {_lines(found)}, left out"]
        return [f"{path.name}: {found.fault}"] if found.fault not in (None, MISSING) else []
    what = found.fault or (_lines(found) if found.bad else f"ends after {words.many(found.rows, 'row')}")
    return [f"{path.name}: {what}; the {words.many(_look(source).rows, 'row')} of {source.name} were read instead"]


def _lines(found: RowFile) -> str:
    if found.bad == 1:
        return f"line {found.first_bad} is no row of numbers"
    return f"{found.bad:,} lines are no rows of numbers, the first is line {found.first_bad}"


def _source(path: Path) -> Path:
    """The file whose rows are read: the JSON lines, unless the CSV file beside them has more."""
    other = path.with_suffix(".csv")
    return other if path.name in BY_NAME and _look(other).rows > _look(path).rows else path


def _look(path: Path) -> RowFile:
    try:
        found = os.stat(path, follow_symlinks=False)
    except OSError as error:
        return RowFile(0, 0, None, MISSING if isinstance(error, FileNotFoundError) else reason(error))
    return _scanned(path, found.st_ino, found.st_size, found.st_mtime_ns)


@lru_cache(maxsize=512)
def _scanned(path: Path, *version: int) -> RowFile:
    """Count the rows of a file of this version: it is read several times, and looked through once."""
    count, bad = 0, []
    try:
        for number, row in enumerate(_csv_rows(path) if path.suffix == ".csv" else _json_rows(path), start=1):
            if row is None:
                bad.append(number)
            else:
                count += 1
    except OSError as error:
        return RowFile(0, 0, None, f"cannot be read ({shown(reason(error))})")
    return RowFile(count, len(bad), bad[0] if bad else None, None if count or bad else "is empty")


def _json_rows(path: Path) -> Iterator[dict[str, Any] | None]:
    """The rows of a file of JSON lines; None for each line that is no row, but not for a last one without an end."""
    with open_plain(path) as file:
        while line := file.readline(MAX_LINE):
            try:
                row = parse_json(line)
            except ValueError:
                row = None
            if isinstance(row, dict):
                yield row
            elif line.endswith(b"\n"):
                yield None
            if len(line) == MAX_LINE:  # no row of ours is so long
                yield None
                return


def _csv_rows(path: Path) -> Iterator[dict[str, Any] | None]:
    """The rows of a CSV file; None for each line that is no row, but not for a last one without an end."""
    with open_plain(path) as file:
        text = io.TextIOWrapper(file, "utf-8", "replace", newline="")
        columns: list[str] = []
        for number, line in enumerate(iter(lambda: text.readline(MAX_LINE), "")):
            if not line.endswith("\n"):
                return
            try:
                cells = next(csv.reader([line]), [])
            except csv.Error:
                cells = []
            if number == 0:
                columns = [unguarded(cell) for cell in cells]
                continue
            row = {name: _number(cell) for name, cell in zip(columns, cells, strict=False)}
            yield row if len(cells) == len(columns) and ... not in row.values() else None


def _number(cell: str) -> Any:
    """The number that a cell stands for; None for an empty one, `...` for what is no number."""
    if not cell:
        return None
    if WHOLE.fullmatch(cell) and len(cell) < 20:
        return int(cell)
    try:
        return float(cell)
    except ValueError:
        return ...
