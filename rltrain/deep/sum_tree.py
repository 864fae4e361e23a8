"""A binary tree of sums over leaf priorities: draws a leaf with probability proportional to its priority.

Source: Schaul et al. 2016, "Prioritized Experience Replay", appendix B.2.1. Every node is the sum of its two children,
recomputed from them, never adjusted by a difference: the tree is a pure function of its leaves, whatever the order of
writes.
"""

from __future__ import annotations

import numpy as np

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
        """Set priorities. leaf [M] int, priority [M] or scalar; of a leaf named twice the last priority stays."""
        node = leaf + self._offset
        self._nodes[node] = priority
        node = np.unique(node >> 1)
        while node.size and node[0] >= 1:
            self._nodes[node] = self._nodes[2 * node] + self._nodes[2 * node + 1]
            node = np.unique(node >> 1)

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
        node = np.ones(mass.shape, np.int64)
        mass = mass.copy()
        while node.flat[0] < self._offset:
            node <<= 1
            left = self._nodes[node]
            right = (mass >= left) & (self._nodes[node + 1] > 0)  # rounding must not lead into an empty branch
            mass -= np.where(right, left, 0.0)
            node += right
        return node - self._offset
