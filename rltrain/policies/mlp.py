"""A fully connected network in numpy, with the gradient written out.

    h_0 = x,   h_k = f(h_{k-1} W_k + b_k),   output = h_{n-1} W_n + b_n

For a few thousand weights this is faster than a deep-learning library, whose import alone takes longer than CartPole
takes to learn. The gradient is backpropagation (Rumelhart, Hinton and Williams 1986).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from rltrain.core import Array
from rltrain.saved import Saved
from rltrain.warm_start import Taken, fitting

Activation = Literal["tanh", "elu", "relu"]
Weights = list[Array]  # W_1 [in, out], b_1 [out], W_2, b_2, ...: float64
TRUNCATED_SD = 0.87962566103423978  # of a standard normal cut at 2


def initial(
    sizes: Sequence[int], stream: np.random.Generator, variance: float = 1.0, output_gain: float = 1.0
) -> Weights:
    """Weights for layers of these sizes: truncated normal of variance `variance`/inputs, biases 0.

    `variance` 1 is LeCun et al. 1998, 2 is He et al. 2015. The last layer's weights are multiplied by `output_gain`.
    """
    weights: Weights = []
    for number, (inputs, outputs) in enumerate(itertools.pairwise(sizes), start=2):
        drawn = _truncated_normal(stream, (inputs, outputs)) * (math.sqrt(variance / inputs) / TRUNCATED_SD)
        weights += [drawn * (output_gain if number == len(sizes) else 1.0), np.zeros(outputs)]
    return weights


def orthogonal(sizes: Sequence[int], stream: np.random.Generator, gain: float, output_gain: float) -> Weights:
    """Weights for layers of these sizes: orthogonal, times `gain`, of the last layer `output_gain`; biases 0.

    Source: Saxe et al. 2014, "Exact solutions to the nonlinear dynamics of learning in deep linear neural networks".
    """
    weights: Weights = []
    for number, (inputs, outputs) in enumerate(itertools.pairwise(sizes), start=2):
        weights += [orthogonal_matrix(stream, inputs, outputs) * (output_gain if number == len(sizes) else gain)]
        weights += [np.zeros(outputs)]
    return weights


def orthogonal_matrix(stream: np.random.Generator, rows: int, columns: int) -> Array:
    """A random [rows, columns] matrix whose rows or columns, whichever are fewer, are orthonormal; all as likely."""
    q, r = np.linalg.qr(stream.normal(size=(max(rows, columns), min(rows, columns))))
    q *= np.sign(np.diag(r))
    return np.ascontiguousarray(q if rows >= columns else q.T)


def shapes(sizes: Sequence[int]) -> list[tuple[int, ...]]:
    """Shapes of the weights of layers of these sizes: W_1, b_1, W_2, ..."""
    return [shape for inputs, outputs in itertools.pairwise(sizes) for shape in ((inputs, outputs), (outputs,))]


def forward(weights: Weights, x: Array, activation: Activation) -> Array:
    """Outputs [rows, out] of inputs [rows, in]."""
    return forward_kept(weights, x, activation)[0]


def forward_kept(weights: Weights, x: Array, activation: Activation) -> tuple[Array, list[Array]]:
    """Outputs [rows, out], and the inputs of every layer, which `gradient` needs: [rows, in], [rows, hidden], ..."""
    kept = [x]
    for layer in range(0, len(weights) - 2, 2):
        kept.append(activate(kept[-1] @ weights[layer] + weights[layer + 1], activation))
    return kept[-1] @ weights[-2] + weights[-1], kept


def gradient(weights: Weights, kept: Sequence[Array], d_out: Array, activation: Activation) -> Weights:
    """The loss's gradient in every weight, from that in the outputs, d_out [rows, out]."""
    backwards: Weights = []
    d = d_out
    for layer in reversed(range(0, len(weights), 2)):
        h = kept[layer // 2]
        backwards += [d.sum(axis=0), h.T @ d]
        if layer:
            d = (d @ weights[layer].T) * slope(h, activation)
    return backwards[::-1]


def start_from(own: Weights, state: Saved, key: str, what: str) -> Taken:
    """Write the layers of saved weights that fit over those of `own`.

    `what` the weights are, for the lines. InputError if no layer fits, CheckpointError for what are no weights.
    """
    listed = state.listed(key)
    saved = [listed.any_shape(str(number), own[0].dtype.name) for number in range(len(listed) // 2 * 2)]
    if not saved:
        state.refuse(key, f"a list of {len(listed)}; must be weights and biases, layer by layer")
    here, there = _layers(own), _layers(saved)
    found = fitting(_shapes_of(here), _shapes_of(there), ("output",))
    taken = found.of(what)
    for name in found.layers:
        for part, values in zip(here[name], there[name], strict=True):
            part[...] = values
    return taken


def activate(z: Array, activation: Activation) -> Array:
    """The activation f(z), elementwise. ELU is Clevert et al. 2016 with alpha 1."""
    if activation == "tanh":
        return np.tanh(z)
    if activation == "relu":
        return np.maximum(z, 0.0)
    return np.where(z > 0, z, np.expm1(np.minimum(z, 0.0)))


def slope(h: Array, activation: Activation) -> Array:
    """The activation's derivative f'(z), from h = f(z)."""
    if activation == "tanh":
        return 1.0 - h * h
    if activation == "relu":
        return (h > 0).astype(h.dtype)
    return np.where(h > 0, 1.0, h + 1.0)


def clipped(gradients: Weights, longest: float | None) -> tuple[Weights, float]:
    """The gradient, scaled down if it is longer than `longest`, and how long it was (Pascanu et al. 2013)."""
    norm = math.sqrt(sum(float(np.vdot(part, part)) for part in gradients))
    if longest is None or norm <= longest:
        return gradients, norm
    return [part * (longest / norm) for part in gradients], norm


def _layers(weights: Weights) -> dict[str, Weights]:
    """Weights and biases of each layer: hidden 1, hidden 2, ..., output."""
    each = [weights[at : at + 2] for at in range(0, len(weights), 2)]
    return {f"hidden {number}": layer for number, layer in enumerate(each[:-1], start=1)} | {"output": each[-1]}


def _shapes_of(layers: Mapping[str, Weights]) -> dict[str, dict[str, tuple[int, ...]]]:
    return {name: {"weight": weight.shape, "bias": bias.shape} for name, (weight, bias) in layers.items()}


def _truncated_normal(stream: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Standard normal numbers, drawn anew where beyond 2."""
    drawn = stream.normal(size=shape)
    while (beyond := np.abs(drawn) > 2).any():
        drawn[beyond] = stream.normal(size=int(beyond.sum()))
    return drawn
