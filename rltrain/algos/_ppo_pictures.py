"""A network for pictures that says how to act and what a state is worth, in torch: see `policies.actor_critic`.

Convolutions and hidden layers are shared by the policy and the value, as in Mnih et al. 2016 (A3C). The gradient at its
outputs comes from the algorithm, as numbers; torch takes it through the layers.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from rltrain.algos._ppo_config import PpoConfig
from rltrain.core import Array, EnvSpec, Hardware, State
from rltrain.deep.device import resolve
from rltrain.deep.learner import arrays, set_arrays, take_over
from rltrain.deep.optimiser import Optimiser, clip_scale
from rltrain.deep.trunks import Conv, Looking, trunk_of
from rltrain.policies.actor_critic import Loss, optimiser_of, spread_from
from rltrain.policies.distributions import Distribution
from rltrain.policies.mlp import orthogonal_matrix
from rltrain.saved import Saved
from rltrain.warm_start import Taken

HIDDEN = (512,)
POLICY_GAIN, VALUE_GAIN = 0.01, 1.0  # of the heads' first weights


class PictureNetwork(nn.Module):
    """obs [M, *obs] -> out [M, outputs] and value [M], float32."""

    def __init__(self, config: PpoConfig, spec: EnvSpec, outputs: int) -> None:
        super().__init__()
        convolutions = None if config.convolutions is None else [Conv(*conv) for conv in config.convolutions]
        self.trunk = trunk_of(spec, Looking(convolutions, config.padding), torch.float32)
        layers: list[nn.Module] = []
        width = self.trunk.features
        for units in HIDDEN if config.hidden is None else config.hidden:
            layers += [nn.Linear(width, units), nn.ReLU()]
            width = units
        self.rest = nn.Sequential(*layers)
        self.out, self.value = nn.Linear(width, outputs), nn.Linear(width, 1)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # a third faster on a CPU

    def forward(self, obs: Tensor) -> tuple[Tensor, Tensor]:
        x = self.rest(self.trunk(self.trunk.prepare(obs)))
        return self.out(x), self.value(x).squeeze(1)

    def initialise(self, stream: np.random.Generator) -> None:
        """Orthogonal weights, biases 0 (Saxe et al. 2014; the gains are those of Huang et al. 2022, detail 2)."""
        gains: dict[nn.Module, float] = {self.out: POLICY_GAIN, self.value: VALUE_GAIN}
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                rows = orthogonal_matrix(stream, len(layer.weight), layer.weight[0].numel())
                rows *= gains.get(layer, math.sqrt(2))
                with torch.no_grad():
                    layer.weight.copy_(torch.from_numpy(rows).view(layer.weight.shape))
                    nn.init.zeros_(layer.bias)  # type: ignore[arg-type]  # each has one


class PictureActorCritic:
    """It is a `policies.actor_critic.ActorCritic`."""

    def __init__(self, config: PpoConfig, network: PictureNetwork, free: list[Array], device: torch.device) -> None:
        self.network, self.free, self.device = network.to(device), free, device
        self._max_grad_norm = config.max_grad_norm
        name = {"rmsprop": "rmsprop_plain"}.get(config.optimizer, config.optimizer)
        self._optimiser = Optimiser(name, list(network.parameters()), config.optimizer_eps)
        self._free_optimiser = optimiser_of(config.optimizer, free, config.optimizer_eps)

    def see(self, obs: Array) -> tuple[Array, Array]:
        with torch.inference_mode():
            out, value = self.network(torch.from_numpy(obs).to(self.device))
        return _numbers(out), _numbers(value)

    def inputs(self, obs: Array) -> Tensor:
        return torch.from_numpy(obs)

    def learn(self, inputs: Tensor, rows: Array, loss: Loss, learning_rate: float) -> float | None:
        out, value = self.network(inputs[torch.from_numpy(rows)].to(self.device))
        d = loss(_numbers(out.detach()), _numbers(value.detach()))
        if d is None:
            return None
        heads = [torch.from_numpy(part.astype(np.float32)).to(self.device) for part in (d.out, d.value)]
        norm = self._optimiser.take(torch.autograd.grad([out, value], self._optimiser.parameters, heads))
        free_norm = math.sqrt(sum(float(np.vdot(part, part)) for part in d.free))
        norm = torch.hypot(norm, torch.tensor(free_norm, device=self.device))
        scale = clip_scale(norm, self._max_grad_norm)
        if math.isfinite(length := float(norm)):
            self._optimiser.step(learning_rate, scale)
            if self.free:
                self._free_optimiser.step([part * float(scale) for part in d.free], learning_rate)
        return length

    def start_from(self, saved: Saved) -> Taken:
        return take_over(self.network, saved.part("weights"), ("out", "value")).and_also(spread_from(self.free, saved))

    def acting(self) -> Callable[[Array], Array]:
        network, device = copy.deepcopy(self.network), self.device

        def outputs(obs: Array) -> Array:
            with torch.inference_mode():
                return _numbers(network(torch.from_numpy(obs).to(device))[0])

        return outputs

    def save(self) -> State:
        return {
            "weights": arrays(self.network),
            "free": [part.copy() for part in self.free],
            "optimizer": self._optimiser.save(),
            "free_optimizer": self._free_optimiser.save(),
        }

    def load(self, state: State) -> None:
        saved = Saved.of(state)
        set_arrays(self.network, saved.part("weights"))
        saved.fill_list("free", self.free)
        self._optimiser.load(saved.part("optimizer"))
        self._free_optimiser.load(saved.part("free_optimizer"))


def of(
    config: PpoConfig,
    spec: EnvSpec,
    distribution: Distribution,
    stream: np.random.Generator,
    hardware: Hardware,
) -> PictureActorCritic:
    """A network at its beginning, whose weights are drawn from the stream."""
    torch.set_num_threads(hardware.threads)
    network = PictureNetwork(config, spec, distribution.outputs)
    network.initialise(stream)
    return PictureActorCritic(config, network, distribution.initial(), resolve(hardware.device))


def parameter_count(config: PpoConfig, spec: EnvSpec, outputs: int) -> int:
    return sum(parameter.numel() for parameter in PictureNetwork(config, spec, outputs).parameters())


def _numbers(values: Tensor) -> Array:
    return values.double().cpu().numpy()
