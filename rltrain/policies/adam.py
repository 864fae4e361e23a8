"""Adam in numpy, for a list of arrays (Kingma and Ba 2015, algorithm 1)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from rltrain.core import Array, State
from rltrain.saved import Saved


class Adam:
    """An optimiser that moves arrays in place, against their gradients."""

    def __init__(self, parts: Sequence[Array], beta1: float = 0.9, beta2: float = 0.999, eps: float = 1e-8) -> None:
        self.parts = parts
        self.beta1, self.beta2, self.eps = beta1, beta2, eps
        self.steps = 0
        self._mean = [np.zeros_like(part) for part in parts]
        self._square = [np.zeros_like(part) for part in parts]

    def step(self, gradients: Sequence[Array], learning_rate: float) -> None:
        """One step against the gradients, one for each array and of its shape."""
        self.steps += 1
        size = learning_rate * math.sqrt(1 - self.beta2**self.steps) / (1 - self.beta1**self.steps)
        eps = self.eps * math.sqrt(1 - self.beta2**self.steps)  # so that it is the paper's, not its shortcut's
        for part, mean, square, slope in zip(self.parts, self._mean, self._square, gradients, strict=True):
            mean += (1 - self.beta1) * (slope - mean)
            square += (1 - self.beta2) * (slope * slope - square)
            part -= size * mean / (np.sqrt(square) + eps)

    def save(self) -> State:
        return {
            "steps": self.steps,
            "mean": [mean.copy() for mean in self._mean],
            "square": [square.copy() for square in self._square],
        }

    def load(self, state: State) -> None:
        saved = Saved.of(state)
        self.steps = saved.integer("steps")
        saved.fill_list("mean", self._mean)
        saved.fill_list("square", self._square, low=0)
