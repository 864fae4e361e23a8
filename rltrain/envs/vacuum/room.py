"""What the robot vacuum's compiled seconds look up, made once for a room.

The robot is a disc of 35 cm. `free` says in which cells its centre may be: where the disc touches neither wall nor
furniture, in the largest part of the room that hangs together. `dusty` is the floor that the disc can cover from there;
dust lies nowhere else, so all of it can be picked up. All tables are shared by all robots and never change.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from scipy import ndimage

from rltrain.core import Array
from rltrain.envs.vacuum import physics
from rltrain.envs.vacuum.layouts import VacuumOptions, floor_plan
from rltrain.envs.vacuum.units import LOOKS, RADIUS, SIGHT


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
def build(options: VacuumOptions) -> Room:
    """The room and its tables, some tenths of a second; ValueError if no robot fits in."""
    floor = floor_plan(options)
    columns = floor.shape[1]
    offsets = _disc()
    shape = np.zeros((7, 7), bool)
    shape[tuple(offsets.T + 3)] = True
    parts, number = ndimage.label(ndimage.binary_erosion(floor, shape))
    if number == 0:
        raise ValueError(f"room: {options.room} of {options.width:g} x {options.depth:g} m has no place for the robot")
    free = parts == 1 + np.bincount(parts.ravel())[1:].argmax()
    dusty = ndimage.binary_dilation(free, shape)
    disc = offsets[:, 0] * columns + offsets[:, 1]
    fresh, num_fresh = _fresh(offsets, columns)
    angle = np.arange(options.turns) * 2 * np.pi / options.turns
    unit = np.stack([np.cos(angle), -np.sin(angle)], axis=1).round(12)  # exactly 0 along the walls
    places = np.rint(np.array(LOOKS)[None, :, None] * unit[:, None, :]).astype(np.int64)  # [K, 8, 2]
    way = np.zeros((floor.size, options.turns), np.uint8)
    physics.measure(free.ravel(), columns, unit, SIGHT, way)
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
