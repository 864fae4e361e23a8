"""From moments to a video: each as a picture, enlarged, with bars beside it if asked for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rltrain import words
from rltrain.film import picture
from rltrain.film.caption import Subject, caption
from rltrain.film.recording import Recording

if TYPE_CHECKING:
    from rltrain.run.play import Moment

HOLD_SECONDS = 0.75  # the last picture of a game stays this long


class Film:
    """Records what it is shown."""

    def __init__(self, path: Path, subject: Subject, fps: float, scale: int | None, bars: bool) -> None:
        self._recording = Recording(path, fps)
        self._subject, self._scale, self._bars = subject, scale, bars
        self.width = 0  # pixels of a picture, once there is one

    def show(self, moment: Moment) -> None:
        frame = picture.checked(moment.frame)
        shown = picture.enlarged(frame, self._scale or picture.enlargement(len(frame)))
        if self._bars:
            shown = picture.beside(shown, caption(self._subject, moment))
        shown = picture.even(shown)
        self.width = shown.shape[1]
        for _ in range(max(1, round(HOLD_SECONDS * self._recording.fps)) if moment.last else 1):
            self._recording.add(shown)

    def close(self) -> str:
        """Finish the file; returns a line about it."""
        recording = self._recording
        recording.close()
        if not recording.frames:
            return f"nothing was played: there is no {recording.path}"
        size = words.size(recording.path.stat().st_size)
        seconds = recording.frames / recording.fps
        return f"recorded {recording.path}: {words.count(recording.frames)} pictures, {seconds:.1f} s, {size}"

    def discard(self) -> None:
        self._recording.discard()
