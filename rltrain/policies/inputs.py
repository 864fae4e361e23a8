"""Observations of any form as the numbers that a small network reads, [N, in] float64.

Pictures are read flat; those of whole numbers are divided by their greatest value. Named parts that are packed as bytes
(`spaces.Part`) lie side by side, in their order.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from rltrain.core import Array, EnvSpec

Read = Callable[[Array], Array]  # obs [N, *obs] -> [N, in] float64


def size(spec: EnvSpec) -> int:
    """Numbers in one observation."""
    return sum(math.prod(part.shape) for part in spec.parts) if spec.parts else math.prod(spec.obs_shape)


def reader(spec: EnvSpec) -> Read:
    """How observations of this environment become a network's inputs."""
    if spec.obs_dtype != "uint8":
        return flat
    if not spec.parts:
        return lambda obs: flat(obs) / spec.obs_high

    def unpacked(obs: Array) -> Array:
        each = [flat(part.of(obs)) / (part.high if part.dtype == "uint8" else 1) for part in spec.parts]
        return np.concatenate(each, axis=1)

    return unpacked


def flat(obs: Array) -> Array:
    """Observations [N, *obs] as [N, in] float64, their values as they are."""
    return obs.reshape(len(obs), -1).astype(np.float64)
