"""Rewards as a learner of values takes them: clipped, then scaled. Scores stay raw."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from rltrain.core import Array, Metrics
from rltrain.saved import Saved


class RewardScale:
    """Rewards are cut to -clip..clip (None: not at all), then multiplied by `scale`.

    "auto": so that the first rewards, but for zeros, have mean size 1. It is 1 until one was seen, and then stays.
    """

    def __init__(self, clip: float | None, scale: float | str) -> None:
        self._clip = clip
        self.fixed = None if isinstance(scale, str) else np.float32(scale)
        self.auto: float | None = None

    def __call__(self, reward: Array) -> Array:
        """Clipped, and scaled if the scale is fixed. Any shape, float32."""
        if self._clip is not None:
            reward = np.clip(reward, -self._clip, self._clip)
        return reward if self.fixed is None else reward * self.fixed

    def scaled(self, reward: Array, seen: Callable[[], Array]) -> Array:
        """Times an automatic scale, which is found by the rewards `seen` so far if it is not known yet."""
        if self.fixed is not None:
            return reward
        if self.auto is None:
            size = np.abs(seen(), dtype=np.float64)
            size = size[size != 0]
            self.auto = 1 / float(size.mean()) if size.size else None
        return reward * np.float32(self.auto or 1.0)

    def metrics(self) -> Metrics:
        return {} if self.fixed is not None else {"reward/scale": self.auto or math.nan}

    def load(self, saved: Saved) -> None:
        """From the state of the algorithm, where it is `auto_scale`."""
        self.auto = saved.number("auto_scale", 0) if saved.given("auto_scale") else None
