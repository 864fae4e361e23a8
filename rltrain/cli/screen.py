"""A live picture on a terminal."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Generic

from rich.console import Console
from rich.live import Live
from rich.text import Text

from rltrain.cli.display import Display, News
from rltrain.cli.output import Clean

REDRAW_SECONDS = 0.25


class ScreenView(Generic[News]):
    """A picture that is redrawn in place; warnings stand above it, and its last state stays on the screen."""

    def __init__(self, display: Display[News], console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._display, self._console, self._clock = display, console, clock
        self._drawn = -math.inf
        first = self._picture()
        self._live = Live(first or Text(""), console=console, auto_refresh=False, vertical_overflow="crop")
        self._live.start(refresh=first is not None)

    def show(self, news: News) -> None:
        for text in news.warnings:
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
