"""Names in the cells of CSV files, so that no spreadsheet takes one for a formula, and each reads back as it was.

A spreadsheet runs a cell that begins with = + - @, a tab or a carriage return (OWASP, "CSV injection"). Such a name is
written with an apostrophe before it, which says "text" there:

    =1+1   ->  '=1+1          '=1+1  ->  ''=1+1          'a, a=1  as they are

so a name gains an apostrophe where it is any number of them (none, too) and then one of these characters, and loses
one where it is at least one of them and then such a character.
"""

from __future__ import annotations

import csv
import io
import re

_RUNS = re.compile(r"'*[=+\-@\t\r]")
_GUARDED = re.compile(r"'+[=+\-@\t\r]")


def guarded(name: str) -> str:
    """A name as the text of a cell that no spreadsheet runs."""
    return "'" + name if _RUNS.match(name) else name


def unguarded(cell: str) -> str:
    """The name that `guarded` made this cell of; a cell that others wrote is its own name."""
    return cell[1:] if _GUARDED.match(cell) else cell


def table_of(text: str) -> tuple[list[str], list[list[str]]]:
    """The names in the first line of a CSV text, and the cells of each other line. csv.Error for what is no CSV."""
    rows = list(csv.reader(io.StringIO(text, newline="")))
    return (list(map(unguarded, rows[0])), rows[1:]) if rows else ([], [])
