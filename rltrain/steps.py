"""Steps and actions of several environments as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from rltrain.core import Array, Step


def joined(steps: Sequence[Step]) -> Step:
    """Environments side by side, which all mask actions or none does."""
    if len(steps) == 1:
        return steps[0]
    masks = [step.mask for step in steps if step.mask is not None]
    obs, reward, discount, first, last = (
        np.concatenate(column) for column in zip(*(s[:5] for s in steps), strict=True)
    )
    return Step(obs, reward, discount, first, last, np.concatenate(masks) if masks else None)


def as_int64(action: Any) -> Array:
    """Actions as the [N] int64 that `Env.step` takes."""
    return np.ascontiguousarray(action, dtype=np.int64)
