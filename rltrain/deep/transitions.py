"""Transitions that were drawn from a replay memory: by row, and as the tensors that targets and updates are made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch

from rltrain.core import Array


class Batch(NamedTuple):
    """M transitions, without their observations, which `Replay.transitions` reads by row."""

    row: Array  # [M] int64, where it starts
    next_row: Array  # [M] int64, the observation to bootstrap from
    action: Array  # [M] int64
    reward: Array  # [M] float32, the n-step return without its bootstrap
    discount: Array  # [M] float32, gamma^m, or 0 where the task ended
    weight: Array  # [M] float32, importance weight, 1 for uniform draws
    shift: Array  # [M, 2] int64, pixels down and right by which the observation at `row` is to be shifted
    next_shift: Array  # [M, 2] int64, and that at `next_row`
    levels: Array  # [M, B] float32, of the quantiles that are to be learned; B = 0: those that a network gives out
    noise: Array  # [M, 2 D] float32, of noisy layers: for the observation at `row`, then for that at `next_row`


class Transitions(NamedTuple):
    """M transitions as tensors. Observations are read when they are asked for, prepared for the networks."""

    obs: Callable[[], torch.Tensor]  # gives [M, *obs]
    action: torch.Tensor  # [M] int64
    reward: torch.Tensor  # [M] float32, the n-step return without its bootstrap
    discount: torch.Tensor  # [M] float32, gamma^m, or 0 where the task ended
    next_obs: Callable[[], torch.Tensor]  # gives [M, *obs], to bootstrap from
    weight: torch.Tensor  # [M] float32, importance weight
    mask: torch.Tensor | None = None  # [M, A] bool, what is possible at obs; None: everything
    next_mask: torch.Tensor | None = None  # [M, A] bool, and at next_obs
    levels: torch.Tensor | None = None  # [M, B] float32, of the quantiles that are to be learned
    noise: torch.Tensor | None = None  # [M, 2 D] float32, of noisy layers: for obs, then for next_obs

    def noise_of(self, next: bool) -> torch.Tensor | None:
        """That for obs or next_obs, [M, D]; None where no layer is noisy."""
        if self.noise is None or not self.noise.shape[1]:
            return None
        return self.noise.chunk(2, dim=1)[next]


TdTarget = Callable[
    [Transitions], torch.Tensor
]  # the values [M] that those of the actions are to become; distributions [M, B]
