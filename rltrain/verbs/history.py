"""The whole past of a run in a few rows, evenly spread, however long the run is."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rltrain.plain_files import as_number, is_count, json_lines


@dataclass(frozen=True)
class HistoryRow:
    """What was known at one moment."""

    position: int  # of the counter that the budget counts
    counters: Mapping[str, int]
    metrics: Mapping[str, float]
    score: float | None = None  # of the evaluation made in the stretch that this row stands for


class History:
    """Rows, one for each stretch of `stride` counts; a stretch shows its last moment, so the last row is the present.

    When there are more than `limit`, the stride grows to the next of 1, 2, 5, 10, 20, 50, ... and rows fall together.
    """

    def __init__(self, limit: int) -> None:
        self.rows: list[HistoryRow] = []
        self._limit = limit
        self._stride = 1

    def add(self, row: HistoryRow) -> None:
        self.rows.append(row)
        self.rows = merged(self.rows, self._stride)
        while len(self.rows) > self._limit:
            self._stride = wider(self._stride)
            self.rows = merged(self.rows, self._stride)

    def spread(self, limit: int) -> list[HistoryRow]:
        """At most `limit` rows, for a small window."""
        rows, stride = self.rows, self._stride
        while len(rows) > max(limit, 1):
            stride = wider(stride)
            rows = merged(rows, stride)
        return rows


def merged(rows: Sequence[HistoryRow], stride: int) -> list[HistoryRow]:
    """One row a stretch: the last one, with the last score that was measured in the stretch."""
    out: list[HistoryRow] = []
    for row in rows:
        if out and (out[-1].position - 1) // stride == (row.position - 1) // stride:  # a stretch ends on a round count
            row = row if row.score is not None else replace(row, score=out[-1].score)
            out[-1] = row
        else:
            out.append(row)
    return out


def wider(stride: int) -> int:
    """The next of 1, 2, 5, 10, 20, 50, ..."""
    return stride * 5 // 2 if str(stride).startswith("2") else stride * 2


def recall(folder: Path, counters: Collection[str], measure: str) -> list[HistoryRow]:
    """The past of a resumed run, from metrics.jsonl and eval.jsonl. Only shown: what is unreadable is left out."""
    rows = [_row(values, counters, measure) for values in _lines(folder / "metrics.jsonl")]
    scored = [
        replace(_row(values, counters, measure), metrics={}, score=as_number(values["mean"]))
        for values in _lines(folder / "eval.jsonl")
        if math.isfinite(as_number(values.get("mean")))
    ]
    merged_rows: list[HistoryRow] = []
    for row in sorted([*rows, *scored], key=lambda row: row.position):  # stable: an evaluation follows its step
        past = merged_rows[-1].metrics if merged_rows else {}
        merged_rows.append(replace(row, metrics=row.metrics or past))
    return merged_rows


def _row(values: Mapping[str, Any], counters: Collection[str], measure: str) -> HistoryRow:
    counts = {key: value if is_count(value := values.get(key)) else 0 for key in counters}
    return HistoryRow(
        counts.get(measure, 0), counts, {key: as_number(value) for key, value in values.items() if key not in counters}
    )


def _lines(path: Path) -> Iterator[Mapping[str, Any]]:
    try:
        yield from json_lines(path)
    except OSError:
        return
