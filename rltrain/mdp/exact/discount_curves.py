"""The value of the best policy as a function of the discount, between the discounts at which the policy changes."""

from __future__ import annotations

import numpy as np

from rltrain.core import Array
from rltrain.mdp.exact.discounts import Discounts
from rltrain.mdp.solvers import linear

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
    """V [S] of the policy that is best at a discount: (I - gamma P) V = r."""
    model = found.model
    piece = next(piece for piece in found.intervals if discount <= piece.high or piece is found.intervals[-1])
    row, column, prob = linear.of_choice(model, piece.choice)
    matrix = linear.sparse(model.num_states, row, column, discount * prob)
    return linear.factorised(matrix)(linear.rewards(model.reward, piece.choice))
