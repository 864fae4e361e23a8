"""How long a run takes by the wall clock, how fast it is, and which saves are worth their time.

Nothing that is learned depends on it: it decides `run.max_wall`, and which saves are made that no config asks for.
"""

from __future__ import annotations

import time

from rltrain.experiment.settings import parse_duration
from rltrain.saved import Saved

SAVING_SHARE = 0.0075  # of the time between two saves, so that a dearer next one stays under a hundredth
MOST_SECONDS_UNSAVED = 600.0  # if saves are as dear as that
MAX_SECONDS = 1e10  # of a run so far: three centuries
WINDOW = 20  # rows over which the speed is measured


class WallClock:
    """The seconds of this session and of those before it. `max_wall`: the limit of a session, as a config has it."""

    def __init__(self, max_wall: str | None) -> None:
        self._limit = None if max_wall is None else parse_duration(max_wall)
        self._before = 0.0  # seconds of the sessions that led here
        self._recent: list[tuple[float, int]] = []  # (seconds, environment steps) of the last rows
        self._saving = 0.0  # seconds that the last save took
        self.start()

    def start(self) -> None:
        """A session begins now."""
        self._started = self._saved_at = time.monotonic()

    def row(self, steps: int) -> None:
        """Take in that `steps` of the environments, or sweeps, have been made in all, for the speed."""
        self._recent = [*self._recent[-WINDOW:], (time.monotonic(), steps)]

    def saved(self, began: float) -> None:
        """A save ends now that began at this time.monotonic()."""
        self._saved_at = time.monotonic()
        self._saving = self._saved_at - began

    @property
    def is_over(self) -> bool:
        """Whether this session has lasted as long as `max_wall` allows."""
        return self._limit is not None and time.monotonic() - self._started >= self._limit

    @property
    def is_worth_a_save(self) -> bool:
        """Whether the last save is so long ago that another takes but a small share of the time."""
        return time.monotonic() - self._saved_at >= min(MOST_SECONDS_UNSAVED, self._saving / SAVING_SHARE)

    @property
    def elapsed_seconds(self) -> float:
        """Seconds that the run has taken, in all sessions together."""
        return self._before + time.monotonic() - self._started

    def progress(self) -> dict[str, float]:
        """elapsed_seconds of all sessions, steps_per_second lately, and with a limit wall_seconds_left of this one."""
        speed = float("nan")
        if len(self._recent) > 1:
            (t0, n0), (t1, n1) = self._recent[0], self._recent[-1]
            speed = (n1 - n0) / (t1 - t0) if t1 > t0 else speed
        found = {"elapsed_seconds": self.elapsed_seconds, "steps_per_second": speed}
        if self._limit is None:
            return found
        return found | {"wall_seconds_left": max(0.0, self._limit - (time.monotonic() - self._started))}

    def meta(self) -> dict[str, float]:
        """What a checkpoint's manifest records: elapsed_seconds and save_seconds."""
        return {"elapsed_seconds": self.elapsed_seconds, "save_seconds": self._saving}

    def go_on(self, meta: Saved) -> None:
        """Go on from what a checkpoint's manifest recorded. CheckpointError."""
        self._before = meta.number("elapsed_seconds", 0, MAX_SECONDS)
        timed = "save_seconds" in meta  # checkpoints of before 2026-12 do not say it
        self._saving = meta.number("save_seconds", 0, MAX_SECONDS) if timed else 0.0
