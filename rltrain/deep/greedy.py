"""The policy that a network of action values stands for."""

from __future__ import annotations

import torch
from torch import Tensor

from rltrain.core import Array
from rltrain.deep.networks import QNetwork

ROW_BLOCK = 8  # what kernels for matrix products take at a time, or a multiple of it
NEVER = 1 << 30  # rows: a GPU takes as long for one as for a hundred, and chooses its kernel by their number


class Greedy:
    """The action of the highest value. It is `core.RowByRow`."""

    score_name = "Q"

    def __init__(self, network: QNetwork, device: torch.device) -> None:
        self.network, self.device = network, device
        self.row_block = NEVER if device.type == "cuda" else ROW_BLOCK

    def act(self, obs: Array) -> Array:
        return self._values(obs).argmax(1).cpu().numpy()

    def scores(self, obs: Array) -> Array:
        return self._values(obs).cpu().numpy()

    def _values(self, obs: Array) -> Tensor:
        with torch.inference_mode():
            return self.network(torch.from_numpy(obs).to(self.device))
