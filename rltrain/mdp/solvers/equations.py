"""The equations of one policy on a large model: V = r + gamma P V, for policy iteration.

Factorised where that stays thin, else iterated by BiCGSTAB (van der Vorst 1992) with an incomplete factorisation before
it. The answer need not be proven here: the backup that follows tells how good it is.
"""

from __future__ import annotations

import numpy as np

from rltrain.core import Array
from rltrain.mdp.model import Model

THIN = 2  # times the square root of the states: so far from the diagonal a band may reach to be factorised


def solve(model: Model, discount: float, choice: Array, guess: Array) -> Array:
    """V [S] of the policy choice [S], the pair of each state, -1 where it is terminal."""
    from scipy import sparse
    from scipy.sparse import csgraph, linalg

    acting = np.flatnonzero(choice >= 0)
    pairs = choice[acting]
    length = np.diff(model.first_next)[pairs]
    first = np.concatenate(([0], np.cumsum(length)))
    where = np.repeat(model.first_next[pairs] - first[:-1], length) + np.arange(int(first[-1]))
    row = np.repeat(acting, length)
    num = model.num_states
    moves = sparse.csr_matrix((discount * model.prob[where], (row, model.next[where])), shape=(num, num))
    matrix = (sparse.identity(num, format="csr") - moves).tocsr()
    reward = np.zeros(num)
    reward[acting] = model.reward[pairs]
    order = csgraph.reverse_cuthill_mckee(matrix)
    place = np.empty(num, dtype=np.int64)
    place[order] = np.arange(num)
    band = int(np.abs(place[row] - place[model.next[where]]).max(initial=0))
    if band <= THIN * num**0.5:
        return np.asarray(linalg.splu(matrix.tocsc()).solve(reward))
    shuffled = matrix[order][:, order]
    incomplete = linalg.spilu(shuffled.tocsc(), drop_tol=1e-3, fill_factor=4, permc_spec="NATURAL")
    before = linalg.LinearOperator((num, num), incomplete.solve)
    rest = (reward - matrix @ guess)[order]
    scale = float(np.abs(rest).max()) or 1.0
    step, _ = linalg.bicgstab(shuffled, rest / scale, rtol=1e-10, atol=0.0, maxiter=500, M=before)
    answer = guess.copy()
    answer[order] += scale * step
    return answer
