"""Settle a model from where episodes end outward: for models through which news travels slowly, such as large grids.

A sweep over all states moves news of the goal one step; a grid of a thousand by a thousand needs thousands. Here the
states are put in the order of their distance from the states that know their value (terminal or absorbing; else those
with the greatest reward), and window after window of some thousand states, with what lies just before it, is settled by
policy iteration on the window alone, evaluated by Gauss-Seidel in that order. What lies beyond has a pessimistic value,
so no policy goes there in hope. News then crosses the model in one pass, at the cost of some dozen sweeps. A sweep over
all states proves the bound; windows in which it changed anything are settled again.
"""

from __future__ import annotations

import numpy as np

from rltrain.core import Array
from rltrain.mdp.model import Model
from rltrain.mdp.pairs import absorbing
from rltrain.mdp.solvers import kernels
from rltrain.mdp.solvers.compiled import Compiled
from rltrain.mdp.solvers.methods import SolverTask
from rltrain.mdp.solvers.ordered import ordered

BLOCK = 16_384  # states that a window adds
OVERLAP = 16_384  # states before them that are settled anew with them: what a wrong guess beyond still reaches
ROUNDS, OWN = 50, 8  # policies of one window, and sweeps of each
WINDOWS_A_CALL = 32  # about half a second: between calls a person may interrupt
SLOW = 0.3  # of the bound: a pass that leaves more of it is slow
PASSES = 4  # slow ones in a row show that the order of the states does not fit


def settle(task: SolverTask) -> tuple[Array, bool]:
    """V [S], and whether this was the way: False where pass after pass the bound hardly falls."""
    moved, order = ordered(task.model)
    on = Compiled(moved, task.discount, len(task.on.ranges))
    try:
        value, fits = _passes(task, on)
    finally:
        on.close()
    answer = np.empty_like(value)
    answer[order] = value
    return answer, fits


def _passes(task: SolverTask, on: Compiled) -> tuple[Array, bool]:
    value = _pessimistic(on.model, task.discount)
    choice = np.full(len(value), -1, dtype=np.int64)
    backed_up, swept = np.empty_like(value), np.empty_like(choice)
    buffers = _buffers(on.model)
    dirty = [(0, len(value))]
    slow, before = 0, np.inf
    tolerance = 0.5 * task.epsilon * (1 - task.discount)  # the last change may be twice as large
    while True:
        for begin, end in dirty:
            for at in range(begin, end, BLOCK * WINDOWS_A_CALL):
                stop = min(end, at + BLOCK * WINDOWS_A_CALL)
                of_all, of_own, _ = kernels.advance(
                    *on.rows, task.discount, value, choice, at, stop, BLOCK, OVERLAP, tolerance, ROUNDS, OWN, *buffers
                )
                task.count(of_all / len(value), of_own / len(value))
                if task.exhausted:
                    return value, True
        low, high = on.sweep(value, backed_up, swept)
        task.count(1)
        done = task.enough(low, high, value)
        bound = task.bound(low, high, value)
        slow = slow + 1 if bound > SLOW * before else 0
        before = bound
        dirty = _dirty(np.abs(backed_up - value - (0.0 if task.pinned else (low + high) / 2)), tolerance)
        value, backed_up = backed_up, value
        task.shift(value, low, high)
        if done or slow >= PASSES:
            return value, done
        dirty = dirty or [(0, len(value))]


def _pessimistic(model: Model, discount: float) -> Array:
    """[S] less than V*: the least reward for ever. What is known is known."""
    least = float(model.reward.min(initial=0.0))
    if model.terminal.any():
        least = min(least, 0.0)
    value = np.full(model.num_states, least / (1 - discount))
    known = absorbing(model)
    best = np.zeros(model.num_states)
    acting = ~model.terminal
    best[acting] = np.maximum.reduceat(model.reward, model.first_pair[:-1][acting])
    value[known] = best[known] / (1 - discount)
    return value


def _buffers(model: Model) -> tuple[Array, Array, Array, Array, Array]:
    """Room for the equations of one window."""
    states = min(model.num_states, BLOCK + OVERLAP)
    widest = np.zeros(model.num_states, dtype=np.int64)
    acting = ~model.terminal
    widest[acting] = np.maximum.reduceat(np.diff(model.first_next), model.first_pair[:-1][acting])
    total = np.concatenate(([0], np.cumsum(widest)))
    room = int((total[states:] - total[:-states]).max())
    return np.empty(states + 1, np.int64), np.empty(room, np.uint32), np.empty(room), np.empty(states), np.empty(states)


def _dirty(change: Array, tolerance: float) -> list[tuple[int, int]]:
    """Ranges of blocks in which a state changed by more than the tolerance, neighbours joined."""
    blocks = np.maximum.reduceat(change, np.arange(0, len(change), BLOCK)) > tolerance
    found: list[tuple[int, int]] = []
    for number in np.flatnonzero(blocks).tolist():
        begin, end = number * BLOCK, min(len(change), (number + 1) * BLOCK)
        if found and found[-1][1] == begin:
            found[-1] = (found[-1][0], end)
        else:
            found.append((begin, end))
    return found
