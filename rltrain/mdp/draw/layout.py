"""Where the states, actions and arrows of a small model stand on paper, so that nothing lies on anything.

States stand on a circle in their order, each action as a point beside its state, on the side where it leads. Where
there are few, every point's angle and every arrow's bend are then chosen one after the other, over and over, for the
least crowding: the sum over pieces of different arrows of exp(-distance^2).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rltrain.core import Array
from rltrain.mdp.model import Model

STATE = 0.55  # radius of a state
POINT = 0.07  # radius of an action
REACH = 1.45  # from a state's middle to its action's point
ANGLES, BENDS = 24, (-0.55, -0.3, -0.12, 0.12, 0.3, 0.55)
FEW = 24  # actions up to which the best places are looked for
TURNS = (0.0, 0.9, -0.9)  # of all points at first; the best end wins
ROUNDS = 3
PIECES = 33  # of an arrow
SAMPLES = 9  # of an arrow, where crowding is measured
WEIGHTS = np.array([0.2, 0.6, 1.0, 1.5, 2.2, 1.5, 1.0, 1.0, 1.3])  # of these: a label stands in the middle


@dataclass
class Layout:
    """Places [.., 2] on paper, y upwards."""

    state: Array  # [S, 2]
    point: Array  # [P, 2]
    stem: list[Array]  # [P] of [pieces, 2], from the state's edge to the action's point
    arrow: list[Array]  # [N] of [pieces, 2], from the action's point to the edge of the next state


def layout(model: Model) -> Layout:
    """The places of everything; the same for the same model."""
    count = model.num_states
    state = _circle(count, int(np.diff(model.first_pair).max(initial=1)))
    angle = _towards(model, state)
    bend = np.array([BENDS[4] if i % 2 else BENDS[1] for i in range(model.num_next)])
    loops = np.flatnonzero(np.repeat(model.pair_state, np.diff(model.first_next)) == model.next)
    bend[loops] = 0.3
    if model.num_pairs <= FEW and model.num_next <= 2 * FEW:
        turns = TURNS if model.num_pairs <= FEW // 3 else TURNS[:1]
        tries = [_improved(model, state, angle, turn, bend) for turn in turns]
        _, angle, bend = min(tries, key=lambda found: found[0])
    point = _points(model, state, angle)
    pair_of = np.repeat(np.arange(model.num_pairs), np.diff(model.first_next)).tolist()
    arrow = [_arrow(model, state, point, angle, bend, i, pair_of[i]) for i in range(model.num_next)]
    stem = [_stem(state[s], point[pair]) for pair, s in enumerate(model.pair_state.tolist())]
    return Layout(state, point, stem, arrow)


def _circle(count: int, most: int) -> Array:
    if count == 1:
        return np.zeros((1, 2))
    if count == 2:
        return np.array([[0.0, 0.0], [5.2, 0.0]])
    gap = 4.6 if most <= 2 else 5.2 if count < 8 else 4.6  # between neighbours
    radius = gap / (2 * math.sin(math.pi / count))
    turn = math.pi * 7 / 6 if count == 3 else math.pi / 2  # a triangle stands on a side: s0 left, s1 above, s2 right
    angle = turn - 2 * math.pi * np.arange(count) / count
    return np.asarray(radius * np.stack([np.cos(angle), np.sin(angle)], axis=1))


def _towards(model: Model, state: Array) -> Array:
    """[P] the angle of each point: where the action leads, outwards if nowhere; neighbours kept apart."""
    angle = np.zeros(model.num_pairs)
    for s in range(model.num_states):
        pairs = list(model.pairs(s))
        outward = state[s] if np.abs(state[s]).max() > 1e-9 else np.array([0.0, 1.0])
        wanted = []
        for pair in pairs:
            span = model.successors(pair)
            away = model.next[span] != s
            lead = (model.prob[span][away, None] * (state[model.next[span][away]] - state[s])).sum(axis=0)
            lead = lead if np.hypot(*lead) > 1e-6 else outward
            wanted.append(math.atan2(lead[1], lead[0]))
        angle[pairs] = _apart(np.array(wanted))
    return angle


def _apart(wanted: Array) -> Array:
    """Angles near the wanted ones, at least 2 pi / (n + 1), and never more than a right angle over two, apart."""
    count = len(wanted)
    if count < 2:
        return wanted
    least = min(math.pi / 3, 2 * math.pi / (count + 0.5))
    angle: Array = wanted + 1e-3 * np.arange(count)
    for _ in range(200):
        order = np.argsort(angle % (2 * math.pi), kind="stable")
        moved = False
        for one, two in zip(order, np.roll(order, -1), strict=True):
            gap = (angle[two] - angle[one]) % (2 * math.pi)
            if gap < least - 1e-6:
                push = (least - gap) / 2
                angle[one] -= push
                angle[two] += push
                moved = True
        if not moved:
            break
    return angle


def _points(model: Model, state: Array, angle: Array) -> Array:
    return np.asarray(state[model.pair_state] + REACH * np.stack([np.cos(angle), np.sin(angle)], axis=1))


def _stem(middle: Array, point: Array) -> Array:
    way = (point - middle) / np.hypot(*(point - middle))
    return np.stack([middle + STATE * way, point])


def _bezier(*knots: Array) -> Array:
    """[pieces, 2] the Bezier curve of 3 or 4 knots."""
    t = np.linspace(0, 1, PIECES)[:, None]
    while len(knots) > 1:
        knots = tuple((1 - t) * one + t * two for one, two in itertools.pairwise(knots))
    return np.asarray(knots[0])


def _arrow(model: Model, state: Array, point: Array, angle: Array, bend: Array, number: int, pair: int) -> Array:
    """One arrow, cut off at the edge of the state that it enters."""
    target = int(model.next[number])
    begin, end = point[pair], state[target]
    if target == int(model.pair_state[pair]):
        side = math.copysign(1.0, bend[number])
        wide = 0.35 + abs(bend[number])
        out = np.array([math.cos(angle[pair]), math.sin(angle[pair])])
        across = side * np.array([-out[1], out[0]])
        land = angle[pair] + side * (0.55 + 0.9 * wide)
        at = end + STATE * np.array([math.cos(land), math.sin(land)])
        off = at + 0.85 * np.array([math.cos(land), math.sin(land)])
        return _bezier(begin, begin + 0.55 * out + 0.75 * wide * across, off + 0.25 * across, at)
    way = end - begin
    across = np.array([-way[1], way[0]])
    curve = _bezier(begin, (begin + end) / 2 + bend[number] * across, end)
    inside = np.hypot(*(curve - end).T) < STATE
    first = int(np.argmax(inside))
    if not inside[first] or first == 0:
        return curve
    before, after = curve[first - 1] - end, curve[first] - end
    low, high = 0.0, 1.0
    for _ in range(30):  # where it crosses the edge
        middle = (low + high) / 2
        if np.hypot(*(before + middle * (after - before))) < STATE:
            high = middle
        else:
            low = middle
    return np.concatenate([curve[:first], [end + before + low * (after - before)]])


def _improved(model: Model, state: Array, wanted: Array, turned: float, bend: Array) -> tuple[float, Array, Array]:
    """Each point's angle and each arrow's bend in turn, where the drawing is least crowded; and how crowded it is."""
    turns = 2 * math.pi * np.arange(ANGLES) / ANGLES
    angle, bend = wanted + turned, bend.copy()
    point = _points(model, state, angle)
    lines = np.zeros((model.num_next + model.num_pairs, SAMPLES, 2))

    def trace(pair: int, arrows: Sequence[int]) -> None:
        for number in arrows:
            curve = _arrow(model, state, point, angle, bend, number, pair)
            lines[number] = curve[np.linspace(0, len(curve) - 1, SAMPLES).astype(int)]

    def turn(pair: int) -> None:
        point[pair] = state[owner[pair]] + REACH * np.array([math.cos(angle[pair]), math.sin(angle[pair])])
        stem = _stem(state[owner[pair]], point[pair])
        lines[model.num_next + pair] = stem[0] + np.linspace(0, 1, SAMPLES)[:, None] * (stem[1] - stem[0])
        trace(pair, range(model.num_next)[model.successors(pair)])

    def cost(pair: int, chosen: list[int]) -> float:
        """What the chosen lines add; the rest is the same whatever is tried."""
        strain = 0.35 * float(1 - np.cos(angle[pair] - wanted[pair]))
        strain += 0.6 * float((bend[model.successors(pair)] ** 2).sum())
        return _crowding(lines, np.array(chosen), weight, state, ease) + strain

    weight, ease = _weights(model)
    owner = model.pair_state.tolist()
    pair_of = np.repeat(np.arange(model.num_pairs), np.diff(model.first_next)).tolist()
    for pair in range(model.num_pairs):
        turn(pair)
    arrows = [list(range(model.num_next)[model.successors(pair)]) for pair in range(model.num_pairs)]
    moves = [(angle, pair, turns, [*arrows[pair], model.num_next + pair]) for pair in range(model.num_pairs)]
    moves += [(bend, number, np.array(BENDS), [number]) for number in range(model.num_next)]
    for _ in range(ROUNDS):
        changed = False
        for values, place, choices, chosen in moves:
            pair = place if values is angle else pair_of[place]
            kept = float(values[place])
            best = cost(pair, chosen)
            for choice in [*choices.tolist(), None]:
                values[place] = kept if choice is None else choice
                if values is angle:
                    turn(place)
                else:
                    trace(pair, [place])
                if choice is not None and (found := cost(pair, chosen)) < best - 1e-9:
                    best, kept, changed = found, choice, True
        if not changed:
            break
    every = range(model.num_pairs)
    whole = sum(cost(pair, [*arrows[pair], model.num_next + pair]) for pair in every)
    return whole, angle, bend


def _weights(model: Model) -> tuple[Array, Array]:
    """[lines, samples] how much each sample wants room, and [lines, samples, S] how much a state minds it."""
    arrows, count = model.num_next, model.num_next + model.num_pairs
    weight = np.tile(WEIGHTS, (count, 1))
    weight[arrows:] = np.linspace(0.3, 1.5, SAMPLES)  # a stem, which ends in a point
    ease = np.ones((count, SAMPLES, model.num_states))
    ease[np.arange(arrows), -2:, model.next] = 0.1  # an arrow touches the state that it enters
    own = np.repeat(model.pair_state, np.diff(model.first_next))
    loops = np.flatnonzero(own == model.next)
    ease[loops, :, model.next[loops]] = 0.15
    ease[np.arange(arrows, count), :, model.pair_state] = 0.1
    return weight, ease


def _crowding(lines: Array, chosen: Array, weight: Array, state: Array, ease: Array) -> float:
    """How near the chosen lines are to what they have nothing to do with, and how often they cross others."""
    at, every = lines[chosen].reshape(-1, 2), lines.reshape(-1, 2)
    far = ((at[:, None] - every[None]) ** 2).sum(axis=-1)
    near = np.exp(-far / 0.22) * np.outer(weight[chosen].ravel(), weight.ravel())
    other = np.repeat(chosen, SAMPLES)[:, None] != np.repeat(np.arange(len(lines)), SAMPLES)[None]
    circle = np.sqrt(((at[:, None] - state[None]) ** 2).sum(axis=-1))
    pressed = np.exp(-np.maximum(circle - STATE, 0) / 0.15) * weight[chosen].ravel()[:, None]
    pressed = pressed * ease[chosen].reshape(-1, len(state))
    return float((near * other).sum()) + 6 * float(pressed.sum()) + 3 * _crossings(lines, chosen)


def _crossings(lines: Array, chosen: Array) -> int:
    """How often the chosen of the lines [n, samples, 2] cross others, away from their ends."""
    begin, way = lines[:, :-1].reshape(-1, 2), np.diff(lines, axis=1).reshape(-1, 2)
    mine, ours = lines[chosen, :-1].reshape(-1, 2), np.diff(lines[chosen], axis=1).reshape(-1, 2)
    over = begin[None] - mine[:, None]  # [i, j] from segment i to segment j
    det = ours[:, None, 0] * way[None, :, 1] - ours[:, None, 1] * way[None, :, 0]
    with np.errstate(divide="ignore", invalid="ignore"):
        along = (over[..., 0] * way[None, :, 1] - over[..., 1] * way[None, :, 0]) / det
        across = (over[..., 0] * ours[:, None, 1] - over[..., 1] * ours[:, None, 0]) / det
    edge = 1e-6
    hit = (along > edge) & (along < 1 - edge) & (across > edge) & (across < 1 - edge)
    return int(hit.sum())
