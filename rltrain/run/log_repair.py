"""Logs that were edited, cut or deleted since the checkpoint: set aside under another name, and written anew.

metrics.jsonl and metrics.csv (and eval.*) tell the same rows, so one of them is rewritten from the other. A spreadsheet
that saves a CSV file with other line ends is the usual case. Where both were changed, the numbers of before are in the
files set aside, and the logs go on without them: no run ends because of its logs.
"""

from __future__ import annotations

import os
import re
from itertools import count
from pathlib import Path
from typing import Any

from rltrain.cells import table_of
from rltrain.core import State
from rltrain.plain_files import json_lines, open_plain
from rltrain.run.disk import REAL, Disk, disk_errors, entry, replace_file
from rltrain.run.sinks import STEMS, csv_head, csv_row, json_line
from rltrain.run.tail import prefix, size_of

_WHOLE = re.compile(r"-?[0-9]+")


def mend(folder: Path, sinks: State, disk: Disk = REAL) -> tuple[State, list[str]]:
    """Mend the logs of a run folder. Returns the sinks' state that they agree with, and a warning a mended file.

    sinks    as a checkpoint holds it: {"jsonl": {table: size and hash}, "csv": {table: size, hash and columns}}
    DiskError if a log cannot be set aside or written.
    """
    state: dict[str, Any] = {name: dict(part) for name, part in sinks.items()}
    warnings: list[str] = []
    for table, stem in STEMS.items():
        rows_file, csv_file = folder / f"{stem}.jsonl", folder / f"{stem}.csv"
        rows, cells = state["jsonl"][table], state["csv"][table]
        rows_hold, cells_hold = prefix(rows_file, rows) is not None, prefix(csv_file, cells) is not None
        if not rows_hold:
            data = _json_from(csv_file, size_of(cells)) if cells_hold else b""
            warnings.append(_replaced(disk, rows_file, data, csv_file.name if cells_hold else None))
            state["jsonl"][table] = _state_of(data)
        if not cells_hold:
            columns = list(cells["columns"])
            data = _csv_from(rows_file, size_of(rows), columns) if rows_hold else b""
            warnings.append(_replaced(disk, csv_file, data, rows_file.name if rows_hold else None))
            state["csv"][table] = {**_state_of(data), "columns": columns if data else []}
    return state, warnings


def _state_of(data: bytes) -> dict[str, int | str]:
    known = entry(data)
    return {"size": known.size, "sha256": known.sha256}


def _csv_from(path: Path, size: int, columns: list[str]) -> bytes:
    """The CSV file that tells the rows in the first `size` bytes of a file of JSON lines."""
    lines = [csv_head(columns)] if columns else []
    left = size
    for row in json_lines(path):
        left -= len(json_line(row))
        if left < 0:
            break
        numbers = {name: value for name, value in row.items() if isinstance(value, int | float)}
        lines.append(csv_row(numbers, columns))
    return b"".join(lines)


def _json_from(path: Path, size: int) -> bytes:
    """The JSON lines that tell the rows in the first `size` bytes of a CSV file."""
    with open_plain(path) as file:
        columns, rows = table_of(file.read(size).decode("utf-8", "replace"))
    return b"".join(json_line({name: _number(cell) for name, cell in zip(columns, row, strict=False)}) for row in rows)


def _number(cell: str) -> int | float | None:
    if _WHOLE.fullmatch(cell):
        return int(cell)
    try:
        value = float(cell)
    except ValueError:
        return None
    return value if abs(value) < float("inf") else None


def _replaced(disk: Disk, path: Path, data: bytes, source: str | None) -> str:
    """Sets a file aside, writes it anew, and says so."""
    aside = _unused(path)
    with disk_errors(f"cannot mend {path}"):
        there = os.path.lexists(path)
        if there:
            disk.rename(path, aside)
        if data:
            replace_file(disk, path, data)
        disk.sync_folder(path.parent)
    what = f"{path.name} is gone"
    if there:
        what = f"{path.name} is not what it was at the checkpoint, and is now {aside.name}"
    how = f"written anew from {source}" if source else "it goes on without the numbers of before"
    return f"{what}; {how}"


def _unused(path: Path) -> Path:
    """metrics-edited-1.csv, or the first such name that is free."""
    names = (path.with_name(f"{path.stem}-edited-{number}{path.suffix}") for number in count(1))
    return next(free for free in names if not os.path.lexists(free))
