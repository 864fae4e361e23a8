"""How the rooms of the robot vacuum look from above: floor, furniture and shadows, drawn once for all frames.

Everything is numpy on float32 in 0..1. Edges are smooth: a pixel's share of a shape is read from the signed distance
to its outline.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from rltrain.core import Array
from rltrain.envs.vacuum.room import CELL, ROUND, WALL, Options, Piece, floor_plan, legs, pieces

Colour = tuple[int, int, int]
WOOD: Colour = (226, 203, 170)
WALLS: Colour = (64, 68, 80)
COLOURS: dict[str, Colour] = {
    "sofa": (92, 122, 150), "armchair": (196, 138, 92), "bed": (232, 228, 220), "shelf": (146, 104, 72),
    "board": (166, 122, 86), "table": (178, 132, 92), "plant": (170, 98, 70), "pillar": (168, 172, 180),
    "lamp": (244, 220, 160), "wall": WALLS, "rug": (176, 92, 84),
}  # fmt: skip


class Scene(NamedTuple):
    """What does not move, float32 [H, W, 3], or [H, W, 1] where said."""

    floor: Array  # rugs included
    around: Array  # [H, W, 1] factor of the floor: shadows, and nothing under what stands there
    solid: Array  # what stands there, to be added
    beneath: Array  # [H, W, 1] factor of all that is under a table
    top: Array  # the tables' tops, to be added


class Canvas:
    """Colours and opacities that shapes are laid over."""

    def __init__(self, height: int, width: int, pixels: float) -> None:
        self.pixels = pixels  # a metre
        self.colour = np.zeros((height, width, 3), np.float32)
        self.cover = np.zeros((height, width, 1), np.float32)

    def rectangle(self, x: float, y: float, width: float, depth: float, colour: Colour, *, corner: float = 0.05
                  ) -> None:  # fmt: skip
        """In metres from the floor's top left corner; `corner` is the radius of the rounding."""
        corner = min(corner, width / 2, depth / 2)
        window, across, down = self._window(x, y, width, depth)
        out_x = np.abs(across - x - width / 2) - width / 2 + corner
        out_y = np.abs(down - y - depth / 2) - depth / 2 + corner
        outside = np.hypot(np.maximum(out_x, 0), np.maximum(out_y, 0)) + np.minimum(np.maximum(out_x, out_y), 0)
        self._lay(window, corner - outside, colour)

    def disc(self, x: float, y: float, radius: float, colour: Colour, *, squash: float = 1.0) -> None:
        """Around x, y in metres; `squash` is its depth by its width."""
        depth = 2 * radius * squash
        window, across, down = self._window(x - radius, y - depth / 2, 2 * radius, depth)
        self._lay(window, radius - np.hypot(across - x, (down - y) / squash), colour)

    def _window(self, x: float, y: float, width: float, depth: float) -> tuple[tuple[slice, slice], Array, Array]:
        """The pixels of a rectangle and of one around, and their middles in metres: [1, w] across, [h, 1] down."""
        slices, middles = [], []
        for start, length, end in ((y, depth, self.colour.shape[0]), (x, width, self.colour.shape[1])):
            low = max(0, math.floor((start + WALL * CELL) * self.pixels) - 1)
            high = min(end, math.ceil((start + length + WALL * CELL) * self.pixels) + 1)
            slices.append(slice(low, high))
            middles.append((np.arange(low, high) + 0.5) / self.pixels - WALL * CELL)
        return (slices[0], slices[1]), middles[1][None, :], middles[0][:, None]

    def _lay(self, window: tuple[slice, slice], inside: Array, colour: Colour) -> None:
        """inside [h, w]: metres from the outline, positive within."""
        share = np.clip(inside * self.pixels + 0.5, 0, 1)[..., None].astype(np.float32)
        self.colour[window] += share * (np.array(colour, np.float32) / 255 - self.colour[window])
        self.cover[window] += share * (1 - self.cover[window])


@lru_cache(maxsize=4)
def draw(options: Options, scale: int) -> Scene:
    """The room at so many pixels a cell."""
    bare = floor_plan(options)
    height, width = (side * scale for side in bare.shape)
    solid, top, rugs = (Canvas(height, width, scale / CELL) for _ in range(3))
    for piece in pieces(options):
        _furnish(piece, rugs if piece.kind == "rug" else solid, top)
    _outer_walls(solid, options)
    floor = _planks(height, width, scale)
    floor += rugs.cover * (rugs.colour - floor)
    shade = 1 - 0.42 * _blur(_shifted(solid.cover[..., 0], scale), 2 * scale)
    shade -= 0.22 * _blur(_shifted(top.cover[..., 0], 2 * scale), 3 * scale)
    around = shade[..., None] * (1 - solid.cover)
    scene = Scene(floor, around, solid.cover * solid.colour, 1 - 0.62 * top.cover, 0.62 * top.cover * top.colour)
    for layer in scene:
        layer.setflags(write=False)
    return scene


def _furnish(piece: Piece, on: Canvas, top: Canvas) -> None:
    """One piece, in a few shapes."""
    kind, x, y, w, d = piece
    colour = COLOURS[kind]
    if kind in ROUND:
        _round(piece, on, top)
    elif kind == "table":
        for leg in legs(piece):
            on.rectangle(*leg, _darker(colour, 0.6), corner=0.02)
        top.rectangle(x, y, w, d, _darker(colour, 0.85), corner=0.08)
        top.rectangle(x + 0.03, y + 0.03, w - 0.06, d - 0.06, colour, corner=0.06)
    elif kind in ("sofa", "armchair"):
        back = min(0.22, d / 3)
        on.rectangle(x, y, w, d, _darker(colour, 0.72), corner=0.14)
        seats = max(1, round((w - 2 * back) / 0.7))
        seat = (w - 2 * back) / seats
        for i in range(seats):
            left = x + back + i * seat
            on.rectangle(left + 0.015, y + back, seat - 0.03, d - back - 0.05, colour, corner=0.08)
            on.rectangle(left + 0.05, y + back + 0.05, seat - 0.1, 0.12, _lighter(colour, 0.25), corner=0.06)
    elif kind == "bed":
        on.rectangle(x, y, w, d, (150, 112, 82), corner=0.05)
        on.rectangle(x + 0.05, y + 0.05, w - 0.1, d - 0.1, colour, corner=0.08)
        for side in (0.12, d / 2 + 0.06):
            on.rectangle(x + 0.14, y + side, 0.42, d / 2 - 0.18, (255, 255, 255), corner=0.1)
        on.rectangle(x + 0.75, y + 0.03, w - 0.78, d - 0.06, (108, 142, 132), corner=0.06)
        on.rectangle(x + 0.75, y + 0.03, 0.16, d - 0.06, (136, 168, 158), corner=0.04)
    elif kind == "rug":
        for inset, shade in ((0.0, 0.8), (0.06, 1.0), (0.18, 1.25), (0.22, 1.0)):
            on.rectangle(x + inset, y + inset, w - 2 * inset, d - 2 * inset, _darker(colour, shade), corner=0.04)
    elif kind == "wall":
        on.rectangle(x, y, w, d, colour, corner=0.0)
    else:  # shelf, board
        on.rectangle(x, y, w, d, _darker(colour, 0.7), corner=0.04)
        on.rectangle(x + 0.03, y + 0.03, w - 0.06, d - 0.06, colour, corner=0.03)
        if kind == "shelf":
            parts = max(2, round(max(w, d) / 0.5))
            for i in range(1, parts):
                if w > d:
                    on.rectangle(x + w * i / parts - 0.01, y + 0.03, 0.02, d - 0.06, _darker(colour, 0.75), corner=0)
                else:
                    on.rectangle(x + 0.03, y + d * i / parts - 0.01, w - 0.06, 0.02, _darker(colour, 0.75), corner=0)


def _round(piece: Piece, on: Canvas, top: Canvas) -> None:
    kind, x, y, w, d = piece
    colour, radius, squash = COLOURS[kind], w / 2, d / w
    x, y = x + w / 2, y + d / 2
    on.disc(x, y, radius, _darker(colour, 0.72), squash=squash)
    on.disc(x, y, 0.86 * radius, colour, squash=squash)
    if kind == "plant":
        for ring, (far, size, shade) in enumerate(((0.62, 0.42, 0.75), (0.42, 0.38, 0.95), (0.12, 0.34, 1.2))):
            for leaf in range(7 - 2 * ring):
                angle = 2 * np.pi * leaf / (7 - 2 * ring) + ring
                on.disc(x + far * radius * np.cos(angle), y + far * d / 2 * np.sin(angle), size * radius,
                        _darker((74, 134, 84), shade), squash=squash)  # fmt: skip
    elif kind == "lamp":
        on.disc(x, y, 0.4 * radius, (255, 246, 214), squash=squash)
    else:
        on.disc(x - 0.15 * radius, y - 0.15 * radius, 0.5 * radius, _lighter(colour, 0.3), squash=squash)


def _outer_walls(canvas: Canvas, options: Options) -> None:
    thick, width, depth = WALL * CELL, options.width, options.depth
    for x, y, w, d in (
        (-thick, -thick, width + 2 * thick, thick),
        (-thick, depth, width + 2 * thick, thick),
        (-thick, -thick, thick, depth + 2 * thick),
        (width, -thick, thick, depth + 2 * thick),
    ):
        canvas.rectangle(x, y, w, d, WALLS, corner=0.0)


def _planks(height: int, width: int, scale: int) -> Array:
    """[height, width, 3]: boards 20 cm wide, each in a tone of its own, with a grain along it."""
    stream = np.random.default_rng(3)  # the same floor in every picture
    board = 4 * scale
    rows = np.arange(height) // board
    joint = stream.integers(0, width, size=rows.max() + 1)
    across = (np.arange(width)[None, :] + joint[rows][:, None]) // (32 * scale)
    tone = stream.uniform(-0.035, 0.035, size=(rows.max() + 1, across.max() + 1))[rows[:, None], across]
    grain = _blur(stream.normal(size=(height, width)).astype(np.float32), 1)
    grain = np.cumsum(grain, axis=1)
    grain[:, 9 * scale :] -= grain[:, : -9 * scale].copy()  # smeared along the board
    tone += 0.012 * grain / grain.std()
    tone[np.arange(height) % board == 0] -= 0.07
    tone[:, 1:][across[:, 1:] != across[:, :-1]] -= 0.06
    colours: Array = np.array(WOOD, np.float32) / 255 + tone[..., None].astype(np.float32)
    return colours


def _shifted(image: Array, pixels: int) -> Array:
    """To the right and down, as light from the top left casts a shadow; image [H, W]."""
    return np.pad(image, ((pixels, 0), (pixels, 0)))[:-pixels, :-pixels]


def _blur(image: Array, radius: int) -> Array:
    """Three box averages of 2 radius + 1 each way, which is close to a Gaussian; image [H, W]."""
    for _ in range(3):
        for axis in (0, 1):
            pad = [(radius + 1, radius) if side == axis else (0, 0) for side in (0, 1)]
            total = np.cumsum(np.pad(image, pad, mode="edge"), axis=axis, dtype=np.float64)
            after, before = (np.take(total, np.arange(n, n + image.shape[axis]), axis) for n in (2 * radius + 1, 0))
            image = ((after - before) / (2 * radius + 1)).astype(np.float32)
    return image


def _darker(colour: Colour, factor: float) -> Colour:
    red, green, blue = (min(255, round(part * factor)) for part in colour)
    return red, green, blue


def _lighter(colour: Colour, share: float) -> Colour:
    red, green, blue = (round(part + share * (255 - part)) for part in colour)
    return red, green, blue
