"""A picture as coloured characters: each cell of a terminal is two pixels, the upper half block over its background.

Where the terminal has fewer colours, 256 of them; where it has none, or no such character, shades of grey in letters.
Pure functions from pixels to cells and from cells to escape codes.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import numpy as np

from rltrain.core import Array

Depth = Literal["true", "256", "grey"]
HALF_BLOCK = "▀"
SHADES = " .:-=+*#%@"  # from black to white
CUBE = np.array([0, 95, 135, 175, 215, 255])  # xterm's colours 16 to 231 are 6 x 6 x 6 of these
GREYS = 8 + 10 * np.arange(24)  # and 232 to 255
LUMA = np.array([0.299, 0.587, 0.114])
GAP = 4  # unchanged cells that are cheaper to paint again than to jump over


def fit(height: int, width: int, rows: int, columns: int) -> tuple[int, int]:
    """Height and width in pixels of a picture that keeps its shape in rows x columns cells; the height is even."""
    scale = min(2 * rows / height, columns / width)
    return max(2, 2 * round(height * scale / 2)), max(1, min(columns, round(width * scale)))


def resized(frame: Array, height: int, width: int) -> Array:
    """uint8 [H, W, 3] -> uint8 [height, width, 3]. Smaller: the mean of the area; larger: the nearest pixel."""
    rows, columns = _weights(frame.shape[0], height), _weights(frame.shape[1], width)
    mixed = np.einsum("hr,rwc->hwc", rows, frame.astype(np.float32), optimize=True)
    return np.asarray(np.rint(np.einsum("wk,hkc->hwc", columns, mixed, optimize=True)), np.uint8)


@lru_cache(maxsize=16)
def _weights(old: int, new: int) -> Array:
    """[new, old] float32: how much of each old pixel is in each new one; rows sum to 1."""
    if new >= old:
        nearest = np.minimum((np.arange(new) + 0.5) * old / new, old - 1).astype(np.int64)
        return np.eye(old, dtype=np.float32)[nearest]
    edges = np.linspace(0, old, new + 1)
    left = np.arange(old)
    shared = np.minimum(edges[1:, None], left + 1) - np.maximum(edges[:-1, None], left)  # [new, old] length
    shared = np.clip(shared, 0, None)
    return np.asarray(shared / shared.sum(axis=1, keepdims=True), np.float32)


def cells(pixels: Array, depth: Depth) -> Array:
    """uint8 [2R, C, 3] -> int32 [R, C, 2], a number for the upper and the lower colour of each cell."""
    pairs = pixels.reshape(len(pixels) // 2, 2, -1, 3).swapaxes(1, 2)  # [R, C, 2, 3]
    if depth == "true":
        return np.asarray((pairs.astype(np.int32) << [16, 8, 0]).sum(axis=-1), np.int32)
    if depth == "256":
        return _xterm(pairs)
    light = (pairs @ LUMA).mean(axis=-1)  # [R, C]
    shade = np.minimum(light / 256 * len(SHADES), len(SHADES) - 1).astype(np.int32)
    return np.stack([shade, shade], axis=-1)


def _xterm(rgb: Array) -> Array:
    """uint8 [..., 3] -> int32 [...], the nearest of xterm's colours 16 to 255."""
    value = rgb.astype(np.int32)
    level = np.searchsorted((CUBE[1:] + CUBE[:-1]) / 2, value)
    grey = np.clip(np.rint((value.mean(axis=-1) - GREYS[0]) / 10), 0, 23).astype(np.int32)
    far = ((CUBE[level] - value) ** 2).sum(axis=-1)
    far_grey = ((GREYS[grey][..., None] - value) ** 2).sum(axis=-1)
    cube = 16 + level @ np.array([36, 6, 1])
    return np.asarray(np.where(far_grey < far, 232 + grey, cube), np.int32)


def painted(now: Array, before: Array | None, row: int, column: int, depth: Depth) -> str:
    """Escape codes that turn cells `before` into cells `now` [R, C, 2], the first at this row and column, from 1.

    Only what changed is painted; `before` None: all.
    """
    parts: list[str] = []
    changed = np.ones(now.shape[:2], bool) if before is None else (now != before).any(axis=-1)
    for line in np.flatnonzero(changed.any(axis=1)).tolist():
        spots = np.flatnonzero(changed[line])
        breaks = np.flatnonzero(np.diff(spots) > GAP)
        begins, ends = [0, *(breaks + 1).tolist()], [*breaks.tolist(), len(spots) - 1]
        for begin, end in zip(begins, ends, strict=True):
            first, last = int(spots[begin]), int(spots[end])
            parts.append(f"\x1b[{row + line};{column + first}H")
            parts.append(blocks(now[line, first : last + 1].tolist(), depth))
    return "".join(parts)


def blocks(run: list[list[int]], depth: Depth) -> str:
    """Neighbouring cells. A colour is named where it changes."""
    if depth == "grey":
        return "".join(SHADES[upper] for upper, _ in run)
    parts: list[str] = []
    front = back = -1
    for upper, lower in run:
        if upper != front:
            parts.append(_colour(38, upper, depth))
        if lower != back:
            parts.append(_colour(48, lower, depth))
        front, back = upper, lower
        parts.append(HALF_BLOCK)
    return "".join(parts) + "\x1b[0m"


@lru_cache(maxsize=65_536)
def _colour(ground: int, number: int, depth: Depth) -> str:
    """The code of a foreground (38) or a background (48)."""
    if depth == "256":
        return f"\x1b[{ground};5;{number}m"
    return f"\x1b[{ground};2;{number >> 16};{number >> 8 & 255};{number & 255}m"
