"""CSV as people and programs write it: a header that names the columns in any order, then rows, read one by one.

The header says what is between cells: the most frequent of comma, semicolon and tab. Blanks around cells, empty lines
and the case of the header mean nothing. A column that is not understood is an error: whatever it says, a result that
does not heed it is one of another file.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from typing import NoReturn

from rltrain.errors import InputError
from rltrain.mdp.checks import Faults, quoted
from rltrain.mdp.files.header import Columns, folded
from rltrain.mdp.files.source import Source
from rltrain.spelling import nearest

MAX_LINE = 1_000_000  # characters: a remark may list all states
MAX_FAULTS = 1_000
_WHOLE = re.compile(r"(0|[1-9]\d{0,17})(?:\.0)?", re.ASCII)


class CsvTable:
    """What is above the header, where each column stands, and then the rows with their lines."""

    def __init__(self, source: Source, columns: Columns) -> None:
        self.source, self.columns = source.text, columns
        self.faults = Faults()
        self.above: list[str] = []  # lines before the header that are empty or begin with `#`
        self._last = 0
        self._lines = self._read_lines(source)
        header = self._header_line()
        self.line = self._last  # of the header
        self.delimiter = max(",;\t", key=header.count)
        self.cells = self._cells_of(header)
        self.place = self._places()

    def fail(self, line: int, rule: str) -> NoReturn:
        raise InputError(f"{self.source}:{line}: {rule}")

    def fault(self, line: int, rule: str) -> None:
        self.faults.add(f"{self.source}:{line}: {rule}")
        if self.faults.count == MAX_FAULTS:
            self.faults.stop()

    def __iter__(self) -> Iterator[tuple[int, list[str | None]]]:
        """(line, cells in the order of `columns`, None for one that is not there) of every row that says anything."""
        reader = csv.reader(self._lines, delimiter=self.delimiter, strict=True)
        width = len(self.cells)
        place = [self.place.get(column) for column in self.columns]
        try:
            for row in reader:
                if not any(map(str.strip, row)):
                    continue
                if len(row) != width:
                    self.fault(self._last, f"{len(row)} cells; the header has {width}")
                    continue
                yield self._last, [None if number is None else row[number].strip() for number in place]
        except csv.Error as error:
            self.fail(self._last, f"not CSV: {error}")

    def _read_lines(self, source: Source) -> Iterator[str]:
        """The lines, counted."""
        for line in source.lines(MAX_LINE):
            self._last += 1
            yield line

    def _header_line(self) -> str:
        for line in self._lines:
            if not line.startswith("#") and line.strip():
                return line.rstrip("\r\n")
            self.above.append(line.strip())
        self.fail(max(self._last, 1), "empty; expected the header " + ",".join(self.columns))

    def _cells_of(self, header: str) -> list[str]:
        try:
            return next(csv.reader([header], delimiter=self.delimiter, strict=True))
        except (csv.Error, StopIteration):
            self.fail(self.line, "not CSV; expected the header " + ",".join(self.columns))

    def _places(self) -> dict[str, int]:
        known = {alias: column for column, aliases in self.columns.items() for alias in aliases}
        place: dict[str, int] = {}
        unknown: list[str] = []
        for number, cell in enumerate(self.cells):
            column = known.get(folded(cell))
            if column is None:
                unknown.append(cell)
            elif column in place:
                self.fail(
                    self.line, f"two columns for the {column}: {quoted(self.cells[place[column]])} and {quoted(cell)}"
                )
            else:
                place[column] = number
        self.unknown = unknown
        return place

    def refuse_unknown(self, passed: Sequence[str] = ()) -> None:
        """InputError for a column that is neither understood nor `passed` over, with the nearest that is."""
        for cell in self.unknown:
            if cell.strip() in passed:
                continue
            if not cell.strip():
                self.fail(self.line, "a column without a name in the header; pandas writes none with index=False")
            near = self._nearest(cell)
            advice = f"did you mean '{near}'?" if near else f"known are {', '.join(self.columns)}"
            self.fail(self.line, f"the column {quoted(cell.strip()[:60])} is not understood; {advice}")

    def require(self, column: str, otherwise: str = "") -> None:
        """InputError where the header lacks a column."""
        if column in self.place:
            return
        near = next((cell for cell in self.unknown if self._nearest(cell) == column), None)
        advice = f"; did you mean it by {quoted(near.strip()[:60])}?" if near else otherwise
        self.fail(self.line, f"no column '{column}' in the header; expected {','.join(self.columns)}{advice}")

    def _nearest(self, cell: str) -> str | None:
        """The column that a header's cell may have meant."""
        known = {alias: column for column, aliases in self.columns.items() for alias in aliases if len(alias) > 1}
        found = nearest(folded(cell), known)
        return known[found] if found else None


def whole_numbers(names: Sequence[str]) -> dict[str, str]:
    """{"1.0": "1"} where all names are whole numbers and some are written so, as pandas does; else nothing."""
    found = {}
    for name in names:
        match = _WHOLE.fullmatch(name)
        if match is None:
            return {}
        if name.endswith(".0"):
            found[name] = match[1]
    return found
