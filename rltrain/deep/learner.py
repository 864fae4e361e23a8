"""The network that learns: its weights, a working copy in lower precision, its loss and its optimisers.

How a gradient step is computed is the engine's (`deep.engine`); what it is, `deep.fast.serial.update` says.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from rltrain.core import Array, EnvSpec, Metrics, State
from rltrain.deep.losses import Loss
from rltrain.deep.networks import NetworkShape, QNetwork, begin_anew, copy_weights, initialise
from rltrain.deep.optimiser import Optimiser, clip_scale
from rltrain.errors import DivergedError
from rltrain.saved import Saved
from rltrain.warm_start import Taken, fitting

HEADS = ("advantage", "value")  # layers of a `QNetwork` that stand side by side at its end


class Samples(NamedTuple):
    """What one update learns from: M actions, and the values that they are to have."""

    obs: Tensor  # [M, *obs], as `QNetwork.prepare` gives them
    action: Tensor  # [M] int64
    target: Tensor  # [M] float32; of distributions [M, B]
    weight: Tensor  # [M] float32
    levels: Tensor | None = None  # [M, B] float32, of the quantiles that are to be learned
    noise: Tensor | None = None  # [M, D] float32, of noisy layers


LossFunction = Callable[[QNetwork, Tensor, Samples], Loss]  # of a network's outputs [M, A, 1 or B] for the samples


class UpdateStats(NamedTuple):
    """What an update saw."""

    td_error: Tensor  # [M]
    loss: Tensor  # this and the next two: scalars
    value: Tensor  # mean Q of the batch's actions
    norm: Tensor  # of the gradient, before clipping


class Learner:
    """A Q-network that learns.

    master   the weights, float32, which the optimiser moves
    working  the network that is differentiated: the same, or a copy in lower precision that follows every step
    wide     optimiser of the first hidden layer, which holds nearly all weights
    others   optimiser of all other layers
    """

    def __init__(
        self,
        spec: EnvSpec,
        shape: NetworkShape,
        loss: LossFunction,
        generator: torch.Generator,
        *,
        device: torch.device,
        dtype: torch.dtype = torch.float32,
        optimizer: str,
        optimizer_eps: float,
        max_grad_norm: float | None,
    ) -> None:
        self._loss, self._max_grad_norm = loss, max_grad_norm
        self.master = QNetwork(spec, shape)
        initialise(self.master, generator)
        self.master.to(device)
        self.working, copy = self.master, None
        if dtype != torch.float32:
            self.working = copy = QNetwork(spec, shape, dtype).to(device)
            copy_weights(self.master, copy)
        self.wide, self.others = (
            Optimiser(optimizer, part(self.master), optimizer_eps, None if copy is None else part(copy))
            for part in (QNetwork.wide_parameters, QNetwork.other_parameters)
        )

    def loss(self, outputs: Tensor, samples: Samples) -> Loss:
        """Of what the working network gives for the samples, [M, A, 1 or B]."""
        return self._loss(self.working, outputs, samples)

    def clip(self, wide_norm: Tensor, others_norm: Tensor) -> tuple[Tensor, float | Tensor]:
        """The norm of the whole gradient, and what to multiply the gradient by."""
        norm = torch.hypot(wide_norm, others_norm)
        return norm, clip_scale(norm, self._max_grad_norm)

    def restart(self, generator: torch.Generator, keep: float) -> None:
        """A new network but for this share of the convolutions, and new optimisers."""
        begin_anew(self.master, generator, keep)
        copy_weights(self.master, self.working)
        self.wide.restart()
        self.others.restart()

    def start_from(self, weights: Saved, apart: str = "") -> Taken:
        """Take over the layers that fit of a saved network's weights. `apart`: why its heads do not, if so.

        InputError if no layer fits, CheckpointError for what are no weights.
        """
        taken = take_over(self.master, weights, HEADS, apart)
        copy_weights(self.master, self.working)
        return taken

    def save(self) -> State:
        return {"weights": arrays(self.master), "wide": self.wide.save(), "others": self.others.save()}

    def load(self, state: State) -> None:
        saved = Saved.of(state)
        set_arrays(self.master, saved.part("weights"))
        self.wide.load(saved.part("wide"))
        self.others.load(saved.part("others"))
        copy_weights(self.master, self.working)


def take_over(network: nn.Module, weights: Saved, heads: Collection[str], apart: str = "") -> Taken:
    """Write the layers of saved weights that fit over those of a network, whose `heads` stand side by side at its end.

    `apart`: why the heads do not fit, whatever their shapes.
    InputError if no layer fits, CheckpointError for what are no weights.
    """
    there = {name: weights.any_shape(name, "float32") for name in weights}
    here = dict(network.named_parameters())
    shapes = {name: tuple(parameter.shape) for name, parameter in here.items()}
    others = _layers({name: values.shape for name, values in there.items()})
    found = fitting(_layers(shapes), others, heads, dict.fromkeys(heads, apart) if apart else None)
    taken = found.of("network")
    with torch.no_grad():
        for name, parameter in here.items():
            if _layer(name) in found.layers:
                parameter.copy_(torch.from_numpy(there[name]))
    return taken


def arrays(network: nn.Module) -> dict[str, Array]:
    """A network's parameters by name, float32, copied."""
    return {name: np.array(p.detach().float().cpu().numpy(), order="C") for name, p in network.named_parameters()}


def set_arrays(network: nn.Module, state: Mapping[str, Any]) -> None:
    """The inverse of `arrays`. CheckpointError for an array that is not of the parameter's shape."""
    saved = Saved.of(state)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            values = saved.array(name, "float32", tuple(parameter.shape), finite=False)  # what diverged says so itself
            parameter.copy_(torch.from_numpy(values))


def _layers(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, dict[str, tuple[int, ...]]]:
    """The shapes of parameters, which are called LAYER.weight and LAYER.bias, by layer."""
    found: dict[str, dict[str, tuple[int, ...]]] = {}
    for name, shape in shapes.items():
        found.setdefault(_layer(name), {})[name.rpartition(".")[2]] = shape
    return found


def _layer(parameter: str) -> str:
    return parameter.rpartition(".")[0]


def summary(stats: Sequence[UpdateStats], updates: int) -> Metrics:
    """What a run shows of its newest updates, NaN of none; `updates` were made in all. DivergedError."""
    found = {
        "loss/td": _mean([update.loss for update in stats]),
        "loss/grad_norm": _mean([update.norm for update in stats]),
        "q/mean": _mean([update.value for update in stats]),
    }
    if stats and not np.isfinite(found["loss/td"]):
        raise DivergedError(
            f"the loss became {found['loss/td']} after {updates:,} updates; "
            "lower algorithm.learning_rate, or clip or scale the rewards"
        )
    return found


def _mean(values: Sequence[Tensor]) -> float:
    return float(torch.stack(list(values)).mean()) if values else float("nan")
