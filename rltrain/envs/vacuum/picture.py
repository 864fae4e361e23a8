"""The robot vacuum from above: dust as a grey film, the path so far, the robot and its heading, the share cleaned.

A picture is a function of the episode so far: `follow` once a second, and `frame` whenever one is wanted.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from rltrain.core import Array
from rltrain.envs.vacuum.layouts import FLAT, ROUND, VacuumOptions, floor_plan, legs, pieces
from rltrain.envs.vacuum.robots import Robots
from rltrain.envs.vacuum.units import CELL, RADIUS, TOTAL, WALL

WIDTH = 660  # pixels that a frame is about as wide as
STRIP = 40  # pixels of the strip below the room
FINE = 2  # paths, furniture and the robot are drawn so many times as large, and then reduced: smooth edges
MEMORY_SECONDS = 150.0  # in which the path fades to a third
COLOURS = {
    "sofa": "#5c7a96", "armchair": "#c48a5c", "bed": "#e8e4dc", "shelf": "#926848", "board": "#a67a56",
    "table": "#b2845c", "plant": "#4a8654", "pillar": "#a8acb4", "lamp": "#f4dca0", "wall": "#404450", "rug": "#b05c54",
    "leg": "#6a4e36",
}  # fmt: skip
WOOD, JOINT, EDGE = "#e2cbaa", "#d2b996", "#00000048"
DUST, PATH, DARK, LIGHT, FADED, TEAL = "#706862", "#007a8c", "#24272e", "#eef0f3", "#5c626e", "#2ebec8"
SEEN_THROUGH = 150  # opacity of a table's top, of 255


class Picture:
    """One robot's, the one of this index."""

    def __init__(self, robots: Robots, index: int) -> None:
        self._robots, self._index = robots, index
        self._rows, self._columns = floor_plan(robots.options).shape
        self._scale = max(2, 2 * round(WIDTH / self._columns / 2))  # even, as video formats want it
        self._mean = 1.0  # mg in a cell when the episode began
        self._path: list[tuple[float, float]] = []  # where it was, in pixels of the finer picture

    def follow(self, first: bool) -> None:
        """A second has passed, or an episode has begun."""
        state = self._robots.state
        if first:
            dust = state.dust[self._index]
            self._path, self._mean = [], max(1.0, float(dust[dust > 0].mean()))
        x, y = (state.place[self._index] * self._scale * FINE).tolist()
        self._path.append((x, y))

    def frame(self) -> Array:
        """uint8 [H, W, 3]."""
        state, index = self._robots.state, self._index
        floor, above = _scene(self._robots.options, self._scale)
        image = floor.copy()
        share = state.dust[index].reshape(self._rows, self._columns) / self._mean
        film = Image.fromarray((235 - 235 * np.exp(-0.42 * share)).astype(np.uint8))
        image.paste(DUST, mask=film.resize(image.size, Image.Resampling.BILINEAR))
        image.paste(PATH, mask=self._path_mask(image.size))
        robot = _robot(RADIUS * self._scale, state.heading[index] * 360 / self._robots.options.turns)
        corner = state.place[index] * self._scale - robot.width / 2
        image.paste(robot, (round(corner[0]), round(corner[1])), robot)
        image.paste(above, mask=above)
        whole = Image.new("RGB", (image.width, image.height + STRIP), DARK)
        whole.paste(image)
        _write_strip(whole, int(state.picked[index]) / TOTAL, int(state.age[index]))
        return np.asarray(whole)

    def _path_mask(self, size: tuple[int, int]) -> Image.Image:
        """How much of each pixel the path hides: the older, the less."""
        mask = Image.new("L", (size[0] * FINE, size[1] * FINE))
        draw, seconds = ImageDraw.Draw(mask), len(self._path) - 1
        for second in range(seconds):
            fading = 0.16 + 0.74 * np.exp((second - seconds) / MEMORY_SECONDS)
            draw.line(self._path[second : second + 2], fill=round(255 * fading), width=2 * FINE)
        return mask.reduce(FINE)


@lru_cache(maxsize=4)
def _scene(options: VacuumOptions, scale: int) -> tuple[Image.Image, Image.Image]:
    """What does not move, at so many pixels a cell: the floor with its rugs, RGB, and all that stands on it, RGBA."""
    metre = FINE * scale / CELL
    rows, columns = (FINE * scale * cells for cells in floor_plan(options).shape)
    floor, above = Image.new("RGB", (columns, rows), WOOD), Image.new("RGBA", (columns, rows))
    lying, standing = ImageDraw.Draw(floor), ImageDraw.Draw(above)
    for y in range(0, rows, round(metre / 5)):
        lying.line([(0, y), (columns, y)], fill=JOINT, width=FINE)
    for piece in pieces(options):
        draw = lying if piece.kind in FLAT else standing
        for kind, x, y, width, depth in [piece, *(legs(piece) if piece.kind == "table" else ())]:
            left, top = (start * metre + WALL * FINE * scale for start in (x, y))
            box = (left, top, left + width * metre, top + depth * metre)
            colour = COLOURS[kind] + (f"{SEEN_THROUGH:02x}" if kind == "table" else "")
            if kind in ROUND:
                draw.ellipse(box, fill=colour, outline=EDGE, width=2 * FINE)
            else:
                edge = None if kind in FLAT else EDGE
                draw.rounded_rectangle(box, 0 if kind == "wall" else 8 * FINE, colour, edge, 2 * FINE)
    standing.rectangle((0, 0, columns - 1, rows - 1), outline=COLOURS["wall"], width=WALL * FINE * scale)
    return floor.reduce(FINE), above.reduce(FINE)


@lru_cache(maxsize=400)
def _robot(radius: float, heading: float) -> Image.Image:
    """RGBA: a disc with an arrow; radius in pixels, heading in degrees to the left of the right."""
    fine, r = 4, 4 * radius
    image = Image.new("RGBA", (round(2 * r) + fine, round(2 * r) + fine))
    draw = ImageDraw.Draw(image)
    draw.ellipse((0, 0, 2 * r, 2 * r), fill=LIGHT, outline=DARK, width=round(0.14 * r))
    draw.polygon([(1.6 * r, r), (0.65 * r, 0.5 * r), (0.65 * r, 1.5 * r)], fill=TEAL)
    return image.rotate(heading, Image.Resampling.BICUBIC, center=(r, r)).reduce(fine)


def _write_strip(image: Image.Image, share: float, seconds: int) -> None:
    """Below the room: the share cleaned, a bar of it, and the time."""
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(20)
    middle = image.height - STRIP // 2
    draw.text((16, middle), f"{100 * share:.1f}%", LIGHT, font, anchor="lm")
    draw.text((image.width - 16, middle), f"{seconds // 60}:{seconds % 60:02d}", LIGHT, font, anchor="rm")
    left, right = 96, image.width - 88
    for end, colour in ((right, FADED), (left + share * (right - left), TEAL)):
        draw.rounded_rectangle((left, middle - 5, max(end, left + 10), middle + 5), 5, colour)
