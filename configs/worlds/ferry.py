"""A ferry whose passengers come as they like: chance of its own, so that no seed plays a game again."""

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete

SEATS, CROSSING = 12, 3


class Ferry(gymnasium.Env):
    """Wait or cross. Each passenger pays 1, a crossing costs 4 and takes three quarters of an hour, waiting annoys.

    Seen are how many wait, whether the ferry is under way, and the time of day, which decides how many come. A day has
    64 quarters of an hour. Passengers are drawn from a stream that the operating system seeded, as by a simulator
    that cannot be seeded: rltrain notices, says `exact: false`, and a resume begins a new day.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 8}
    action_space = Discrete(2)  # wait, cross
    observation_space = Box(0, np.inf, (3,), np.float32)

    def __init__(self, quarters=64, render_mode=None):
        self.quarters, self.render_mode = quarters, render_mode
        self.passengers = np.random.default_rng()  # not self.np_random, which `reset` seeds

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.waiting = self.away = self.time = 0
        return self._seen(), {}

    def step(self, action):
        reward = -0.1 * self.waiting
        if self.away:
            self.away -= 1
        elif action == 1:
            aboard = min(self.waiting, SEATS)
            reward += aboard - 4
            self.waiting -= aboard
            self.away = CROSSING - 1
        rush = 1 + np.cos(4 * np.pi * (self.time / self.quarters - 0.25))  # twice a day
        self.waiting = min(self.waiting + int(self.passengers.poisson(0.5 + 1.5 * rush)), 40)
        self.time += 1
        return self._seen(), reward, self.time >= self.quarters, False, {}

    def render(self):
        """The landing with who waits at the left, the ferry, and the water."""
        picture = np.full((60, 200, 3), (90, 150, 210), np.uint8)
        picture[:, :60] = (200, 190, 150)
        for passenger in range(self.waiting):
            row, column = divmod(passenger, 8)
            picture[6 + 10 * row : 12 + 10 * row, 4 + 7 * column : 8 + 7 * column] = (60, 40, 40)
        left = 62 + 35 * self.away
        picture[25:45, left : left + 30] = (250, 250, 250)
        return picture

    def _seen(self):
        return np.array([self.waiting / SEATS, self.away > 0, self.time / self.quarters], np.float32)
