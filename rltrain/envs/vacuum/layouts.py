"""The rooms that can be chosen, as rectangles in metres, and the floor that their furniture leaves bare."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from rltrain.core import Array
from rltrain.envs.vacuum.units import CELL, WALL
from rltrain.spelling import did_you_mean

STANDARD = (8.0, 6.0)  # m, the size for which the layouts are written; at another size they are stretched
SIZES = (2.0, 16.0)  # m, the least and the greatest width and depth
DUSTS = ("uneven", "even")
LEG = 0.1  # m, the thickness of a table's legs
ROUND = ("plant", "pillar", "lamp")
FLAT = ("rug",)  # lies on the floor and is in nobody's way
LAYOUTS = {  # what stands there: x and y of its top left corner, width and depth
    "living": """
        rug 2.0 1.2 2.8 1.7;    sofa 2.2 0.0 2.4 0.9;   board 2.8 1.75 1.2 0.6;    armchair 0.0 1.5 0.9 0.9
        shelf 7.6 1.7 0.4 2.4;  table 4.7 3.5 1.8 1.0;  shelf 1.4 5.6 2.2 0.4
        plant 7.25 0.2 0.55 0.55;  lamp 0.1 5.55 0.35 0.35
    """,
    "flat": """
        wall 4.6 0.0 0.1 2.2;   wall 4.6 3.2 0.1 2.8;   wall 0.0 3.3 3.2 0.1;      wall 4.2 3.3 0.4 0.1
        rug 1.2 0.5 1.6 2.1;    bed 0.0 0.7 2.1 1.7;    shelf 2.8 0.0 1.8 0.5;     board 0.0 4.2 0.8 1.6
        plant 4.0 5.4 0.5 0.5;  shelf 7.4 0.0 0.6 2.6;  table 5.6 2.9 1.2 1.0;     sofa 5.5 5.1 2.0 0.9
    """,
    "pillars": """
        pillar 1.25 1.35 0.5 0.5;  pillar 3.75 1.35 0.5 0.5;  pillar 6.25 1.35 0.5 0.5
        pillar 1.25 4.15 0.5 0.5;  pillar 3.75 4.15 0.5 0.5;  pillar 6.25 4.15 0.5 0.5
    """,
    "empty": "",
}


class Piece(NamedTuple):
    """One thing that stands in the room, in metres from the top left corner of the floor."""

    kind: str
    x: float
    y: float
    width: float
    depth: float


@dataclass(frozen=True)
class VacuumOptions:
    """What can be chosen. ValueError for what cannot be."""

    room: str = "living"
    width: float = STANDARD[0]  # m, of the floor
    depth: float = STANDARD[1]  # m
    dust: str = "uneven"
    turns: int = 72  # different angles

    def __post_init__(self) -> None:
        for name, value, allowed in (("room", self.room, tuple(LAYOUTS)), ("dust", self.dust, DUSTS)):
            if value not in allowed:
                raise ValueError(f"{name}: {value!r} is unknown{did_you_mean(str(value), allowed)}")
        for name, size in (("width", self.width), ("depth", self.depth)):
            if type(size) not in (int, float) or not SIZES[0] <= size <= SIZES[1]:
                raise ValueError(f"{name}: from {SIZES[0]:g} to {SIZES[1]:g} metres, got {size!r}")
        if type(self.turns) is not int or self.turns % 8 or not 8 <= self.turns <= 360:
            raise ValueError(f"turns: a multiple of 8 from 8 to 360, got {self.turns!r}")


def pieces(options: VacuumOptions) -> list[Piece]:
    """The layout at the room's size."""
    across, down = options.width / STANDARD[0], options.depth / STANDARD[1]
    found = []
    for written in LAYOUTS[options.room].replace(";", "\n").split("\n"):
        if written.strip():
            kind, x, y, width, depth = written.split()
            found.append(Piece(kind, float(x) * across, float(y) * down, float(width) * across, float(depth) * down))
    return found


def legs(table: Piece) -> list[Piece]:
    """A table's four legs."""
    return [
        Piece("leg", x, y, LEG, LEG)
        for y in (table.y, table.y + table.depth - LEG)
        for x in (table.x, table.x + table.width - LEG)
    ]


def floor_plan(options: VacuumOptions) -> Array:
    """[rows, columns] bool: where the floor is bare. Table legs are in the way, the table's top is not."""
    columns, rows = (round(size / CELL) for size in (options.width, options.depth))
    bare = np.ones((rows, columns), bool)
    for piece in pieces(options):
        if piece.kind in FLAT:
            continue
        for _, x, y, width, depth in legs(piece) if piece.kind == "table" else [piece]:
            left, top = (round(start / CELL) for start in (x, y))
            right = min(columns, max(left + 1, round((x + width) / CELL)))
            bottom = min(rows, max(top + 1, round((y + depth) / CELL)))
            shape = np.ones((bottom - top, right - left), bool)
            if piece.kind in ROUND:
                down, across = (2 * (np.arange(n) + 0.5) / n - 1 for n in shape.shape)
                shape = down[:, None] ** 2 + across**2 <= 1
            bare[top:bottom, left:right] &= ~shape
    return np.pad(bare, WALL)
