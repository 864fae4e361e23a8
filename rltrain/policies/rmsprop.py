"""RMSProp in numpy, for a list of arrays (Tieleman and Hinton 2012), not centred, as A2C has it: decay 0.99."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rltrain.core import Array, State
from rltrain.saved import Saved


class RMSProp:
    """An optimiser that moves arrays in place, against their gradients."""

    def __init__(self, parts: Sequence[Array], decay: float = 0.99, eps: float = 1e-8) -> None:
        self.parts, self.decay, self.eps = parts, decay, eps
        self._square = [np.zeros_like(part) for part in parts]

    def step(self, gradients: Sequence[Array], learning_rate: float) -> None:
        """One step against the gradients, one for each array and of its shape."""
        for part, square, slope in zip(self.parts, self._square, gradients, strict=True):
            square += (1 - self.decay) * (slope * slope - square)
            part -= learning_rate * slope / (np.sqrt(square) + self.eps)

    def save(self) -> State:
        return {"square": [square.copy() for square in self._square]}

    def load(self, state: State) -> None:
        Saved.of(state).fill_list("square", self._square, low=0)
