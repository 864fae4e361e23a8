"""Q-networks: observation in, one value an action out.

Images go through convolutions, vectors straight on (`trunks`); then hidden layers of any widths (none: linear
approximate Q-learning), then one value an action, or a state value and centred advantages, from half the units each
(dueling: Wang et al. 2016). Defaults are Mnih et al. 2015.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn

from rltrain.core import EnvSpec
from rltrain.deep.histogram import Bins, first_logits
from rltrain.deep.layers import Flatten, NoisyLinear
from rltrain.deep.quantiles import WAVES, Quantiles, waves
from rltrain.deep.trunks import Conv, Looking, features_of, trunk_of
from rltrain.errors import InputError
from rltrain.saved import Saved

PIXEL = 255  # the value that was seen as 1 where a state does not say: by earlier versions, whatever the space declares


class NetworkShape(NamedTuple):
    """Everything that decides a network's parameters."""

    convolutions: Sequence[Conv] | None  # None: those that suit each picture's size
    padding: str  # "valid", or "same": zeros around, for an output side of at least input side / stride
    hidden: Sequence[int]
    dueling: bool
    layer_norm: bool  # before each hidden layer's ReLU
    spread: Bins | Quantiles | None = None  # each value is the mean of a distribution; None: a number
    noisy: bool = False  # the last layers are, see `NoisyLinear`


class NetworkSettings(Protocol):
    """The settings of an algorithm's network."""

    @property
    def convolutions(self) -> Sequence[tuple[int, int, int]] | None: ...
    @property
    def padding(self) -> str: ...
    @property
    def hidden(self) -> Sequence[int] | None: ...
    @property
    def dueling(self) -> bool: ...
    @property
    def layer_norm(self) -> bool: ...


def shape_of(
    settings: NetworkSettings, spec: EnvSpec, spread: Bins | Quantiles | None = None, noisy: bool = False
) -> NetworkShape:
    """From settings. No `hidden`: (512,) for images, (64, 64) for vectors. InputError for what cannot be built."""
    hidden = settings.hidden
    if hidden is None:
        hidden = (512,) if spec.has_image else (64, 64)
    convolutions = None if settings.convolutions is None else [Conv(*conv) for conv in settings.convolutions]
    shape = NetworkShape(convolutions, settings.padding, hidden, settings.dueling, settings.layer_norm, spread, noisy)
    width = features_of(spec, Looking(shape.convolutions, shape.padding))
    if shape.dueling and [width, *hidden][-1] < 2:
        raise InputError("algorithm.hidden: dueling heads share the units of the last layer; it needs at least 2")
    return shape


class QNetwork(nn.Module):
    """obs [M, *obs] uint8 or float32 -> values [M, A] float32.

    `dtype` is the arithmetic of the convolutions and hidden layers; the last layer stays float32.
    """

    centres: Tensor  # [B] and [B + 1], of the bins of a histogram
    edges: Tensor
    levels: Tensor  # [B], of quantiles

    def __init__(self, spec: EnvSpec, shape: NetworkShape, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.dtype = dtype
        self.is_image, self.has_image = spec.is_image, spec.has_image
        self.flatten = Flatten()
        self.trunk = trunk_of(spec, Looking(shape.convolutions, shape.padding), dtype)
        width = self.trunk.features
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
        self.spread = shape.spread
        told = isinstance(shape.spread, Quantiles) and shape.spread.implicit
        self.level = nn.Linear(WAVES, width) if told else None  # what a quantile's level makes of the last units
        each = 1 if shape.spread is None or told else shape.spread.number  # numbers out for a value
        last = NoisyLinear if shape.noisy else nn.Linear
        self.advantage = last(width - self.state_units, spec.num_actions * each)
        self.value = last(self.state_units, each) if shape.dueling else None
        if isinstance(shape.spread, Bins):
            self.register_buffer("centres", shape.spread.centres(), persistent=False)
            self.register_buffer("edges", shape.spread.edges(), persistent=False)
        if isinstance(shape.spread, Quantiles):
            self.register_buffer("levels", shape.spread.levels(), persistent=False)
        if self.has_image:
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
        return self.means(self.outputs(z))

    @property
    def draws(self) -> int:
        """Numbers of noise that a row of `outputs` takes."""
        heads = (self.advantage, self.value)
        return sum(head.out_features for head in heads if isinstance(head, NoisyLinear))

    def outputs(self, z: Tensor, levels: Tensor | None = None, noise: Tensor | None = None) -> Tensor:
        """What `hidden` gives -> values [M, A, 1], or their quantiles or logits of their bins [M, A, B].

        Where quantiles are implicit: those of levels [M, B]; None: of the levels that a value is the mean of. `noise`,
        standard normal [M, draws], of noisy layers; None: their means.
        """
        x = self.rest(z).float()
        if self.level is not None:
            told = self.level(waves(self.levels if levels is None else levels)).relu()  # [M or nothing, B, width]
            noise = noise if noise is None else noise[:, None]
            return self._heads(x[:, None] * told, noise, 1).squeeze(3).transpose(1, 2)
        return self._heads(x, noise, 1 if self.spread is None else self.spread.number)

    def _heads(self, x: Tensor, noise: Tensor | None, each: int) -> Tensor:
        """Units [..., width] -> values of so many numbers, [..., A, each]. noise [..., draws]."""
        advantage: Tensor = _with_noise(self.advantage, x[..., self.state_units :], noise).unflatten(-1, (-1, each))
        if self.value is None:
            return advantage
        rest = noise if noise is None else noise[..., self.advantage.out_features :]
        value: Tensor = _with_noise(self.value, x[..., : self.state_units], rest)[..., None, :]
        return value + advantage - advantage.mean(-2, keepdim=True)

    def draw(self, generator: torch.Generator) -> None:
        """Draw the weights of noisy layers, for as long as they stay."""
        for head in (self.advantage, self.value):
            if isinstance(head, NoisyLinear):
                head.draw(generator)

    def means(self, outputs: Tensor) -> Tensor:
        """What `outputs` gives [M, A, B] -> values [M, A]."""
        if self.spread is None:
            return outputs.squeeze(2)
        return outputs.softmax(2) @ self.centres if isinstance(self.spread, Bins) else outputs.mean(2)

    def see_as_one(self, obs_high: int) -> None:
        """From now on this value of a pixel is seen as 1."""
        self.trunk.see_as_one(obs_high)

    def convolutions(self) -> list[nn.Conv2d]:
        """The layers of the trunk. A ReLU follows each."""
        return [layer for layer in self.trunk.modules() if isinstance(layer, nn.Conv2d)]

    def wide_parameters(self) -> list[nn.Parameter]:
        """Of the first hidden layer."""
        return [] if self.wide is None else list(self.wide.parameters())

    def tail_parameters(self) -> list[nn.Parameter]:
        """Of all that follows the first hidden layer."""
        heads = [head for head in (self.advantage, self.value, self.level) if head is not None]
        return [*self.rest.parameters(), *(parameter for head in heads for parameter in head.parameters())]

    def other_parameters(self) -> list[nn.Parameter]:
        """All but the first hidden layer's."""
        return [*self.trunk.parameters(), *self.tail_parameters()]

    def prepare(self, obs: Tensor) -> Tensor:
        """Observations in the network's dtype and memory layout; pixels and named parts stay bytes."""
        return self.trunk.prepare(obs)


def _with_noise(layer: nn.Linear, x: Tensor, noise: Tensor | None) -> Tensor:
    """What a layer gives; if it is a noisy one, with the first of this noise [..., at least out], if there is any."""
    if noise is None or not isinstance(layer, NoisyLinear):
        found: Tensor = layer(x)
        return found
    return layer.noisy(x, noise[..., : layer.out_features])


def initialise(network: QNetwork, generator: torch.Generator) -> None:
    """Weights and biases uniform in +-1/sqrt(fan in), torch's own default, drawn from a named stream."""
    for module in network.modules():
        if isinstance(module, nn.LayerNorm):
            module.reset_parameters()
        if isinstance(module, nn.Conv2d | nn.Linear):
            bound = module.weight[0].numel() ** -0.5
            for parameter in module.parameters():
                parameter.data.copy_(torch.empty(parameter.shape).uniform_(-bound, bound, generator=generator))
        if isinstance(module, NoisyLinear):
            module.as_new()
    if isinstance(network.spread, Bins):
        head = network.advantage if network.value is None else network.value
        head.bias.data.view(-1, network.spread.number).add_(first_logits(network.spread))


def begin_anew(network: QNetwork, generator: torch.Generator, keep: float) -> None:
    """All is drawn as at the start, but convolutions keep this share of what they were.

    Source: Schwarzer et al. 2023, "Bigger, Better, Faster", section 3; resets: Nikishin et al. 2022, "The Primacy Bias
    in Deep Reinforcement Learning"; shrink and perturb: Ash and Adams 2020.
    """
    convolutions = [parameter for layer in network.convolutions() for parameter in layer.parameters()]
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
