"""The policy that a network of action values stands for."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from rltrain.computation import Computation, Seen
from rltrain.core import Array, EnvSpec, Hardware
from rltrain.deep import as_computation
from rltrain.deep.device import resolve
from rltrain.deep.learner import set_arrays
from rltrain.deep.masks import masked, possible
from rltrain.deep.networks import NetworkShape, QNetwork, copy_weights, high_of
from rltrain.saved import Saved

ROW_BLOCK = 8  # what kernels for matrix products take at a time, or a multiple of it
NEVER = 1 << 30  # rows: a GPU takes as long for one as for a hundred, and chooses its kernel by their number


def greedy_copy(master: QNetwork, spec: EnvSpec, shape: NetworkShape, device: torch.device) -> Greedy:
    """The policy of a network that goes on learning."""
    network = QNetwork(spec, shape).to(device)
    copy_weights(master, network)
    return Greedy(network, device)


def greedy_of_saved(saved: Saved, spec: EnvSpec, shape: NetworkShape, hardware: Hardware) -> Greedy:
    """The policy of an algorithm's saved state. CheckpointError."""
    torch.set_num_threads(hardware.threads)
    device = resolve(hardware.device)
    return Greedy(_network_of(saved, spec, shape).to(device), device)


def computation_of_saved(saved: Saved, spec: EnvSpec, shape: NetworkShape, seen: Seen) -> Computation:
    """What the policy of an algorithm's saved state computes. CheckpointError."""
    return as_computation.of_values(_network_of(saved, spec, shape), spec, seen)


def _network_of(saved: Saved, spec: EnvSpec, shape: NetworkShape) -> QNetwork:
    network = QNetwork(replace(spec, obs_high=high_of(saved, spec)), shape)
    set_arrays(network, saved.part("learner").part("weights"))
    return network


class Greedy:
    """The action of the highest value among those that are possible. It is `core.RowByRow` and `core.Scoring`."""

    score_name = "Q"

    def __init__(self, network: QNetwork, device: torch.device) -> None:
        self.network, self.device = network, device
        self.row_block = NEVER if device.type == "cuda" else ROW_BLOCK

    def act(self, obs: Array, mask: Array | None = None) -> Array:
        return masked(self._values(obs), mask).argmax(1).cpu().numpy()

    def scores(self, obs: Array, mask: Array | None = None) -> Array:
        """Q [N, A]; NaN for what the mask [N, A] leaves impossible, if one is given."""
        values = self._values(obs)
        known = values if mask is None else values.masked_fill(~possible(values, mask), torch.nan)
        return known.cpu().numpy()

    def _values(self, obs: Array) -> Tensor:
        with torch.inference_mode():
            values: Tensor = self.network(torch.from_numpy(obs).to(self.device))
        return values
