"""Rows of some states as a table, every pair with as many successors, and as a model stores them: only what can happen.

    next    [n, A, k]  int, the successors of each action of each of n states
    prob    [n, A, k]  their probabilities; 0: no successor; all 0: the action is impossible
    reward  [n, A], or [n, A, k] where it depends on the successor

A state all of whose actions are impossible is terminal. Successors come in any order; one that stands twice has the sum
of its probabilities, and the mean of its rewards.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from rltrain.core import Array
from rltrain.errors import InputError
from rltrain.mdp import build, checks
from rltrain.mdp.checks import Faults, quoted
from rltrain.mdp.model import Names


class Block(NamedTuple):
    """Rows of n states that follow each other, as in `mdp.model`, with counts in place of row pointers."""

    pairs: Array  # [n] int64, how many pairs each state has
    action: Array  # [p] int32, ascending within a state
    successors: Array  # [p] int64, how many successors each pair has
    next: Array  # [m] int32, ascending within a pair
    prob: Array  # [m] float64
    reward: Array  # [p] float64, expected
    next_reward: Array | None  # [m] float64


def merged(columns: Array, chances: Array, rewards: Array | None = None) -> tuple[Array, Array, Array, Array | None]:
    """Ascending successors [rows, k], packed: how many of each row [rows], and successors, chances, rewards [m].

    Equal successors of a row become one with the sum of their chances, and the mean of their rewards, weighed by these;
    those without a chance are left out.
    """
    new = np.ones(columns.shape, dtype=bool)
    new[:, 1:] = columns[:, 1:] != columns[:, :-1]
    counts = new.sum(1)
    heads = np.flatnonzero(new)
    single = len(heads) == columns.size
    flat = chances.reshape(-1)
    summed = flat if single else np.add.reduceat(flat, heads)
    each = None if rewards is None else rewards.reshape(-1)[heads]
    if each is not None and rewards is not None and not single:
        many = np.diff(np.append(heads, columns.size)) > 1
        with np.errstate(invalid="ignore", divide="ignore"):
            each[many] = (np.add.reduceat(flat * rewards.reshape(-1), heads) / summed)[many]
    if not summed.all():  # no slip, for one: what has no chance is no transition
        counts -= np.bincount(heads[summed == 0] // columns.shape[1], minlength=len(columns))
        kept = summed != 0
        heads, summed, each = heads[kept], summed[kept], None if each is None else each[kept]
    return counts, columns.reshape(-1)[heads], summed, each


def packed(states: Names, actions: Names, begin: int, next: Array, prob: Array, reward: Array) -> Block:
    """The table of the states from `begin` on as a model's rows, each divided by its sum where rounding put that off.

    InputError for a shape that is none, and for a number that no model can have, with its state and its action.
    """
    _check_shapes(len(actions), next, prob, reward)
    many, width = next.shape[0] * next.shape[1], next.shape[2]
    columns, chances = next.reshape(many, width), prob.astype(np.float64, copy=False).reshape(many, width)
    rewards = reward.astype(np.float64, copy=False).reshape(many, -1)  # [rows, 1] or [rows, k]
    each = rewards if reward.ndim == 3 else None
    possible = chances != 0

    def place(row: int) -> str:
        state, action = divmod(row, len(actions))
        return f"state {quoted(states[begin + state])}, action {quoted(actions[action])}"

    faults = Faults()
    wrong = np.flatnonzero(~((chances >= 0) & (chances < np.inf)))
    faults.add_all(wrong, lambda i: f"{place(i // width)}: the probability {chances.flat[i]:g} is below 0 or no number")
    wrong = np.flatnonzero(possible & ((columns < 0) | (columns >= len(states))))
    faults.add_all(wrong, lambda i: f"{place(i // width)}: next is {columns.flat[i]}; expected 0 to {len(states) - 1}")
    paid = possible if each is not None else possible.any(1)[:, None]
    wrong = np.flatnonzero(paid & ~(np.abs(rewards) <= checks.MOST_REWARD))
    faults.add_all(wrong, lambda i: f"{place(i // rewards.shape[1])}: {checks.reward_rule(float(rewards.flat[i]))}")
    faults.stop_if_any()
    if not possible.all():
        columns = np.where(possible, columns, len(states))  # behind all others, apart from them
    if (columns[:, 1:] < columns[:, :-1]).any():
        order = np.argsort(columns, axis=1, kind="stable")
        columns, chances = np.take_along_axis(columns, order, 1), np.take_along_axis(chances, order, 1)
        each = None if each is None else np.take_along_axis(each, order, 1)
    counts, following, chance, each = merged(columns, chances, each)
    rows = np.flatnonzero(counts)
    counts = counts[rows]
    first_next = np.concatenate(([0], np.cumsum(counts)))
    chance = _whole(chance, first_next, lambda row: place(int(rows[row])))
    expected = rewards[rows, 0] if each is None else build.expected_rewards(chance, each, first_next)[0]
    state, action = np.divmod(rows, len(actions))
    return Block(
        np.bincount(state, minlength=len(next)), action.astype(np.int32), counts, following.astype(np.int32), chance,
        expected, each,
    )  # fmt: skip


def _check_shapes(actions: int, next: Array, prob: Array, reward: Array) -> None:
    """InputError unless these are the three arrays that the head of this file describes."""
    if next.ndim != 3 or next.shape[1] != actions or next.dtype.kind not in "iu":
        raise InputError(f"next has the shape {next.shape} of {next.dtype}; expected [states, {actions}, k] of int")
    if prob.shape != next.shape or prob.dtype.kind not in "fiu":
        raise InputError(f"prob has the shape {prob.shape} of {prob.dtype}; expected numbers of the shape {next.shape}")
    if reward.shape not in (next.shape, next.shape[:2]) or reward.dtype.kind not in "fiu":
        wanted = f"{next.shape[:2]}, or {next.shape} where they depend on the successor"
        raise InputError(f"reward has the shape {reward.shape} of {reward.dtype}; expected numbers of {wanted}")


def _whole(prob: Array, first_next: Array, place: Callable[[int], str]) -> Array:
    """The probabilities [m] of some rows, each row divided by its sum where rounding does not explain what that is."""
    if not len(prob):
        return prob
    counts = np.diff(first_next)
    sums = np.add.reduceat(prob, first_next[:-1])
    allowed = checks.tolerances(prob, first_next[:-1], sums)
    faults = Faults()
    faults.add_all(
        np.flatnonzero(~(np.abs(sums - 1) <= allowed)),
        lambda row: f"{place(row)}: {checks.sum_rule(float(sums[row]), int(counts[row]), float(allowed[row]))}",
    )
    faults.stop_if_any()
    divisor = np.where(np.abs(sums - 1) > checks.EPSILON * counts, sums, 1.0)
    return prob if (divisor == 1).all() else np.asarray(prob / np.repeat(divisor, counts))
