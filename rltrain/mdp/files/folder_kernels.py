"""Whether rows of a model are beyond doubt, in compiled code: no number is an index before it is looked at."""

from __future__ import annotations

import numpy as np
from numba import njit

from rltrain.core import Array

FINE, POINTERS, NUMBERS = 0, 1, 2  # NUMBERS: `mdp.checks` finds the words, and decides where rounding must be weighed


@njit(cache=True, nogil=True, error_model="numpy")
def look(
    first_pair: Array, action: Array, first_next: Array, next: Array, prob: Array, reward: Array, next_reward: Array,
    states: int, actions: int, most_reward: float, unit: float,
) -> int:  # fmt: skip
    """Rows of some states, whose pointers begin at 0: row pointers, ranges, order, finite numbers, sums to rounding.

    `next_reward` [m], or [0] where there is none. Nothing is read beyond an array, whatever the numbers say.
    """
    verdict = FINE
    at = 0
    if first_pair[0] != 0 or first_next[0] != 0 or first_pair[-1] != action.size or first_next[-1] != next.size:
        return POINTERS
    for s in range(first_pair.size - 1):
        stop = first_pair[s + 1]
        if stop < at or stop > action.size:
            return POINTERS
        before = -1
        for i in range(at, stop):
            if action[i] <= before or action[i] >= actions or not abs(reward[i]) <= most_reward:
                verdict = NUMBERS
            before = action[i]
            first, last = first_next[i], first_next[i + 1]
            if first < 0 or last <= first or last > next.size:
                return POINTERS
            total, earned, size, latest = 0.0, 0.0, 0.0, -1
            for k in range(first, last):
                if next[k] <= latest or next[k] >= states or not (prob[k] > 0 and prob[k] < np.inf):
                    verdict = NUMBERS
                latest = next[k]
                total += prob[k]
                if next_reward.size:
                    if not abs(next_reward[k]) <= most_reward:
                        verdict = NUMBERS
                    earned += prob[k] * next_reward[k]
                    size += prob[k] * abs(next_reward[k])
            if not abs(total - 1) <= unit * (last - first):
                verdict = NUMBERS
            if next_reward.size and not abs(earned - reward[i]) <= 1e-9 * size + 1e-300:
                verdict = NUMBERS
        at = stop
    return verdict
