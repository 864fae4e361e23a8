"""Printing that cannot fail. A closed pipe or a lost terminal ends the printing, never the work behind it."""

from __future__ import annotations

import io
import json
import math
import os
import sys
from typing import Any, TextIO


class Output(io.TextIOBase):
    """A text stream over another one. What its encoding lacks becomes an escape; after a failed write it is silent."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.alive = True

    @property
    def encoding(self) -> str:  # type: ignore[override]  # rich asks, to choose between ─ and -
        return self._stream.encoding or "utf-8"

    def write(self, text: str) -> int:
        if self.alive:
            try:
                self._stream.write(text.encode(self.encoding, "backslashreplace").decode(self.encoding))
            except OSError:
                self._die()
        return len(text)

    def flush(self) -> None:
        if self.alive:
            try:
                self._stream.flush()
            except OSError:
                self._die()

    def isatty(self) -> bool:
        return self._stream.isatty()

    def fileno(self) -> int:
        return self._stream.fileno()

    def writable(self) -> bool:
        return True

    def _die(self) -> None:
        """Point the descriptor at nothing, so that the interpreter's last flush does not fail either."""
        self.alive = False
        try:
            nothing = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nothing, self._stream.fileno())
            os.close(nothing)
        except OSError:
            pass  # the stream has no descriptor: nothing is left to flush


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


def say_json(value: Any) -> None:
    """One JSON object on standard output, for programs. What is not a finite number is null."""
    say(json.dumps(_plain(value), ensure_ascii=False, allow_nan=False))


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
