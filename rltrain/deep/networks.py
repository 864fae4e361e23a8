"""Q-networks: observation in, one value an action out.

Images go through convolutions, vectors straight on; then hidden layers of any widths (none: linear approximate
Q-learning), then one value an action, or a state value and centred advantages (dueling: Wang et al. 2016). Defaults are
Mnih et al. 2015.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from rltrain.core import EnvSpec


class Conv(NamedTuple):
    """One convolution: how many channels out, the side of its square kernel, its stride."""

    channels: int
    kernel: int
    stride: int


class NetworkShape(NamedTuple):
    """Everything that decides a network's parameters."""

    convolutions: Sequence[Conv]
    padding: str  # "valid", or "same": output side = input side / stride, rounded up
    hidden: Sequence[int]
    dueling: bool
    layer_norm: bool  # before each hidden layer's ReLU


class QNetwork(nn.Module):
    """obs [M, *obs] uint8 or float32 -> values [M, A] float32.

    `dtype` is the arithmetic of the convolutions and hidden layers; the last layer and all parameters outside stay
    float32.
    """

    def __init__(self, spec: EnvSpec, shape: NetworkShape, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.dtype = dtype
        self.is_image = spec.obs_dtype == "uint8"
        layers: list[nn.Module] = []
        channels, *sides = spec.obs_shape if self.is_image else (0,)
        width = spec.obs_shape[0] if not self.is_image else 0
        if self.is_image:
            for conv in shape.convolutions:
                pad = [_same_padding(side, conv) if shape.padding == "same" else 0 for side in sides]
                layers += [nn.Conv2d(channels, conv.channels, conv.kernel, conv.stride, tuple(pad)), nn.ReLU()]  # type: ignore[arg-type]
                channels = conv.channels
                sides = [(side + 2 * p - conv.kernel) // conv.stride + 1 for side, p in zip(sides, pad, strict=True)]
            layers.append(nn.Flatten())
            width = channels * sides[0] * sides[1]
        for hidden in shape.hidden:
            layers.append(nn.Linear(width, hidden))
            layers += [nn.LayerNorm(hidden)] if shape.layer_norm else []
            layers.append(nn.ReLU())
            width = hidden
        self.body = nn.Sequential(*layers).to(dtype)
        self.advantage = nn.Linear(width, spec.num_actions)
        self.value = nn.Linear(width, 1) if shape.dueling else None
        if self.is_image:
            self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # a third faster on a CPU

    def forward(self, obs: Tensor) -> Tensor:
        x = self.body(self.prepare(obs)).float()
        advantage: Tensor = self.advantage(x)
        if self.value is None:
            return advantage
        return self.value(x) + advantage - advantage.mean(1, keepdim=True)

    def prepare(self, obs: Tensor) -> Tensor:
        """Pixels 0..255 to 0..1 in the network's dtype and memory layout."""
        if not self.is_image:
            return obs.to(self.dtype)
        return obs.contiguous(memory_format=torch.channels_last).to(self.dtype).mul_(1 / 255)


def initialise(network: QNetwork, generator: torch.Generator) -> None:
    """Weights and biases uniform in +-1/sqrt(fan in), torch's own default, drawn from a named stream."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            bound = module.weight[0].numel() ** -0.5
            for parameter in module.parameters():
                parameter.data.copy_(torch.empty(parameter.shape).uniform_(-bound, bound, generator=generator))


def parameter_count(network: QNetwork) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def copy_weights(source: nn.Module, target: nn.Module) -> None:
    """Copy parameters between two networks of one shape; the dtypes may differ."""
    with torch.no_grad():
        torch._foreach_copy_(list(target.parameters()), list(source.parameters()))


def _same_padding(side: int, conv: Conv) -> int:
    """Zeros on each side such that the output has side / stride values, rounded up."""
    out = -(-side // conv.stride)
    missing = max(0, (out - 1) * conv.stride + conv.kernel - side)
    return -(-missing // 2)
