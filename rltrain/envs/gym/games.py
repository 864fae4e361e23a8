"""Any Gymnasium id with discrete actions: N calls of `gymnasium.make`, or Gymnasium's own vectorised environment.

Observations: a uint8 image becomes uint8 [C, H, W]; everything else is flattened by Gymnasium's own rule (a Discrete
becomes one-hot) to a float32 vector. What has another form than the environment's space declares is refused.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.spaces.utils import flatten, flatten_space

from rltrain.core import Array, Env, EnvSpec
from rltrain.envs.gym import cartpole, foreign
from rltrain.envs.gym.foreign import Foreign, Read
from rltrain.envs.serial import Serial
from rltrain.errors import InputError
from rltrain.experiment.settings import EnvironmentConfig


class Gym:
    """One Gymnasium environment, as `Serial` wants it."""

    def __init__(self, env: Foreign, read: Read | None = None) -> None:
        """`read` makes of an observation what a learner sees; None: an image or a vector."""
        assert isinstance(env.action_space, spaces.Discrete)
        self._env = env
        self._space = env.observation_space
        self._shape = env.observation_space.shape  # of a Box; others are not asked
        self._layout = _image_layout(self._space)
        self._first_action = int(env.action_space.start)
        self._read = read or self._flat
        if read is None and isinstance(self._space, spaces.Box):
            self._read = self._vector if self._layout is None else self._image
        elif read is None and isinstance(self._space, spaces.Discrete):
            self._first, self._count = int(self._space.start), int(self._space.n)
            self._read = self._one_hot

    def reset(self, seed: int) -> Array:
        return self._env.reset(seed, self._read)

    def step(self, action: int) -> tuple[Array, float, float, bool]:
        return self._env.step(self._first_action + action, self._read)

    def close(self) -> None:
        self._env.close()

    # Of an observation, what a learner sees. ValueError if it has not the form of its space.

    def _vector(self, obs: Any) -> Array:
        """A Box -> float32 [n]: what `flatten` does, without looking for the function that does it."""
        array = np.asarray(obs)
        if array.shape != self._shape or array.dtype.kind not in "fiub":
            raise ValueError
        return array.astype(np.float32, copy=False).reshape(-1)

    def _image(self, obs: Any) -> Array:
        """A Box of bytes -> uint8 [C, H, W]."""
        array = np.asarray(obs)
        if array.dtype != np.uint8:
            array = _bytes(array)
        if array.shape != self._shape:
            raise ValueError
        if self._layout == "HWC":
            return np.moveaxis(array, -1, 0)
        return array[None] if self._layout == "HW" else array

    def _one_hot(self, obs: Any) -> Array:
        """A Discrete -> float32 [n]. TypeError for what is no whole number."""
        number = operator.index(obs) - self._first
        if not 0 <= number < self._count:
            raise ValueError
        found = np.zeros(self._count, np.float32)
        found[number] = 1.0
        return found

    def _flat(self, obs: Any) -> Array:
        """Any other space -> float32 [n]."""
        if not foreign.fits(self._space, obs):
            raise ValueError
        return np.asarray(flatten(self._space, obs), dtype=np.float32)


def make(settings: EnvironmentConfig, num_envs: int) -> Env:
    """N environments. Errors as `foreign.make`; InputError if the id's spaces are not for us."""
    if cartpole.fits(settings, num_envs):
        return cartpole.Vector(describe(settings, num_envs), settings)
    envs = [foreign.make(settings) for _ in range(num_envs)]
    return Serial(spec_of(settings, envs[0], num_envs), [Gym(env) for env in envs])


def describe(settings: EnvironmentConfig, num_envs: int) -> EnvSpec:
    """The spec alone, from one environment that is closed again."""
    env = foreign.make(settings)
    try:
        return spec_of(settings, env, num_envs)
    finally:
        env.close()


def spec_of(settings: EnvironmentConfig, env: Foreign, num_envs: int) -> EnvSpec:
    """What an algorithm may know of this environment. InputError if its spaces are not for us."""
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
        obs_high=_high(env.observation_space),
    )


def _observation(name: str, space: spaces.Space[Any]) -> tuple[tuple[int, ...], str]:
    """Shape and dtype of one observation as we hand it out."""
    layout = _image_layout(space)
    if layout is not None:
        shape = space.shape
        assert shape is not None
        if 0 in shape:
            raise InputError(f"environment.id: {name} has observations {space}, which hold no number to learn from")
        return {"HW": (1, *shape), "HWC": (shape[-1], *shape[:-1]), "CHW": shape}[layout], "uint8"
    if not space.is_np_flattenable:
        raise InputError(f"environment.id: {name} has observations {space}, which cannot be made a vector or an image")
    flat = flatten_space(space)
    assert flat.shape is not None
    if 0 in flat.shape:
        raise InputError(f"environment.id: {name} has observations {space}, which hold no number to learn from")
    return flat.shape, "float32"


def _high(space: spaces.Space[Any]) -> int:
    """The greatest value of an image, as it is declared; 255 where none but 0 is, and for what is no image."""
    return 255 if _image_layout(space) is None else int(np.max(space.high)) or 255  # type: ignore[attr-defined]


def _bytes(array: Array) -> Array:
    """The numbers as uint8. ValueError where that changes one."""
    if array.dtype.kind not in "fiub":
        raise ValueError
    with np.errstate(invalid="ignore"):  # NaN as a byte
        found = array.astype(np.uint8)
    if (found != array).any():
        raise ValueError
    return found


def _image_layout(space: spaces.Space[Any]) -> str | None:
    """ "HW", "HWC" or "CHW" for a uint8 image, None for anything else. The channels are the shortest axis."""
    if not isinstance(space, spaces.Box) or space.dtype != np.uint8 or len(space.shape) not in (2, 3):
        return None
    if len(space.shape) == 2:
        return "HW"
    return "CHW" if space.shape[0] < space.shape[-1] else "HWC"
