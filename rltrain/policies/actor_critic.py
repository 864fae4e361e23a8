"""A network that says how to act and what a state is worth: what PPO learns, and how it takes a step.

Two fully connected networks in numpy, for vectors; pictures have one of torch, `algos._ppo_pictures`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from rltrain.core import Array, State
from rltrain.errors import InputError
from rltrain.policies import mlp
from rltrain.policies.adam import Adam
from rltrain.policies.inputs import Read
from rltrain.policies.rmsprop import RMSProp
from rltrain.saved import Saved
from rltrain.warm_start import Taken


class Slope(NamedTuple):
    """The gradient of a loss over M rows, in what a network gave for them."""

    out: Array  # [M, outputs]
    value: Array  # [M]
    free: list[Array]  # in the parameters of the distribution that no observation changes


Loss = Callable[[Array, Array], Slope | None]  # of out [M, outputs] and value [M]; None: no step is to be taken


class ActorCritic(Protocol):
    """Outputs of a policy, the value of a state, and `free` parameters of the policy's distribution."""

    free: list[Array]
    chosen: dict[str, str]  # {setting: choice} for each that was left to the machine

    def see(self, obs: Array) -> tuple[Array, Array]:
        """Out [M, outputs] and value [M], float64, of obs [M, *obs]."""
        ...

    def inputs(self, obs: Array) -> Any:
        """Observations [M, *obs] as `learn` takes rows of them."""
        ...

    def learn(self, inputs: Any, rows: Array, loss: Loss, learning_rate: float) -> float | None:
        """One step against the gradient of the loss over these rows, unless it is None or not finite.

        Returns the gradient's norm before clipping, if there is one.
        """
        ...

    def start_from(self, saved: Saved) -> Taken:
        """Take over the layers that fit of what another's `save` gave.

        InputError if none of the policy does, CheckpointError for what is no such state.
        """
        ...

    def acting(self) -> Callable[[Array], Array]:
        """obs [M, *obs] -> out [M, outputs] of the policy as it is now, whatever is learned from then on."""
        ...

    def valuing(self) -> Callable[[Array], Array]:
        """obs [M, *obs] -> value [M] of states as it is now, whatever is learned from then on."""
        ...

    def save(self) -> State: ...
    def load(self, state: State) -> None: ...


class MlpActorCritic:
    """One network for the policy, one for the value, in float32: twice as fast as float64.

    Their weights lie in one array, which the optimiser moves.
    """

    def __init__(
        self,
        policy: mlp.Weights,
        value: mlp.Weights,
        free: list[Array],
        activation: mlp.Activation,
        read: Read,
        optimizer: str,
        optimizer_eps: float,
        max_grad_norm: float | None,
    ) -> None:
        self._all, parts = in_one([part.astype(np.float32) for part in (*policy, *value, *free)])
        self.policy, self.value, self.free = (
            parts[: len(policy)],
            parts[len(policy) : len(policy) + len(value)],
            parts[len(policy) + len(value) :],
        )
        self.chosen: dict[str, str] = {}
        self._activation, self._read, self._max_grad_norm = activation, read, max_grad_norm
        self._optimiser = optimiser_of(optimizer, [self._all], optimizer_eps)

    def see(self, obs: Array) -> tuple[Array, Array]:
        x = self.inputs(obs)
        out = mlp.forward(self.policy, x, self._activation)
        return out.astype(np.float64), mlp.forward(self.value, x, self._activation)[:, 0].astype(np.float64)

    def inputs(self, obs: Array) -> Array:
        return self._read(obs).astype(np.float32)

    def learn(self, inputs: Array, rows: Array, loss: Loss, learning_rate: float) -> float | None:
        x, activation = inputs[rows], self._activation
        out, kept = mlp.forward_kept(self.policy, x, activation)
        value, value_kept = mlp.forward_kept(self.value, x, activation)
        d = loss(out.astype(np.float64), value[:, 0].astype(np.float64))
        if d is None:
            return None
        each = [
            *mlp.gradient(self.policy, kept, d.out.astype(np.float32), activation),
            *mlp.gradient(self.value, value_kept, d.value[:, None].astype(np.float32), activation),
            *d.free,
        ]
        whole = np.concatenate([part.ravel() for part in each]).astype(np.float32, copy=False)
        (gradient,), norm = mlp.clipped([whole], self._max_grad_norm)
        if math.isfinite(norm):
            self._optimiser.step([gradient], learning_rate)
        return norm

    def start_from(self, saved: Saved) -> Taken:
        taken = mlp.start_from(self.policy, saved, "policy", "policy").and_also(spread_from(self.free, saved))
        try:
            return taken.and_also(mlp.start_from(self.value, saved, "value", "value"))
        except InputError as error:
            return taken._replace(left=[*taken.left, f"value: {error}"])

    def acting(self) -> Callable[[Array], Array]:
        weights = [part.copy() for part in self.policy]
        return lambda obs: mlp.forward(weights, self.inputs(obs), self._activation).astype(np.float64)

    def valuing(self) -> Callable[[Array], Array]:
        weights = [part.copy() for part in self.value]
        return lambda obs: mlp.forward(weights, self.inputs(obs), self._activation)[:, 0].astype(np.float64)

    def save(self) -> State:
        return {
            "policy": [part.copy() for part in self.policy],
            "value": [part.copy() for part in self.value],
            "free": [part.copy() for part in self.free],
            "optimizer": self._optimiser.save(),
        }

    def load(self, state: State) -> None:
        saved = Saved.of(state)
        saved.fill_list("policy", self.policy)
        saved.fill_list("value", self.value)
        saved.fill_list("free", self.free)
        self._optimiser.load(saved.part("optimizer"))


def spread_from(free: list[Array], saved: Saved) -> Taken:
    """Take over the free parameters of a saved network, where it has such."""
    listed, left = saved.listed("free"), list[str]()
    for number, own in enumerate(free):
        there = listed.any_shape(str(number), own.dtype.name) if str(number) in listed else None
        if there is not None and there.shape == own.shape:
            own[...] = there
        else:
            left = ["policy: how widely its numbers are spread"]
    return Taken([], left)


def optimiser_of(name: str, parts: list[Array], eps: float) -> Adam | RMSProp:
    """The optimiser "adam" or "rmsprop" of these arrays."""
    return Adam(parts, eps=eps) if name == "adam" else RMSProp(parts, eps=eps)


def in_one(arrays: Sequence[Array]) -> tuple[Array, list[Array]]:
    """An array [numbers] of the values of all, and each as a view of its part: what moves one moves the other."""
    whole = np.concatenate([array.ravel() for array in arrays])
    ends = np.cumsum([array.size for array in arrays])
    parts = np.split(whole, ends[:-1])
    return whole, [part.reshape(array.shape) for part, array in zip(parts, arrays, strict=True)]
