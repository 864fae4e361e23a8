"""x = b + T x or v = b + v T within a proven bound, T the transitions of a chain between states that are left some day.

Few states are eliminated one by one without a subtraction (Grassmann, Taksar and Heyman 1985). Each number is then a
ratio of sums of products of probabilities (the Markov chain tree theorem), so relative errors stay small: those of
stage m change it by at most 2 m (m + 5) u, all together by (n + 4)^3 u, however near to 0 or to singular it is.

Of many, Krylov's iterations guess, and a guess h of the expected steps proves: where h >= 0 and h - T h >= c > 0, then
(I - T)^-1 >= 0 with row sums of at most h / c, and what is left of an equation bounds its error (Berman and Plemmons
1979).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from rltrain.core import Array
from rltrain.errors import UncertifiedError
from rltrain.mdp import thresholds
from rltrain.mdp.solvers import linear
from rltrain.mdp.solvers.bellman import UNIT

ITERATIONS = 1_000
ROUNDS = 8  # of refinement
WARM = 30  # steps after which a chain that mixes fast has done so
USEFUL = 1e-3  # what a guess may leave of an equation
GOOD = 1e-12  # relative: nothing is gained by going on
SLOW = "the chain mixes so slowly that nothing could be proven about its long run"


class Proven(NamedTuple):
    """No number is further than `bound` from the truth."""

    value: Array
    bound: float


Certified = Callable[[Array, bool], Proven]  # solve(b, left) for b >= 0: v = b + v T if left, else x = b + T x


def certified(size: int, row: Array, column: Array, prob: Array, leaving: Array) -> Certified:
    """The solver of T, given by its entries [m]; leaving [n] is the probability to leave from each state.

    UncertifiedError, at once or when it is called, where nothing can be proven.
    """
    if size <= thresholds.DENSE_IN_LONG_RUN:
        matrix = np.zeros((size, size))
        matrix[row, column] = prob
        return _eliminated(matrix, leaving)
    from scipy.sparse import csr_array

    return _iterated(csr_array((prob, (row, column)), shape=(size, size)))


def _eliminated(matrix: Array, leaving: Array) -> Certified:
    """From the last state to the first: who would go there goes on to where it leads. Uses its arguments up."""
    size = len(matrix)
    leaves = np.empty(size)  # with which probability a state goes to one before it, or out, rather than to itself
    for m in range(size - 1, -1, -1):
        leaves[m] = matrix[m, :m].sum() + leaving[m]
        matrix[m, :m] /= leaves[m]
        leaving[m] /= leaves[m]
        matrix[:m, :m] += np.outer(matrix[:m, m], matrix[m, :m])
        leaving[:m] += matrix[:m, m] * leaving[m]

    def solve(b: Array, left: bool) -> Proven:
        x = b.astype(np.float64)
        for m in range(size - 1, 0, -1):
            if left:
                x[:m] += x[m] * matrix[m, :m]
            else:
                x[:m] += x[m] / leaves[m] * matrix[:m, m]
        for m in range(size):
            if left:
                x[m] = (x[m] + x[:m] @ matrix[:m, m]) / leaves[m]
            else:
                x[m] = x[m] / leaves[m] + x[:m] @ matrix[m, :m]
        if not np.isfinite(x).all():
            raise UncertifiedError(
                "the chain leaves some states so rarely that floating point cannot say how long it stays"
            )
        relative = (size + 4.0) ** 3 * UNIT
        return Proven(x, relative * float(x.sum() if left else x.max(initial=0.0)))

    return solve


def _iterated(matrix: Any) -> Certified:
    """Sparse equations by iteration, from either side; the bound of a left side is on the sum of all errors."""
    size = matrix.shape[0]
    transposed = matrix.T.tocsr()
    terms = int(max(np.diff(matrix.indptr).max(initial=0), np.diff(transposed.indptr).max(initial=0))) + 4
    guess = _guess(matrix)
    steps = np.zeros(size)
    margin = -np.inf
    for _ in range(ROUNDS):
        left_over = 1 - (steps - matrix @ steps)
        margin = 1 - float(left_over.max()) - terms * UNIT * 2 * float(np.abs(steps).max())
        if margin > 0.5 and steps.min() >= 0:
            break
        steps = steps + guess(left_over, False)
    if not (margin > 0 and steps.min() >= 0 and np.isfinite(steps).all()):
        raise UncertifiedError(SLOW)

    def solve(b: Array, left: bool) -> Proven:
        rows = transposed if left else matrix
        best, least = np.zeros(size), np.inf
        x = np.zeros(size)
        for _ in range(ROUNDS):
            rest = b - (x - rows @ x)
            error = np.abs(rest) + terms * UNIT * (b + np.abs(x) + rows @ np.abs(x))
            bound = float(error @ steps if left else error.max() * steps.max()) / margin
            if not bound < least / 2:
                break
            best, least = x.copy(), bound
            if bound <= GOOD * float(np.abs(x).sum() if left else np.abs(x).max()):
                break
            x = x + guess(rest, left)
        return Proven(np.maximum(best, 0.0), least)  # the truth is not below 0

    return solve


def _guess(matrix: Any) -> Callable[[Array, bool], Array]:
    """An approximate x with x - T x = b, or x - x T = b.

    A chain that mixes fast but leaves rarely makes I - T almost singular in one direction: constant on the right, and
    on the left w, where the chain is before it leaves. There the preconditioner is exact.
    """
    from scipy.sparse import identity

    size = matrix.shape[0]
    system = (identity(size, format="csr") - matrix).tocsr()
    transposed = system.T.tocsr()
    w = np.full(size, 1 / size)
    for _ in range(WARM):
        w = w - transposed @ w
        w /= w.sum() or 1.0
    leaves = float(w @ (system @ np.ones(size)))
    leaves = leaves if leaves > UNIT else 1.0
    right = linear.operator(size, lambda r: r + float(w @ r.ravel()) / leaves)
    left = linear.operator(size, lambda r: r + float(r.sum()) / leaves * w)
    factors: list[Callable[..., Array]] = []

    def solve(b: Array, is_left: bool) -> Array:
        if not factors:
            rows, condition = (transposed, left) if is_left else (system, right)
            x, rest = linear.iterated(rows, b, 1e-5, ITERATIONS, condition)
            if rest <= USEFUL:
                return x
            if size > thresholds.FACTORISED_IN_LONG_RUN:
                raise UncertifiedError(SLOW)
            factors.append(linear.factorised(system))
        scale = float(np.abs(b).max()) or 1.0
        return np.asarray(factors[0](b / scale, trans="T" if is_left else "N") * scale)

    return solve
