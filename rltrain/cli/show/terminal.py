"""The picture in the terminal itself, with what the policy thinks beside it. It needs no screen, so it works over SSH.

While it is open the terminal shows another page, without a cursor, and hands out keys one by one; `close` restores all.
"""

from __future__ import annotations

import os
import select
import shutil
import sys
import termios
import tty
from typing import TYPE_CHECKING, Any

from rltrain.cli.output import Output
from rltrain.cli.show import cells
from rltrain.film.caption import Bar, Caption, Subject, caption

if TYPE_CHECKING:
    from rltrain.core import Array
    from rltrain.run.play import Moment

OPEN = "\x1b[?1049h\x1b[?25l\x1b[2J"  # the other page, no cursor, empty
CLOSE = "\x1b[0m\x1b[?25h\x1b[?1049l"
BEGIN, END = "\x1b[?2026h", "\x1b[?2026l"  # what stands between is shown at once, where the terminal knows that
CLEAR = "\x1b[2J"
PANEL = 38  # columns of the words beside the picture
NARROW = 76  # columns below which two lines under the picture take their place
BOLD, DIM, PLAIN = "\x1b[1m", "\x1b[2m", "\x1b[0m"
EIGHTHS = " ▏▎▍▌▋▊▉█"
BAR = 14  # cells of the longest bar
NAME, VALUE = 10, 8

Styled = tuple[str, str]  # escape code and text


def depth_of(stream: Output) -> cells.Depth:
    """How many colours the terminal has, as far as it says."""
    from rich.console import Console

    console = Console(file=stream)  # type: ignore[arg-type]  # all that rich asks of a file is there
    try:
        (cells.HALF_BLOCK + EIGHTHS).encode(stream.encoding)
    except (UnicodeEncodeError, LookupError):
        return "grey"
    if console.no_color or console.is_dumb_terminal:
        return "grey"
    depths: dict[str | None, cells.Depth] = {"truecolor": "true", "256": "256"}
    return depths.get(console.color_system, "grey")


class Terminal:
    """Shows one moment at a time; only what changed is sent."""

    covers = True

    def __init__(self, subject: Subject, stream: Output, depth: cells.Depth) -> None:
        self._subject, self._stream, self._depth = subject, stream.drawing(), depth
        self._size = os.terminal_size((0, 0))
        self._cells: Array | None = None  # what the screen shows
        self._lines: list[str] = []
        self._keys: list[Any] | None = None  # the keyboard's settings before
        if sys.stdin is not None and sys.stdin.isatty():
            self._keys = termios.tcgetattr(sys.stdin)
            tty.setcbreak(sys.stdin, termios.TCSANOW)
        self._stream.write(OPEN)

    def show(self, moment: Moment) -> None:
        size = shutil.get_terminal_size((80, 24))
        parts = [BEGIN]
        if size != self._size:
            self._size, self._cells, self._lines = size, None, []
            parts.append(CLEAR)
        beside = size.columns >= NARROW
        columns = size.columns - PANEL if beside else size.columns
        rows = size.lines if beside else size.lines - 2
        top = rows + 1
        if moment.frame is not None and rows > 0 and columns > 0:
            height, width = cells.fit(moment.frame.shape[0], moment.frame.shape[1], rows, columns)
            now = cells.cells(cells.resized(moment.frame, height, width), self._depth)
            before = self._cells if self._cells is not None and self._cells.shape == now.shape else None
            parts.append(cells.painted(now, before, 1, 1, self._depth))
            self._cells, top, columns = now, height // 2 + 1, width
        words = caption(self._subject, moment)
        if beside:
            parts.append(self._written(panel(words, self._depth), 1, columns + 3, size))
        else:
            parts.append(self._written(below(words), top, 1, size))
        parts.append(END)
        self._stream.write("".join(parts))
        self._stream.flush()

    def key(self, seconds: float) -> str:
        """The key that is pressed within this time, or ""."""
        if self._keys is None:
            select.select([], [], [], seconds)
        elif select.select([sys.stdin], [], [], seconds)[0]:
            return os.read(sys.stdin.fileno(), 1).decode("latin-1")
        return ""

    def close(self) -> None:
        self._stream.write(CLOSE)
        self._stream.flush()
        if self._keys is not None:
            termios.tcsetattr(sys.stdin, termios.TCSANOW, self._keys)

    def _written(self, lines: list[list[Styled]], row: int, column: int, size: os.terminal_size) -> str:
        """The lines that changed, at their places, cut at the screen's edges."""
        parts, new = [], []
        for number, line in enumerate(lines[: max(0, size.lines - row + 1)]):
            text, room = "", size.columns - column + 1
            for style, words in line:
                kept = "".join(letter if letter.isprintable() else "?" for letter in words)[: max(0, room)]
                room -= len(kept)
                text += f"{style}{kept}{PLAIN}" if style and self._depth != "grey" else kept
            new.append(text)
            if number >= len(self._lines) or self._lines[number] != text:
                parts.append(f"\x1b[{row + number};{column}H{text}\x1b[K")
        self._lines = new
        return "".join(parts)


def panel(words: Caption, depth: cells.Depth) -> list[list[Styled]]:
    """The words beside the picture: one line an action, the chosen one marked."""
    lines: list[list[Styled]] = [[(BOLD, words.title)], []]
    lines += [[(DIM, f"{name:<7} "), ("", value)] for name, value in words.facts]
    lines += [[], [(DIM, words.heading)]]
    lines += [_line(bar, depth) for bar in words.bars]
    return [*lines, [], [(BOLD, words.note)]]


def below(words: Caption) -> list[list[Styled]]:
    """The caption in two lines, where there is no room beside the picture."""
    chosen = " ".join(f"{bar.name} {bar.value}".rstrip() for bar in words.bars if bar.chosen)
    facts = "  ".join(f"{name} {value}" for name, value in words.facts)
    return [[(BOLD, words.title)], [("", "  ".join(part for part in (facts, chosen, words.note) if part))]]


def _line(bar: Bar, depth: cells.Depth) -> list[Styled]:
    style = BOLD if bar.chosen else ""
    mark = "> " if bar.chosen else "  "
    drawn = length(bar, depth)
    return [(style, f"{mark}{bar.name[:NAME]:<{NAME}} "), (style, f"{drawn}{bar.value:>{BAR + VALUE - len(drawn)}}")]


def length(bar: Bar, depth: cells.Depth) -> str:
    """The bar itself, to an eighth of a cell."""
    if not bar.value:
        return ""
    if depth == "grey":
        return "#" * round(bar.share * BAR)
    whole, rest = divmod(round(bar.share * BAR * 8), 8)
    return EIGHTHS[8] * whole + (EIGHTHS[rest] if rest else "")
