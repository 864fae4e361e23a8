"""Any Gymnasium id with discrete actions: one `gymnasium.make` a lane, or Gymnasium's own vectorised environment.

Observations: a uint8 image becomes uint8 [C, H, W]; everything else is flattened by Gymnasium's own rule (a Discrete
becomes one-hot) to a float32 vector.
"""

from __future__ import annotations

import warnings
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.spaces.utils import flatten, flatten_space

from rltrain.core import Array, Env, EnvSpec
from rltrain.envs import vector
from rltrain.envs.serial import Serial
from rltrain.errors import InputError, MissingError
from rltrain.settings import EnvironmentConfig


class Gym:
    """One Gymnasium environment, as `Serial` wants it."""

    def __init__(self, env: gymnasium.Env[Any, Any]) -> None:
        assert isinstance(env.action_space, spaces.Discrete)
        self._env = env
        self._space = env.observation_space
        self._layout = _image_layout(self._space)
        self._is_box = isinstance(self._space, spaces.Box)
        self._first_action = int(env.action_space.start)

    def reset(self, seed: int) -> Array:
        obs, _ = self._env.reset(seed=seed)
        return self._convert(obs)

    def step(self, action: int) -> tuple[Array, float, float, bool]:
        obs, reward, terminated, truncated, _ = self._env.step(self._first_action + action)
        return self._convert(obs), float(reward), 0.0 if terminated else 1.0, bool(terminated or truncated)

    def close(self) -> None:
        self._env.close()

    def _convert(self, obs: Any) -> Array:
        """uint8 [C, H, W] or float32 [n]."""
        if self._layout == "HWC":
            return np.moveaxis(np.asarray(obs), -1, 0)
        if self._layout == "HW":
            return np.asarray(obs)[None]
        if self._layout == "CHW":
            return np.asarray(obs)
        if self._is_box:  # what `flatten` does, without looking for the function that does it
            return np.asarray(obs, dtype=np.float32).reshape(-1)
        return np.asarray(flatten(self._space, obs), dtype=np.float32)


def make(settings: EnvironmentConfig, num_envs: int) -> Env:
    """N environments. MissingError if a package is missing, InputError if the id's spaces are not for us."""
    if vector.fits(settings, num_envs):
        return vector.Vector(describe(settings, num_envs), settings)
    envs = [_open(settings) for _ in range(num_envs)]
    return Serial(_spec(settings, envs[0], num_envs), [Gym(env) for env in envs])


def describe(settings: EnvironmentConfig, num_envs: int) -> EnvSpec:
    """The spec alone, from one environment that is closed again."""
    env = _open(settings)
    try:
        return _spec(settings, env, num_envs)
    finally:
        env.close()


def _open(settings: EnvironmentConfig, render_mode: str | None = None) -> gymnasium.Env[Any, Any]:
    """`known.check` has seen the id: it is registered and has no colon."""
    try:
        with warnings.catch_warnings():  # whoever writes CartPole-v0 means it
            warnings.filterwarnings("ignore", ".*is out of date", DeprecationWarning)
            return gymnasium.make(
                settings.id,
                max_episode_steps=settings.max_episode_steps,
                disable_env_checker=True,  # the checker's warnings are for authors of environments
                **settings.kwargs,
                **({} if render_mode is None else {"render_mode": render_mode}),
            )
    except (ImportError, gymnasium.error.DependencyNotInstalled) as error:
        raise MissingError(f"environment.id: {settings.id} needs a package that is not installed: {error}") from error
    except gymnasium.error.Error as error:
        raise InputError(f"environment.id: {settings.id} cannot be made: {error}") from error
    except (TypeError, ValueError, KeyError, AssertionError) as error:
        if not settings.kwargs:
            raise
        raise InputError(f"environment.kwargs: {settings.id} refuses {dict(settings.kwargs)}: {error}") from error


def _spec(settings: EnvironmentConfig, env: gymnasium.Env[Any, Any], num_envs: int) -> EnvSpec:
    if not isinstance(env.action_space, spaces.Discrete):
        raise InputError(
            f"environment.id: {settings.id} has actions {env.action_space}; only discrete actions can be learned here"
        )
    num_actions = int(env.action_space.n)
    shape, dtype = _observation(settings.id, env.observation_space)
    registered = env.spec
    return EnvSpec(
        id=settings.id,
        obs_shape=shape,
        obs_dtype=dtype,
        frame_stack=1,
        num_actions=num_actions,
        action_names=tuple(str(action) for action in range(num_actions)),
        num_envs=num_envs,
        frames_per_step=1,
        max_episode_steps=registered.max_episode_steps if registered else None,
        reward_threshold=registered.reward_threshold if registered else None,
    )


def _observation(name: str, space: spaces.Space[Any]) -> tuple[tuple[int, ...], str]:
    """Shape and dtype of one observation as we hand it out."""
    layout = _image_layout(space)
    if layout is not None:
        shape = space.shape
        assert shape is not None
        return {"HW": (1, *shape), "HWC": (shape[-1], *shape[:-1]), "CHW": shape}[layout], "uint8"
    if not space.is_np_flattenable:
        raise InputError(f"environment.id: {name} has observations {space}, which cannot be made a vector or an image")
    flat = flatten_space(space)
    assert flat.shape is not None
    return flat.shape, "float32"


def _image_layout(space: spaces.Space[Any]) -> str | None:
    """ "HW", "HWC" or "CHW" for a uint8 image, None for anything else. The channels are the shortest axis."""
    if not isinstance(space, spaces.Box) or space.dtype != np.uint8 or len(space.shape) not in (2, 3):
        return None
    if len(space.shape) == 2:
        return "HW"
    return "CHW" if space.shape[0] < space.shape[-1] else "HWC"
