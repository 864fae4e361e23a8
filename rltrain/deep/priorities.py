"""Prioritised replay: rows are drawn in proportion to |td error|^alpha, and weighted against it.

    P(row) = p^alpha / sum p^alpha,   weight = (size P(row))^-beta / the largest of the batch

Source: Schaul et al. 2016, "Prioritized Experience Replay", sections 3.3 and 3.4.
"""

from __future__ import annotations

import numpy as np

from rltrain.core import Array
from rltrain.deep.sum_tree import SumTree
from rltrain.saved import Saved

MAX_PRIORITY = 1e100  # of a saved transition: sums of millions stay numbers


class Priorities:
    """Of so many rows, none of which may be drawn at first.

    alpha  0 is uniform draws, 1 in proportion to the error
    beta   0 is no correction, 1 a full one
    """

    def __init__(self, rows: int, alpha: float, beta: float) -> None:
        self._alpha, self._beta = alpha, beta
        self._tree = SumTree(rows)
        self.highest = 1.0  # ever given: what is new is as likely as the most surprising

    @property
    def leaves(self) -> Array:
        """p^alpha of every row, float64, a view."""
        return self._tree.leaves

    @property
    def total(self) -> float:
        """Sum of p^alpha."""
        return self._tree.total

    def open(self, rows: Array, but: Array) -> None:
        """From now on these rows may be drawn, but for those of the mask."""
        self._tree.write(rows, np.where(but, 0.0, self.highest**self._alpha))

    def close(self, rows: Array) -> None:
        """From now on these rows may not be drawn."""
        self._tree.write(rows, np.zeros(len(rows)))

    def draw(self, num_batches: int, batch_size: int, size: int, rng: np.random.Generator) -> tuple[Array, Array]:
        """Rows and importance weights, [num_batches, batch_size]; `size`: rows of the memory."""
        part = (np.arange(batch_size) + rng.random((num_batches, batch_size))) / batch_size
        rows = self._tree.find(part.ravel() * self._tree.total).reshape(part.shape)
        share = self._tree.leaves[rows] / self._tree.total
        weight = ((size * share) ** -self._beta).astype(np.float32)
        weight /= weight.max(axis=1, keepdims=True)
        return rows, weight

    def rewrite(self, row: Array, td_error: Array) -> None:
        """After learning: priority |td error|. row and td_error [M]; of a row named twice the last error stays."""
        priority = np.abs(td_error).astype(np.float64) + 1e-6  # never zero: every transition stays drawable
        self.highest = max(self.highest, float(priority.max()))
        drawable = self._tree.leaves[row] > 0  # a row may have left the capacity since it was drawn
        self._tree.write(row[drawable], priority[drawable] ** self._alpha)

    def load(self, saved: Saved, kept: Array, never: Array) -> None:
        """`priorities` of the rows `kept` [K]; those in the mask `never` [K] cannot be drawn. CheckpointError."""
        priorities = saved.array("priorities", "float64", kept.shape, 0, MAX_PRIORITY)
        if priorities[never].any():
            saved.refuse("priorities", "of the newest steps, and of the ends of episodes, must be 0: none is drawn yet")
        leaves = np.zeros(self._tree.num_leaves)
        leaves[kept] = priorities
        self._tree.write_all(leaves)
