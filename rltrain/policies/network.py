"""A linear function of the observation, or a small network: sums with weights and a bias, layer on layer.

    score = W_n f(... f(W_1 obs + b_1) ...) + b_n

Of some actions the one with the greatest score is taken, of those that are possible. Of two one score decides, by its
sign: the chapter's and most of the literature's linear policy. Of several choices each has scores of its own. Where
actions are numbers, a score counts halves of the bounds' width from the middle, and is clipped to the bounds: linear in
between, as Mania et al. 2018 (ARS) have it, and full force is in reach; without bounds it is the number itself. Without
hidden layers the parameters are called w0, w1, ..., bias.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import numpy as np

from rltrain.core import Array, EnvSpec
from rltrain.errors import InputError
from rltrain.policies import inputs
from rltrain.policies.distributions import masked, middle_and_half
from rltrain.policies.mlp import Activation, activate
from rltrain.policies.parameters import Parameters
from rltrain.spaces import Actions, Continuous, Discrete, MultiDiscrete

Choose = Callable[[Array, Array | None], Array]


class Network:
    """A `Family`: the parameters are, layer by layer, the weights [outputs, inputs] row by row and the biases."""

    def __init__(self, spec: EnvSpec, hidden: tuple[int, ...], activation: Activation) -> None:
        if len(spec.obs_shape) != 1 or (spec.obs_dtype == "uint8" and not spec.parts):
            raise InputError(
                f"environment.id: {spec.id} has observations of shape {spec.obs_shape}; these policies read vectors. "
                "For images take dqn"
            )
        self._read = None if spec.obs_dtype == "float32" else inputs.reader(spec)  # None: obs are numbers
        self._choose, outputs = chooser(spec.actions)
        self.sizes = (inputs.size(spec), *hidden, outputs)
        self.draws = 0
        self.parameters = describe(self.sizes)
        self._activation = activation

    def act(self, candidates: Array, obs: Array, uniform: Array, mask: Array | None = None) -> Array:
        score = obs if self._read is None else self._read(obs)  # [L, inputs]
        at = 0
        for layer, (ins, outs) in enumerate(pairwise(self.sizes)):
            if layer:
                score = activate(score, self._activation)
            end = at + ins * outs
            weights = candidates[:, at:end].reshape(-1, outs, ins)  # [L or 1, outputs, inputs]
            score = _product(weights, score) + candidates[:, end : end + outs]
            at = end + outs
        return self._choose(score, mask)


def chooser(space: Actions) -> tuple[Choose, int]:
    """How scores [L, outputs] become actions [L, *action], of what mask [L, width] leaves possible; and the outputs."""
    match space:
        case Discrete(n=2):
            return _by_sign, 1
        case Discrete():
            return _greatest, space.n
        case MultiDiscrete():
            columns = space.columns

            def each_greatest(score: Array, mask: Array | None) -> Array:
                own = [_greatest(score[:, at], None if mask is None else mask[:, at]) for at in columns]
                return np.stack(own, axis=1)

            return each_greatest, sum(space.sizes)
        case Continuous():
            middle, half = middle_and_half(space)
            low, high = np.array(space.low), np.array(space.high)

            def within(score: Array, mask: Array | None) -> Array:
                return np.asarray(np.clip(middle + half * score, low, high).astype(np.float32))

            return within, len(low)


def _greatest(score: Array, mask: Array | None) -> Array:
    return np.asarray(masked(score, mask).argmax(axis=1))


def _by_sign(score: Array, mask: Array | None) -> Array:
    if mask is None:
        return np.asarray((score[:, 0] > 0).astype(np.int64))
    return _greatest(np.concatenate([np.zeros_like(score), score], axis=1), mask)


def describe(sizes: tuple[int, ...]) -> Parameters:
    """Parameters of layers of these sizes: names and ranges.

    The first layer's range is 1, for observations of unknown size; the others' √(3 / inputs): a sum of n numbers of
    variance 1 with weights uniform within √(3 / n) has variance 1 again (LeCun et al. 1998).
    """
    names: list[str] = []
    ends: list[float] = []
    for layer, (ins, outs) in enumerate(pairwise(sizes)):
        prefix = f"layer{layer + 1}_" if len(sizes) > 2 else ""
        for output in range(outs):
            row = f"{output}_" if outs > 1 else ""
            names += [f"{prefix}w{row}{column}" for column in range(ins)]
        names += [f"{prefix}bias{output if outs > 1 else ''}" for output in range(outs)]
        ends += [math.sqrt(3 / ins) if layer else 1.0] * ((ins + 1) * outs)
    high = np.array(ends)
    return Parameters(tuple(names), -high, high, np.zeros(len(high), bool))


def _product(weights: Array, rows: Array) -> Array:
    """[L or 1, O, I] times [L, I] -> [L, O]. One candidate for all is a plain matrix product."""
    if len(weights) == 1:
        return np.asarray(rows @ weights[0].T)
    return np.asarray(np.einsum("loi,li->lo", weights, rows))
