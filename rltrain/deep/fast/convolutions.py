"""Convolutions and their gradients, layer by layer: what autograd does, in pieces that two threads can share.

A layer's input gradient is needed at once, by the layer before it; its weight gradient only when the weights move.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from rltrain.deep.fast import tiling
from rltrain.deep.networks import PixelConv, TileConv


class Tape(NamedTuple):
    """What a forward pass leaves for the way back, one entry a layer."""

    inputs: list[Tensor]  # in tiles where the layer is a `TileConv`
    outputs: list[Tensor]  # after the ReLU


def forward(layers: Sequence[nn.Conv2d], x: Tensor) -> Tape:
    """Convolution and ReLU, layer after layer, without a graph."""
    inputs, outputs = [], []
    with torch.no_grad():
        for layer in layers:
            if isinstance(layer, TileConv):
                x = layer.tiles(x)
            inputs.append(x)
            x = (layer.of_tiles(x) if isinstance(layer, TileConv) else layer(x)).relu_()
            outputs.append(x)
    return Tape(inputs, outputs)


def before_relu(gradient: Tensor, output: Tensor) -> Tensor:
    """The gradient at a layer's sums, from that at its output."""
    return torch.ops.aten.threshold_backward(gradient, output, 0)


def sums_gradient(layer: nn.Conv2d, gradient: Tensor, output: Tensor) -> Tensor:
    """The gradient at the sums of the layer before, from that at this layer's.

    output [M, C, H, W]: of the layer before, after its ReLU, which is this layer's input.
    """
    if isinstance(layer, TileConv):
        with torch.no_grad():
            h, w = gradient.shape[2:]
            tiles = (_matrix(gradient) @ layer.matrix).view(len(gradient), h, w, -1)
            return tiling.untiled(tiles, output.permute(0, 2, 3, 1), layer.kernel_size[0]).permute(0, 3, 1, 2)
    return before_relu(_backward(layer, gradient, output, [True, False, False])[0], output)


def weight_gradients(layer: nn.Conv2d, gradient: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
    """d loss / d weight and d loss / d bias, from the gradient at the layer's sums. x: of the tape's inputs."""
    if isinstance(layer, TileConv):
        with torch.no_grad():
            rows = _matrix(gradient)
            return layer.weights(rows.t() @ x.flatten(0, 2)), rows.sum(0)
    _, weight, bias = _backward(layer, gradient, x, [False, True, True])
    return (weight * layer.scale if isinstance(layer, PixelConv) else weight), bias


def _matrix(gradient: Tensor) -> Tensor:
    """[M, out, h, w] -> [M h w, out]."""
    return gradient.permute(0, 2, 3, 1).flatten(0, 2)


def _backward(layer: nn.Conv2d, gradient: Tensor, x: Tensor, wanted: list[bool]) -> tuple[Tensor, Tensor, Tensor]:
    """The operator that autograd calls, asked for some of its three results: of the input, the weight and the bias."""
    with torch.no_grad():
        return torch.ops.aten.convolution_backward(
            gradient,
            x,
            layer.weight,
            [layer.out_channels],
            layer.stride,
            layer.padding,
            layer.dilation,
            False,  # transposed
            [0, 0],
            1,
            wanted,
        )
