"""Values of actions of which some are impossible: those count as minus infinity, and means are of the others.

A mask is bool [M, A], True where an action is possible; None: all are. A row that masks everything masks nothing.
"""

from __future__ import annotations

import torch
from torch import Tensor

from rltrain.core import Array


def possible(values: Tensor, mask: Tensor | Array) -> Tensor:
    """The mask of values [M, A] on their device, rows that mask everything turned into such that mask nothing."""
    given = torch.as_tensor(mask, device=values.device)
    return given | ~given.any(1, keepdim=True)


def masked(values: Tensor, mask: Tensor | Array | None) -> Tensor:
    """Values [M, A] with minus infinity for what is impossible."""
    return values if mask is None else values.masked_fill(~possible(values, mask), -torch.inf)


def mean(values: Tensor) -> Tensor:
    """The mean [M] of masked values [M, A] over what is possible."""
    impossible = values.isneginf()
    return values.masked_fill(impossible, 0).sum(1) / (~impossible).sum(1)
