"""The robot vacuum as Gymnasium knows it: one (`gymnasium.make`) and many (`gymnasium.make_vec`).

Both play the compiled seconds of `vacuum.robots`. A seeded reset opens the episode of that seed; any other draws its
seed from the environment's own generator. So N at once do, to the bit, what N single ones do.
"""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from rltrain.core import Array
from rltrain.envs import vacuum
from rltrain.envs.vacuum.layouts import VacuumOptions
from rltrain.envs.vacuum.picture import Picture
from rltrain.envs.vacuum.robots import Robots

METADATA: dict[str, Any] = {"render_modes": ["rgb_array"], "render_fps": 30}
VECTOR_METADATA: dict[str, Any] = {**METADATA, "autoreset_mode": AutoresetMode.NEXT_STEP}


class RobotVacuum(gymnasium.Env[Array, np.int64]):
    """One robot, as Gymnasium has it. `info` has dust_left (grams), x, y (metres from the top left) and heading."""

    metadata = METADATA

    def __init__(
        self,
        room: str = "living",
        width: float = 8.0,
        depth: float = 6.0,
        dust: str = "uneven",
        turns: int = 72,
        render_mode: str | None = None,
    ) -> None:
        self.render_mode = _checked_mode(render_mode)
        self._robots = Robots(VacuumOptions(room, width, depth, dust, turns), 1)
        self._pictures = [Picture(self._robots, 0)] if render_mode else []
        self.action_space = spaces.Discrete(turns + 1)
        self.observation_space = _space()

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Array, dict[str, Any]]:
        super().reset(seed=seed)
        own = _own_seed(self.np_random) if seed is None else seed
        obs, _ = self._advance(np.zeros(1, np.int64), [own])
        return obs[0], self._info()

    def step(self, action: np.int64) -> tuple[Array, float, bool, bool, dict[str, Any]]:
        obs, reward = self._advance(np.array([action], np.int64), [])
        return obs[0], float(reward[0]), False, False, self._info()

    def render(self) -> Array | None:
        """The room from above, uint8 [height, width, 3]."""
        return self._pictures[0].frame() if self._pictures else None

    def _advance(self, action: Array, seeds: list[int]) -> tuple[Array, Array]:
        first = np.array([bool(seeds)])
        result = self._robots.step(action, first, seeds)
        _follow(self._pictures, first)
        return result

    def _info(self) -> dict[str, Any]:
        return {name: float(values[0]) for name, values in self._robots.facts().items()}


class RobotVacuumVector(VectorEnv[Array, Array, Array]):
    """N robots, as Gymnasium has them: what `gymnasium.make_vec` gives. They do what N single ones would do."""

    metadata = VECTOR_METADATA

    def __init__(
        self,
        num_envs: int = 1,
        max_episode_steps: int = vacuum.MINUTES * 60,
        room: str = "living",
        width: float = 8.0,
        depth: float = 6.0,
        dust: str = "uneven",
        turns: int = 72,
        render_mode: str | None = None,
    ) -> None:
        self.num_envs, self.render_mode = num_envs, _checked_mode(render_mode)
        self._limit = max_episode_steps
        self._robots = Robots(VacuumOptions(room, width, depth, dust, turns), num_envs)
        self._pictures = [Picture(self._robots, i) for i in range(num_envs)] if render_mode else []
        self.single_action_space = spaces.Discrete(turns + 1)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.single_observation_space = _space()
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self._streams: list[np.random.Generator] = []
        self._ended = np.zeros(num_envs, bool)

    def reset(
        self, *, seed: int | list[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Array, dict[str, Any]]:
        """`seed` is robot 0's, the next one robot 1's, and so on; or a list with one a robot."""
        given = seed if isinstance(seed, list) else [None if seed is None else seed + i for i in range(self.num_envs)]
        if len(given) != self.num_envs:
            raise ValueError(f"seed: expected {self.num_envs} seeds, got {len(given)}")
        super().reset(seed=given[0])
        for index, own in enumerate(given):
            if own is not None or not self._streams[index:]:
                self._streams[index : index + 1] = [gymnasium.utils.seeding.np_random(own)[0]]
        seeds = [_own_seed(self._streams[index]) if own is None else own for index, own in enumerate(given)]
        self._ended = np.zeros(self.num_envs, bool)
        obs, _ = self._advance(np.zeros(self.num_envs, np.int64), ~self._ended, seeds)
        return obs, {}

    def step(self, actions: Array) -> tuple[Array, Array, Array, Array, dict[str, Any]]:
        seeds = [_own_seed(self._streams[index]) for index in np.flatnonzero(self._ended).tolist()]
        obs, reward = self._advance(np.asarray(actions, np.int64), self._ended, seeds)
        self._ended = self._robots.state.age >= self._limit
        return obs, reward.astype(np.float64), np.zeros(self.num_envs, bool), self._ended.copy(), {}

    def render(self) -> tuple[Array, ...] | None:
        """A picture of each robot."""
        return tuple(picture.frame() for picture in self._pictures) or None

    def _advance(self, action: Array, first: Array, seeds: list[int]) -> tuple[Array, Array]:
        result = self._robots.step(action, first, seeds)
        _follow(self._pictures, first)
        return result


def _space() -> spaces.Box:
    low = np.zeros(len(vacuum.SENSES), np.float32)
    low[4:6] = -1.0
    return spaces.Box(low, np.ones(len(vacuum.SENSES), np.float32), dtype=np.float32)


def _own_seed(stream: np.random.Generator) -> int:
    return int(stream.integers(2**62))


def _checked_mode(render_mode: str | None) -> str | None:
    if render_mode not in (None, *METADATA["render_modes"]):
        raise ValueError(f"render_mode: {render_mode!r} is unknown; one of {', '.join(METADATA['render_modes'])}")
    return render_mode


def _follow(pictures: list[Picture], first: Array) -> None:
    """Let the pictures take in the last second; first [N] bool begins a new path."""
    for picture, begins in zip(pictures, first.tolist(), strict=False):
        picture.follow(begins)
