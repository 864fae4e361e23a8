"""One gradient step in pieces that two threads can share: what `serial.update` does, but for rounding.

A layer's input gradient is needed at once, by the layer before it; its weight gradient only when the weights move. So
this thread goes backwards through the layers, and the gradients of their weights are jobs that the helper takes, or
this thread when it is through. The first hidden layer, the wide one, holds nearly all weights: the helper moves them
while this thread reads the next batch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from rltrain.deep.fast import tiling
from rltrain.deep.fast.helper import Job
from rltrain.deep.fast.serial import update
from rltrain.deep.layers import PixelConv, TileConv
from rltrain.deep.learner import Learner, Samples, UpdateStats
from rltrain.deep.trunks import PartsTrunk

Submit = Callable[[Callable[[], Any]], Job[Any]]  # offers work to the helper


class SplitUpdate:
    """Updates of a learner on a processor."""

    def __init__(self, learner: Learner, submit: Submit) -> None:
        self._learner, self._submit = learner, submit
        self._moving: Job[None] | None = None  # the wide layer's last step

    def __call__(self, samples: Samples, learning_rate: float) -> UpdateStats:
        """One gradient step. Call `wait` before the weights are read by anyone else."""
        learner, network = self._learner, self._learner.working
        if network.wide is None or isinstance(network.trunk, PartsTrunk):
            self.wait()
            return update(learner, samples, learning_rate)
        layers = network.convolutions()
        tape = forward(layers, samples.obs)
        features = network.flatten(tape.outputs[-1] if layers else samples.obs)  # [M, F]
        self.wait()  # for the wide layer's new weights
        with torch.no_grad():
            z = network.wide(features)  # [M, H]
        found = learner.loss(network.outputs(z.requires_grad_(), samples.levels, samples.noise), samples)
        dz, *tail_gradients = torch.autograd.grad(found.loss, [z, *network.tail_parameters()])
        wide_norm = self._submit(partial(self._take_wide, dz, features))
        trunk_gradients: list[Tensor] = []
        if layers:
            with torch.no_grad():
                gradient = network.flatten.back(dz @ network.wide.weight, tape.outputs[-1])
            trunk_gradients = backward(layers, tape, gradient, self._submit)
        others_norm = learner.others.take([*trunk_gradients, *tail_gradients])
        norm, scale = learner.clip(wide_norm.result(), others_norm)
        self._moving = self._submit(partial(learner.wide.step, learning_rate, scale))
        learner.others.step(learning_rate, scale)
        return UpdateStats(found.td_error, found.loss.detach(), found.value, norm)

    def _take_wide(self, dz: Tensor, features: Tensor) -> Tensor:
        wide = self._learner.wide
        weight = wide.gradients[0]
        if weight.dtype == dz.dtype:
            torch.mm(dz.t(), features, out=weight)
        else:
            weight = dz.t() @ features
        return wide.take([weight, dz.sum(0)])

    def wait(self) -> None:
        """Until the last update is complete."""
        if self._moving is not None:
            self._moving.result()
            self._moving = None


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


def backward(layers: Sequence[nn.Conv2d], tape: Tape, gradient: Tensor, submit: Submit) -> list[Tensor]:
    """Gradients of the convolutions' parameters, in order, from that at what the last one gave."""
    gradient = before_relu(gradient, tape.outputs[-1])
    jobs: list[Job[tuple[Tensor, Tensor]]] = []  # from the last layer to the first
    for i in range(len(layers) - 1, -1, -1):
        jobs.append(submit(partial(weight_gradients, layers[i], gradient, tape.inputs[i])))
        if i > 0:
            gradient = sums_gradient(layers[i], gradient, tape.outputs[i - 1])
    results = [job.result() for job in reversed(jobs)]  # the first layer's first: the helper comes from the other end
    return [part for of_layer in results for part in of_layer]


def before_relu(gradient: Tensor, output: Tensor) -> Tensor:
    """The gradient at a layer's sums, from that at its output."""
    at_sums: Tensor = torch.ops.aten.threshold_backward(gradient, output, 0)
    return at_sums


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
            return layer.gradients(_matrix(gradient), x)
    _, weight, bias = _backward(layer, gradient, x, [False, True, True])
    return (weight * layer.scale if isinstance(layer, PixelConv) else weight), bias


def _matrix(gradient: Tensor) -> Tensor:
    """[M, out, h, w] -> [M h w, out]."""
    return gradient.permute(0, 2, 3, 1).flatten(0, 2)


def _backward(layer: nn.Conv2d, gradient: Tensor, x: Tensor, wanted: list[bool]) -> tuple[Tensor, Tensor, Tensor]:
    """The operator that autograd calls, asked for some of its three results: of the input, the weight and the bias."""
    with torch.no_grad():
        found: tuple[Tensor, Tensor, Tensor] = torch.ops.aten.convolution_backward(
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
    return found
