"""The robot vacuum from above: dust as a grey film, the path so far, the robot and its heading, the share cleaned.

A picture is a function of the episode so far: `begin`, one `move` a second, and `frame` whenever one is wanted.
"""

from __future__ import annotations

import numpy as np

from rltrain.core import Array
from rltrain.envs.vacuum import furniture
from rltrain.envs.vacuum.room import CELL, RADIUS, TOTAL, WALL, Options

WIDTH = 660  # pixels that a frame is about as wide as
STRIP = 40  # pixels of the strip below the room
DUST = np.array((112, 104, 98), np.float32) / 255
PATH = np.array((0, 122, 140), np.float32) / 255
DARK, LIGHT, FADED = (np.array(c, np.float32) / 255 for c in ((36, 39, 46), (238, 240, 243), (92, 98, 110)))
TEAL = np.array((46, 190, 200), np.float32) / 255
MEMORY_SECONDS = 150.0  # in which the path fades to a third
GLYPHS = {  # rows of five dots, as binary numbers
    "0": (14, 17, 17, 17, 17, 17, 14), "1": (4, 12, 4, 4, 4, 4, 14), "2": (14, 17, 1, 2, 4, 8, 31),
    "3": (31, 2, 4, 2, 1, 17, 14), "4": (2, 6, 10, 18, 31, 2, 2), "5": (31, 16, 30, 1, 1, 17, 14),
    "6": (6, 8, 16, 30, 17, 17, 14), "7": (31, 1, 2, 4, 8, 8, 8), "8": (14, 17, 17, 14, 17, 17, 14),
    "9": (14, 17, 17, 15, 1, 2, 12), "%": (24, 25, 2, 4, 8, 19, 3), ":": (0, 12, 12, 0, 12, 12, 0),
    ".": (0, 0, 0, 0, 0, 12, 12), " ": (0, 0, 0, 0, 0, 0, 0),
}  # fmt: skip


class Picture:
    """One robot's."""

    def __init__(self, options: Options) -> None:
        self._cells = (round(options.depth / CELL) + 2 * WALL, round(options.width / CELL) + 2 * WALL)
        self._scale = max(2, 2 * round(WIDTH / self._cells[1] / 2))  # even, as video formats want it
        self._scene = furniture.draw(options, self._scale)
        height, width = self._scene.floor.shape[:2]
        self._stretch = tuple(_stretch(cells, self._scale) for cells in self._cells)
        stream = np.random.default_rng(1)  # the same in every picture
        speckle = stream.random((height, width), dtype=np.float32)
        self._speckle = 0.55 + 0.9 * speckle
        self._mean = 1.0  # mg in a cell when the episode began
        self._place = np.zeros(2)
        self._seconds = 0
        self._passed = np.zeros((height, width), np.float32)  # second in which the path came by
        self._line = np.zeros((height, width), np.float32)  # share of the pixel that the path covers

    def begin(self, dust: Array, place: Array) -> None:
        """dust [C] mg, place [2] in cells."""
        self._mean = max(1.0, float(dust[dust > 0].mean()))
        self._place, self._seconds = place.copy(), 0
        self._passed[:] = 0
        self._line[:] = 0

    def move(self, place: Array) -> None:
        """A second later the robot is at place [2]."""
        self._seconds += 1
        if (place != self._place).any():
            self._draw_path(self._place * self._scale, place * self._scale)
        self._place = place.copy()

    def frame(self, dust: Array, heading: float, seconds: int, picked: int) -> Array:
        """uint8 [H, W, 3]. dust [C] mg, heading in radians to the left of the right, picked in mg."""
        scene = self._scene
        image = scene.floor + self._film(dust) * (DUST - scene.floor)
        fading = 0.16 + 0.74 * np.exp((self._passed - self._seconds) / MEMORY_SECONDS)
        image += (self._line * fading)[..., None] * (PATH - image)
        image *= scene.around
        image += scene.solid
        self._draw_robot(image, heading)
        image *= scene.beneath
        image += scene.top
        strip = _strip(image.shape[1], picked / TOTAL, seconds)
        whole = np.concatenate([image, strip])
        return (np.clip(whole, 0, 1) * 255 + 0.5).astype(np.uint8)

    def _film(self, dust: Array) -> Array:
        """[H, W, 1]: how much of the floor the dust hides."""
        down, across = self._stretch
        share = (dust.reshape(self._cells) / np.float32(self._mean)).astype(np.float32)
        smooth = down @ share @ across.T  # [H, W]
        return (0.92 - 0.92 * np.exp(-0.42 * smooth * self._speckle))[..., None]

    def _draw_path(self, start: Array, end: Array) -> None:
        """start, end [2] in pixels."""
        low = np.maximum(np.floor(np.minimum(start, end)).astype(int) - 3, 0)
        high = np.ceil(np.maximum(start, end)).astype(int) + 3
        rows, columns = slice(low[1], high[1]), slice(low[0], high[0])
        x, y = _pixels(rows, columns)
        along = end - start
        share = np.clip(((x - start[0]) * along[0] + (y - start[1]) * along[1]) / (along @ along), 0, 1)
        distance = np.hypot(x - start[0] - share * along[0], y - start[1] - share * along[1])
        line = np.clip(1.5 - distance, 0, 1)
        self._line[rows, columns] = np.maximum(self._line[rows, columns], line)
        self._passed[rows, columns][line > 0.2] = self._seconds

    def _draw_robot(self, image: Array, heading: float) -> None:
        radius = RADIUS * self._scale
        centre = self._place * self._scale
        reach = int(1.4 * radius) + 2
        low = np.maximum(np.floor(centre).astype(int) - reach, 0)
        rows, columns = (slice(start, start + 2 * reach + 1) for start in (low[1], low[0]))
        part = image[rows, columns]
        x, y = _pixels(rows, columns)
        x, y = (axis[: part.shape[0], : part.shape[1]] - middle for axis, middle in ((x, centre[0]), (y, centre[1])))
        distance = np.hypot(x, y)
        forward = x * np.cos(heading) - y * np.sin(heading)
        sideways = x * np.sin(heading) + y * np.cos(heading)
        shadow = np.hypot(x - 0.12 * radius, y - 0.16 * radius)
        _lay(part, 0.4 * np.clip((1.25 * radius - shadow) / (0.4 * radius), 0, 1), DARK)
        _lay(part, np.clip(radius - distance + 0.5, 0, 1), DARK)
        _lay(part, np.clip(0.88 * radius - distance + 0.5, 0, 1), LIGHT)
        bumper = np.minimum(distance - 0.74 * radius, forward - 0.45 * radius)
        _lay(part, np.clip(bumper + 0.5, 0, 1) * np.clip(radius - distance + 0.5, 0, 1), DARK)
        arrow = np.minimum(0.3 * radius - forward / 2 - np.abs(sideways), forward + 0.4 * radius)
        _lay(part, np.clip(arrow + 0.5, 0, 1), TEAL)


def _strip(width: int, share: float, seconds: int) -> Array:
    """[STRIP, width, 3]: a bar of the share cleaned, the share, and the time."""
    strip = np.broadcast_to(DARK, (STRIP, width, 3)).copy()
    clock = f"{seconds // 60}:{seconds % 60:02d}"
    percent = f"{100 * share:.1f}%"
    _write(strip, percent, 16)
    _write(strip, clock, width - 16 - 12 * len(clock))
    left, right = 16 + 12 * 6 + 12, width - 16 - 12 * 5 - 14
    x, y = _pixels(slice(0, STRIP), slice(0, width))
    for end, colour in ((right, FADED), (left + share * (right - left), TEAL)):
        nearest = np.clip(x, left, max(left, end))
        _lay(strip, np.clip(5.0 - np.hypot(x - nearest, y - STRIP / 2) + 0.5, 0, 1), colour)
    return strip


def _write(strip: Array, text: str, left: int) -> None:
    """Digits of 10 x 14 pixels."""
    for place, sign in enumerate(text):
        dots = np.array([[row >> bit & 1 for bit in (4, 3, 2, 1, 0)] for row in GLYPHS[sign]], bool)
        dots = dots.repeat(2, axis=0).repeat(2, axis=1)
        top, x = (STRIP - dots.shape[0]) // 2, left + 12 * place
        strip[top : top + dots.shape[0], x : x + dots.shape[1]][dots] = LIGHT


def _lay(part: Array, cover: Array, colour: Array) -> None:
    """A colour [3] over part [h, w, 3], in place, where cover [h, w] says how much."""
    part += cover[..., None].astype(np.float32) * (colour - part)


def _pixels(rows: slice, columns: slice) -> tuple[Array, Array]:
    """x and y of the pixels' middles, [h, w] each."""
    y, x = np.mgrid[rows, columns].astype(np.float32) + 0.5
    return x, y


def _stretch(cells: int, scale: int) -> Array:
    """[cells * scale, cells]: linear interpolation between the cells' middles."""
    place = (np.arange(cells * scale) + 0.5) / scale - 0.5
    return np.maximum(0, 1 - np.abs(np.clip(place, 0, cells - 1)[:, None] - np.arange(cells))).astype(np.float32)
