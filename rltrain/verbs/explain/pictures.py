"""Frames of an explained game, with where the policy looks drawn over them."""

from __future__ import annotations

import numpy as np

from rltrain.core import Array
from rltrain.verbs.explain import saliency as maps
from rltrain.verbs.explain.playing import PlayedGame

LEAST_SIDE = 240  # pixels of what a policy sees, where that is drawn: each of its pixels as several


def looked_at(played: PlayedGame, step: int, found: Array, strongest: float) -> Array:
    """A map [h, w] of a step over the game's own colours, uint8 [H, W, 3].

    Where the game's frame shows another scene than the policy sees, or there is none, over what the policy sees.
    """
    if played.window is not None and len(played.frames):
        return maps.drawn(played.frames[step], found, strongest, played.window)
    picture = maps.picture_of(played.spec, played.seen[step])
    assert picture is not None
    frame = maps.coloured(played.spec, picture)
    times = max(1, -(-LEAST_SIDE // min(frame.shape[:2])))
    return maps.drawn(frame.repeat(times, axis=0).repeat(times, axis=1), found, strongest)


def frame_at(played: PlayedGame, step: int) -> Array | None:
    """The game's own picture at a step, uint8 [H, W, 3]; else what the policy sees; None: neither is one."""
    if len(played.frames):
        return played.frames[step]
    picture = maps.picture_of(played.spec, played.seen[step])
    return None if picture is None else maps.coloured(played.spec, picture)


def beside(left: Array, right: Array) -> Array:
    """Two pictures uint8 [H, W, 3] side by side, the lower one filled up with black."""
    height = max(len(left), len(right))
    return np.concatenate([np.pad(one, ((0, height - len(one)), (0, 0), (0, 0))) for one in (left, right)], axis=1)
