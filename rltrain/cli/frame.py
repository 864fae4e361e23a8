"""What the live tables of one run and of several have in common: a frame, a bar, names with their values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from rltrain import words
from rltrain.spelling import shown

MOST_WIDTH = 80  # of the window, whatever it has
SIDES = 4  # characters of a line that the frame takes
PERCENT = 8
ROWS = 3  # of pairs, where three stand side by side
FEW = 6  # pairs where one has a line of its own


class Pair(NamedTuple):
    """A name and its value."""

    name: str  # at most eight characters
    value: str
    need: int  # 0: is always there; of the others those with the greatest go first
    short: str = ""  # the value where it is too wide; nothing where that is too wide too


def panel(parts: Sequence[RenderableType], title: tuple[str, str], subtitle: str, width: int) -> Panel:
    """Around parts of so many characters. Of the title the second half is left out where it does not fit."""
    room = width - 2  # the corners, and a space on either side
    head = Text.assemble((shown(title[0]), "bold"), " · ", shown(title[1]))
    if head.cell_len > room:
        head = one_line(Text(shown(title[0]), style="bold"), room)
    return Panel(
        Group(*parts),
        title=head,
        title_align="left",
        subtitle=Text(subtitle, style="dim") if cell_len(subtitle) <= room else None,
        subtitle_align="right",
        width=width + SIDES,
        padding=(0, 1),
    )


def bar(share: float, width: int) -> Table:
    """How much is done."""
    made = Table.grid(padding=(0, 1))
    made.add_row(ProgressBar(total=1.0, completed=share, width=width - PERCENT - 2), words.percent(share))
    return made


def filled(pairs: Sequence[Pair], width: int, widths: Sequence[int] = (8, 23, 8, 9, 8, 13)) -> list[RenderableType]:
    """Lines of names and their values, three pairs a line; in less room two or one, without those needed least.

    `widths` of three names and their values, a space between each.
    """
    for side_by_side in (3, 2, 1):
        own = list(widths[: 2 * side_by_side])
        if side_by_side == 2:
            own[3] = max(widths[3], widths[5])  # what stood in the third column comes here too
        left = width - sum(own) - (len(own) - 1)
        if left >= 0 or side_by_side == 1:
            own[-1] += left
            break
    most = len(pairs) if side_by_side == 3 else max(2 * ROWS if side_by_side == 2 else FEW, 0)
    kept = sorted(sorted(range(len(pairs)), key=lambda number: pairs[number].need)[:most])
    lines: list[RenderableType] = []
    for start in range(0, len(kept), side_by_side):
        line = Text()
        for place, number in enumerate(kept[start : start + side_by_side]):
            pair, room = pairs[number], own[2 * place + 1]
            value = next((text for text in (pair.value, pair.short) if cell_len(text) <= room), "")
            line.append(f"{pair.name:<{own[2 * place]}} ", style="dim")
            line.append(f"{value:<{room}} " if place < side_by_side - 1 else value)
        lines.append(line)
    return lines


def one_line(text: Text, width: int) -> Text:
    """At most so many characters: words and numbers that do not fit whole are left out."""
    while text.cell_len > width:
        shorter = text.plain.rstrip().rpartition(" ")[0]
        if not shorter:
            text.truncate(width)
            break
        text = text[: len(shorter)]
    text.no_wrap = True
    return text
