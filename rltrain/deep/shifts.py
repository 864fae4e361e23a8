"""Images shifted at random, so that what is learned of one holds for its neighbours.

Source: Kostrikov et al. 2021, "Image Augmentation Is All You Need".
"""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional

from rltrain.core import Array


def shifted(obs: torch.Tensor, shift: Array) -> torch.Tensor:
    """Images [M, C, H, W], each shifted down and right by shift [M, 2] pixels; what is uncovered repeats the edge.

    All frames of a stack shift alike.
    """
    _, _, height, width = obs.shape
    most = int(np.abs(shift).max(initial=0))
    padded = functional.pad(obs, (most, most, most, most), mode="replicate")
    out = torch.empty_like(obs)
    for image, of, (down, right) in zip(out, padded, shift.tolist(), strict=True):
        top, left = most - down, most - right
        image.copy_(of[:, top : top + height, left : left + width])
    return out


def shifted_at_once(obs: torch.Tensor, shift: torch.Tensor) -> torch.Tensor:
    """`shifted` by shifts [M, 2] that lie on the images' device: one gather, which suits a GPU."""
    m, channels, height, width = obs.shape
    rows = (torch.arange(height, device=obs.device) - shift[:, :1]).clamp(0, height - 1)  # [M, H]
    columns = (torch.arange(width, device=obs.device) - shift[:, 1:]).clamp(0, width - 1)  # [M, W]
    image = torch.arange(m, device=obs.device)[:, None, None, None]
    channel = torch.arange(channels, device=obs.device)[:, None, None]
    return obs[image, channel, rows[:, None, :, None], columns[:, None, None, :]]
