"""The policy that a network of action values stands for."""

from __future__ import annotations

import torch
from torch import Tensor

from rltrain.core import Array
from rltrain.deep.networks import QNetwork


class Greedy:
    """The action of the highest value."""

    score_name = "Q"

    def __init__(self, network: QNetwork, device: torch.device) -> None:
        self.network, self.device = network, device

    def act(self, obs: Array) -> Array:
        return self._values(obs).argmax(1).cpu().numpy()

    def scores(self, obs: Array) -> Array:
        return self._values(obs).cpu().numpy()

    def _values(self, obs: Array) -> Tensor:
        with torch.inference_mode():
            return self.network(torch.from_numpy(obs).to(self.device))
