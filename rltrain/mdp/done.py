"""Episodes that end with a transition, as `done` says in a Gymnasium table and in recorded steps, for a `Model`, which
ends in states.

After a `done` transition nothing is worth anything, whatever state it enters. So that state is terminal if that is all
there is to say of it: no other row enters it without `done`, and no action is taken there but to stay for nothing,
which is how some tables write that nothing follows. Else the state goes on for those who come without `done`, and the
`done` transitions lead to one more state, terminal, called "end".
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from rltrain.core import Array

END = "end"


class Rows(NamedTuple):
    """Transitions as parallel arrays."""

    state: Array  # [rows] int64
    action: Array  # [rows] int64
    next: Array  # [rows] int64
    prob: Array  # [rows] float64
    reward: Array  # [rows] float64
    done: Array  # [rows] bool


class Ended(NamedTuple):
    """Rows in which no `done` is left to say; they are numbered as they were given."""

    next: Array  # [rows] int64, the number of states where it is "end"
    kept: Array  # [rows] bool: the others only said that nothing follows
    terminal: Array  # [S] bool: what `done` makes terminal; [S + 1] where "end" is needed


def ended(rows: Rows, num_states: int, start: Array | None = None) -> Ended:
    """Which states `done` ends in. `start` [S]: where an episode may begin, which is never an end; None: not said."""
    possible = rows.prob > 0
    by_done = rows.done & possible
    terminal = np.zeros(num_states, dtype=bool)
    terminal[rows.next[by_done]] = True
    stays = (rows.state == rows.next) & (rows.reward == 0)
    terminal[rows.state[~stays & possible]] = False
    terminal[rows.next[~rows.done & ~stays & possible]] = False
    if start is not None:
        terminal[np.asarray(start) > 0] = False
    following = rows.next.copy()
    lost = rows.done & ~terminal[rows.next]
    kept = ~terminal[rows.state]
    if (lost & kept & possible).any():
        following[lost] = num_states
        terminal = np.append(terminal, True)
    return Ended(following, kept, terminal)


def name_of_end(states: Sequence[str]) -> str:
    """ "end", or "end 2" and so on where a state is called so already."""
    taken = set(states) if END in states else set()
    number = 1
    while (name := END if number == 1 else f"{END} {number}") in taken:
        number += 1
    return name


def groups(rows: Rows, num_states: int, num_actions: int, only: Array | None = None) -> Array:
    """[rows] int64: equal numbers for rows of one state, action, next and `done`, in the order in which they are met.

    `only` [rows] bool: rows that may share a number; the others keep one of their own.
    """
    key = ((rows.state * num_actions + rows.action) * num_states + rows.next) * 2 + rows.done
    if only is not None:
        key = np.where(only, key, key.max(initial=0) + 1 + np.arange(len(key)))
    _, first, label = np.unique(key, return_index=True, return_inverse=True)
    place = np.empty(len(first), dtype=np.int64)
    place[np.argsort(first, kind="stable")] = np.arange(len(first))
    return np.asarray(place[label])


def merged(rows: Rows, group: Array) -> Rows:
    """One row a group: the sum of the probabilities, and the mean of the rewards, weighed by these."""
    count = int(group.max(initial=-1)) + 1
    if count == len(group):
        return rows
    order = np.argsort(group, kind="stable")
    state, action, following, prob, reward, done = (column[order] for column in rows)
    first = np.flatnonzero(np.diff(group[order], prepend=-1))
    total = np.add.reduceat(prob, first)
    scale = np.repeat(np.where(prob[first] > 0, prob[first], 1.0), np.diff(np.append(first, len(prob))))
    weight = prob / scale  # 1, 1, 1: no rounding in the mean
    share = np.add.reduceat(weight, first)
    mean = np.add.reduceat(weight * reward, first) / np.where(share > 0, share, 1.0)
    alike = np.minimum.reduceat(reward, first) == np.maximum.reduceat(reward, first)
    return Rows(state[first], action[first], following[first], total, np.where(alike, reward[first], mean), done[first])


def merged_exactly(
    prob: Sequence[Fraction], reward: Sequence[Fraction], group: Array
) -> tuple[list[Fraction], list[Fraction]]:
    """The probabilities and rewards of `merged` as fractions."""
    count = int(group.max(initial=-1)) + 1
    total, earned, any_of = [Fraction(0)] * count, [Fraction(0)] * count, [Fraction(0)] * count
    for p, r, k in zip(prob, reward, group.tolist(), strict=True):
        total[k] += p
        earned[k] += p * r
        any_of[k] = r
    return total, [e / t if t else r for e, t, r in zip(earned, total, any_of, strict=True)]
