"""A linear function of the observation, or a small network: sums with weights and a bias, layer on layer.

    score = W_n f(... f(W_1 obs + b_1) ...) + b_n

The action is the one with the greatest score. Of two actions one score decides, by its sign: the chapter's and most of
the literature's linear policy. Without hidden layers the parameters are called w0, w1, ..., bias.
"""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np

from rltrain.core import Array, EnvSpec
from rltrain.errors import InputError
from rltrain.policies.mlp import Activation, activate
from rltrain.policies.parameters import Parameters


class Network:
    """A `Family`: the parameters are, layer by layer, the weights [outputs, inputs] row by row and the biases."""

    def __init__(self, spec: EnvSpec, hidden: tuple[int, ...], activation: Activation) -> None:
        if len(spec.obs_shape) != 1:
            raise InputError(
                f"environment.id: {spec.id} has observations of shape {spec.obs_shape}; these policies read vectors. "
                "For images take dqn"
            )
        self._by_sign = spec.num_actions == 2
        outputs = 1 if self._by_sign else spec.num_actions
        self.sizes = (spec.obs_shape[0], *hidden, outputs)
        self.draws = 0
        self.parameters = describe(self.sizes)
        self._activation = activation

    def act(self, candidates: Array, obs: Array, uniform: Array) -> Array:
        score = obs  # [L, inputs]
        at = 0
        for layer, (inputs, outputs) in enumerate(pairwise(self.sizes)):
            if layer:
                score = activate(score, self._activation)
            end = at + inputs * outputs
            weights = candidates[:, at:end].reshape(-1, outputs, inputs)  # [L or 1, outputs, inputs]
            score = _product(weights, score) + candidates[:, end : end + outputs]
            at = end + outputs
        return (score[:, 0] > 0).astype(np.int64) if self._by_sign else score.argmax(axis=1)


def describe(sizes: tuple[int, ...]) -> Parameters:
    """Parameters of layers of these sizes: names and ranges.

    The first layer's range is 1, for observations of unknown size; the others' √(3 / inputs): a sum of n numbers of
    variance 1 with weights uniform within √(3 / n) has variance 1 again (LeCun et al. 1998).
    """
    names: list[str] = []
    ends: list[float] = []
    for layer, (inputs, outputs) in enumerate(pairwise(sizes)):
        prefix = f"layer{layer + 1}_" if len(sizes) > 2 else ""
        for output in range(outputs):
            row = f"{output}_" if outputs > 1 else ""
            names += [f"{prefix}w{row}{column}" for column in range(inputs)]
        names += [f"{prefix}bias{output if outputs > 1 else ''}" for output in range(outputs)]
        ends += [math.sqrt(3 / inputs) if layer else 1.0] * ((inputs + 1) * outputs)
    high = np.array(ends)
    return Parameters(tuple(names), -high, high, np.zeros(len(high), bool))


def _product(weights: Array, inputs: Array) -> Array:
    """[L or 1, O, I] times [L, I] -> [L, O]. One candidate for all is a plain matrix product."""
    if len(weights) == 1:
        return np.asarray(inputs @ weights[0].T)
    return np.asarray(np.einsum("loi,li->lo", weights, inputs))
