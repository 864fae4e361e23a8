"""Where a Markov chain is in the long run: stationary shares, absorption, expected visits, each within a proven bound.

With T the transitions between the states that are left some day, and b a right or left side,

    x = b + T x      (absorption, expected steps)          v = b + v T      (expected visits)

Up to `DENSE` states are eliminated one by one without a subtraction (Grassmann, Taksar and Heyman 1985). Each number is
then a ratio of sums of products of probabilities (the Markov chain tree theorem), so relative errors stay small: those
of stage m change it by at most 2 m (m + 5) u, all together by (n + 4)^3 u, however near to 0 or to singular it is.

Above, Krylov's iterations guess, and a guess h of the expected steps proves: where h >= 0 and h - T h >= c > 0, then
(I - T)^-1 >= 0 with row sums of at most h / c, and what is left of an equation bounds its error (Berman and Plemmons
1979).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from rltrain.core import Array
from rltrain.errors import UncertifiedError
from rltrain.mdp.chains.chain import Chain, Classes
from rltrain.mdp.solvers.bellman import UNIT

DENSE = 800  # states that are eliminated one by one
DIRECT = 100_000  # states up to which a sparse factorisation is tried where iterations fail
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


class Absorption(NamedTuple):
    """Where the chain ends up from each state, and how long that takes."""

    prob: Proven  # [S, R] of each recurrent class, in their order
    steps: Proven  # [S] expected until it is in one of them, 0 there


class Visits(NamedTuple):
    """How often a chain visits each state, and where it ends up, from a distribution over its first states."""

    visits: Proven  # [S] expected, of transient states; 0 for recurrent ones
    absorbed: Proven  # [R] probability of each recurrent class
    steps: float  # expected until then: the sum of the visits


def stationary(chain: Chain, members: Array) -> Proven:
    """[k] the share of time in each member of a recurrent class: x = x P, of sum 1."""
    root, rest = int(members[0]), members[1:]
    if not len(rest):
        return Proven(np.ones(1), 0.0)
    begin = np.zeros(chain.num_states)
    row = slice(int(chain.first[root]), int(chain.first[root + 1]))
    begin[chain.next[row]] = chain.prob[row]
    visits, bound = _solver(chain, rest)(begin[rest], True)  # until it comes back to the root
    share = np.concatenate(([1.0], visits))
    total = float(share.sum())
    return Proven(share / total, 2 * bound / total + 4 * UNIT)


def absorption(chain: Chain, classes: Classes) -> Absorption:
    """From every state. Takes S x R numbers."""
    recurrent = np.flatnonzero(classes.recurrent)
    transient = np.flatnonzero(~classes.recurrent[classes.label])
    prob = np.zeros((chain.num_states, len(recurrent)))
    steps = np.zeros(chain.num_states)
    column = _columns(classes)
    ended = column[classes.label] >= 0
    prob[ended, column[classes.label[ended]]] = 1.0
    if not len(transient):
        return Absorption(Proven(prob, 0.0), Proven(steps, 0.0))
    solve = _solver(chain, transient)
    steps[transient], slow = solve(np.ones(len(transient)), False)
    leaving = np.zeros((chain.num_states, len(recurrent)))
    out = ended[chain.next] & ~ended[chain.source]
    np.add.at(leaving, (chain.source[out], column[classes.label[chain.next[out]]]), chain.prob[out])
    worst = 0.0
    for number in range(len(recurrent)):
        prob[transient, number], bound = solve(leaving[transient, number], False)
        worst = max(worst, bound)
    return Absorption(Proven(prob, worst), Proven(steps, slow))


def visits(chain: Chain, classes: Classes, start: Array) -> Visits:
    """From a distribution [S]."""
    transient = np.flatnonzero(~classes.recurrent[classes.label])
    expected, bound = np.zeros(chain.num_states), 0.0
    if len(transient) and start[transient].any():
        expected[transient], bound = _solver(chain, transient)(start[transient], True)
    column = _columns(classes)
    arriving = np.zeros(int(classes.recurrent.sum()))
    ended = column[classes.label] >= 0
    np.add.at(arriving, column[classes.label[ended]], start[ended])
    out = ended[chain.next] & ~ended[chain.source]
    np.add.at(arriving, column[classes.label[chain.next[out]]], chain.prob[out] * expected[chain.source[out]])
    return Visits(Proven(expected, bound), Proven(arriving, bound + len(chain.next) * UNIT), float(expected.sum()))


def limit(chain: Chain, classes: Classes, start: Array) -> Proven:
    """[S] the share of all time spent in each state, in the long run, by a chain that starts as `start`."""
    absorbed = visits(chain, classes, start).absorbed
    share, worst = np.zeros(chain.num_states), absorbed.bound
    for weight, number in zip(absorbed.value, np.flatnonzero(classes.recurrent), strict=True):
        if weight > 0:
            members = np.flatnonzero(classes.label == number)
            inside = stationary(chain, members)
            share[members] = weight * inside.value
            worst = max(worst, absorbed.bound + inside.bound)
    return Proven(share, worst)


def _columns(classes: Classes) -> Array:
    """[C] the place of a class among the recurrent ones, -1: it is transient."""
    return np.where(classes.recurrent, np.cumsum(classes.recurrent) - 1, -1)


def _solver(chain: Chain, states: Array) -> Callable[[Array, bool], Proven]:
    """solve(b, left): x = b + T x or v = b + v T, for b >= 0, with T between `states` that are left some day."""
    place = np.full(chain.num_states, -1, dtype=np.int64)
    place[states] = np.arange(len(states))
    source, following = place[chain.source], place[chain.next]
    inside = (source >= 0) & (following >= 0)
    out = (source >= 0) & (following < 0)
    leaving = np.bincount(source[out], weights=chain.prob[out], minlength=len(states))
    row, column, prob = source[inside], following[inside], chain.prob[inside]
    if len(states) <= DENSE:
        matrix = np.zeros((len(states), len(states)))
        matrix[row, column] = prob
        return _eliminated(matrix, leaving)
    from scipy.sparse import csr_array

    return _iterated(csr_array((prob, (row, column)), shape=(len(states), len(states))))


def _eliminated(matrix: Array, leaving: Array) -> Callable[[Array, bool], Proven]:
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


def _iterated(matrix: Any) -> Callable[[Array, bool], Proven]:
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
    from scipy.sparse.linalg import LinearOperator, bicgstab, splu

    size = matrix.shape[0]
    system = (identity(size, format="csr") - matrix).tocsr()
    transposed = system.T.tocsr()
    w = np.full(size, 1 / size)
    for _ in range(WARM):
        w = w - transposed @ w
        w /= w.sum() or 1.0
    leaves = float(w @ (system @ np.ones(size)))
    leaves = leaves if leaves > UNIT else 1.0
    right = LinearOperator((size, size), matvec=lambda r: r + float(w @ r.ravel()) / leaves, dtype=np.float64)
    left = LinearOperator((size, size), matvec=lambda r: r + float(r.sum()) / leaves * w, dtype=np.float64)
    factors: list[Any] = []

    def solve(b: Array, is_left: bool) -> Array:
        scale = float(np.abs(b).max()) or 1.0
        if not factors:
            rows, condition = (transposed, left) if is_left else (system, right)
            x, _ = bicgstab(rows, b / scale, rtol=1e-5, atol=0.0, maxiter=ITERATIONS, M=condition)
            if np.abs(b / scale - rows @ x).max() <= USEFUL:
                return np.asarray(x * scale)
            if size > DIRECT:
                raise UncertifiedError(SLOW)
            factors.append(splu(system.tocsc()))
        return np.asarray(factors[0].solve(b / scale, trans="T" if is_left else "N") * scale)

    return solve
