"""How something that trains is shown: a picture on a terminal, lines elsewhere, next to nothing with --quiet.

What there is to see is a `Display`'s business: `run_display` has that of one run, `seeds.display` that of several
seeds. A view is given the news one by one: the events of a run, or how all seeds stand.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import Generic, Protocol, TypeVar

from rich.console import Console, RenderableType
from rich.live import Live
from rich.text import Text

from rltrain.cli import output
from rltrain.cli.output import Clean, Output
from rltrain.spelling import shown

REDRAW_SECONDS = 0.25
LINE_SECONDS = 10.0  # between two lines of a log that say how far it is
LOG_WIDTH = 80  # characters of a table in a log
News = TypeVar("News")
Taken = TypeVar("Taken", contravariant=True)


class Display(Protocol[Taken]):
    """What there is to see, as a picture and as lines of a log. `now` is on the view's clock, in seconds."""

    def warnings(self, news: Taken) -> Sequence[str]: ...  # that these news bring
    def take(self, news: Taken) -> bool: ...  # remember them for the picture; True: to be seen at once
    def picture(self, width: int, height: int) -> RenderableType | None: ...  # for a window; None: nothing yet
    def opening(self, now: float) -> Sequence[str]: ...  # of a log
    def lines(self, news: Taken, now: float) -> Sequence[str]: ...  # of a log, for these news
    def closing(self, now: float) -> Sequence[str | RenderableType]: ...  # of a log


class View(Protocol[Taken]):
    """Shows all news, until it is closed."""

    def show(self, news: Taken) -> None: ...
    def close(self) -> None: ...


class QuietView(Generic[News]):
    """Warnings alone."""

    def __init__(self, display: Display[News], stream: Output) -> None:
        self._display, self._stream = display, stream

    def show(self, news: News) -> None:
        for text in self._display.warnings(news):
            _print(self._stream, f"warning: {text}")

    def close(self) -> None:
        pass


class LogView(Generic[News]):
    """Lines: one for all that matters, and every ten seconds one that says how far it is."""

    def __init__(self, display: Display[News], stream: Output, clock: Callable[[], float] = time.monotonic) -> None:
        self._display, self._stream, self._clock = display, stream, clock
        self._say(display.opening(clock()))

    def show(self, news: News) -> None:
        self._say([f"warning: {text}" for text in self._display.warnings(news)])
        self._say(self._display.lines(news, self._clock()))

    def close(self) -> None:
        self._say(self._display.closing(self._clock()))

    def _say(self, parts: Sequence[str | RenderableType]) -> None:
        for part in parts:
            if isinstance(part, str):
                _print(self._stream, part)
            else:
                output.console(self._stream, width=LOG_WIDTH).print(part)


class ScreenView(Generic[News]):
    """A picture that is redrawn in place; warnings stand above it, and its last state stays on the screen."""

    def __init__(self, display: Display[News], console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._display, self._console, self._clock = display, console, clock
        self._drawn = -math.inf
        first = self._picture()
        self._live = Live(first or Text(""), console=console, auto_refresh=False, vertical_overflow="crop")
        self._live.start(refresh=first is not None)

    def show(self, news: News) -> None:
        for text in self._display.warnings(news):
            self._console.print(Text(f"warning: {text}", style="yellow"))
        if self._display.take(news) or self._clock() - self._drawn >= REDRAW_SECONDS:
            self._draw()

    def close(self) -> None:
        self._draw()
        self._live.stop()

    def _picture(self) -> Clean | None:
        made = self._display.picture(self._console.width, self._console.size.height)
        return None if made is None else Clean(made)

    def _draw(self) -> None:
        self._drawn = self._clock()
        made = self._picture()
        if made is not None:
            self._live.update(made, refresh=True)


def view(display: Display[News], stream: Output, quiet: bool) -> View[News]:
    """The view that suits where the output goes."""
    if quiet:
        return QuietView(display, stream)
    console = output.console(stream)
    return ScreenView(display, console) if console.is_terminal else LogView(display, stream)


def _print(stream: Output, text: str) -> None:
    print(shown(text.rstrip()), file=stream, flush=True)
