"""Q-networks: observation in, one value an action out.

Images go through convolutions, vectors straight on; then hidden layers of any widths (none: linear approximate
Q-learning), then one value an action, or a state value and centred advantages, from half the units each (dueling: Wang
et al. 2016). Defaults are Mnih et al. 2015.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn

from rltrain.core import EnvSpec
from rltrain.deep.fast import tiling
from rltrain.deep.histogram import Bins, first_logits
from rltrain.deep.layers import Flatten, PixelConv, PixelTileConv, TileConv
from rltrain.errors import InputError
from rltrain.saved import Saved

PIXEL = 255  # the value that was seen as 1 where a state does not say: by earlier versions, whatever the space declares


class Conv(NamedTuple):
    """One convolution: how many channels out, the side of its square kernel, its stride."""

    channels: int
    kernel: int
    stride: int


class NetworkShape(NamedTuple):
    """Everything that decides a network's parameters."""

    convolutions: Sequence[Conv]
    padding: str  # "valid", or "same": zeros around, for an output side of at least input side / stride
    hidden: Sequence[int]
    dueling: bool
    layer_norm: bool  # before each hidden layer's ReLU
    bins: Bins | None = None  # each value is the mean of a histogram; None: a number


class NetworkSettings(Protocol):
    """The settings of an algorithm's network."""

    @property
    def convolutions(self) -> Sequence[tuple[int, int, int]]: ...
    @property
    def padding(self) -> str: ...
    @property
    def hidden(self) -> Sequence[int] | None: ...
    @property
    def dueling(self) -> bool: ...
    @property
    def layer_norm(self) -> bool: ...


def shape_of(settings: NetworkSettings, spec: EnvSpec, bins: Bins | None = None) -> NetworkShape:
    """From settings. No `hidden`: (512,) for images, (64, 64) for vectors. InputError for what cannot be built."""
    hidden = settings.hidden
    if hidden is None:
        hidden = (512,) if spec.obs_dtype == "uint8" else (64, 64)
    convolutions = [Conv(*conv) for conv in settings.convolutions]
    shape = NetworkShape(convolutions, settings.padding, hidden, settings.dueling, settings.layer_norm, bins)
    width = math.prod(_image_sides(spec, shape)[-1]) if spec.obs_dtype == "uint8" else spec.obs_shape[0]
    if shape.dueling and [width, *hidden][-1] < 2:
        raise InputError("algorithm.hidden: dueling heads share the units of the last layer; it needs at least 2")
    return shape


def _image_sides(spec: EnvSpec, shape: NetworkShape) -> list[tuple[int, int, int]]:
    """Channels, height and width of the picture and of what each convolution gives. InputError if one does not fit."""
    found = [(spec.obs_shape[0], spec.obs_shape[1], spec.obs_shape[2])]
    for i, conv in enumerate(shape.convolutions):
        _, *sides = found[-1]
        padded = [side + 2 * _padding(shape, side, conv) for side in sides]
        if min(padded) < conv.kernel:
            raise InputError(
                f"algorithm.convolutions: the window of layer {i + 1} is {conv.kernel} x {conv.kernel}, what it would "
                f"look at {sides[0]} x {sides[1]}; use smaller windows or strides, `padding: same`, or larger images"
            )
        height, width = ((side - conv.kernel) // conv.stride + 1 for side in padded)
        found.append((conv.channels, height, width))
    return found


class QNetwork(nn.Module):
    """obs [M, *obs] uint8 or float32 -> values [M, A] float32.

    `dtype` is the arithmetic of the convolutions and hidden layers; the last layer stays float32.
    """

    centres: Tensor  # [B] and [B + 1], of the bins of a histogram
    edges: Tensor

    def __init__(self, spec: EnvSpec, shape: NetworkShape, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.dtype = dtype
        self.is_image = spec.obs_dtype == "uint8"
        trunk: list[nn.Module] = []
        width = spec.obs_shape[0]
        if self.is_image:
            pictures = _image_sides(spec, shape)
            for i, conv in enumerate(shape.convolutions):
                channels, *sides = pictures[i]
                pad = [_padding(shape, side, conv) for side in sides]
                tiles = conv.kernel == conv.stride and not any(pad)
                kind = (TileConv if tiles else nn.Conv2d) if i else (PixelTileConv if tiles else PixelConv)
                trunk.append(kind(channels, conv.channels, conv.kernel, conv.stride, (pad[0], pad[1])))
                trunk.append(nn.ReLU(inplace=True))
            width = math.prod(pictures[-1])
        self.flatten = Flatten()
        self.trunk = nn.Sequential(*trunk, self.flatten).to(dtype)
        self.see_as_one(spec.obs_high)
        self.wide = nn.Linear(width, shape.hidden[0]).to(dtype) if shape.hidden else None
        layers: list[nn.Module] = []
        for i, hidden in enumerate(shape.hidden):
            layers += [nn.Linear(width, hidden)] if i else []
            layers += [nn.LayerNorm(hidden)] if shape.layer_norm else []
            layers.append(nn.ReLU())
            width = hidden
        self.rest = nn.Sequential(*layers).to(dtype)
        # Dueling: the last layer's first half says how good the state is, the rest how the actions compare.
        self.state_units = width // 2 if shape.dueling else 0
        self.bins = shape.bins
        each = 1 if shape.bins is None else shape.bins.number  # numbers out for a value
        self.advantage = nn.Linear(width - self.state_units, spec.num_actions * each)
        self.value = nn.Linear(self.state_units, each) if shape.dueling else None
        if shape.bins is not None:
            self.register_buffer("centres", shape.bins.centres(), persistent=False)
            self.register_buffer("edges", shape.bins.edges(), persistent=False)
        if self.is_image:
            self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # a third faster on a CPU

    def forward(self, obs: Tensor) -> Tensor:
        return self.of_prepared(self.prepare(obs))

    def of_prepared(self, x: Tensor) -> Tensor:
        """What `prepare` gives -> values [M, A]. Two networks of one shape can share what was prepared."""
        return self.values(self.hidden(x))

    def hidden(self, x: Tensor) -> Tensor:
        """Prepared observations -> the wide layer's sums [M, H], or what would enter it if there is none."""
        x = self.trunk(x)
        return x if self.wide is None else self.wide(x)

    def values(self, z: Tensor) -> Tensor:
        """What `hidden` gives -> values [M, A]."""
        return self.means(self.outputs(z).log_softmax(2)) if self.bins is not None else self.outputs(z).squeeze(2)

    def outputs(self, z: Tensor) -> Tensor:
        """What `hidden` gives -> values [M, A, 1], or logits of their bins [M, A, B]."""
        x = self.rest(z).float()
        each = 1 if self.bins is None else self.bins.number
        advantage: Tensor = self.advantage(x[:, self.state_units :]).unflatten(1, (-1, each))
        if self.value is None:
            return advantage
        value: Tensor = self.value(x[:, : self.state_units])[:, None]
        return value + advantage - advantage.mean(1, keepdim=True)

    def means(self, log_shares: Tensor) -> Tensor:
        """Of histograms [..., B]: values [...]."""
        return log_shares.exp() @ self.centres

    def see_as_one(self, obs_high: int) -> None:
        """From now on this value of a pixel is seen as 1."""
        self.pixel_scale = 1 / obs_high
        for layer in self.trunk:
            if isinstance(layer, PixelConv | PixelTileConv):
                layer.scale = self.pixel_scale

    def convolutions(self) -> list[nn.Conv2d]:
        """The layers of the trunk. A ReLU follows each."""
        return [layer for layer in self.trunk if isinstance(layer, nn.Conv2d)]

    def wide_parameters(self) -> list[nn.Parameter]:
        """Of the first hidden layer."""
        return [] if self.wide is None else list(self.wide.parameters())

    def tail_parameters(self) -> list[nn.Parameter]:
        """Of all that follows the first hidden layer."""
        heads = [self.advantage] if self.value is None else [self.advantage, self.value]
        return [*self.rest.parameters(), *(parameter for head in heads for parameter in head.parameters())]

    def other_parameters(self) -> list[nn.Parameter]:
        """All but the first hidden layer's."""
        return [*self.trunk.parameters(), *self.tail_parameters()]

    def prepare(self, obs: Tensor) -> Tensor:
        """Observations in the network's dtype and memory layout. Pixels stay as they are for a `PixelConv`."""
        if not self.is_image:
            return obs.to(self.dtype)
        first = self.trunk[0]
        if isinstance(first, PixelTileConv):
            return tiling.pixel_tiles(obs, first.kernel_size[0]).to(self.dtype)
        values = tiling.channels_last(obs).to(self.dtype)
        return values if isinstance(first, PixelConv) else values.mul_(self.pixel_scale)


def initialise(network: QNetwork, generator: torch.Generator) -> None:
    """Weights and biases uniform in +-1/sqrt(fan in), torch's own default, drawn from a named stream."""
    for module in network.modules():
        if isinstance(module, nn.LayerNorm):
            module.reset_parameters()
        if isinstance(module, nn.Conv2d | nn.Linear):
            bound = module.weight[0].numel() ** -0.5
            for parameter in module.parameters():
                parameter.data.copy_(torch.empty(parameter.shape).uniform_(-bound, bound, generator=generator))
    if network.bins is not None:
        head = network.advantage if network.value is None else network.value
        head.bias.data.view(-1, network.bins.number).add_(first_logits(network.bins))


def begin_anew(network: QNetwork, generator: torch.Generator, keep: float) -> None:
    """All is drawn as at the start, but convolutions keep this share of what they were.

    Source: Schwarzer et al. 2023, "Bigger, Better, Faster", section 3; resets: Nikishin et al. 2022, "The Primacy Bias
    in Deep Reinforcement Learning"; shrink and perturb: Ash and Adams 2020.
    """
    convolutions = list(network.trunk.parameters())
    before = [parameter.detach().clone() for parameter in convolutions]
    initialise(network, generator)
    with torch.no_grad():
        for parameter, old in zip(convolutions, before, strict=True):
            parameter.lerp_(old, keep)


def parameter_count(network: QNetwork) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def high_of(saved: Saved, spec: EnvSpec) -> int:
    """Which value of a pixel the networks of a saved state see as 1: the spec's, or PIXEL."""
    return saved.integer("obs_high", spec.obs_high, spec.obs_high) if "obs_high" in saved else PIXEL


def copy_weights(source: nn.Module, target: nn.Module) -> None:
    """Copy parameters between two networks of one shape; the dtypes may differ."""
    with torch.no_grad():
        torch._foreach_copy_(list(target.parameters()), list(source.parameters()))


def _padding(shape: NetworkShape, side: int, conv: Conv) -> int:
    """Zeros on each side: with `same`, the fewest for an output of at least side / stride values."""
    if shape.padding == "valid":
        return 0
    out = -(-side // conv.stride)
    missing = max(0, (out - 1) * conv.stride + conv.kernel - side)
    return -(-missing // 2)
