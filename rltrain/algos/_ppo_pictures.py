"""A network for pictures that says how to act and what a state is worth, in torch: see `policies.actor_critic`.

Convolutions and hidden layers are shared by the policy and the value, as in Mnih et al. 2016 (A3C). The gradient at its
outputs comes from the algorithm, as numbers; torch takes it through the layers.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from rltrain.algos._ppo_config import PpoConfig
from rltrain.computation import Seen, Value
from rltrain.core import Array, EnvSpec, Hardware, State
from rltrain.deep import as_computation
from rltrain.deep.device import resolve
from rltrain.deep.fast import precision
from rltrain.deep.learner import arrays, set_arrays, take_over
from rltrain.deep.networks import copy_weights
from rltrain.deep.optimiser import Optimiser, clip_scale
from rltrain.deep.trunks import Conv, Looking, chosen_convolutions, trunk_of
from rltrain.policies.actor_critic import ActorCritic, Loss, optimiser_of, spread_from
from rltrain.policies.distributions import Distribution
from rltrain.policies.mlp import orthogonal_matrix
from rltrain.saved import Saved
from rltrain.warm_start import Taken

HIDDEN = (512,)
POLICY_GAIN, VALUE_GAIN = 0.01, 1.0  # of the heads' first weights


class PictureNetwork(nn.Module):
    """obs [M, *obs] -> [M, outputs + 1] float32, the last column being the value.

    `dtype` is the arithmetic of convolutions and hidden layers; the last ones stay float32.
    """

    def __init__(self, config: PpoConfig, spec: EnvSpec, outputs: int, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.dtype = dtype
        convolutions = None if config.convolutions is None else [Conv(*conv) for conv in config.convolutions]
        self.trunk = trunk_of(spec, Looking(convolutions, config.padding), dtype)
        layers: list[nn.Module] = []
        width = self.trunk.features
        for units in HIDDEN if config.hidden is None else config.hidden:
            layers += [nn.Linear(width, units), nn.ReLU()]
            width = units
        self.rest = nn.Sequential(*layers).to(dtype)
        self.out, self.value = nn.Linear(width, outputs), nn.Linear(width, 1)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # a third faster on a CPU

    def forward(self, obs: Tensor) -> Tensor:
        x = self.rest(self.trunk(self.trunk.prepare(obs))).float()
        return torch.cat([self.out(x), self.value(x)], dim=1)

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
    """It is a `policies.actor_critic.ActorCritic`.

    network   the weights, float32, which the optimiser moves
    working   the network that acts and is differentiated: the same, or a copy in lower precision that follows
    """

    def __init__(
        self, config: PpoConfig, spec: EnvSpec, distribution: Distribution, stream: np.random.Generator, device: str
    ) -> None:
        """At its beginning, its weights drawn from the stream."""
        self.free, self.device = distribution.initial(), resolve(device)
        self._config, self._make = config, partial(PictureNetwork, config, spec, distribution.outputs)
        self._free_optimiser = optimiser_of(config.optimizer, self.free, config.optimizer_eps)
        self.network = self._make().to(self.device)
        self.network.initialise(stream)
        self._precision: str = config.precision
        self.chosen = chosen_convolutions(spec, config.convolutions)
        if config.precision == "auto":
            half = self._make(torch.bfloat16).to(self.device)
            self._choose(precision.choose(spec, self.network, half, self.device, config.batch_size))
        self._build()

    def _choose(self, choice: precision.Choice) -> None:
        self._precision = choice.name
        self.chosen["precision"] = f"{choice.name}: {choice.why}"

    def _build(self) -> None:
        """The working network, and the optimiser that moves both."""
        lower = self._make(torch.bfloat16).to(self.device) if self._precision == "bfloat16" else None
        self.working = self.network if lower is None else lower
        self._optimiser = Optimiser(
            {"rmsprop": "rmsprop_plain"}.get(self._config.optimizer, self._config.optimizer),
            list(self.network.parameters()),
            self._config.optimizer_eps,
            None if lower is None else list(lower.parameters()),
        )
        copy_weights(self.network, self.working)

    def see(self, obs: Array) -> tuple[Array, Array]:
        with torch.inference_mode():
            return _split(_numbers(self.working(torch.from_numpy(obs).to(self.device))))

    def inputs(self, obs: Array) -> Tensor:
        return torch.from_numpy(obs).to(self.device)

    def learn(self, inputs: Tensor, rows: Array, loss: Loss, learning_rate: float) -> float | None:
        given = self.working(inputs[torch.from_numpy(rows).to(self.device)])
        d = loss(*_split(_numbers(given.detach())))
        if d is None:
            return None
        slope = torch.from_numpy(np.column_stack([d.out, d.value]).astype(np.float32)).to(self.device)
        norm = self._optimiser.take(torch.autograd.grad(given, self._optimiser.working, slope))
        free_norm = math.sqrt(sum(float(np.vdot(part, part)) for part in d.free))
        norm = torch.hypot(norm, torch.tensor(free_norm, device=self.device))
        scale = clip_scale(norm, self._config.max_grad_norm)
        if math.isfinite(length := float(norm)):
            self._optimiser.step(learning_rate, scale)
            if self.free:
                self._free_optimiser.step([part * float(scale) for part in d.free], learning_rate)
        return length

    def start_from(self, saved: Saved) -> Taken:
        taken = take_over(self.network, saved.part("weights"), ("out", "value"))
        copy_weights(self.network, self.working)
        return taken.and_also(spread_from(self.free, saved))

    def acting(self) -> Callable[[Array], Array]:
        see = self._seeing()
        return lambda obs: see(obs)[0]

    def valuing(self) -> Callable[[Array], Array]:
        see = self._seeing()
        return lambda obs: see(obs)[1]

    def _seeing(self) -> Callable[[Array], tuple[Array, Array]]:
        """What `see` gives, by a copy of the network as it is now."""
        network, device = copy.deepcopy(self.network), self.device

        def see(obs: Array) -> tuple[Array, Array]:
            with torch.inference_mode():
                return _split(_numbers(network(torch.from_numpy(obs).to(device))))

        return see

    def save(self) -> State:
        return {
            "precision": self._precision,
            "weights": arrays(self.network),
            "free": [part.copy() for part in self.free],
            "optimizer": self._optimiser.save(),
            "free_optimizer": self._free_optimiser.save(),
        }

    def load(self, state: State) -> None:
        saved = Saved.of(state)
        name = saved.text("precision", among=("float32", "bfloat16"))
        if name != self._precision:
            self._choose(precision.of_saved(name, self._config.precision, self._precision, self.device))
            self._build()
        set_arrays(self.network, saved.part("weights"))
        copy_weights(self.network, self.working)
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
    device = "cpu" if hardware.device == "auto" else hardware.device  # a GPU is taken where it is named
    return PictureActorCritic(config, spec, distribution, stream, device)


def outputs(network: ActorCritic, spec: EnvSpec, seen: Seen) -> Value:
    """What the policy's outputs [N, outputs] are computed by."""
    assert isinstance(network, PictureActorCritic)
    own = network.network
    features = as_computation.seen_by_trunk(own.trunk, spec, seen)
    return as_computation.linear(own.out, as_computation.through(own.rest, features))


def parameter_count(config: PpoConfig, spec: EnvSpec, outputs: int) -> int:
    return sum(parameter.numel() for parameter in PictureNetwork(config, spec, outputs).parameters())


def _split(given: Array) -> tuple[Array, Array]:
    """Out [M, outputs] and value [M] of what the network gave."""
    return given[:, :-1], given[:, -1]


def _numbers(values: Tensor) -> Array:
    return values.double().cpu().numpy()
