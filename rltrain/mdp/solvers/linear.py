"""Linear equations in floating point: the one door to their solvers. x = b + T x, that is (I - T) x = b.

    dense       a full matrix, LU by LAPACK: for some hundred states, without scipy
    factorised  sparse LU by SuperLU (Li 2005), thin where few states are linked
    iterated    BiCGSTAB (van der Vorst 1992), where factors would fill up

Nothing is proven here: whoever calls holds the answer against the equations. Proven ones of Markov chains are in
`mdp.solvers.substochastic`, fractions in `mdp.exact.linear`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from rltrain.core import Array
from rltrain.errors import UncertifiedError
from rltrain.mdp import thresholds
from rltrain.mdp.mapped import check_room
from rltrain.mdp.model import Model
from rltrain.mdp.pairs import entries

Solve = Callable[[Array], Array]  # b [n] -> x [n]
EQUATION_BYTES = 60  # of an entry, before anything is factorised
SINGULAR = "the policy's equations are singular in floating point"


def of_choice(model: Model, choice: Array) -> tuple[Array, Array, Array]:
    """T of the policy choice [S], -1 where terminal, as (row [m], column [m], entry [m])."""
    acting = np.flatnonzero(choice >= 0)
    counts = np.diff(model.first_next)[choice[acting]] if model.mapped is not None else choice[:0]
    check_room(model.mapped, float(counts.sum()), EQUATION_BYTES, "the equations of a policy")
    where, length = entries(model, choice[acting])
    return np.repeat(acting, length), model.next[where], model.prob[where]


def rewards(reward: Array, choice: Array) -> Array:
    """[S] what a policy earns at once, of rewards of pairs [P]; 0 where terminal."""
    earned = np.zeros(len(choice))
    earned[choice >= 0] = reward[choice[choice >= 0]]
    return earned


def dense(size: int, row: Array, column: Array, entry: Array) -> Solve:
    """The solver of I - T with T given by its entries; equal places add up. UncertifiedError where it is singular."""
    matrix = np.eye(size)
    np.subtract.at(matrix, (row, column), entry)

    def solve(b: Array) -> Array:
        try:
            return np.asarray(np.linalg.solve(matrix, b))
        except np.linalg.LinAlgError as error:
            raise UncertifiedError(SINGULAR) from error

    return solve


def dense_value(model: Model, choice: Array, discount: float) -> Array:
    """V [S] of the policy choice [S] by a full matrix. UncertifiedError where it is singular, as at discount 1."""
    row, column, prob = of_choice(model, choice)
    return dense(model.num_states, row, column, discount * prob)(rewards(model.reward, choice))


def sparse(size: int, row: Array, column: Array, entry: Array) -> Any:
    """I - T as a sparse matrix of scipy's, by columns; equal places of T add up."""
    from scipy.sparse import csc_matrix, identity

    return identity(size, format="csc") - csc_matrix((entry, (row, column)), shape=(size, size))


def factorised(matrix: Any, order: str = "COLAMD") -> Callable[..., Array]:
    """solve(b, trans="N") by LU of a sparse matrix, its columns ordered as SuperLU's option says.

    UncertifiedError where it is singular.
    """
    from scipy.sparse.linalg import splu

    try:
        factors = splu(matrix.tocsc(), permc_spec=order)
    except RuntimeError as error:  # so says scipy of a singular matrix
        raise UncertifiedError(SINGULAR) from error
    return factors.solve  # type: ignore[no-any-return]  # scipy has no types


def iterated(matrix: Any, b: Array, tolerance: float, most: int, before: Any = None) -> tuple[Array, float]:
    """x with matrix x = b by at most `most` iterations, `before` a preconditioner; what is left of max |b|, or NaN."""
    from scipy.sparse.linalg import bicgstab

    scale = float(np.abs(b).max()) or 1.0
    x, _ = bicgstab(matrix, b / scale, rtol=tolerance, atol=0.0, maxiter=most, M=before)
    return np.asarray(x * scale), float(np.abs(b / scale - matrix @ x).max())


def operator(size: int, apply: Solve) -> Any:
    """A function as a preconditioner."""
    from scipy.sparse.linalg import LinearOperator

    return LinearOperator((size, size), matvec=apply, dtype=np.float64)


def narrow_order(graph: Any) -> tuple[Array, int]:
    """The order of Cuthill and McKee (1969), and how far from the diagonal the entries of a sparse matrix lie in it."""
    from scipy.sparse.csgraph import reverse_cuthill_mckee

    size = graph.shape[0]
    order = reverse_cuthill_mckee(graph)
    place = np.empty(size, dtype=np.int64)
    place[order] = np.arange(size)
    row = np.repeat(np.arange(size), np.diff(graph.indptr))
    return order, int(np.abs(place[row] - place[graph.indices]).max(initial=0))


def within_band(matrix: Any) -> Solve | None:
    """The solver of I - T of a sparse T by rows, factorised in a narrow order, in which no factor leaves the band.

    None where it is singular in floating point, or the band would hold more than BAND_NUMBERS.
    """
    from scipy.sparse import csc_array, identity

    size = matrix.shape[0]
    order, band = narrow_order(matrix)
    if 3 * band * size > thresholds.BAND_NUMBERS:
        return None
    try:
        factors = factorised(csc_array(identity(size, format="csr") - matrix)[order][:, order], "NATURAL")
    except UncertifiedError:
        return None

    def solve(b: Array) -> Array:
        x = np.empty(size)
        x[order] = factors(b[order])
        return x

    return solve


def large_value(model: Model, discount: float, choice: Array, guess: Array) -> Array:
    """V [S] of the policy choice [S] on a large model. How good it is, the backup that follows tells.

    Factorised where that stays thin, else iterated from `guess` [S] with an incomplete factorisation before.
    """
    from scipy.sparse import csr_matrix, identity
    from scipy.sparse.linalg import spilu

    size = model.num_states
    row, column, prob = of_choice(model, choice)
    matrix = (identity(size, format="csr") - csr_matrix((discount * prob, (row, column)), shape=(size, size))).tocsr()
    reward = rewards(model.reward, choice)
    order, band = narrow_order(matrix)
    if band <= thresholds.BAND_ROOTS * size**0.5:
        return factorised(matrix)(reward)
    shuffled = matrix[order][:, order]
    incomplete = spilu(shuffled.tocsc(), drop_tol=1e-3, fill_factor=4, permc_spec="NATURAL")
    step, _ = iterated(shuffled, (reward - matrix @ guess)[order], 1e-10, 500, operator(size, incomplete.solve))
    answer = guess.copy()
    answer[order] += step
    return answer
