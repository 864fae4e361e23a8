"""Values learned as quantiles of their distribution, each of which a network gives out; a value is their mean.

Quantile i of N is that of level (i + 1/2) / N: the middle one is a median. What is learned is

    sum_i mean_j |level_i - (target_j < quantile_i)| huber(target_j - quantile_i) / delta

whose least, for a small delta, is at the quantiles of the targets. Unlike a histogram it needs no bounds.

    QR-DQN  a network gives those N quantiles out (Dabney et al. 2018a, "Distributional Reinforcement Learning with
            Quantile Regression", whose QR-DQN-1 has delta 1)
    IQN     it is told the levels, and learns at random ones, so it knows all quantiles (Dabney et al. 2018b, "Implicit
            Quantile Networks for Distributional Reinforcement Learning")

IQN is told by the factors [H] that a level gives to the units before the last layer, in place of those before the first
hidden one as in the paper: the arithmetic of the hidden layers is then needed once, not for each level. Its targets and
values are of the N levels above, in place of random ones.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

WAVES = 64


class Quantiles(NamedTuple):
    """Quantiles at equal distances of level; `implicit`: of a network that is told the level."""

    number: int
    implicit: bool = False

    def levels(self) -> Tensor:
        """[B]"""
        return (torch.arange(self.number) + 0.5) / self.number


def waves(levels: Tensor) -> Tensor:
    """What a network is told of levels [..., N]: the cosines of their multiples, [..., N, WAVES]."""
    return (levels[..., None] * torch.pi * torch.arange(WAVES, device=levels.device)).cos()


def quantile_huber(quantiles: Tensor, target: Tensor, levels: Tensor, delta: float) -> Tensor:
    """The loss of each row [M]. quantiles [M, B] of levels [M, B] or [B]; target [M, T], of what they are to be."""
    error = target[:, None, :] - quantiles[:, :, None]  # [M, B, T]
    size = error.detach().abs()
    huber = torch.where(size <= delta, 0.5 * error.square(), delta * (error.abs() - 0.5 * delta))
    tilt = (levels[..., None] - (error.detach() < 0).float()).abs()
    return (tilt * huber / delta).mean(2).sum(1)
