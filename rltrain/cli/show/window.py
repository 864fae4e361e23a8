"""A window of the screen, by pygame."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rltrain.errors import InputError
from rltrain.film import picture
from rltrain.film.caption import Subject, caption

if TYPE_CHECKING:
    from rltrain.run.play import Moment

SLICE_SECONDS = 0.02  # how often it is asked for keys


class Window:
    """Shows one moment at a time. Opens with the first."""

    covers = False

    def __init__(self, subject: Subject, scale: int | None, bars: bool) -> None:
        self._pygame = picture.pygame()
        self._subject, self._scale, self._bars = subject, scale, bars
        self._size = (0, 0)

    def show(self, moment: Moment) -> None:
        frame = picture.checked(moment.frame)
        shown = picture.enlarged(frame, self._scale or picture.enlargement(len(frame)))
        if self._bars:
            shown = picture.beside(shown, caption(self._subject, moment))
        size = (shown.shape[1], shown.shape[0])
        if size != self._size:
            try:
                self._pygame.display.init()
                self._pygame.display.set_caption(self._subject.title)
                self._pygame.display.set_mode(size)
            except self._pygame.error as error:
                raise InputError(f"no window can be opened here ({error}); take --terminal or --record FILE") from error
            self._size = size
        screen = self._pygame.display.get_surface()
        self._pygame.surfarray.blit_array(screen, shown.swapaxes(0, 1))
        self._pygame.display.flip()

    def key(self, seconds: float) -> str:
        """The key that is pressed within this time, or ""; closing the window counts as q."""
        end = time.monotonic() + seconds
        while True:
            for event in self._pygame.event.get():
                if event.type == self._pygame.QUIT:
                    return "q"
                if event.type == self._pygame.KEYDOWN:
                    return "q" if event.key == self._pygame.K_ESCAPE else str(event.unicode)
            left = end - time.monotonic()
            if left <= 0:
                return ""
            time.sleep(min(left, SLICE_SECONDS))

    def close(self) -> None:
        self._pygame.display.quit()
