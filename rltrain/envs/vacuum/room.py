"""The rooms that the robot vacuum cleans: walls and furniture on a grid of 5 cm, and what follows from them.

The robot is a disc of 35 cm. `free` says in which cells its centre may be: where the disc touches neither wall nor
furniture, in the largest part of the room that hangs together. `dusty` is the floor that the disc can cover from there;
dust lies nowhere else, so all of it can be picked up. All tables are shared by all robots and never change.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from rltrain.core import Array
from rltrain.spelling import did_you_mean

CELL = 0.05  # m
RADIUS = 3.5  # of the robot, in cells
SPEED = 4  # cells a second: 0.2 m
WALL = 2  # thickness of the outer walls, in cells: a beam of dust never looks past them
SIGHT = 80  # cells: how far the robot sees the way, 4 m
LOOKS = (4, 6, 8, 10, 12, 14, 16, 18)  # cells from its centre where it looks for dust; the disc ends at 3.5
BEAMS = (90, 45, 0, -45, -90)  # degrees from its heading, to the left first

STANDARD = (8.0, 6.0)  # m, the size for which the layouts are written; at another size they are stretched
TOTAL = 100_000  # mg of dust in every room
SIZES = (2.0, 16.0)  # m, the least and the greatest width and depth
DUSTS = ("uneven", "even")


class Piece(NamedTuple):
    """One thing that stands in the room, in metres from the top left corner of the floor."""

    kind: str
    x: float
    y: float
    width: float
    depth: float


ROUND = ("plant", "pillar", "lamp")
FLAT = ("rug",)  # lies on the floor and is in nobody's way
LAYOUTS: dict[str, tuple[Piece, ...]] = {
    "living": (
        Piece("rug", 2.0, 1.2, 2.8, 1.7),
        Piece("sofa", 2.2, 0.0, 2.4, 0.9),
        Piece("board", 2.8, 1.75, 1.2, 0.6),
        Piece("armchair", 0.0, 1.5, 0.9, 0.9),
        Piece("shelf", 7.6, 1.7, 0.4, 2.4),
        Piece("table", 4.7, 3.5, 1.8, 1.0),
        Piece("shelf", 1.4, 5.6, 2.2, 0.4),
        Piece("plant", 7.25, 0.2, 0.55, 0.55),
        Piece("lamp", 0.1, 5.55, 0.35, 0.35),
    ),
    "flat": (
        Piece("wall", 4.6, 0.0, 0.1, 2.2),
        Piece("wall", 4.6, 3.2, 0.1, 2.8),
        Piece("wall", 0.0, 3.3, 3.2, 0.1),
        Piece("wall", 4.2, 3.3, 0.4, 0.1),
        Piece("rug", 1.2, 0.5, 1.6, 2.1),
        Piece("bed", 0.0, 0.7, 2.1, 1.7),
        Piece("shelf", 2.8, 0.0, 1.8, 0.5),
        Piece("board", 0.0, 4.2, 0.8, 1.6),
        Piece("plant", 4.0, 5.4, 0.5, 0.5),
        Piece("shelf", 7.4, 0.0, 0.6, 2.6),
        Piece("table", 5.6, 2.9, 1.2, 1.0),
        Piece("sofa", 5.5, 5.1, 2.0, 0.9),
    ),
    "pillars": tuple(Piece("pillar", x, y, 0.5, 0.5) for y in (1.35, 4.15) for x in (1.25, 3.75, 6.25)),
    "empty": (),
}


@dataclass(frozen=True)
class Options:
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


class Room(NamedTuple):
    """What the compiled steps need. A cell is row * columns + column; C is their number, K that of the headings."""

    columns: int
    floor: Array  # [C] bool, neither wall nor furniture
    free: Array  # [C] bool, the robot's centre may be there
    dusty: Array  # [D] int64, the cells where dust may lie
    starts: Array  # [F] int64, the free cells
    disc: Array  # [37] int64, the cells under the robot, as offsets from its centre's
    fresh: (
        Array  # [9, 7] int64, offsets that come under it when its centre moves by (-1..1, -1..1): 3 (dy + 1) + dx + 1
    )
    num_fresh: Array  # [9] int64
    unit: Array  # [K, 2] float64, one cell along a heading: columns to the right, rows down
    ahead: Array  # [K, 8] int64, offsets of the cells where it looks for dust
    way: Array  # [C, K] uint8, the cells that it could move along a heading before it bumps; SIGHT at most


@lru_cache(maxsize=8)
def build(options: Options) -> Room:
    """The room and its tables, some tenths of a second; ValueError if no robot fits in."""
    from rltrain.envs.vacuum import kernels

    floor = floor_plan(options)
    columns = floor.shape[1]
    offsets = _disc()
    fits = _all_around(floor, offsets, outside=False)
    free = np.zeros_like(fits)
    if not fits.any():
        raise ValueError(f"room: {options.room} of {options.width:g} x {options.depth:g} m has no place for the robot")
    kernels.largest_part(fits, free)
    dusty = ~_all_around(~free, offsets, outside=True)
    disc = offsets[:, 0] * columns + offsets[:, 1]
    fresh, num_fresh = _fresh(offsets, columns)
    angle = np.arange(options.turns) * 2 * np.pi / options.turns
    unit = np.stack([np.cos(angle), -np.sin(angle)], axis=1).round(12)  # exactly 0 along the walls
    places = np.rint(np.array(LOOKS)[None, :, None] * unit[:, None, :]).astype(np.int64)  # [K, 8, 2]
    way = np.zeros((floor.size, options.turns), np.uint8)
    kernels.measure(free.ravel(), columns, unit, SIGHT, way)
    room = Room(
        columns,
        floor.ravel(),
        free.ravel(),
        np.flatnonzero(dusty),
        np.flatnonzero(free),
        disc,
        fresh,
        num_fresh,
        unit,
        places[:, :, 1] * columns + places[:, :, 0],
        way,
    )
    for table in room[1:]:
        table.setflags(write=False)
    return room


def floor_plan(options: Options) -> Array:
    """[rows, columns] bool: where the floor is bare. Table legs are in the way, the table's top is not."""
    columns, rows = (round(size / CELL) for size in (options.width, options.depth))
    bare = np.ones((rows, columns), bool)
    for piece in pieces(options):
        if piece.kind in FLAT:
            continue
        for x, y, width, depth in legs(piece) if piece.kind == "table" else [piece[1:]]:
            left, top = (round(start / CELL) for start in (x, y))
            right = min(columns, max(left + 1, round((x + width) / CELL)))
            bottom = min(rows, max(top + 1, round((y + depth) / CELL)))
            shape = np.ones((bottom - top, right - left), bool)
            if piece.kind in ROUND:
                down, across = (2 * (np.arange(n) + 0.5) / n - 1 for n in shape.shape)
                shape = down[:, None] ** 2 + across**2 <= 1
            bare[top:bottom, left:right] &= ~shape
    return np.pad(bare, WALL)


def pieces(options: Options) -> list[Piece]:
    """The layout at the room's size."""
    across, down = options.width / STANDARD[0], options.depth / STANDARD[1]
    return [
        Piece(kind, x * across, y * down, width * across, depth * down)
        for kind, x, y, width, depth in LAYOUTS[options.room]
    ]


def legs(table: Piece) -> list[tuple[float, float, float, float]]:
    """x, y, width and depth of a table's four legs, 10 cm thick."""
    thick = 0.1
    return [
        (x, y, thick, thick)
        for y in (table.y, table.y + table.depth - thick)
        for x in (table.x, table.x + table.width - thick)
    ]


def _disc() -> Array:
    """[37, 2] int64: rows and columns from the centre of the cells under the robot."""
    reach = np.arange(-int(RADIUS), int(RADIUS) + 1)
    down, across = np.meshgrid(reach, reach, indexing="ij")
    inside = down**2 + across**2 <= RADIUS**2
    return np.stack([down[inside], across[inside]], axis=1)


def _fresh(offsets: Array, columns: int) -> tuple[Array, Array]:
    """What comes under the robot by each of nine moves of its centre: cells of the disc that were not under it."""
    held = {(int(down), int(across)) for down, across in offsets}
    moves = [(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
    new = [[down * columns + across for down, across in sorted(held) if (down + dy, across + dx) not in held]
           for dy, dx in moves]  # fmt: skip
    count = np.array([len(cells) for cells in new])
    table = np.zeros((len(moves), int(count.max())), np.int64)
    for row, cells in zip(table, new, strict=True):
        row[: len(cells)] = cells
    return table, count


def _all_around(where: Array, offsets: Array, outside: bool) -> Array:
    """[rows, columns] bool: `where` is true in all cells of the disc around; beyond the grid it is `outside`."""
    rows, columns = where.shape
    reach = int(np.abs(offsets).max())
    padded = np.pad(where, reach, constant_values=outside)
    found = np.ones_like(where)
    for down, across in offsets + reach:
        found &= padded[down : down + rows, across : across + columns]
    return found


def turn_action(angle_degrees: float, turns: int = 72) -> int:
    """The action that turns by the nearest of the `turns` angles; the angle may be any number."""
    return int(turn_actions(np.asarray(angle_degrees), turns))


def turn_actions(angle_degrees: Array, turns: int = 72) -> Array:
    """The actions that turn by the nearest of the `turns` angles: int64, in the shape of the angles."""
    steps = np.rint(angle_degrees * turns / 360).astype(np.int64)
    actions: Array = (steps + turns // 2 - 1) % turns + 1
    return actions
