"""Any Gymnasium id: N calls of `gymnasium.make`, or Gymnasium's own vectorised environment.

What a learner sees and does is said by `observations` and `actions`. What has another form than the environment's space
declares is refused.
"""

from __future__ import annotations

from typing import Any

from rltrain.core import Array, Env, EnvSpec
from rltrain.envs import normalized
from rltrain.envs.gym import cartpole, foreign, wrappers
from rltrain.envs.gym.action_names import named
from rltrain.envs.gym.actions import Acting, acting
from rltrain.envs.gym.foreign import Foreign, Read
from rltrain.envs.gym.observations import observed
from rltrain.envs.serial import Serial
from rltrain.experiment.settings import EnvironmentConfig
from rltrain.experiment.wrappers import single
from rltrain.spaces import OwnForm


class Gym:
    """One Gymnasium environment, as `Serial` wants it."""

    def __init__(self, env: Foreign, read: Read, acting: Acting, masked: bool = False) -> None:
        """`read` makes of an observation what a learner sees; `masked`: it says what can be done."""
        self._env, self._read, self._back = env, read, acting.back
        self._masks = acting.actions if masked else None

    @property
    def mask(self) -> Array | None:
        """What can be done now, [mask_width] bool; None: everything."""
        return None if self._masks is None else self._env.mask(self._masks)

    def reset(self, seed: int) -> Array:
        return self._env.reset(seed, self._read)

    def step(self, action: Any) -> tuple[Array, float, float, bool]:
        return self._env.step(self._back(action), self._read)

    def close(self) -> None:
        self._env.close()


def make(
    settings: EnvironmentConfig,
    num_envs: int,
    longest: int | None = None,
    repeats: bool = True,
    first_index: int | None = None,
) -> Env:
    """N environments; `longest` and `repeats` are those of `Serial`, `first_index` that of `core.EnvOptions`.

    Errors as `foreign.make`; InputError if the id's spaces are not for us.
    """
    if first_index is None and is_one_vector(settings, num_envs):
        return cartpole.Vector(describe(settings, num_envs), settings)
    envs = [foreign.make(settings) for _ in range(num_envs)]
    spec = spec_of(settings, envs[0], num_envs)
    return Serial(spec, [game(env, spec) for env in envs], longest, repeats, first_index or 0)


def is_one_vector(settings: EnvironmentConfig, num_envs: int) -> bool:
    """Whether so many are a vector of Gymnasium's, which all draw from one random stream."""
    return cartpole.fits(settings, num_envs) and not single(settings.wrappers)


def game(env: Foreign, spec: EnvSpec) -> Gym:
    """One game of an environment that is described by `spec`."""
    return Gym(env, observed(env.name, env.observation_space).read, acting(env.name, env.action_space), spec.masked)


def own_form(settings: EnvironmentConfig) -> OwnForm:
    """How the environment, with its wrappers, says what is seen and done. Errors as `foreign.make`."""
    env = foreign.make(settings)
    try:
        read, back = observed(env.name, env.observation_space).read, acting(env.name, env.action_space).back
        return OwnForm(read, back)
    finally:
        env.close()


def describe(settings: EnvironmentConfig, num_envs: int) -> EnvSpec:
    """The spec alone, from one environment that is closed again."""
    env = foreign.make(settings)
    try:
        return spec_of(settings, env, num_envs)
    finally:
        env.close()


def spec_of(settings: EnvironmentConfig, env: Foreign, num_envs: int) -> EnvSpec:
    """What an algorithm may know of this environment, which is reset once. InputError if its spaces are not for us."""
    seen, acts = observed(settings.id, env.observation_space), acting(settings.id, env.action_space)
    stack = wrappers.zero_padded_stack(settings.wrappers)  # of which the memory need keep each frame but once
    spec = EnvSpec(
        id=settings.id,
        obs_shape=seen.shape,
        obs_dtype=seen.dtype,
        frame_stack=stack if seen.dtype == "uint8" and seen.shape[0] == stack and len(seen.shape) == 3 else 1,
        actions=named(settings.id, acts.actions),
        num_envs=num_envs,
        frames_per_step=env.repeats,
        max_episode_steps=env.limit,
        reward_threshold=env.reward_threshold,
        obs_high=seen.high,
        warnings=tuple(f"the observation's {name!r} cannot be numbers, and is left out" for name in seen.left_out),
        parts=seen.parts,
        longest=settings.reseed_every,
        masked=acts.actions.mask_width > 0 and env.masks(),
        scaled=normalized.scales(settings.wrappers),
    )
    normalized.check(settings.wrappers, spec)
    return spec
