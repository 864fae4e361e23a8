"""Convolutions and their gradients, layer by layer: what autograd does, in pieces that two threads can share.

A layer's input gradient is needed at once, by the layer before it; its weight gradient only when the weights move.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from rltrain.deep.networks import PixelConv, PixelTileConv, TileConv


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


def input_gradient(layer: nn.Conv2d, gradient: Tensor, x: Tensor) -> Tensor:
    """d loss / d x, from the gradient at the layer's sums. x [M, C, H, W] is the output of the layer before."""
    if isinstance(layer, TileConv):
        with torch.no_grad():
            rows = gradient.permute(0, 2, 3, 1)
            return layer.untiled((_matrix(gradient) @ layer.matrix).view(*rows.shape[:3], -1), x)
    return _backward(layer, gradient, x, [True, False, False])[0]


def weight_gradients(layer: nn.Conv2d, gradient: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
    """d loss / d weight and d loss / d bias, from the gradient at the layer's sums. x: of the tape's inputs."""
    if isinstance(layer, TileConv):
        with torch.no_grad():
            rows = _matrix(gradient)
            weight = (rows.t() @ x.flatten(0, 2)).view(layer.out_channels, *layer.kernel_size, -1).permute(0, 3, 1, 2)
            return (weight * (1 / 255) if isinstance(layer, PixelTileConv) else weight), rows.sum(0)
    _, weight, bias = _backward(layer, gradient, x, [False, True, True])
    return (weight * (1 / 255) if isinstance(layer, PixelConv) else weight), bias


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
