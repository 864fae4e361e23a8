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
LEAST_WORDS = 8  # characters of a column of words
SIGNS = ("./:", "_-,=")  # after which a name may be broken, the first of them rather


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


def shares(columns: Sequence[Column], width: int, gap: int = 1) -> list[int]:
    """The characters of each column in so many: words give way to what cannot be folded, the widest of them first."""
    found = [column.width for column in columns]
    while (more := sum(found) + gap * (len(found) - 1) - width) > 0:
        widest = max((size for size, column in zip(found, columns, strict=True) if column.words), default=0)
        if widest <= LEAST_WORDS:
            break
        many = [number for number, column in enumerate(columns) if column.words and found[number] == widest]
        next_size = max((size for size in found if size < widest), default=LEAST_WORDS)
        less = min(max(1, more // len(many)), widest - max(next_size, LEAST_WORDS)) or 1
        for number in many:
            found[number] -= less
    return found


def folded(text: Text, width: int) -> Text:
    """Text in lines of so many characters: broken after a space, else within a name after a dot, else anywhere."""
    lines, plain, begin = [], text.plain, 0
    while len(plain) - begin > width:
        part = plain[begin : begin + width + 1]
        breaks = (part.rfind(" ") + 1, *(max(part.rfind(sign, 0, width) for sign in signs) + 1 for signs in SIGNS))
        end = begin + next((place for place in breaks if place > 0), width)
        lines.append(text[begin:end])
        begin = end
    for line in (*lines, rest := text[begin:]):
        line.rstrip()
    return Text("\n").join([*lines, rest])


def table(
    columns: Sequence[Column], width: int, *, gap: int = 1, expand: bool = False, styles: Sequence[str] = ()
) -> Table:
    """What fits in so many characters. `styles` of the rows; `expand`: over all the width."""
    kept = fitting(columns, width, gap)
    padding = (0, 0, 0, gap) if expand else (0, gap, 0, 0)
    made = Table(box=None, expand=expand, padding=padding, header_style="dim", pad_edge=False)
    sizes = shares(kept, width, gap)
    for column, size in zip(kept, sizes, strict=True):
        made.add_column(
            folded(_cell(column.heading), size) if column.words else _cell(column.heading),
            justify="left" if column.words else "right",
            no_wrap=not column.words,
            overflow="fold",
            min_width=None if column.words else column.width,
        )
    for number, cells in enumerate(zip(*(column.cells for column in kept), strict=True)):
        made.add_row(
            *(
                folded(_cell(cell), size) if column.words else _cell(cell)
                for cell, column, size in zip(cells, kept, sizes, strict=True)
            ),
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
