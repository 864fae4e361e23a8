"""Gymnasium's wrappers around an environment, as a config lists them: `experiment.wrappers` has the table.

Each is an object of Gymnasium's own, made with the settings of the same names. What one holds of an episode is a
function of the episode's seed and actions, so it is replayed with it (`envs.journal`); `Reset` sees to two that would
otherwise carry something over. Those that are shared by all environments are left to `envs.normalized`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from warnings import catch_warnings, filterwarnings

import gymnasium
import numpy as np
from gymnasium import spaces, wrappers
from gymnasium.utils import seeding

from rltrain.envs.gym.actions import MASK, BesideMask, beside_mask
from rltrain.envs.gym.faults import OURS, told
from rltrain.errors import InputError, MissingError
from rltrain.experiment.wrappers import (
    FrameStackObservation,
    MaxAndSkipObservation,
    RepeatAction,
    Single,
    StickyAction,
    Wrapper,
    single,
)

Env = gymnasium.Env[Any, Any]
MADE: dict[str, Callable[[], Callable[..., Env]]] = {  # looked up when one is asked for: a Gymnasium may be too old
    "FlattenObservation": lambda: wrappers.FlattenObservation,
    "FilterObservation": lambda: wrappers.FilterObservation,
    "GrayscaleObservation": lambda: wrappers.GrayscaleObservation,
    "ResizeObservation": lambda: wrappers.ResizeObservation,
    "ReshapeObservation": lambda: wrappers.ReshapeObservation,
    "RescaleObservation": lambda: wrappers.RescaleObservation,
    "DiscretizeObservation": lambda: wrappers.DiscretizeObservation,
    "TimeAwareObservation": lambda: wrappers.TimeAwareObservation,
    "FrameStackObservation": lambda: wrappers.FrameStackObservation,
    "DelayObservation": lambda: wrappers.DelayObservation,
    "MaxAndSkipObservation": lambda: wrappers.MaxAndSkipObservation,
    "RepeatAction": lambda: wrappers.RepeatAction,
    "StickyAction": lambda: wrappers.StickyAction,
    "RescaleAction": lambda: wrappers.RescaleAction,
    "ClipAction": lambda: wrappers.ClipAction,
    "DiscretizeAction": lambda: wrappers.DiscretizeAction,
}
INSTALL_OPENCV = "pip install opencv-python-headless"


class Reset(gymnasium.Wrapper[Any, Any, Any, Any]):
    """At each seeded reset the environment's own stream begins anew, and what a wrapper above kept is gone.

    StickyAction draws from that stream, which an environment with randomness of its own never seeds. An episode that
    ends while MaxAndSkipObservation repeats its action would show frames of the one before.
    """

    def __init__(self, env: Env, forget: Sequence[Callable[[], None]] = ()) -> None:
        super().__init__(env)
        self._forget = forget

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        if seed is not None:
            self.unwrapped.np_random, _ = seeding.np_random(seed)
        for forget in self._forget:
            forget()
        return self.env.reset(seed=seed, options=options)


class MaskAside(gymnasium.Wrapper[Any, Any, Any, Any]):
    """What an environment's observations say can be done is told in info instead, so that no wrapper takes it in."""

    def __init__(self, env: Env, beside: BesideMask) -> None:
        super().__init__(env)
        self.observation_space, self._of = beside.space, beside.of

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        return self._told(*self.env.reset(seed=seed, options=options))

    def step(self, action: Any) -> Any:
        obs, reward, terminated, truncated, info = self.env.step(action)
        obs, info = self._told(obs, info)
        return obs, reward, terminated, truncated, info

    def _told(self, obs: Any, info: Any) -> tuple[Any, Any]:
        """What has another form than the space declares is left for `foreign` to refuse."""
        if not isinstance(obs, Mapping) or MASK not in obs or not isinstance(info, Mapping):
            return obs, info
        try:
            return self._of(obs), {MASK: obs[MASK], **info}
        except KeyError:
            return obs, info


def mask_aside(env: Env, actions: spaces.Space[Any], observations: spaces.Space[Any]) -> Env:
    """The environment of these spaces; if its observations hold a mask of its actions, that is told in info instead."""
    beside = beside_mask(observations, actions)
    return env if beside is None else MaskAside(env, beside)


def around(env: Env, listed: Sequence[Wrapper]) -> Env:
    """The environment with these around it, the first innermost; without those that all environments share.

    InputError for one that refuses what it is put around, MissingError for a package or a newer Gymnasium.
    """
    forget: list[Callable[[], None]] = []
    for place, each in enumerate(single(listed)):
        env = _put(env, place, each)
        if isinstance(env, wrappers.MaxAndSkipObservation):
            forget.append(_blank(env._obs_buffer))
    if forget or any(isinstance(each, StickyAction) for each in listed):
        env = Reset(env, forget)
    return env


def _put(env: Env, place: int, each: Single) -> Env:
    where = f"environment.wrappers[{place}]: {each.name}"
    try:
        make = MADE[each.name]()
    except AttributeError as error:
        raise MissingError(f"{where} is not in Gymnasium {gymnasium.__version__}: pip install -U gymnasium") from error
    try:
        with catch_warnings():  # bounds are float64 in a config
            filterwarnings("ignore", ".*precision lowered", UserWarning)
            return make(env, **{key: _given(key, value) for key, value in each.model_dump(exclude={"name"}).items()})
    except OURS:
        raise
    except (ImportError, gymnasium.error.DependencyNotInstalled) as error:
        raise MissingError(f"{where} needs OpenCV, which is not installed: {INSTALL_OPENCV}") from error
    except Exception as error:  # Gymnasium's words on what does not fit: TypeError, ValueError, AssertionError, ...
        raise InputError(f"{where} does not fit: {told(error)}") from error


def _given(key: str, value: Any) -> Any:
    """A setting as Gymnasium takes it: bounds of each number are an array."""
    return np.array(value) if isinstance(value, tuple) and key.startswith(("min_", "max_")) else value


def _blank(frames: np.ndarray[Any, Any]) -> Callable[[], None]:
    return lambda: frames.fill(0)


def repeats(listed: Sequence[Wrapper]) -> int:
    """Steps of the environment that one of an agent's spans."""
    skips = (each.skip for each in listed if isinstance(each, MaxAndSkipObservation))
    return math.prod(skips) * math.prod(each.num_repeats for each in listed if isinstance(each, RepeatAction))


def zero_padded_stack(listed: Sequence[Wrapper]) -> int:
    """The size of a stack of frames that is outermost and begins with zeros; else 1."""
    around_each = single(listed)
    last = around_each[-1] if around_each else None
    return last.stack_size if isinstance(last, FrameStackObservation) and last.padding_type == "zero" else 1
