"""Gymnasium's own vectorised CartPole: all environments in one step of numpy instead of a loop over single games.

Gymnasium registers such a class, a `vector_entry_point`, for few ids. A step of it takes about 40 microseconds however
many environments there are, a step of a single game about 8, so it pays from a handful on. They share one random
stream. What it holds between two steps is few arrays, which `save` takes out and `load` puts back.
"""

from __future__ import annotations

import warnings
from typing import Any

import gymnasium
import numpy as np

from rltrain.core import Array, EnvSpec, State, Step
from rltrain.experiment.settings import EnvironmentConfig
from rltrain.rng import plain, restore
from rltrain.saved import ANY_INTEGER, Saved, check_num_envs
from rltrain.steps import as_int64

NATIVE = ("CartPole-v0", "CartPole-v1")
SIDE_BY_SIDE = 128  # games that an evaluation plays at once: another one costs next to nothing
LEAST_ENVS = 16  # below, single games are about as fast, and they draw their starts one by one


def fits(settings: EnvironmentConfig, num_envs: int) -> bool:
    """Whether so many environments are played together."""
    return settings.id in NATIVE and num_envs >= LEAST_ENVS


class Vector:
    """An `Env` that is one vectorised environment of Gymnasium with next-step autoreset."""

    def __init__(self, spec: EnvSpec, settings: EnvironmentConfig) -> None:
        self.spec = spec
        kwargs: dict[str, Any] = dict(settings.kwargs)
        with warnings.catch_warnings():  # whoever writes CartPole-v0 means it
            warnings.filterwarnings("ignore", ".*is out of date", DeprecationWarning)
            made = gymnasium.make_vec(
                settings.id,
                num_envs=spec.num_envs,
                vectorization_mode="vector_entry_point",
                max_episode_steps=spec.max_episode_steps,
                **kwargs,
            )
        self._env: Any = made.unwrapped  # a CartPoleVectorEnv
        self._first = np.zeros(spec.num_envs, dtype=bool)  # where the next step opens an episode

    def reset(self, seed: int) -> Step:
        obs, _ = self._env.reset(seed=seed)
        self._first = np.zeros(self.spec.num_envs, dtype=bool)
        zeros = np.zeros(self.spec.num_envs, dtype=np.float32)
        return Step(obs, zeros, zeros + 1, first=~self._first, last=self._first)

    def step(self, action: Array) -> Step:
        obs, reward, terminated, truncated, _ = self._env.step(as_int64(action))
        last = terminated | truncated
        first, self._first = self._first, last
        return Step(obs, reward, 1 - terminated.astype(np.float32), first, last)

    def close(self) -> None:
        self._env.close()

    def save(self) -> State:
        env = self._env
        if env.state is None:
            return {"state": None}
        return {
            "state": env.state.copy(),  # [4, N] float64
            "steps": env.steps.copy(),  # [N] of the running episodes
            "first": self._first.copy(),
            "stream": plain(env.np_random.bit_generator.state),
        }

    def load(self, state: State) -> None:
        env, saved, count = self._env, Saved.of(state), self.spec.num_envs
        if not saved.given("state") and env.state is None:  # before the first reset
            return
        check_num_envs(saved, "state", count, axis=1)
        places = saved.array("state", "float64", (4, count))
        steps = saved.array("steps", ANY_INTEGER, (count,), 0, self.spec.max_episode_steps or 2**31 - 2)
        first = saved.array("first", "bool", (count,))
        env.reset(seed=0)
        env.state, env.steps, env.prev_done = places, steps.astype(np.int32), first
        restore(env.np_random, saved.part("stream"))
        self._first = env.prev_done.copy()
