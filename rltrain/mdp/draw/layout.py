"""Where the states, actions and arrows of a small model stand on paper, so that nothing lies on anything.

States stand on a circle in their order, each action as a point beside its state, on the side where it leads. Where
there are few, each point's angle and each arrow's bend are then chosen in turn, for the least crowding: the sum of
exp(-distance^2 / 0.22) over samples of different lines, and of exp(-distance / 0.08) from the edges of states.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np

from rltrain.core import Array
from rltrain.mdp.model import Model

STATE = 0.55  # radius of a state
POINT = 0.07  # radius of an action
REACH = 1.45  # from a state's middle to its action's point
ANGLES = 2 * np.pi * np.arange(24) / 24
BENDS = np.array([-0.55, -0.3, -0.12, 0.12, 0.3, 0.55])  # of an arrow: how far its middle is off, a unit of its length
FEW = 24  # actions up to which the best places are looked for
FEWER = 8  # up to which they are looked for from several beginnings: all points turned so far
TURNS = (0.0, 0.9, -0.9)
ROUNDS = 3
CROSSING, COVERING = 9.0, 12.0  # what a crossing counts, and a piece on a state
PIECES = 33  # of an arrow
SAMPLES = (np.linspace(0, 1, 12) ** 1.4 * (PIECES - 1)).astype(int)  # where crowding is measured, more of the start
ROOM = np.interp(SAMPLES, [0, 6, 13, 26, 32], [0.2, 0.8, 2.0, 1.0, 1.2])  # that they want: a label stands in the middle


@dataclass
class Layout:
    """Places [.., 2] on paper, y upwards."""

    state: Array  # [S, 2]
    point: Array  # [P, 2]
    stem: list[Array]  # [P] of [pieces, 2], from the state's edge to the action's point
    arrow: list[Array]  # [N] of [pieces, 2], from the action's point to the edge of the next state


def layout(model: Model) -> Layout:
    """The places of everything; the same for the same model."""
    state = _circle(model.num_states, int(np.diff(model.first_pair).max(initial=1)))
    angle = _towards(model, state)  # [P]
    bend = np.where(np.arange(model.num_next) % 2, 0.3, -0.3)  # [N]
    bend[np.repeat(model.pair_state, np.diff(model.first_next)) == model.next] = 0.3
    if model.num_pairs <= FEW and model.num_next <= 2 * FEW:
        turns = TURNS if model.num_pairs <= FEWER else TURNS[:1]
        tries = [_improved(model, state, angle, turn, bend) for turn in turns]
        _, angle, bend = min(tries, key=lambda found: found[0])
    drawn = [_lines(model, state, pair, angle, bend) for pair in range(model.num_pairs)]
    stem = [lines[0] for lines in drawn]
    point = np.array([line[-1] for line in stem]).reshape(-1, 2)
    return Layout(state, point, stem, [line for lines in drawn for line in lines[1:]])


def _circle(count: int, most: int) -> Array:
    """[S, 2] the states; `most` is the number of actions that one of them has."""
    if count == 1:
        return np.zeros((1, 2))
    if count == 2:
        return np.array([[0.0, 0.0], [5.2, 0.0]])
    gap = 5.2 if most > 2 and count < 8 else 4.6  # between neighbours
    turn = math.pi * 7 / 6 if count == 3 else math.pi / 2  # a triangle stands on a side: s0 left, s1 above, s2 right
    return gap / (2 * math.sin(math.pi / count)) * _way(turn - 2 * math.pi * np.arange(count) / count)


def _way(angle: Array | float) -> Array:
    """[.., 2] one step in the direction of an angle."""
    return np.stack([np.cos(angle), np.sin(angle)], axis=-1)


def _towards(model: Model, state: Array) -> Array:
    """[P] the angle of each point: where the action leads, outwards if nowhere; neighbours kept apart."""
    angle = np.zeros(model.num_pairs)
    for s in range(model.num_states):
        pairs = list(model.pairs(s))
        outward = state[s] if np.abs(state[s]).max() > 1e-9 else np.array([0.0, 1.0])
        for pair in pairs:
            span = model.successors(pair)
            lead = model.prob[span] @ (state[model.next[span]] - state[s])
            angle[pair] = np.arctan2(*(lead if np.hypot(*lead) > 1e-6 else outward)[::-1])
        angle[pairs] = _apart(angle[pairs])
    return angle


def _apart(wanted: Array) -> Array:
    """Angles near the wanted ones, in their order, no two nearer than a sixth of the circle or their share of it."""
    count = len(wanted)
    if count < 2:
        return wanted
    order = np.argsort(wanted % (2 * math.pi), kind="stable")
    turned = wanted[order] % (2 * math.pi)
    widest = int(np.argmax(np.diff(turned, append=turned[0] + 2 * math.pi)))
    order = np.roll(order, -widest - 1)  # the widest gap is left open
    near = np.unwrap(wanted[order])
    least = min(math.pi / 3, 2 * math.pi / (count + 0.5)) * np.arange(count)
    spread = np.maximum.accumulate(near - least) + least
    angle = np.empty(count)
    angle[order] = spread - (spread - near).mean()
    return angle


def _lines(model: Model, state: Array, pair: int, angle: Array, bend: Array) -> list[Array]:
    """Of an action: the stem [2, 2], then its arrows [pieces, 2], cut off at the edges of the states they enter."""
    own = int(model.pair_state[pair])
    out = _way(float(angle[pair]))
    point = state[own] + REACH * out
    found = [np.stack([state[own] + STATE * out, point])]
    span = model.successors(pair)
    for target, bent in zip(model.next[span].tolist(), bend[span].tolist(), strict=True):
        if target == own:
            found.append(_loop(point, state[own], float(angle[pair]), bent))
            continue
        way = state[target] - point
        middle = point + way / 2 + bent * np.array([-way[1], way[0]])
        found.append(_cut(_bezier(point, middle, state[target]), state[target]))
    return found


def _loop(point: Array, middle: Array, angle: float, bent: float) -> Array:
    """From an action's point back to its own state, on the side of the sign of `bent`."""
    side, wide = math.copysign(1.0, bent), 0.35 + abs(bent)
    out, land = _way(angle), _way(angle + side * (0.55 + 0.9 * wide))
    across = side * np.array([-out[1], out[0]])
    edge = middle + STATE * land
    return _bezier(point, point + 0.55 * out + 0.75 * wide * across, edge + 0.85 * land + 0.25 * across, edge)


def _bezier(*knots: Array) -> Array:
    """[pieces, 2] the Bezier curve of 3 or 4 knots."""
    t = np.linspace(0, 1, PIECES)[:, None]
    while len(knots) > 1:
        knots = tuple((1 - t) * one + t * two for one, two in itertools.pairwise(knots))
    return np.asarray(knots[0])


def _cut(curve: Array, middle: Array) -> Array:
    """A curve into a state's middle as far as the state's edge."""
    far = np.hypot(*(curve - middle).T)
    first = max(int(np.argmax(far < STATE)), 1)
    share = (far[first - 1] - STATE) / (far[first - 1] - far[first])
    edge = curve[first - 1] + share * (curve[first] - curve[first - 1]) - middle
    curve = np.concatenate([curve[:first], [middle + edge * STATE / np.hypot(*edge)]])
    return np.asarray(curve[np.linspace(0, first, PIECES).astype(int)])


def _improved(model: Model, state: Array, wanted: Array, turn: float, bend: Array) -> tuple[float, Array, Array]:
    """How crowded the drawing is at the end, each point's angle [P] and each arrow's bend [N], set in turn."""
    angle, bend = wanted + turn, bend.copy()
    spans = [model.successors(pair) for pair in range(model.num_pairs)]

    def sampled(pair: int) -> Array:
        stem, *arrows = _lines(model, state, pair, angle, bend)
        return np.stack([np.linspace(stem[0], stem[1], PIECES), *arrows])

    def others(pair: int) -> Array:
        return np.concatenate([drawn[pair][:0], *drawn[:pair], *drawn[pair + 1 :]])[:, SAMPLES]

    def cost(pair: int, lines: Array, around: Array) -> float:
        strain = 0.35 * float(1 - np.cos(angle[pair] - wanted[pair])) + 0.6 * float((bend[spans[pair]] ** 2).sum())
        return strain + _crowding(lines, around, state)

    drawn = [sampled(pair) for pair in range(model.num_pairs)]
    for _, pair in itertools.product(range(ROUNDS), range(model.num_pairs)):
        numbers, around = range(model.num_next)[spans[pair]], others(pair)
        for values, place, choices in [(angle, pair, ANGLES), *((bend, number, BENDS) for number in numbers)]:
            tried = []
            options = [float(values[place]), *choices.tolist()]  # of equals the first, which is the one it has
            for option in options:
                values[place] = option
                tried.append(cost(pair, sampled(pair), around))
            values[place] = options[tried.index(min(tried))]
        drawn[pair] = sampled(pair)
    return sum(cost(pair, lines, others(pair)) for pair, lines in enumerate(drawn)), angle, bend


def _crowding(mine: Array, others: Array, state: Array) -> float:
    """How near lines [K, pieces, 2] are to each other, to others [M, samples, 2] and to states; more for a crossing."""
    sampled, count = mine[:, SAMPLES], len(mine)
    around = np.concatenate([sampled, others])
    far = ((sampled[:, None, :, None] - around[:, None]) ** 2).sum(axis=-1)  # [K, K + M, samples, samples]
    near = np.exp(-far / 0.22) @ ROOM @ ROOM  # [K, K + M]
    near[range(count), range(count)] = 0.0
    edge = np.hypot(*(mine[:, :, None] - state).transpose(3, 0, 1, 2)) - STATE
    covered = float(np.exp(-np.maximum(edge, 0) / 0.08).sum())
    return float(near.sum()) + CROSSING * crossings(sampled, around) + COVERING * covered


def crossings(lines: Array, others: Array) -> int:
    """How often lines [K, samples, 2] cross others [M, samples, 2], touching ends not counted."""
    return int((_parted(lines, others) & _parted(others, lines).transpose(2, 3, 0, 1)).sum())


def _parted(lines: Array, others: Array) -> Array:
    """[K, segments, M, segments] whether the ends of another's segment lie on two sides of a segment's line."""
    way = np.diff(lines, axis=1)
    left = np.stack([-way[..., 1], way[..., 0]], axis=-1)
    side = np.tensordot(left, others, (2, 2)) - (left * lines[:, :-1]).sum(axis=-1)[:, :, None, None]
    return np.asarray(side[..., :-1] * side[..., 1:] < -1e-12)
