"""Models that are made rather than written: families of any size, by name.

garnet   random models: of each pair, `branching` successors drawn at random with random probabilities, and a
         reward uniform in [0, 1). Archibald, McKinnon, Thomas 1995
grid     side x side cells, -1 a step, to the corner opposite the start; with probability `slip` to a side
chain    left or right on a line, slipping back: the far end pays. Strens 2000
forest   grow or cut, with fires. Chades et al. 2014 (the example of MDPtoolbox)
gambler  stake money on a coin until you have nothing, or the goal. Sutton and Barto, example 4.3
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from rltrain.core import Array
from rltrain.errors import InputError
from rltrain.mdp import build
from rltrain.mdp.dense_rows import merged
from rltrain.mdp.model import Model, Names, Numbered

MAX_TRANSITIONS = 2_000_000_000
PIECE = 1 << 18  # pairs that are drawn and merged together
DIRECTIONS = ("up", "right", "down", "left")


class TableModel(NamedTuple):
    """A model of which some states' rows are made at a time, in the form of `mdp.dense_rows`."""

    states: Names
    actions: Names
    rows: Callable[[Array], tuple[Array, Array, Array]]
    discount: float | None
    name: str


def garnet(states: int, actions: int = 4, branching: int = 8, seed: int = 0, discount: float | None = None) -> Model:
    """Successors may be drawn twice; their probabilities are then added."""
    _at_least("states", states, 1)
    _at_least("actions", actions, 1)
    _at_least("branching", branching, 1)
    pairs = states * actions
    _not_too_many(pairs * branching)
    rng = np.random.default_rng(seed)
    following = rng.integers(0, states, (pairs, branching), dtype=np.int32)
    following.sort(1)
    prob = rng.exponential(size=(pairs, branching))
    prob /= prob.sum(1, keepdims=True)
    reward = rng.random(pairs)
    return _of_table(states, actions, following, prob, reward, None, discount, f"garnet-{states}")


def garnet_table(
    states: int, actions: int = 4, branching: int = 8, seed: int = 0, discount: float | None = None
) -> TableModel:
    """The numbers of `garnet`, drawn for some states after the others, each kind from where its own begin."""
    _at_least("states", states, 1)
    _at_least("actions", actions, 1)
    _at_least("branching", branching, 1)
    following, chances, rewards = (np.random.default_rng(seed) for _ in range(3))
    drawn = [PIECE] * (states * actions * branching // PIECE) + [states * actions * branching % PIECE]
    for size in drawn:
        chances.integers(0, states, size, dtype=np.int32)
    rewards.bit_generator.state = chances.bit_generator.state
    for size in drawn:
        rewards.exponential(size=size)

    def rows(asked: Array) -> tuple[Array, Array, Array]:  # asked in the order of the states
        pairs = len(asked) * actions
        columns = following.integers(0, states, (pairs, branching), dtype=np.int32)
        columns.sort(1)
        prob = chances.exponential(size=(pairs, branching))
        prob /= prob.sum(1, keepdims=True)
        shape = (len(asked), actions, branching)
        return columns.reshape(shape), prob.reshape(shape), rewards.random(pairs).reshape(shape[:2])

    return TableModel(Numbered(states), Numbered(actions), rows, discount, f"garnet-{states}")


def grid(side: int, slip: float = 0.2, discount: float | None = None) -> Model:
    """The corner with the goal is terminal; walls bounce; `slip` is shared by the two sides."""
    _check_grid(side, slip)
    cells = side * side
    _not_too_many(cells * 12)
    following, prob = _moves(np.arange(cells - 1), side, slip)  # the last one is the goal
    order = np.argsort(following, axis=2, kind="stable")
    columns = np.take_along_axis(following, order, 2).reshape(-1, 3)
    chances = np.take_along_axis(prob, order, 2).reshape(-1, 3)
    ends = np.zeros(cells, dtype=bool)
    ends[-1] = True
    model = _of_table(cells, 4, columns, chances, -np.ones(len(chances)), ends, discount, f"grid-{side}")
    return _named(model, actions=DIRECTIONS)


def grid_table(side: int, slip: float = 0.2, discount: float | None = None) -> TableModel:
    """The rows of `grid`, made for some cells after the others."""
    _check_grid(side, slip)

    def rows(cell: Array) -> tuple[Array, Array, Array]:
        following, prob = _moves(cell, side, slip)
        prob[cell == side * side - 1] = 0.0
        return following, prob, np.full(prob.shape[:2], -1.0)

    return TableModel(Numbered(side * side), DIRECTIONS, rows, discount, f"grid-{side}")


def _check_grid(side: int, slip: float) -> None:
    _at_least("side", side, 2)
    if not 0 <= slip <= 1:
        raise InputError(f"slip: must be from 0 to 1, got {slip!r}")


def _moves(cell: Array, side: int, slip: float) -> tuple[Array, Array]:
    """Where each direction leads from some cells [n], and with which probability: [n, 4, 3] int32, [n, 4, 3]."""
    row, column = cell // side, cell % side
    moves = [(-1, 0), (0, 1), (1, 0), (0, -1)]
    to = [np.clip(row + r, 0, side - 1) * side + np.clip(column + c, 0, side - 1) for r, c in moves]
    following = np.empty((len(cell), 4, 3), np.int32)
    prob = np.empty((len(cell), 4, 3))
    for action in range(4):
        for place, (direction, chance) in enumerate(
            ((action, 1 - slip), ((action + 1) % 4, slip / 2), ((action + 3) % 4, slip / 2))
        ):
            following[:, action, place], prob[:, action, place] = to[direction], chance
    return following, prob


def chain(states: int = 5, slip: float = 0.2, discount: float | None = None) -> Model:
    """`forward` leads on, and at the far end pays 10; `back` leads to the first state and pays 2. Either may slip."""
    _at_least("states", states, 2)
    s = np.repeat(np.arange(states), 4)
    forward = np.minimum(s + 1, states - 1)
    action = np.tile([0, 0, 1, 1], states)
    back = np.tile([False, True, True, False], states)
    following = np.where(back, 0, forward)
    prob = np.tile([1 - slip, slip, 1 - slip, slip], states)
    reward = np.where(back, 2.0, np.where(s == states - 1, 10.0, 0.0))
    start = np.eye(1, states)[0]
    return build.from_transitions(
        Numbered(states), ("forward", "back"), s, action, following, prob, reward,
        start=start, discount=discount, name=f"chain-{states}",
    )  # fmt: skip


def forest(states: int = 3, fire: float = 0.1, discount: float | None = None) -> Model:
    """`wait`: a year older, unless it burns; the oldest pays 4. `cut`: pays 1, of the oldest 2."""
    _at_least("states", states, 2)
    old = states - 1
    age = np.arange(states)
    s = np.concatenate((age, age, age))
    action = np.concatenate((np.zeros(2 * states, dtype=int), np.ones(states, dtype=int)))
    following = np.concatenate((np.zeros(states, dtype=int), np.minimum(age + 1, old), np.zeros(states, dtype=int)))
    prob = np.concatenate((np.full(states, fire), np.full(states, 1 - fire), np.ones(states)))
    wait = np.where(age == old, 4.0, 0.0)
    cut = np.where(age == old, 2.0, np.where(age == 0, 0.0, 1.0))
    reward = np.concatenate((wait, wait, cut))
    return build.from_transitions(
        Numbered(states),
        ("wait", "cut"),
        s,
        action,
        following,
        prob,
        reward,
        discount=discount,
        name=f"forest-{states}",
    )


def gambler(states: int = 101, win: float = 0.4, discount: float | None = None) -> Model:
    """State n is to own n. Each action is a stake, 1 at least; 0 and the goal are terminal, the goal pays 1."""
    _at_least("states", states, 3)
    goal = states - 1
    money = np.arange(1, goal)
    most = np.minimum(money, goal - money)  # stakes that are possible
    owned = np.repeat(money, most)
    stake = np.concatenate([np.arange(1, count + 1) for count in most])
    s, a = np.repeat(owned, 2), np.repeat(stake - 1, 2)
    following = np.stack((owned - stake, owned + stake), axis=1).ravel()
    ends = np.zeros(states, dtype=bool)
    ends[[0, goal]] = True
    return build.from_transitions(
        Numbered(states), tuple(f"stake {n}" for n in range(1, int(most.max()) + 1)), s, a, following,
        np.tile([1 - win, win], len(owned)), (following == goal).astype(float),
        discount=discount, name=f"gambler-{goal}", terminal=ends,
    )  # fmt: skip


class Problem(NamedTuple):
    """A family: how to make one, and its settings with their defaults; None: must be given."""

    make: Callable[..., Model]
    settings: dict[str, Any]
    table: Callable[..., TableModel] | None = None  # makes it in a stream, with the same numbers


PROBLEMS = {
    "garnet": Problem(garnet, {"states": None, "actions": 4, "branching": 8, "seed": 0}, garnet_table),
    "grid": Problem(grid, {"side": None, "slip": 0.2}, grid_table),
    "chain": Problem(chain, {"states": 5, "slip": 0.2}),
    "forest": Problem(forest, {"states": 3, "fire": 0.1}),
    "gambler": Problem(gambler, {"states": 101, "win": 0.4}),
}


def _of_table(
    num_states: int,
    num_actions: int,
    following: Array,  # [pairs, k] int32, ascending in a row, equal ones allowed
    prob: Array,  # [pairs, k]
    reward: Array,  # [pairs]
    ends: Array | None,  # [S] bool: terminal, without pairs in the table
    discount: float | None,
    name: str,
) -> Model:
    """All actions everywhere but in terminal states; equal successors of a pair become one. Made piece by piece."""
    pairs = len(following)
    counts = np.empty(pairs, dtype=np.int64)
    kept = 0  # the arrays are packed in place
    flat_next, flat_prob = following.reshape(-1), prob.reshape(-1)
    for first in range(0, pairs, PIECE):
        last = min(first + PIECE, pairs)
        columns, chances = following[first:last], prob[first:last]
        counts[first:last], found, summed, _ = merged(columns, chances)
        flat_next[kept : kept + len(found)] = found
        flat_prob[kept : kept + len(found)] = summed
        kept += len(found)
    ends = np.zeros(num_states, dtype=bool) if ends is None else ends
    first_pair = np.concatenate(([0], np.cumsum(np.where(ends, 0, num_actions))))
    return build.from_arrays(
        states=Numbered(num_states),
        actions=Numbered(num_actions),
        first_pair=first_pair,
        action=np.tile(np.arange(num_actions, dtype=np.int32), pairs // num_actions),
        first_next=np.concatenate(([0], np.cumsum(counts))),
        next=flat_next[:kept],
        prob=flat_prob[:kept],
        reward=reward,
        discount=discount,
        name=name,
    )


def _named(model: Model, actions: tuple[str, ...]) -> Model:
    from dataclasses import replace

    return replace(model, actions=actions)


def _at_least(what: str, value: int, least: int) -> None:
    if value < least:
        raise InputError(f"{what}: must be at least {least}, got {value}")


def _not_too_many(transitions: int) -> None:
    if transitions > MAX_TRANSITIONS:
        raise InputError(f"{transitions:,} transitions; at most {MAX_TRANSITIONS:,} are possible")
