"""A model ready for compiled sweeps: its arrays in the types that the kernels expect, and threads that share a sweep.

A thread takes a range of states; what it writes nobody else does. So the result does not depend on their number. Where
the arrays lie in files (`mdp.mapped`) it goes through its range block by block: the disk is asked for the next one, and
what lies behind is let go.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from rltrain.core import Array
from rltrain.mdp import thresholds
from rltrain.mdp.mapped import PIECE, check_room
from rltrain.mdp.model import Model
from rltrain.mdp.solvers import kernels

Rows = tuple[Array, Array, Array, Array, Array]  # first_pair, first_next, next, prob, reward, as a `Model` has them


class Compiled:
    """The kernels on one model and one discount; on the rows of some states alone where `own` says from where to where.

    What stands of the others in an array stays as it is.
    """

    def __init__(
        self, model: Model, discount: float, threads: int | None = None, own: tuple[int, int] | None = None
    ) -> None:
        self.model, self.discount = model, discount
        self.states = model.num_states
        begin, end = own or (0, self.states)
        count = max(1, min(threads or available_cores(), (end - begin) // thresholds.ROWS_A_THREAD))
        edges = np.linspace(begin, end, count + 1).astype(np.int64)
        self.ranges = list(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True))
        self._pool = ThreadPoolExecutor(count) if count > 1 else None
        self.rows: Rows = (
            np.ascontiguousarray(model.first_pair, np.int64),
            np.ascontiguousarray(model.first_next, np.int64),
            np.ascontiguousarray(model.next, np.int32).view(np.uint32),
            np.ascontiguousarray(model.prob, np.float64),
            np.ascontiguousarray(model.reward, np.float64),
        )

    def close(self) -> None:
        """Let the threads go."""
        if self._pool is not None:
            self._pool.shutdown()

    def each(self, work: Callable[[int, int], Any], reads_rows: bool = True) -> list[Any]:
        """`work(begin, end)` for every range, or every block of it, side by side; what they return, in order.

        `reads_rows`: it looks at the model's own successors, so a mapped one is gone through in blocks.
        """

        def blocks(edge: tuple[int, int]) -> list[Any]:
            return list(self._blocks(work, *edge)) if reads_rows else [work(*edge)]

        parts = (self._pool.map if self._pool else map)(blocks, self.ranges)
        return [found for part in parts for found in part]

    def _blocks(self, work: Callable[[int, int], Any], begin: int, end: int, backwards: bool = False) -> Iterator[Any]:
        """`work` on a range; of a mapped model on one block after the other."""
        mapped = self.model.mapped
        if mapped is None or begin == end:
            yield work(begin, end)
            return
        step = max(1, self.states * PIECE // max(1, self.model.num_next))
        blocks = [(first, min(end, first + step)) for first in range(begin, end, step)]
        blocks = blocks[::-1] if backwards else blocks
        for block, following in zip(blocks, [*blocks[1:], None], strict=True):
            if following is not None:
                mapped.ahead(*following)
            yield work(*block)
            mapped.let_go(*block)

    def sweep(self, value: Array, backed_up: Array, choice: Array, rows: Rows | None = None) -> tuple[float, float]:
        """One Bellman backup, of the whole model or of some `rows` of it: the least and the greatest change."""
        of = rows or self.rows
        return _ends(
            self.each(lambda *edge: kernels.sweep(*of, self.discount, value, backed_up, choice, *edge), rows is None)
        )

    def improve(self, value: Array, choice: Array, backwards: bool) -> float:
        """One Gauss-Seidel sweep, in place: the greatest change."""

        def improve(begin: int, end: int) -> float:
            change, _ = kernels.improve(*self.rows, self.discount, value, choice, begin, end, backwards)
            return float(change)

        return float(max(self._blocks(improve, 0, self.states, backwards)))

    def near_best(self, q: Array, value: Array, width: float) -> Rows:
        """The rows of the pairs whose Q [P] is within `width` of their state's value [S], side by side."""
        first_pair, first_next = self.rows[:2]
        pairs, successors = np.zeros(self.states + 1, np.int64), np.zeros(self.states + 1, np.int64)
        counts = (pairs[1:], successors[1:])
        self.each(lambda *edge: kernels.count_near_best(first_pair, first_next, q, value, width, *counts, *edge), False)
        np.cumsum(pairs, out=pairs)
        np.cumsum(successors, out=successors)
        check_room(self.model.mapped, float(successors[-1]), 12, "the best rows")
        part = (
            pairs,
            np.zeros(pairs[-1] + 1, np.int64),
            np.empty(successors[-1], np.uint32),
            np.empty(successors[-1]),
            np.empty(pairs[-1]),
        )
        self.each(lambda *edge: kernels.copy_near_best(*self.rows, q, value, width, successors, *part, *edge))
        return part

    def backup(self, value: Array) -> Array:
        """Q [P]."""
        q = np.empty(self.model.num_pairs)
        self.each(lambda *edge: kernels.backup(*self.rows, self.discount, value, q, *edge))
        return q

    def greedy(self, q: Array) -> tuple[Array, Array]:
        """V [S] and the first best pair [S] of Q [P]."""
        value, choice = np.empty(self.states), np.empty(self.states, np.int64)
        self.each(lambda *edge: kernels.greedy(self.rows[0], q, value, choice, *edge), False)
        return value, choice


def available_cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def _ends(pairs: list[tuple[float, float]]) -> tuple[float, float]:
    return min(low for low, _ in pairs), max(high for _, high in pairs)
