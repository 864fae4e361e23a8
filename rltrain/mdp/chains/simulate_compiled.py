"""Episodes in compiled code: the draws of `mdp.chains.simulate.play`, added in its order: its numbers, bit for bit."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from rltrain.mdp import splitmix
from rltrain.mdp.splitmix import GOLDEN, S11

DRAWS, ONE, TWO = np.uint64(2), np.uint64(1), np.uint64(2)
UNIT = 2.0**-53
mix = njit(cache=True, nogil=True, inline="always")(splitmix.mix)


@njit(cache=True, nogil=True, inline="always")
def draw(key: Any, counter: Any) -> Any:
    """A uniform number in [0, 1)."""
    return np.float64(mix(key + counter * GOLDEN) >> S11) * UNIT


@njit(cache=True, nogil=True, inline="always")
def find(sums: Any, first: Any, end: Any, u: Any) -> Any:
    """The first place in sums[first : end] that is above u."""
    low, high = first, end - 1
    while low < high:
        middle = (low + high) >> 1
        if sums[middle] <= u:
            low = middle + 1
        else:
            high = middle
    return low


@njit(cache=True, nogil=True)
def play(tables: Any, key: Any, steps: Any, discount: Any, played: Any, kept: Any) -> None:
    """One episode for each key, one after another."""
    keeping = len(kept.states) > 0
    for episode in range(len(key)):
        mine = key[episode]
        place = np.int64(0)
        if len(tables.start) > 1:
            place = find(tables.start_sum, 0, len(tables.start), draw(mine, np.uint64(0)))
        state = np.int64(tables.start[place])
        if keeping:
            kept.states[episode, 0] = state
        total, discounted, weight = 0.0, 0.0, 1.0
        step = 0
        while step < steps and tables.first_pair[state] < tables.first_pair[state + 1]:
            counter = DRAWS * np.uint64(step)
            pair = tables.first_pair[state]
            if tables.mixed:
                pair = find(tables.pair_sum, pair, tables.first_pair[state + 1], draw(mine, counter + ONE))
            first, end = tables.first_next[pair], tables.first_next[pair + 1]
            place = find(tables.next_sum, first, end, draw(mine, counter + TWO))
            played.visits[pair] += 1
            reward = tables.reward[place]
            state = np.int64(tables.next[place])
            total += reward
            discounted += weight * reward
            weight *= discount
            if keeping:
                kept.states[episode, step + 1] = state
                kept.pairs[episode, step] = pair
                kept.rewards[episode, step] = reward
            step += 1
        played.total[episode], played.discounted[episode] = total, discounted
        played.length[episode], played.last[episode] = step, state
