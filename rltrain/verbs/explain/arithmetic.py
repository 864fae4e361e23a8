"""What a game says of each of its steps, as pure functions of its rewards, values and scores.

gap            the best score minus the second best
return to go   G_t = r_t + gamma G_t+1: the discounted rewards that came
TD error       r_t + gamma V(s_t+1) - V(s_t), where V of an end is 0 and V of a time limit is not (Sutton and Barto
               2018, chapter 6; Pardo et al. 2018)
"""

from __future__ import annotations

import numpy as np

from rltrain.core import Array


def gaps(scores: Array) -> Array:
    """[T] best minus second best of scores [T, A], of which NaN is none; NaN where there are less than two."""
    known = np.where(np.isfinite(scores), scores, -np.inf)
    if known.shape[1] < 2:
        return np.full(len(known), np.nan)
    ordered = np.sort(known, axis=1)
    with np.errstate(invalid="ignore"):  # of two that are not known
        apart = ordered[:, -1] - ordered[:, -2]
    return np.where(np.isfinite(apart), apart, np.nan)


def best(scores: Array) -> Array:
    """[T] int64, the first best action of scores [T, A]; -1 where none is known."""
    known = np.where(np.isfinite(scores), scores, -np.inf)
    if not known.shape[1]:
        return np.full(len(known), -1)
    return np.where(np.isfinite(known).any(axis=1), known.argmax(axis=1), -1)


def greatest(scores: Array) -> Array:
    """[T] the best score of scores [T, A]; NaN where none is known."""
    known = np.where(np.isfinite(scores), scores, -np.inf).max(axis=1, initial=-np.inf)
    return np.where(np.isfinite(known), known, np.nan)


def returns_to_go(rewards: Array, gamma: float) -> Array:
    """[T] float64 discounted sums of rewards [T], from each step on."""
    out, after = np.zeros(len(rewards)), 0.0
    for step in range(len(rewards) - 1, -1, -1):
        out[step] = after = float(rewards[step]) + gamma * after
    return out


def td_errors(rewards: Array, values: Array, gamma: float, ended: bool) -> Array:
    """[T] of rewards [T], as values count them, and values [T + 1], the last of what stood at the end.

    `ended`: the task was over there, so nothing comes after; else the game was cut off, and its value is what comes.
    """
    after = values[1:].copy()
    if ended and len(after):
        after[-1] = 0.0
    return np.asarray(rewards + gamma * after - values[:-1])
