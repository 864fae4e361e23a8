"""The robot vacuum's second in compiled code, for many robots side by side; compiled once and kept in a cache.

    forward   up to SPEED times: one cell along the heading, if the centre may be there; else it has bumped and stands
    turn      the heading changes, the place does not

What comes under the disc is in the bag. Places are in cells, columns to the right and rows down. Dust is whole
milligrams, so none is lost to rounding. Only the opening of an episode is random: each robot has an integer of its own,
a SplitMix64 stream (`mdp.learn.sampling`), so none depends on another.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit

from rltrain.core import Array
from rltrain.envs.vacuum.units import SIGHT, SPEED, TOTAL
from rltrain.mdp.learn.sampling import borrowed, inlined, mix
from rltrain.mdp.splitmix import GOLDEN, S32

CHARGE = 1800  # seconds of a full battery
FULL = 4.0  # times the room's mean dust: where the dust sensors end
HEAPS = 8
UNIT = 2.0**-53
S11 = np.uint64(11)


class RobotState(NamedTuple):
    """N robots: all that changes in them."""

    dust: Array  # [N, C] uint16, mg
    place: Array  # [N, 2] float64, column and row of the centre
    heading: Array  # [N] int64, in turns of 360 / K degrees, to the left; 0 looks to the right
    age: Array  # [N] int64, seconds since the episode began
    picked: Array  # [N] int64, mg in the bag


@inlined
def below(draw: Any, count: Any) -> Any:
    """0 <= int64 < count of a uint64."""
    return np.int64(((draw >> S32) * np.uint64(count)) >> S32)


@inlined
def fraction(draw: Any) -> Any:
    """0 <= float64 < 1 of a uint64."""
    return np.float64(draw >> S11) * UNIT


@borrowed
def begin(room: Any, robots: Any, opens: Any, seeds: Any, uneven: Any, density: Any) -> None:
    """Open an episode where opens [N] is true, each from its seeds [N] uint64. density [C] is scratch."""
    for robot in range(len(opens)):
        if not opens[robot]:
            continue
        z = seeds[robot] + GOLDEN
        start = room.starts[below(mix(z), len(room.starts))]
        robots.place[robot, 0] = start % room.columns + 0.5
        robots.place[robot, 1] = start // room.columns + 0.5
        z += GOLDEN
        robots.heading[robot] = below(mix(z), len(room.unit))
        robots.age[robot] = 0
        robots.picked[robot] = 0
        density[:] = 0.0
        for i in range(len(room.dusty)):
            density[room.dusty[i]] = 1.0
        if uneven:
            z = heap_up(room, density, z)
        for i in range(len(room.disc)):
            density[start + room.disc[i]] = 0.0  # no dust lies under the robot when it starts
        scatter(room, density, robots.dust[robot], z)


@borrowed
def heap_up(room: Any, density: Any, z: Any) -> Any:
    """Add heaps to density [C]: height (1 - (distance / radius)^2)^2, radius 0.4 to 1.6 m. The stream moves on to z."""
    columns, rows = room.columns, len(density) // room.columns
    for _ in range(HEAPS):
        z += GOLDEN
        centre = room.dusty[below(mix(z), len(room.dusty))]
        z += GOLDEN
        radius = 8.0 + 24.0 * fraction(mix(z))
        z += GOLDEN
        height = 2.0 + 6.0 * fraction(mix(z))
        x, y, reach = centre % columns, centre // columns, np.int64(radius)
        for row in range(max(0, y - reach), min(rows, y + reach + 1)):
            for column in range(max(0, x - reach), min(columns, x + reach + 1)):
                inside = 1.0 - ((row - y) * (row - y) + (column - x) * (column - x)) / (radius * radius)
                cell = row * columns + column
                if inside > 0.0 and density[cell] > 0.0:
                    density[cell] += height * inside * inside
    return z


@borrowed
def scatter(room: Any, density: Any, dust: Any, z: Any) -> None:
    """Spread TOTAL milligrams over dust [C] in proportion to density [C], rounded at random, to the milligram."""
    whole = 0.0
    for i in range(len(room.dusty)):
        whole += density[room.dusty[i]]
    dust[:] = 0
    spread: Any = 0
    for i in range(len(room.dusty)):
        cell = room.dusty[i]
        z += GOLDEN
        amount = np.int64(density[cell] / whole * TOTAL + fraction(mix(z)))
        dust[cell] = amount
        spread += amount
    while spread != TOTAL:
        z += GOLDEN
        cell = room.dusty[below(mix(z), len(room.dusty))]
        if spread < TOTAL and density[cell] > 0.0:
            dust[cell] += 1
            spread += 1
        elif spread > TOTAL and dust[cell] > 0:
            dust[cell] -= 1
            spread -= 1


@borrowed
def drive(room: Any, robots: Any, first: Any, action: Any, reward: Any, obs: Any) -> None:
    """One second of every robot but those whose episode just began (first [N]); action [N] int64.

    Fills reward [N] float32, grams, and obs [N, 16] float32.
    """
    turns = len(room.unit)
    for robot in range(len(action)):
        bumped, got = False, 0
        if not first[robot]:
            robots.age[robot] += 1
            if action[robot] == 0:
                bumped, got = forward(room, robots, robot)
            else:
                robots.heading[robot] = (robots.heading[robot] + action[robot] + turns // 2) % turns
        robots.picked[robot] += got
        reward[robot] = got * 1e-3
        look(room, robots, robot, bumped, got, obs[robot])


@inlined
def forward(room: Any, robots: Any, robot: Any) -> Any:
    """Whether the robot bumped, and the milligrams that it picked up."""
    x, y = robots.place[robot, 0], robots.place[robot, 1]
    column, row = np.int64(x), np.int64(y)
    dx, dy = room.unit[robots.heading[robot], 0], room.unit[robots.heading[robot], 1]
    bumped, got = False, 0
    for _ in range(SPEED):
        to_column, to_row = np.int64(x + dx), np.int64(y + dy)
        cell = to_row * room.columns + to_column
        if not room.free[cell]:
            bumped = True
            break
        x, y = x + dx, y + dy
        move = 3 * (to_row - row + 1) + to_column - column + 1
        for i in range(room.num_fresh[move]):
            under = cell + room.fresh[move, i]
            got += robots.dust[robot, under]
            robots.dust[robot, under] = 0
        column, row = to_column, to_row
    robots.place[robot, 0], robots.place[robot, 1] = x, y
    return bumped, got


@inlined
def look(room: Any, robots: Any, robot: Any, bumped: Any, got: Any, obs: Any) -> None:
    """Fill obs [16] float32: what `vacuum` documents."""
    turns, heading = len(room.unit), robots.heading[robot]
    most = FULL * TOTAL / len(room.dusty)  # mg in a cell
    obs[0] = 1.0 if bumped else 0.0
    obs[1] = min(1.0, got / (28 * most))  # 4 cells forward, 7 wide
    obs[2] = max(0.0, 1.0 - robots.age[robot] * (1.0 / CHARGE))
    obs[3] = robots.picked[robot] / TOTAL
    obs[4] = room.unit[heading, 0]
    obs[5] = -room.unit[heading, 1]
    cell = np.int64(robots.place[robot, 1]) * room.columns + np.int64(robots.place[robot, 0])
    scale = 1.0 / (room.ahead.shape[1] * most)
    along = heading + 3 * (turns // 8)
    for beam in range(5):
        along -= turns // 8
        if along >= turns:
            along -= turns
        elif along < 0:
            along += turns
        way = np.int64(room.way[cell, along])
        obs[6 + beam] = way * (1.0 / SIGHT)
        seen = 0
        for i in range(room.ahead.shape[1]):
            if 2 * i > way:  # a look at 4 + 2 i cells: behind what is in the way
                break
            seen += robots.dust[robot, cell + room.ahead[along, i]]
        obs[11 + beam] = min(1.0, seen * scale)


@njit(cache=True, nogil=True)
def measure(free: Any, columns: Any, unit: Any, sight: Any, way: Any) -> None:
    """Fill way [C, K] uint8: steps of one cell along a heading, from the middle of a free cell, before one is not."""
    for cell in range(len(free)):
        if not free[cell]:
            continue
        for heading in range(len(unit)):
            dx, dy = unit[heading, 0], unit[heading, 1]
            x, y = cell % columns + 0.5, cell // columns + 0.5
            steps = 0
            while steps < sight and free[np.int64(y + dy) * columns + np.int64(x + dx)]:
                x, y = x + dx, y + dy
                steps += 1
            way[cell, heading] = steps
