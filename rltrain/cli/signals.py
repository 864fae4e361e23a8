"""Ctrl-C, SIGTERM and SIGHUP. The first asks the run to stop and only sets a flag; the second leaves at once."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Literal

Reason = Literal["SIGINT", "SIGTERM"]

# `timeout`, service managers and closing terminals send two signals in a row. That is one wish, not two.
ONE_WISH_SECONDS = 0.3
EXIT_CODES: dict[Reason, int] = {"SIGINT": 130, "SIGTERM": 143}


class Asked:
    """The signal that asked the work to stop, and when; None: nobody did."""

    def __init__(self) -> None:
        self.reason: Reason | None = None
        self.time = 0.0

    @property
    def exit_code(self) -> int:
        return 0 if self.reason is None else EXIT_CODES[self.reason]


@contextmanager
def stopping(request: Callable[[Reason], None]) -> Iterator[Asked]:
    """While open, the first signal calls `request("SIGINT" or "SIGTERM")`; SIGHUP counts as SIGTERM."""
    asked = Asked()

    def handle(number: int, frame: FrameType | None) -> None:
        reason: Reason = "SIGINT" if number == signal.SIGINT else "SIGTERM"
        if asked.reason is None:
            asked.reason, asked.time = reason, time.monotonic()
            request(reason)
        elif time.monotonic() - asked.time > ONE_WISH_SECONDS:
            _leave(EXIT_CODES[reason])

    names = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # under nohup the run is meant to outlive its terminal
        names.append(signal.SIGHUP)
    before = {name: signal.signal(name, handle) for name in names}
    try:
        yield asked
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)


def stop_with_input() -> None:
    """From now on the end of standard input counts as SIGTERM: whoever held its other end is gone."""

    def wait() -> None:
        try:
            while os.read(0, 1024):
                pass
        except OSError:
            pass  # it was never open
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, name="input", daemon=True).start()


def _leave(code: int) -> None:
    """End the process here and now; all that is put in order is the cursor, which the live table hides."""
    if os.isatty(1):
        os.write(1, b"\x1b[?25h\n")
    os._exit(code)
