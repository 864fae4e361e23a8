"""Which device the networks live on."""

from __future__ import annotations

import torch

from rltrain.errors import MissingError


def resolve(name: str) -> torch.device:
    """The device of this name; `auto` is the GPU if there is one. MissingError if it is not there."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    device = torch.device(name)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise MissingError(
            f"run.device: {name} is not there; torch sees {torch.cuda.device_count()} GPUs. Use run.device=cpu"
        )
    if device.type == "cuda":
        torch.backends.cudnn.deterministic = True  # the same sums in every run
    return device
