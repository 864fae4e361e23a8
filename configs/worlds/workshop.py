"""A workshop of three machines: each rests, works or is repaired. Three choices at once, and not all are possible."""

import gymnasium
import numpy as np
from gymnasium.spaces import Box, MultiDiscrete

REST, WORK, REPAIR = range(3)
WORN_OUT = 4


class Workshop(gymnasium.Env):
    """What a machine makes is worth the price of the hour. Work wears it by 1 or 2, repairs make it new and cost 1.

    A machine that is worn out cannot work, and a new one cannot be repaired: `info["action_mask"]` says so. If all
    work in one hour the fuse blows, and nothing is made. Seen are the wear of each machine and the price, 0.5 to 2,
    which wanders. A day has 48 hours.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 6}
    action_space = MultiDiscrete([3, 3, 3])
    observation_space = Box(0, 1, (4,), np.float32)

    def __init__(self, hours=48, render_mode=None):
        self.hours, self.render_mode = hours, render_mode

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)  # makes self.np_random: all chance comes from there
        self.wear, self.price, self.time = np.zeros(3, int), 1.0, 0
        self.did = np.full(3, REST)
        return self._seen(), self._info()

    def step(self, action):
        self.did = np.asarray(action)
        working, repaired = self.did == WORK, self.did == REPAIR
        blown = working.all()
        reward = 0.0 if blown else float(self.price * working.sum())
        reward -= float(repaired.sum())
        worn = self.wear + working * self.np_random.integers(1, 3, size=3)
        self.wear = np.where(repaired, 0, np.minimum(worn, WORN_OUT))
        self.price = float(np.clip(self.price + self.np_random.normal(0, 0.3), 0.5, 2))
        self.time += 1
        return self._seen(), reward, self.time >= self.hours, False, self._info()

    def render(self):
        """A column each: its height is the wear, its colour what was done; the line at the right is the price."""
        picture = np.full((100, 140, 3), 245, np.uint8)
        for machine, (wear, did) in enumerate(zip(self.wear, self.did, strict=True)):
            left = 10 + 35 * machine
            picture[90 - 20 * wear - 4 : 90, left : left + 25] = ((160, 160, 160), (40, 150, 60), (220, 120, 30))[did]
        picture[90 - int(40 * self.price) : 90, 120:130] = (60, 80, 200)
        return picture

    def _seen(self):
        return np.array([*self.wear / WORN_OUT, self.price / 2], np.float32)

    def _info(self):
        mask = np.ones((3, 3), np.int8)
        mask[:, WORK], mask[:, REPAIR] = self.wear < WORN_OUT, self.wear > 0
        return {"action_mask": mask.ravel()}  # the choices' masks one after the other
