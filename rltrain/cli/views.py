"""How something that trains is shown: a picture on a terminal, lines elsewhere, next to nothing with --quiet."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Generic

from rltrain.cli import output
from rltrain.cli.display import LOG_WIDTH, Display, News, View, Warned
from rltrain.cli.output import Output
from rltrain.spelling import shown

if TYPE_CHECKING:
    from rich.console import RenderableType


class QuietView:
    """Warnings alone."""

    def __init__(self, stream: Output) -> None:
        self._stream = stream

    def show(self, news: Warned) -> None:
        for text in news.warnings:
            _print(self._stream, f"warning: {text}")

    def close(self) -> None:
        pass


class LogView(Generic[News]):
    """Lines: one for all that matters, and every ten seconds one that says how far it is."""

    def __init__(self, display: Display[News], stream: Output, clock: Callable[[], float] = time.monotonic) -> None:
        self._display, self._stream, self._clock = display, stream, clock
        self._say(display.opening(clock()))

    def show(self, news: News) -> None:
        self._say([f"warning: {text}" for text in news.warnings])
        self._say(self._display.lines(news, self._clock()))

    def close(self) -> None:
        self._say(self._display.closing(self._clock()))

    def _say(self, parts: Sequence[str | RenderableType]) -> None:
        for part in parts:
            if isinstance(part, str):
                _print(self._stream, part)
            else:
                output.console(self._stream, width=LOG_WIDTH).print(part)


def view(display: Display[News], stream: Output) -> View[News]:
    """The view that suits where the output goes."""
    console = output.console(stream)
    if not console.is_terminal:
        return LogView(display, stream)
    from rltrain.cli.screen import ScreenView

    return ScreenView(display, console)


def _print(stream: Output, text: str) -> None:
    print(shown(text.rstrip()), file=stream, flush=True)
