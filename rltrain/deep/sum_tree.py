"""A binary tree of sums over leaf priorities: draws a leaf with probability proportional to its priority.

Source: Schaul et al. 2016, "Prioritized Experience Replay", appendix B.2.1. Every node is the sum of its two children,
recomputed from them, never adjusted by a difference: the tree is a pure function of its leaves, whatever the order of
writes. Compiled, and without Python's lock: while it works, another thread can play.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from rltrain.core import Array


class SumTree:
    """Priorities of `num_leaves` leaves, float64, all zero at first."""

    def __init__(self, num_leaves: int) -> None:
        self.num_leaves = num_leaves
        self._offset = 1 << max(
            0, (num_leaves - 1).bit_length()
        )  # of the first leaf; node 1 is the root, 2i and 2i + 1 its children
        self._nodes = np.zeros(2 * self._offset, np.float64)

    @property
    def total(self) -> float:
        return float(self._nodes[1])

    @property
    def leaves(self) -> Array:
        """All priorities [num_leaves] float64, a view."""
        return self._nodes[self._offset : self._offset + self.num_leaves]

    def write(self, leaf: Array, priority: Array) -> None:
        """Set priorities. leaf [M] int64, priority [M]; of a leaf named twice the last priority stays."""
        _write(self._nodes, leaf + self._offset, np.asarray(priority, np.float64))

    def write_all(self, priorities: Array) -> None:
        """Set every leaf at once. priorities [num_leaves]."""
        self.leaves[:] = priorities
        node = self._offset
        while node > 1:
            children = self._nodes[node : 2 * node]
            node //= 2
            self._nodes[node : 2 * node] = children[0::2] + children[1::2]

    def find(self, mass: Array) -> Array:
        """The leaf [M] at which the running sum of priorities passes `mass` [M], 0 <= mass < total."""
        leaf = np.empty(mass.shape, np.int64)
        _find(self._nodes, self._offset, mass, leaf)
        return leaf


@njit(cache=True, nogil=True)
def _write(nodes: Any, node: Any, priority: Any) -> None:
    """Level by level, so that every sum is made of finished ones. `node` [M] is scratch."""
    for i in range(len(node)):
        nodes[node[i]] = priority[i]
    if len(node) == 0:
        return
    while node[0] > 1:  # all are of one level
        done = -1
        for i in range(len(node)):
            parent = node[i] >> 1
            if parent != done:  # neighbours often have one parent
                nodes[parent] = nodes[2 * parent] + nodes[2 * parent + 1]
            node[i] = done = parent


@njit(cache=True, nogil=True)
def _find(nodes: Any, offset: Any, mass: Any, leaf: Any) -> None:
    for i in range(len(mass)):
        node, left = 1, mass[i]
        while node < offset:
            node *= 2
            if left >= nodes[node] and nodes[node + 1] > 0:  # rounding must not lead into an empty branch
                left -= nodes[node]
                node += 1
        leaf[i] = node - offset
