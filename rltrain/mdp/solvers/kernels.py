"""Sweeps over a model in compiled code. Each works on a range of rows, so threads may share a sweep without a race.

Compiled once and kept beside this file (or in the user's cache folder). Nothing here reorders a sum: the same model
gives the same bits on one thread and on many.

Successors are counted by one unsigned number that runs along, and `next` is uint32: with signed indices the compiler
tests each for being negative, which takes twice the time.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from rltrain.core import Array

compiled = njit(cache=True, nogil=True, error_model="numpy")
ONE = np.uint64(1)
NOISE = 2e-15  # of a value: Q that differ by less are taken for equal, so that ties do not change places for ever


@compiled
def sweep(
    first_pair: Array, first_next: Array, next: Array, prob: Array, reward: Array,
    discount: float, value: Array, backed_up: Array, choice: Array, begin: int, end: int,
) -> tuple[float, float]:  # fmt: skip
    """One Bellman backup of the states begin..end into `backed_up` and `choice`: least and greatest change."""
    low, high = np.inf, -np.inf
    k = np.uint64(first_next[first_pair[begin]])
    for s in range(begin, end):
        best, chosen = -np.inf, -1
        for i in range(first_pair[s], first_pair[s + 1]):
            q = 0.0
            stop = np.uint64(first_next[i + 1])
            while k < stop:
                q += prob[k] * value[next[k]]
                k += ONE
            q = reward[i] + discount * q
            if q > best:
                best, chosen = q, i
        if chosen < 0:
            best = 0.0
        backed_up[s] = best
        choice[s] = chosen
        low, high = min(low, best - value[s]), max(high, best - value[s])
    return low, high


@compiled
def backup(
    first_pair: Array, first_next: Array, next: Array, prob: Array, reward: Array,
    discount: float, value: Array, q: Array, begin: int, end: int,
) -> None:  # fmt: skip
    """Q of the pairs of the states begin..end."""
    k = np.uint64(first_next[first_pair[begin]])
    for i in range(first_pair[begin], first_pair[end]):
        total = 0.0
        stop = np.uint64(first_next[i + 1])
        while k < stop:
            total += prob[k] * value[next[k]]
            k += ONE
        q[i] = reward[i] + discount * total


@compiled
def greedy(first_pair: Array, q: Array, value: Array, choice: Array, begin: int, end: int) -> None:
    """The greatest Q of each state and the first pair that has it; 0 and -1 where it is terminal."""
    for s in range(begin, end):
        best, chosen = -np.inf, -1
        for i in range(first_pair[s], first_pair[s + 1]):
            if q[i] > best:
                best, chosen = q[i], i
        value[s] = best if chosen >= 0 else 0.0
        choice[s] = chosen


@compiled
def count_near_best(
    first_pair: Array, first_next: Array, q: Array, value: Array, width: float, pairs: Array, successors: Array,
    begin: int, end: int,
) -> None:  # fmt: skip
    """How many pairs of each state are within `width` of its best, and how many successors these have."""
    for s in range(begin, end):
        pairs[s], successors[s] = 0, 0
        for i in range(first_pair[s], first_pair[s + 1]):
            if q[i] >= value[s] - width:
                pairs[s] += 1
                successors[s] += first_next[i + 1] - first_next[i]


@compiled
def copy_near_best(
    first_pair: Array, first_next: Array, next: Array, prob: Array, reward: Array,
    q: Array, value: Array, width: float, first_successor: Array,
    new_first_pair: Array, new_first_next: Array, new_next: Array, new_prob: Array, new_reward: Array,
    begin: int, end: int,
) -> None:  # fmt: skip
    """Copy these pairs side by side. `new_first_pair` is filled; `first_successor` says where a state's begin."""
    for s in range(begin, end):
        at, n = new_first_pair[s], first_successor[s]
        for i in range(first_pair[s], first_pair[s + 1]):
            if q[i] >= value[s] - width:
                new_reward[at] = reward[i]
                for k in range(first_next[i], first_next[i + 1]):
                    new_next[n] = next[k]
                    new_prob[n] = prob[k]
                    n += 1
                at += 1
                new_first_next[at] = n


# Gauss-Seidel: values that are newer are used at once


@compiled
def improve(
    first_pair: Array, first_next: Array, next: Array, prob: Array, reward: Array,
    discount: float, value: Array, choice: Array, begin: int, end: int, backwards: bool,
) -> tuple[float, int]:  # fmt: skip
    """Back up the states begin..end one after the other, in place: the greatest change, and how many chose anew.

    A state that stays where it is has its loop solved rather than iterated. A choice is kept unless another is better
    by more than rounding.
    """
    change, chose_anew = 0.0, 0
    for t in range(begin, end):
        s = end - 1 - (t - begin) if backwards else t
        old = choice[s]
        best, chosen, of_old = -np.inf, -1, -np.inf
        k = np.uint64(first_next[first_pair[s]])
        for i in range(first_pair[s], first_pair[s + 1]):
            q, stays = 0.0, 0.0
            stop = np.uint64(first_next[i + 1])
            while k < stop:
                if next[k] == s:
                    stays += prob[k]
                else:
                    q += prob[k] * value[next[k]]
                k += ONE
            q = (reward[i] + discount * q) / (1.0 - discount * stays)
            if i == old:
                of_old = q
            if q > best:
                best, chosen = q, i
        if chosen < 0:
            continue
        if chosen != old and of_old < best - NOISE * abs(best):
            choice[s] = chosen
            chose_anew += 1
        change = max(change, abs(best - value[s]))
        value[s] = best
    return change, chose_anew


@compiled
def in_place(
    first_pair: Array, first_next: Array, next: Array, prob: Array, reward: Array,
    discount: float, q: Array, value: Array, at_once: bool,
) -> None:  # fmt: skip
    """One sweep that uses new values as soon as they stand: after each pair (`at_once`), or after each state."""
    for s in range(value.size):
        for i in range(first_pair[s], first_pair[s + 1]):
            total = 0.0
            for k in range(first_next[i], first_next[i + 1]):
                total += prob[k] * value[next[k]]
            q[i] = reward[i] + discount * total
            if at_once:
                value[s] = q[first_pair[s] : first_pair[s + 1]].max()
        if not at_once and first_pair[s] < first_pair[s + 1]:
            value[s] = q[first_pair[s] : first_pair[s + 1]].max()


@compiled
def window_rows(
    first_next: Array, next: Array, prob: Array, reward: Array, discount: float, value: Array, choice: Array,
    begin: int, end: int, first: Array, own_next: Array, own_prob: Array, own_reward: Array, own_value: Array,
) -> None:  # fmt: skip
    """The policy on begin..end as equations of these states alone: all others are constants, loops are solved."""
    n = 0
    for s in range(begin, end):
        t = s - begin
        i = choice[s]
        first[t] = n
        own_value[t] = value[s]
        if i < 0:
            own_reward[t] = value[s]
            continue
        known, stays = 0.0, 0.0
        for k in range(first_next[i], first_next[i + 1]):
            u = next[k]
            if u == s:
                stays += prob[k]
            elif u < begin or u >= end:
                known += prob[k] * value[u]
            else:
                own_next[n] = u - begin
                own_prob[n] = prob[k]
                n += 1
        scale = 1.0 / (1.0 - discount * stays)
        own_reward[t] = (reward[i] + discount * known) * scale
        for k in range(first[t], n):
            own_prob[k] *= discount * scale
    first[end - begin] = n


@compiled
def relax(
    first: Array, own_next: Array, own_prob: Array, own_reward: Array, value: Array, states: int,
    tolerance: float, most: int,
) -> tuple[float, int]:  # fmt: skip
    """Gauss-Seidel sweeps until nothing changes by more than `tolerance`: the last change, and the number of sweeps."""
    change = np.inf
    for done in range(most):
        change = 0.0
        k = np.uint64(0)
        for s in range(states):
            q = own_reward[s]
            stop = np.uint64(first[s + 1])
            while k < stop:
                q += own_prob[k] * value[own_next[k]]
                k += ONE
            change = max(change, abs(q - value[s]))
            value[s] = q
        if change <= tolerance:
            return change, done + 1
    return change, most


@compiled
def advance(
    first_pair: Array, first_next: Array, next: Array, prob: Array, reward: Array, discount: float,
    value: Array, choice: Array, begin: int, end: int, block: int, overlap: int, tolerance: float,
    rounds: int, most: int, first: Array, own_next: Array, own_prob: Array, own_reward: Array, own_value: Array,
) -> tuple[int, int, float]:  # fmt: skip
    """Settle window after window, from begin to end: backups of all actions, of the policy's, and the worst change.

    A window is a block of states and what came just before them. Policy iteration on it, evaluated by Gauss-Seidel,
    takes all else as given.
    """
    all_actions, own_action, worst = 0, 0, 0.0
    at = begin
    while at < end:
        stop = min(end, at + block)
        start = max(0, at - overlap)
        improve(first_pair, first_next, next, prob, reward, discount, value, choice, at, stop, False)
        all_actions += stop - at
        change = np.inf
        for _ in range(rounds):
            window_rows(
                first_next, next, prob, reward, discount, value, choice, start, stop,
                first, own_next, own_prob, own_reward, own_value,
            )  # fmt: skip
            left, sweeps = relax(first, own_next, own_prob, own_reward, own_value, stop - start, tolerance, most)
            own_action += sweeps * (stop - start)
            for s in range(start, stop):
                value[s] = own_value[s - start]
            change, chose_anew = improve(
                first_pair, first_next, next, prob, reward, discount, value, choice, start, stop, False
            )
            all_actions += stop - start
            if (chose_anew == 0 and left <= tolerance) or change <= tolerance:
                break
        worst = max(worst, change)
        at = stop
    return all_actions, own_action, worst
