"""The value of the best policy as a function of the discount, between the discounts at which the policy changes."""

from __future__ import annotations

import numpy as np

from rltrain.core import Array
from rltrain.mdp.exact.discounts import Discounts

POINTS, FEWER = 400, 40  # discounts along the curves, of models with more states than MANY fewer
MANY = 600


def curves(found: Discounts) -> tuple[Array, Array]:
    """Discounts [n] and V [n, S] along them: each interval's policy, evaluated in floating point."""
    low, high = found.intervals[0].low, found.intervals[-1].high
    points = 1 - np.geomspace(1 - low, 1 - high, POINTS if found.model.num_states <= MANY else FEWER)
    ends = [piece.high for piece in found.intervals[:-1]]
    points = np.unique(np.clip(np.concatenate([points, ends]), low, high))
    return points, np.array([_value(found, float(point)) for point in points])


def _value(found: Discounts, discount: float) -> Array:
    from scipy.sparse import csc_array, eye_array
    from scipy.sparse.linalg import spsolve

    model = found.model
    piece = next(piece for piece in found.intervals if discount <= piece.high or piece is found.intervals[-1])
    acting = np.flatnonzero(piece.choice >= 0)
    pairs = piece.choice[acting]
    sizes = np.diff(model.first_next)[pairs]
    ends = np.cumsum(sizes)
    entries = np.arange(int(sizes.sum())) + np.repeat(model.first_next[pairs] - ends + sizes, sizes)
    shape = (model.num_states, model.num_states)
    chain = csc_array((discount * model.prob[entries], (np.repeat(acting, sizes), model.next[entries])), shape=shape)
    reward = np.zeros(model.num_states)
    reward[acting] = model.reward[pairs]
    return np.atleast_1d(spsolve(csc_array(eye_array(model.num_states) - chain), reward))
