"""An orchard from above: pick what is asked for. Seen are a picture and three numbers, a Dict of two parts."""

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Dict, Discrete

MOVES = ((0, 0), (-1, 0), (0, 1), (1, 0), (0, -1))  # row and column: wait, up, right, down, left


class Orchard(gymnasium.Env):
    """Apples and pears lie on a field. The one that is asked for is worth 1, the other costs 1; then another is asked.

    The picture has a channel each for apples, pears and the robot. The numbers say which fruit is asked for, one-hot,
    and how much of the day is left. An episode ends with the day.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 6}
    action_space = Discrete(5)

    def __init__(self, size=7, fruits=4, day=40, render_mode=None):
        self.size, self.fruits, self.day, self.render_mode = size, fruits, day, render_mode
        self.observation_space = Dict(
            {"field": Box(0, 255, (size, size, 3), np.uint8), "order": Box(0, 1, (3,), np.float32)}
        )

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)  # makes self.np_random: all chance comes from there
        self.field = np.zeros((self.size, self.size, 3), np.uint8)
        self.robot = (self.size // 2, self.size // 2)
        self.field[self.robot][2] = 255
        for kind in (0, 1):
            for _ in range(self.fruits):
                self._grow(kind)
        self.asked, self.time = int(self.np_random.integers(2)), 0
        return self._seen(), {}

    def step(self, action):
        self.field[self.robot][2] = 0
        row, column = (
            int(np.clip(at + by, 0, self.size - 1)) for at, by in zip(self.robot, MOVES[action], strict=True)
        )
        self.robot, reward = (row, column), 0.0
        for kind in (0, 1):
            if self.field[row, column, kind]:
                reward = 1.0 if kind == self.asked else -1.0
                self.field[row, column, kind] = 0
                self._grow(kind)
        if reward > 0:
            self.asked = int(self.np_random.integers(2))
        self.field[self.robot][2] = 255
        self.time += 1
        return self._seen(), reward, self.time >= self.day, False, {}

    def render(self):
        return np.kron(self.field, np.ones((24, 24, 1), np.uint8))

    def _grow(self, kind):
        free = np.argwhere(self.field.sum(axis=2) == 0)
        row, column = free[self.np_random.integers(len(free))]
        self.field[row, column, kind] = 255

    def _seen(self):
        order = np.array([self.asked == 0, self.asked == 1, 1 - self.time / self.day], np.float32)
        return {"field": self.field.copy(), "order": order}
