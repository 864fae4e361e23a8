"""Where the numbers of two runs part: the first row of a file of JSON lines that is not the same in both."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

from rltrain.plain_files import as_number, is_count
from rltrain.report import row_files


@dataclass(frozen=True)
class RowsApart:
    """Two tables of numbers, row by row."""

    same: int  # rows that are equal, from the first on
    rows: tuple[int, int]  # of each table
    counters: Mapping[str, int] | None = None  # of the first row that differs, as the first table has it; None: none
    metric: str | None = None  # the first of that row that differs; None: one of the tables ends there
    values: tuple[float | None, float | None] = (None, None)  # of it; None: unknown there

    @property
    def equal(self) -> bool:
        """Whether all rows are."""
        return self.same == max(self.rows)

    @property
    def parted(self) -> bool:
        """Whether a row differs: that one table goes on where the other ends is no difference of this kind."""
        return self.same < min(self.rows)


def apart(one: Path, other: Path) -> RowsApart:
    """Hold two logs against each other, by the paths of their JSON lines, see `row_files`. InputError: unreadable."""
    same, rows, first, second = 0, [0, 0], None, None
    for a, b in zip_longest(row_files.rows(one), row_files.rows(other)):
        rows[0] += a is not None
        rows[1] += b is not None
        if first is None and second is None:
            if a == b:
                same += 1
            else:
                first, second = a or {}, b or {}
    if first is None or second is None:
        return RowsApart(same, (rows[0], rows[1]))
    counters = {name: value for name, value in (first or second).items() if is_count(value)}
    if not first or not second:
        return RowsApart(same, (rows[0], rows[1]), counters)
    metric = next(
        name for name in [*first, *second] if first.get(name) != second.get(name) or _lacks(name, first, second)
    )
    values = tuple(_number(row.get(metric)) for row in (first, second))
    return RowsApart(same, (rows[0], rows[1]), counters, metric, (values[0], values[1]))


def _lacks(name: str, *rows: Mapping[str, Any]) -> bool:
    return any(name not in row for row in rows)


def _number(value: Any) -> float | None:
    found = as_number(value)
    return None if math.isnan(found) else found
