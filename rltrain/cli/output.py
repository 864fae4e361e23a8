"""Printing that cannot fail, and that no text can misuse. All that reaches a terminal goes through here.

A closed pipe or a lost terminal ends the printing, never the work behind it. Nor does a full disk, but what it took is
a fault: `output_fault` has it, and the command fails in the end. Names and messages from run folders,
models, configs and environments are text of strangers: an escape sequence in them would move the cursor, rewrite what
stands above or set the title, an override of the direction of writing would turn a sentence round. So `Output` shows
control characters instead of sending them. Who draws with sequences of our own, as tables and pictures do, asks for
`drawing()` and has cleaned every text before: `console` does so for all that rich prints.

The live line of `cli.progress` makes room for what is printed here.
"""

from __future__ import annotations

import errno
import io
import json
import math
import os
import stat
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, TextIO

from rltrain.cli.progress import line
from rltrain.spelling import shown_lines

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
    from rich.measure import Measurement

GONE = (errno.EPIPE, errno.ECONNRESET)  # nobody reads any more, as in `rltrain list | head -1`
_faults: list[OSError] = []  # why standard output could not be written


class Output(io.TextIOBase):
    """A text stream over another one. Control characters and what the encoding lacks become visible escapes.

    After a failed write it is silent.
    """

    def __init__(self, stream: TextIO, *, drawing: bool = False) -> None:
        self._stream = stream
        self._clean = not drawing
        self.alive = True

    def drawing(self) -> Output:
        """The stream for who draws with escape sequences and lets no text of others into them."""
        return Output(self._stream, drawing=True)

    @property
    def encoding(self) -> str:  # type: ignore[override]  # rich asks, to choose between ─ and -
        return self._stream.encoding or "utf-8"

    def write(self, text: str) -> int:
        written = len(text)
        if self.alive:
            if self._clean:
                text = shown_lines(text)
            try:
                with line.hidden():
                    self._stream.write(text.encode(self.encoding, "backslashreplace").decode(self.encoding))
            except OSError as error:
                self._die(error)
        return written

    def flush(self) -> None:
        if self.alive:
            try:
                self._stream.flush()
            except OSError as error:
                self._die(error)

    def isatty(self) -> bool:
        return self._stream.isatty()

    def fileno(self) -> int:
        return self._stream.fileno()

    def writable(self) -> bool:
        return True

    def _die(self, error: OSError) -> None:
        """Point the descriptor at nothing, so that the interpreter's last flush does not fail either."""
        self.alive = False
        if self._stream is sys.stdout and not self._has_gone(error):
            _faults.append(error)
        try:
            nothing = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nothing, self._stream.fileno())
            os.close(nothing)
        except OSError:
            pass  # the stream has no descriptor: nothing is left to flush

    def _has_gone(self, error: OSError) -> bool:
        """Whether it was the reader, or the terminal, that went."""
        if error.errno != errno.EIO:
            return error.errno in GONE
        try:
            return stat.S_ISCHR(os.fstat(self._stream.fileno()).st_mode)
        except OSError:
            return False


def output_fault(*, tried: bool = False) -> OSError | None:
    """Why a part of standard output was lost since this was asked last, what waits in its buffer included.

    tried   a line end is written too: who else wrote, as libraries do, keeps nothing of what was refused
    """
    output = Output(sys.stdout)
    output.write("\n" * tried)
    output.flush()
    first = _faults[0] if _faults else None
    _faults.clear()
    return first


def open_missing_streams() -> None:
    """Give a process that was started without them, as by `>&-`, descriptors 0 to 2: else files would get these."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, this one
    if sys.stdout is None:
        sys.stdout = os.fdopen(1, "w", closefd=False)
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w", closefd=False)


def say(text: str = "") -> None:
    """A line for the person, on standard output."""
    _line(sys.stdout, text)


def complain(text: str) -> None:
    """A line for the person, on standard error."""
    _line(sys.stderr, text)


def out() -> Console:
    """Standard output, for tables."""
    return console(Output(sys.stdout))


def say_json(value: Any) -> None:
    """One JSON object on standard output, for programs. What is not a finite number is null."""
    unicode = Output(sys.stdout).encoding.lower().replace("-", "").startswith("utf")
    text = json.dumps(_plain(value), ensure_ascii=not unicode, allow_nan=False)
    say(text if text.isprintable() else "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in text))


class Clean:
    """Something that rich prints, with the control characters of its texts shown rather than sent.

    It is laid out before: who cares for its width hands in text that is `shown` already.
    """

    def __init__(self, inner: RenderableType) -> None:
        self.inner = inner

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from rich.segment import Segment

        for segment in console.render(self.inner, options):
            yield segment if segment.control else Segment(shown_lines(segment.text), segment.style)

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        from rich.measure import Measurement

        return Measurement.get(console, options, self.inner)


class _Cleaning:
    """What rich asks of whoever wants to see all that is printed before it is."""

    def process_renderables(self, renderables: Iterable[RenderableType]) -> Sequence[RenderableType]:
        from rich.control import Control

        return [each if isinstance(each, Control) else Clean(each) for each in renderables]


def console(stream: Output, width: int | None = None) -> Console:
    """rich over this stream: no text is markup, an emoji's name or worth a colour, and none reaches it uncleaned."""
    from rich.console import Console

    # mypy: all that rich asks of a file is there, and of a hook
    made = Console(file=stream.drawing(), width=width, markup=False, emoji=False, highlight=False)  # type: ignore[arg-type]
    made.push_render_hook(_Cleaning())  # type: ignore[arg-type]
    return made


def _line(stream: TextIO, text: str) -> None:
    output = Output(stream)
    output.write(text + "\n")
    output.flush()


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value
