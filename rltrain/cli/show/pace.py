"""The pace at which a person watches, and the keys that change it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from rltrain.film.film import HOLD_SECONDS

if TYPE_CHECKING:
    from rltrain.run.play import Moment

SLICE_SECONDS = 0.05  # a signal is answered after this time at most
FACTOR, SLOWEST, FASTEST = 1.25, 0.01, 1000.0  # of the keys + and -


class Viewer(Protocol):
    """Shows to a person."""

    covers: bool  # it has the terminal for itself: other lines wait until it is closed

    def show(self, moment: Moment) -> None: ...
    def key(self, seconds: float) -> str: ...  # the key that is pressed within this time, or ""
    def close(self) -> None: ...


class Pace:
    """Waits between moments: as long as the environment's own time takes, divided by the speed."""

    def __init__(self, fps: float, speed: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._fps, self.speed, self._clock = fps, speed, clock
        self._due = clock()
        self._paused = False

    def wait(self, viewer: Viewer, hold: bool, stopped: Callable[[], bool]) -> bool:
        """Until the next moment is due; `hold`: of the last one of a game, longer. False: no more is wanted.

        Space pauses and goes on, `.` goes one step, + and - change the speed, q ends it.
        """
        seconds = max(HOLD_SECONDS if hold else 0.0, 1 / self._fps) / self.speed
        self._due = max(self._clock(), self._due + seconds)  # what came late is not made up for by haste
        while not stopped():
            left = SLICE_SECONDS if self._paused else min(SLICE_SECONDS, self._due - self._clock())
            key = viewer.key(max(0.0, left))
            if key == "q":
                return False
            if key == ".":
                self._paused = True
                return True
            if key == " ":
                self._paused = not self._paused
                self._due = self._clock()
            elif key in ("+", "="):
                self.speed = min(FASTEST, self.speed * FACTOR)
            elif key == "-":
                self.speed = max(SLOWEST, self.speed / FACTOR)
            if not self._paused and self._clock() >= self._due:
                return True
        return False
