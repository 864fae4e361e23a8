"""Tables that fit: where the window is too narrow, whole columns are left out, the least needed first.

A number that is cut is worse than one that is not there: 1,2… may be anything.
"""

from __future__ import annotations

import os
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from rltrain.cli.output import out
from rltrain.spelling import shown

LEAST_BESIDE = 30  # characters of a text beside its name


@dataclass(frozen=True)
class Column:
    """A heading and a cell for each row."""

    heading: str
    cells: Sequence[str | Text] = field(default_factory=list)
    need: int = 0  # 0: is always there; of the others that with the greatest goes first
    words: bool = False  # not numbers: to the left, and folded where even these columns are too wide
    least: int = 0  # characters, so that columns do not jump as numbers grow

    @property
    def width(self) -> int:
        """Characters."""
        return max([_cell(self.heading).cell_len, self.least, *(_cell(cell).cell_len for cell in self.cells)])


def fitting(columns: Sequence[Column], width: int, gap: int = 1) -> list[Column]:
    """Those that fit in so many characters, in their order, `gap` characters apart.

    Words that are always there, such as names, may take half of them all, and are folded to what is left.
    """
    kept = list(columns)
    most = {column.heading: width // 2 for column in kept if column.words and column.need == 0}
    while sum(min(column.width, most.get(column.heading, width)) + gap for column in kept) - gap > width:
        least = max(kept, key=lambda column: column.need)
        if least.need == 0:
            break
        kept.remove(least)
    return kept


def table(
    columns: Sequence[Column], width: int, *, gap: int = 1, expand: bool = False, styles: Sequence[str] = ()
) -> Table:
    """What fits in so many characters. `styles` of the rows; `expand`: over all the width."""
    kept = fitting(columns, width, gap)
    padding = (0, 0, 0, gap) if expand else (0, gap, 0, 0)
    made = Table(box=None, expand=expand, padding=padding, header_style="dim", pad_edge=False)
    for column in kept:
        made.add_column(
            _cell(column.heading),
            justify="left" if column.words else "right",
            no_wrap=not column.words,
            overflow="fold",
            min_width=None if column.words else column.width,
        )
    for number, cells in enumerate(zip(*(column.cells for column in kept), strict=True)):
        made.add_row(
            *map(_cell, cells),
            style=styles[number] if styles else "",
        )
    return made


def show(console: Console, columns: Sequence[Column], gap: int = 2, indent: int = 0) -> None:
    """Print what fits in the window."""
    width = room(console)
    made = Padding(table(columns, width - indent, gap=gap), (0, 0, 0, indent), expand=False)
    window, console.width = console.width, width
    console.print(made)
    console.width = window


def room(console: Console) -> int:
    """Characters of a line. Where nobody looks at a window nothing need be left out."""
    return console.width if console.is_terminal or "COLUMNS" in os.environ else 10_000


def reading() -> int:
    """Characters of a line of text that a person reads: those of the window, but not more than 80."""
    return min(80, room(out()))


def _cell(text: str | Text) -> Text:
    """As it is printed, so that its width is known: nothing in it is obeyed."""
    return text if isinstance(text, Text) else Text(shown(text))


def named(rows: Iterable[tuple[str, str]], indent: int, width: int) -> Iterator[str]:
    """Lines of `name  text`, the text folded; in a narrow window each name has a line of its own above its text."""
    beside = width - indent - 2
    for name, text in rows:
        if beside >= LEAST_BESIDE:
            first, *rest = _folded(text, beside) or [""]
            yield f"{name:<{indent}}  {first}"
            yield from (f"{'':<{indent}}  {more}" for more in rest)
        else:
            yield from _folded(name, width)
            yield from (f"  {more}" for more in _folded(text, width - 2))


def _folded(text: str, width: int) -> list[str]:
    """Words stay whole: a path that is cut cannot be copied."""
    return textwrap.wrap(text, max(1, width), break_on_hyphens=False, break_long_words=False)
