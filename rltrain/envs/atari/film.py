"""An Atari game for a person to see, in the console's own colours and size.

A policy sees small grey squares. So a second emulator plays the same game in colour: it has the same seeds, is given
the same actions, and must answer with the same rewards and ends. The book's game is one emulator, in colour itself.
"""

from __future__ import annotations

import numpy as np

from rltrain.core import Array, Filmed, Step
from rltrain.envs.atari import book as book_game
from rltrain.envs.atari.settings import AtariConfig
from rltrain.envs.atari.vector import Atari
from rltrain.envs.filmed_game import FilmedGame

FRAMES_A_SECOND = 60  # of a television of 1977
BOOK_FRAME_SKIP = 3  # on average


class FilmedAtari:
    """An Atari game twice: as the policy sees it, and in colour at the console's own size."""

    def __init__(self, settings: AtariConfig) -> None:
        self._seen = Atari(settings, 1, training=False)
        self._shown = Atari(settings.model_copy(update={"frame_stack": 1}), 1, training=False, colour=True)
        self.spec = self._seen.spec
        self.fps = FRAMES_A_SECOND / settings.frame_skip
        self.window = (slice(None), slice(None))  # the whole screen, made smaller: see `filmed_game.Windowed`
        self._frame = np.zeros(self._shown.spec.obs_shape[1:], np.uint8)

    def reset(self, seed: int) -> Step:
        return self._together(self._seen.reset(seed), self._shown.reset(seed))

    def step(self, action: Array) -> Step:
        return self._together(self._seen.step(action), self._shown.step(action))

    def frame(self) -> Array:
        return self._frame

    def state(self) -> str:
        return ""

    def close(self) -> None:
        self._seen.close()
        self._shown.close()

    def _together(self, seen: Step, shown: Step) -> Step:
        if any((one != other).any() for one, other in zip(seen[1:5], shown[1:5], strict=True)):
            raise RuntimeError(f"{self.spec.id}: the emulator in colour plays another game")
        self._frame = shown.obs[0, 0]
        return seen


def book(settings: AtariConfig) -> Filmed:
    """A game as the book prepares it."""
    game = book_game.Book(settings, training=False)
    return FilmedGame(
        book_game.describe(settings, 1), game, FRAMES_A_SECOND / BOOK_FRAME_SKIP, game.screen, book_game.WINDOW
    )
