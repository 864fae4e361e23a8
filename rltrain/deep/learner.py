"""One gradient step of a Q-network, on one thread or on two.

Two threads divide the work by operation. This thread goes backwards through the layers; the gradients of their weights,
which nothing waits for but the end of the step, are jobs that the helper takes, or this thread when it is through. The
first hidden layer, the wide one, holds nearly all parameters: the helper moves its weights while this thread reads the
next batch. Every sum is that of the plain step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch
from torch import Tensor

from rltrain.core import Array, EnvSpec, Metrics, State
from rltrain.deep import losses
from rltrain.deep.fast import convolutions
from rltrain.deep.fast.helper import Job
from rltrain.deep.histogram import histogram
from rltrain.deep.networks import NetworkShape, QNetwork, begin_anew, copy_weights, initialise
from rltrain.deep.optimiser import Optimiser, clip_scale
from rltrain.errors import DivergedError
from rltrain.saved import Saved

Result = TypeVar("Result")
Submit = Callable[[Callable[[], Any]], Job[Any]]  # offers work to the helper


class Samples(NamedTuple):
    """What an update learns from."""

    x: Tensor  # [M, *obs], prepared by the network
    action: Tensor  # [M] int64
    target: Tensor  # [M] float32
    weight: Tensor  # [M] float32


class Learnt(NamedTuple):
    """What an update saw."""

    td_error: Tensor  # [M]
    loss: Tensor  # this and the next two: scalars
    value: Tensor  # mean Q of the batch's actions
    norm: Tensor  # of the gradient, before clipping


class Rule(NamedTuple):
    """How an update is made."""

    loss: str  # "huber", "mse", or "hl_gauss" of a network with bins
    huber_delta: float
    max_grad_norm: float | None
    optimiser: str
    optimiser_eps: float


class Learner:
    """`weights` are float32 and move; `online` is differentiated: the same network, or a copy of lower precision."""

    def __init__(
        self,
        spec: EnvSpec,
        shape: NetworkShape,
        dtype: torch.dtype,
        rule: Rule,
        device: torch.device,
        generator: torch.Generator,
    ) -> None:
        self.rule = rule
        self.weights = QNetwork(spec, shape)
        initialise(self.weights, generator)
        self.weights.to(device)
        self.online = self.weights
        if dtype != torch.float32:
            self.online = QNetwork(spec, shape, dtype).to(device)
            copy_weights(self.weights, self.online)
        self._wide = _Part(self.weights.wide_parameters(), self.online.wide_parameters(), rule)
        self._others = _Part(self.weights.other_parameters(), self.online.other_parameters(), rule)
        self._moving: Job[None] | None = None

    def update(self, samples: Samples, learning_rate: float | Tensor, submit: Submit | None) -> Learnt:
        """One gradient step. On a processor, call `wait` before the weights are read by anyone else."""
        if self.online.wide is None or samples.x.is_cuda:
            return self.plain_update(samples, learning_rate)
        return self._update_in_parts(samples, learning_rate, submit or Job, self.online.wide)

    def plain_update(self, samples: Samples, learning_rate: float | Tensor) -> Learnt:
        """All by autograd, in this thread."""
        td_error, loss, value = self._loss(self.online.outputs(self.online.hidden(samples.x)), samples)
        gradients = torch.autograd.grad(loss, [*self._wide.online, *self._others.online])
        wide = len(self._wide.online)
        norm = torch.hypot(self._wide.take(gradients[:wide]), self._others.take(gradients[wide:]))
        scale = clip_scale(norm, self.rule.max_grad_norm)
        self._wide.move(learning_rate, scale)
        self._others.move(learning_rate, scale)
        return Learnt(td_error, loss.detach(), value, norm)

    def _update_in_parts(
        self, samples: Samples, learning_rate: float | Tensor, submit: Submit, wide: torch.nn.Linear
    ) -> Learnt:
        layers = self.online.convolutions()
        tape = convolutions.forward(layers, samples.x)
        features = self.online.flatten(tape.outputs[-1] if layers else samples.x)  # [M, F]
        self.wait()  # for the wide layer's new weights
        with torch.no_grad():
            z = wide(features)  # [M, H]
        td_error, loss, value = self._loss(self.online.outputs(z.requires_grad_()), samples)
        dz, *tail_gradients = torch.autograd.grad(loss, [z, *self.online.tail_parameters()])
        wide_norm = submit(partial(self._take_wide, dz, features))
        trunk_gradients: list[Tensor] = []
        if layers:
            with torch.no_grad():
                gradient = self.online.flatten.back(dz @ wide.weight, tape.outputs[-1])
            trunk_gradients = _back_through(layers, tape, gradient, submit)
        others_norm = self._others.take([*trunk_gradients, *tail_gradients])
        norm = torch.hypot(wide_norm.result(), others_norm)
        scale = clip_scale(norm, self.rule.max_grad_norm)
        self._moving = submit(partial(self._wide.move, learning_rate, scale))
        self._others.move(learning_rate, scale)
        return Learnt(td_error, loss.detach(), value, norm)

    def _take_wide(self, dz: Tensor, features: Tensor) -> Tensor:
        weight = self._wide.gradients[0]
        if weight.dtype == dz.dtype:
            torch.mm(dz.t(), features, out=weight)
        else:
            weight = dz.t() @ features
        return self._wide.take([weight, dz.sum(0)])

    def _loss(self, outputs: Tensor, samples: Samples) -> tuple[Tensor, Tensor, Tensor]:
        """TD errors [M], the loss and the mean value of the actions. outputs [M, A, 1 or B]."""
        at = samples.action[:, None, None].expand(-1, 1, outputs.shape[2])
        chosen = outputs.gather(1, at).squeeze(1)  # [M, 1 or B]
        if self.online.bins is None:
            value = chosen.squeeze(1)
            td_error = samples.target - value
            is_huber = self.rule.loss == "huber"
            each = losses.huber(td_error, self.rule.huber_delta) if is_huber else losses.squared(td_error)
        else:
            log_shares, bins = chosen.log_softmax(1), self.online.bins
            wanted = histogram(samples.target, self.online.edges, bins.sigma * bins.width)
            each = -(wanted * log_shares).sum(1)
            value = self.online.means(log_shares.detach())
            td_error = samples.target - value
        loss = (each * samples.weight).mean()
        return td_error.detach(), loss, value.detach().mean()

    def wait(self) -> None:
        """Until the last update is complete."""
        if self._moving is not None:
            self._moving.result()
            self._moving = None

    def restart(self, generator: torch.Generator, keep: float) -> None:
        """A new network but for this share of the convolutions, and a new optimiser."""
        begin_anew(self.weights, generator, keep)
        copy_weights(self.weights, self.online)
        self._wide.optimiser.restart()
        self._others.optimiser.restart()

    def save(self) -> State:
        return {
            "weights": arrays(self.weights),
            "wide": self._wide.optimiser.save(),
            "others": self._others.optimiser.save(),
        }

    def load(self, state: State) -> None:
        saved = Saved.of(state)
        set_arrays(self.weights, saved.part("weights"))
        self._wide.optimiser.load(saved.part("wide"))
        self._others.optimiser.load(saved.part("others"))
        copy_weights(self.weights, self.online)


class _Part:
    """Some of the parameters: the float32 ones that move, and the online network's, which follow."""

    def __init__(self, weights: Sequence[torch.nn.Parameter], online: Sequence[torch.nn.Parameter], rule: Rule) -> None:
        self.online: list[Tensor] = list(online)
        self._weights: list[Tensor] = list(weights)
        self._separate = any(a is not b for a, b in zip(weights, online, strict=True))
        self.optimiser = Optimiser(rule.optimiser, weights, rule.optimiser_eps)

    @property
    def gradients(self) -> Sequence[Tensor]:
        return self.optimiser.gradients

    def take(self, gradients: Sequence[Tensor]) -> Tensor:
        return self.optimiser.take(gradients)

    def move(self, learning_rate: float | Tensor, scale: float | Tensor) -> None:
        self.optimiser.step(learning_rate, scale)
        if self._separate:
            with torch.no_grad():
                torch._foreach_copy_(self.online, self._weights)


def _back_through(
    layers: Sequence[torch.nn.Conv2d], tape: convolutions.Tape, gradient: Tensor, submit: Submit
) -> list[Tensor]:
    """Gradients of the convolutions' parameters, in order, from that at what the last one gave."""
    gradient = convolutions.before_relu(gradient, tape.outputs[-1])
    jobs: list[Job[tuple[Tensor, Tensor]]] = []  # from the last layer to the first
    for i in range(len(layers) - 1, -1, -1):
        jobs.append(submit(partial(convolutions.weight_gradients, layers[i], gradient, tape.inputs[i])))
        if i > 0:
            gradient = convolutions.sums_gradient(layers[i], gradient, tape.outputs[i - 1])
    return [part for job in _taken_from_the_end(jobs) for part in job]


def _taken_from_the_end(jobs: Sequence[Job[Result]]) -> list[Result]:
    """Results of the jobs, the last one's first. The helper comes from the other end."""
    return [job.result() for job in reversed(jobs)]


def arrays(network: QNetwork) -> dict[str, Array]:
    """A network's parameters by name, float32, copied."""
    return {name: np.array(p.detach().float().cpu().numpy(), order="C") for name, p in network.named_parameters()}


def set_arrays(network: QNetwork, state: Mapping[str, Any]) -> None:
    """The inverse of `arrays`. CheckpointError for an array that is not of the parameter's shape."""
    saved = Saved.of(state)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            values = saved.array(name, "float32", tuple(parameter.shape), finite=False)  # what diverged says so itself
            parameter.copy_(torch.from_numpy(values))


def summary(learnt: Sequence[Learnt], updates: int) -> Metrics:
    """What a run shows of its newest updates, NaN of none; `updates` were made in all. DivergedError."""
    found = {
        "loss/td": _mean([update.loss for update in learnt]),
        "loss/grad_norm": _mean([update.norm for update in learnt]),
        "q/mean": _mean([update.value for update in learnt]),
    }
    if learnt and not np.isfinite(found["loss/td"]):
        raise DivergedError(
            f"the loss became {found['loss/td']} after {updates:,} updates; "
            "lower algorithm.learning_rate, or clip or scale the rewards"
        )
    return found


def _mean(values: Sequence[Tensor]) -> float:
    return float(torch.stack(list(values)).mean()) if values else float("nan")
