"""Values learned as histograms: classification in place of regression.

A value is the mean of a distribution over bins of equal width. What is learned is the cross-entropy to another
histogram, of one of two kinds:

    HL-Gauss   that of a Gaussian around the target (Imani and White 2018; for value functions Farebrother et al. 2024,
               "Stop Regressing"). Its gradient is as large for a pellet as for a ghost, and yet a value is the mean of
               its targets.
    C51        what the next value's histogram comes to when each of its bins is discounted and has the reward added
               (Bellemare et al. 2017, "A Distributional Perspective on Reinforcement Learning"): of what returns there
               are, not of their mean alone.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

ELSEWHERE = 1e-3  # the share that a new network gives to all bins alike, beside the histogram of zero


class Bins(NamedTuple):
    """Bins of equal width from `low` to `high`; values beyond count as the ends."""

    low: float
    high: float
    number: int
    sigma: float  # of the Gaussian, in widths of a bin

    @classmethod
    def around(cls, first: float, last: float, number: int, sigma: float) -> Bins:
        """Those whose centres, C51's atoms, lie from `first` to `last`."""
        half = (last - first) / (number - 1) / 2
        return cls(first - half, last + half, number, sigma)

    @property
    def width(self) -> float:
        return (self.high - self.low) / self.number

    def centres(self) -> Tensor:
        """[B]"""
        return self.low + self.width * (torch.arange(self.number) + 0.5)

    def edges(self) -> Tensor:
        """[B + 1]"""
        return self.low + self.width * torch.arange(self.number + 1)


def histogram(value: Tensor, edges: Tensor, sigma: float) -> Tensor:
    """The shares [M, B] of a Gaussian around each value [M] that fall between the edges [B + 1]; they add up to 1.

    `sigma` is the Gaussian's, in units of value.
    """
    value = value.clamp(edges[0], edges[-1])
    below = torch.erf((edges - value[:, None]) / (sigma * math.sqrt(2)))  # [M, B + 1]
    return below.diff(dim=1) / (below[:, -1:] - below[:, :1])


def projected(shares: Tensor, values: Tensor, centres: Tensor) -> Tensor:
    """Histograms [M, B] with these centres [B] of distributions that give `values` [M, B] these `shares` [M, B].

    Each share goes to the two nearest centres, in proportion to how near they are; beyond the ends to the end.
    """
    width = centres[1] - centres[0]
    place = (values.clamp(centres[0], centres[-1]) - centres[0]) / width  # [M, B], in bins
    number = torch.arange(len(centres), device=centres.device)
    near = (1 - (place[:, :, None] - number).abs()).clamp(min=0)  # [M, B, B]
    return (shares[:, :, None] * near).sum(1)


def first_logits(bins: Bins) -> Tensor:
    """Logits [B] of the histogram of zero: without them a new network's values would be the middle of all bins."""
    shares = histogram(torch.zeros(1), bins.edges(), bins.sigma * bins.width)[0]
    return ((1 - ELSEWHERE) * shares + ELSEWHERE / bins.number).log()
