"""The live line: how far long work is, for every verb that has no view of its own.

    100 games  dqn on ALE/MsPacman-v5  37.0 %  4,812 steps/s  0:22  0:38 left

On a terminal it stands on standard error from the second second on, is redrawn in place, and gives way to all that is
printed. Elsewhere it is a line a minute, the first after one. Never on standard output. There is one terminal, so there
is one line, `line`; a thread draws it, so that it lives while the work is in one long call.
"""

from __future__ import annotations

import math
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import TextIO

from rltrain import words
from rltrain.spelling import shown

FIRST_SECONDS = 1.0  # before it is shown at all: most verbs are over by then
REDRAW_SECONDS = 0.25
PAUSE_SECONDS = 0.5  # after something was printed
LINE_SECONDS = 60.0  # where there is no terminal
GRACE_SECONDS = 1.0  # that Ctrl-C gives the work to end by itself: a long call of a library never hears of it
ERASE = "\r\033[K"
STOPPED = "stopped by Ctrl-C"
OVER = b"\xff"  # no signal has this number


@dataclass
class Phase:
    """What goes on, and how much of it is done."""

    what: str
    about: str
    begun: float  # on the clock
    done: float = 0.0
    total: float = math.nan
    spent: float = math.nan  # units of work
    unit: str = ""

    def parts(self, now: float) -> list[tuple[int, str]]:
        """In the order in which they stand, each with how soon it is left out where the line is too long: 0 never."""
        share, elapsed = self.done / self.total if self.total > 0 else math.nan, now - self.begun
        found = [(0, self.what)]
        if self.about:
            found.append((5, self.about))
        if math.isfinite(share):
            found.append((3, words.percent(share)))
        if math.isfinite(self.spent) and elapsed > 0:
            found.append((4, f"{words.count(self.spent / elapsed)} {self.unit}/s"))
        found.append((2, words.duration(elapsed)))
        if 0 < share <= 1:
            found.append((1, f"{words.duration(elapsed * (1 - share) / share)} left"))
        return found


def fitted(parts: list[tuple[int, str]], width: int) -> str:
    """On one line of so many characters: without what is least needed; what goes on is cut last."""
    kept = sorted(range(len(parts)), key=lambda number: parts[number][0])
    while kept:
        text = "  ".join(parts[number][1] for number in sorted(kept))
        if len(text) <= width:
            return text
        if len(kept) == 1:
            return text[:width]
        kept.pop()
    return ""


class Line:
    """It is `core.Progress`. `over` opens it, `hidden` is for whoever prints; outside of `over` it does nothing."""

    def __init__(self, stream: Callable[[], TextIO], clock: Callable[[], float] = time.monotonic) -> None:
        self._stream, self._clock = stream, clock
        self._lock = threading.RLock()
        self._phases: list[Phase] = []
        self._drawn = False
        self._next = math.inf  # when it is drawn again
        self._heard = 0  # calls from the work, which so shows that it is not stuck
        self._interrupted = False

    @contextmanager
    def over(self, what: str) -> Iterator[None]:
        """While open, the line lives, and Ctrl-C ends the work at once with one line that says so."""
        source, sink = os.pipe()  # what wakes the thread: the end of the work, and the numbers of arriving signals
        os.set_blocking(sink, False)
        thread = threading.Thread(target=self._live, args=(source,), name="progress", daemon=True)
        try:
            with self.phase(what), self._ctrl_c(sink):
                thread.start()
                try:
                    yield
                finally:
                    os.write(sink, OVER)
                    thread.join()
                    with self.hidden():
                        if self._interrupted:
                            self._interrupted = False
                            self._write(f"{STOPPED}\n")
        finally:
            os.close(source)
            os.close(sink)

    @contextmanager
    def phase(self, what: str, about: str = "") -> Iterator[None]:
        with self._lock:
            self._heard += 1
            now = self._clock()
            if not self._phases:
                self._next = now + (FIRST_SECONDS if self._on_terminal() else LINE_SECONDS)
            self._phases.append(Phase(shown(what), shown(about), now))
        try:
            yield
        finally:
            with self._lock:
                self._phases.pop()

    def at(self, done: float, total: float, spent: float = math.nan, unit: str = "") -> None:
        with self._lock:
            self._heard += 1
            if self._phases:
                phase = self._phases[-1]
                phase.done, phase.total, phase.spent, phase.unit = done, total, spent, unit

    def rename(self, what: str) -> None:
        """What goes on is better called so; it began when it began."""
        with self._lock:
            if self._phases:
                self._phases[-1].what = shown(what)

    def said(self) -> None:
        """The work itself has said that it was stopped."""
        with self._lock:
            self._heard += 1
            self._interrupted = False

    @contextmanager
    def hidden(self) -> Iterator[None]:
        """While open, the line is off the terminal and stays off, so that something can be printed."""
        with self._lock:
            self._heard += 1
            if self._drawn:
                self._write(ERASE)
                self._drawn = False
            yield
            if self._on_terminal():
                self._next = max(self._next, self._clock() + PAUSE_SECONDS)

    def tick(self) -> None:
        """Draw it, if it is time."""
        with self._lock:
            now = self._clock()
            if not self._phases or now < self._next:
                return
            parts = self._phases[-1].parts(now)
            if self._on_terminal():
                self._next = now + REDRAW_SECONDS
                self._drawn = True
                self._write(f"\r{fitted(parts, self._width())}\033[K")
            else:
                self._next = now + LINE_SECONDS
                self._write("  ".join(text for _, text in parts) + "\n")

    def _live(self, source: int) -> None:
        """The thread's work."""
        while True:
            woken = os.read(source, 64) if select.select([source], [], [], REDRAW_SECONDS)[0] else b""
            if signal.SIGINT in woken and OVER not in woken:
                heard = self._heard
                woken = os.read(source, 64) if select.select([source], [], [], GRACE_SECONDS)[0] else b""
                if not woken and self._heard == heard and not self._interrupted:
                    self._leave()
            if OVER in woken:
                return
            self.tick()

    def _leave(self) -> None:
        """Out of a call that does not come back; work that has heard of Ctrl-C may still count what it measured."""
        with self.hidden():
            self._write(f"{STOPPED}\n")
        os._exit(130)

    @contextmanager
    def _ctrl_c(self, sink: int) -> Iterator[None]:
        """Take Ctrl-C, unless it is others' business; its number is written to the descriptor even in a long call."""
        ours = threading.current_thread() is threading.main_thread()
        if not ours or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
            yield
            return
        before = signal.set_wakeup_fd(sink, warn_on_full_buffer=False)
        signal.signal(signal.SIGINT, self._interrupt)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            signal.set_wakeup_fd(before)

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        self._interrupted = True
        raise KeyboardInterrupt

    def _on_terminal(self) -> bool:
        return self._stream().isatty() and os.environ.get("TERM") != "dumb"

    def _width(self) -> int:
        """The last column stays free: some terminals would begin a new line."""
        try:
            return max(1, os.get_terminal_size(self._stream().fileno()).columns - 1)
        except (OSError, ValueError):
            return 79

    def _write(self, text: str) -> None:
        stream = self._stream()
        try:
            stream.write(text.encode(stream.encoding or "utf-8", "backslashreplace").decode(stream.encoding or "utf-8"))
            stream.flush()
        except (OSError, ValueError):
            pass  # a lost terminal ends the line, not the work


line = Line(lambda: sys.stderr)
