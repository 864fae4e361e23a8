"""A picture for a window or a file: the frame, enlarged, and beside it what the policy thinks, as bars."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from rltrain.core import Array
from rltrain.errors import EnvironmentFault, InputError, MissingError
from rltrain.film.caption import Caption

LEAST_HEIGHT = 400  # pixels of a picture, where nobody says how much to enlarge
PANEL = 260  # pixels of the words beside it
MARGIN = 14
LARGE, SMALL = 18, 15  # heights of letters
BACK, TEXT, FAINT, BAR, CHOSEN = (22, 24, 30), (235, 235, 235), (140, 145, 155), (70, 110, 170), (255, 190, 70)


def checked(frame: Array | None) -> Array:
    """A frame uint8 [H, W, 3] of a game. InputError where there is none, EnvironmentFault for anything else."""
    if frame is None:
        raise InputError("the environment has no picture of this game, so it cannot be shown")
    if not isinstance(frame, np.ndarray) or frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3:
        gave = f"{frame.dtype} {list(frame.shape)}" if isinstance(frame, np.ndarray) else type(frame).__name__
        raise EnvironmentFault(f"the environment's picture must be uint8 [height, width, 3], and is {gave}")
    return frame


def pygame() -> Any:
    """The module. MissingError, naming the command, if it is not installed."""
    from rltrain.envs import screen

    screen.keep_quiet()
    try:
        import pygame as module
    except ImportError as error:
        raise MissingError(f"windows and bars in a video need pygame: {screen.INSTALL}") from error
    return module


def enlargement(height: int) -> int:
    """How many times a frame of this height is enlarged, so that a person sees it well."""
    return max(1, -(-LEAST_HEIGHT // height))


def enlarged(frame: Array, times: int) -> Array:
    """uint8 [H, W, 3] -> [H x times, W x times, 3]; pixels stay sharp."""
    return frame.repeat(times, axis=0).repeat(times, axis=1) if times > 1 else frame


def even(picture: Array) -> Array:
    """uint8 [H, W, 3], with one more row and column of the last colour where a side is odd: video wants even sides."""
    height, width = picture.shape[:2]
    return np.pad(picture, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")


def beside(frame: Array, words: Caption) -> Array:
    """uint8 [H, W, 3] -> [H, W + PANEL, 3], with the panel on the right."""
    return np.concatenate([frame, panel(words, len(frame))], axis=1)


def panel(words: Caption, height: int) -> Array:
    """The words as a picture, uint8 [height, PANEL, 3]. What does not fit is left out, from the bottom."""
    module = pygame()
    surface = module.Surface((PANEL, height))
    surface.fill(BACK)
    y = MARGIN
    y += _write(surface, words.title, MARGIN, y, SMALL, FAINT) + 8
    for name, value in words.facts:
        _write(surface, name, MARGIN, y, LARGE, FAINT)
        y += _write(surface, value, MARGIN + 70, y, LARGE, TEXT) + 4
    y += 10
    y += _write(surface, words.heading, MARGIN, y, SMALL, FAINT) + 4
    room = height - y - MARGIN - SMALL - 8
    step = max(SMALL, min(LARGE + 12, room // max(1, len(words.bars))))
    for bar in words.bars:
        colour = CHOSEN if bar.chosen else TEXT
        _write(surface, bar.name, MARGIN, y, SMALL, colour)
        if bar.value:
            width = round(bar.share * (PANEL - 2 * MARGIN - 150))
            module.draw.rect(surface, CHOSEN if bar.chosen else BAR, (MARGIN + 90, y + 2, max(1, width), SMALL - 4))
            drawn = _letters(bar.value, SMALL, colour)
            surface.blit(drawn, (PANEL - MARGIN - drawn.get_width(), y))
        elif bar.chosen:
            module.draw.rect(surface, CHOSEN, (MARGIN + 90, y + 2, SMALL - 4, SMALL - 4))
        y += step
    _write(surface, words.note, MARGIN, height - MARGIN - SMALL, SMALL, CHOSEN)
    return np.ascontiguousarray(module.surfarray.array3d(surface).swapaxes(0, 1))


def _write(surface: Any, text: str, x: int, y: int, size: int, colour: tuple[int, int, int]) -> int:
    """Draw a line of text; returns its height."""
    drawn = _letters(text, size, colour)
    surface.blit(drawn, (x, y))
    return int(drawn.get_height())


@lru_cache(maxsize=1024)
def _letters(text: str, size: int, colour: tuple[int, int, int]) -> Any:
    clean = "".join(letter if letter.isprintable() else "?" for letter in text)
    return _font(size).render(clean, True, colour)


def _font(size: int) -> Any:
    """Made anew each time: an environment that is closed ends all fonts of the process."""
    module = pygame()
    module.font.init()
    return module.font.Font(None, round(size * 1.3))  # its own font's letters are low
