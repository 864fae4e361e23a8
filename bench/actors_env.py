"""An environment whose step only waits, as one does that is slow for a reason of its own: a simulator elsewhere."""

import time
from typing import Any

import gymnasium
import numpy as np


class Sleeping(gymnasium.Env[Any, Any]):
    """Each step takes so many seconds and no processor; an episode has 100 of them."""

    observation_space = gymnasium.spaces.Box(-1, 1, (8,), np.float32)
    action_space = gymnasium.spaces.Discrete(4)

    def __init__(self, seconds: float = 0.005) -> None:
        self.seconds, self.time = seconds, 0

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.time = 0
        return self.np_random.random(8, dtype=np.float32), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        time.sleep(self.seconds)
        self.time += 1
        return self.np_random.random(8, dtype=np.float32), 1.0, self.time >= 100, False, {}
