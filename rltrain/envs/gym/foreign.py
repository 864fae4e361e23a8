"""The door to environments that others wrote: every call into one is made here, and its faults are its own.

An exception, a `sys.exit`, an old interface, an answer of the wrong form: each becomes an EnvironmentFault that names
the environment, the call with its action, and the line of its code. Gymnasium's interface is `reset(seed=)` ->
(observation, info) and `step(action)` -> (observation, reward, terminated, truncated, info)
(https://gymnasium.farama.org/api/env/). Whether numbers are finite is asked of all environments at once, in `serial`.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from copy import deepcopy
from typing import Any, NoReturn
from warnings import catch_warnings, filterwarnings

import gymnasium
import numpy as np
from gymnasium import spaces

from rltrain.core import Array
from rltrain.envs.gym import wrappers
from rltrain.envs.gym.actions import MASK, mask_of
from rltrain.envs.gym.faults import OURS, calling, fault, form, hear_mujoco, place, said, told
from rltrain.errors import EnvironmentFault, InputError, MissingError
from rltrain.experiment.settings import EnvironmentConfig
from rltrain.spaces import Actions
from rltrain.spelling import shown

LACKING: tuple[type[BaseException], ...] = (ImportError, gymnasium.error.DependencyNotInstalled)
OLD = (
    "this is the old interface of Gym; Gymnasium has a wrapper for it, gymnasium.make('GymV21Environment-v0', env=...)"
    ' of the package "shimmy[gym-v21]"'
)
RESULTS = "(observation, reward, terminated, truncated, info)"
SEVERAL = (tuple, list)
NUMBERS = (int, float, np.integer, np.floating, np.bool_)
FLAGS = (int, np.integer, np.bool_)
Read = Callable[[Any], Array]  # an observation as the environment gives it -> as we hand it out; ValueError for others


class Foreign:
    """One Gymnasium environment, made and ready. What it is asked for and what it answers passes through here."""

    def __init__(self, env: gymnasium.Env[Any, Any], name: str, masks: bool = True, repeats: int = 1) -> None:
        """`masks`: what it says can be done is heard; `repeats`: its steps that one of an agent's spans."""
        self.name, self.repeats, self._env, self._masks = name, repeats, env, masks
        self._info: Mapping[str, Any] = {}
        self.action_space, self.observation_space = _spaces(name, env)
        with calling(name, "spec"):
            self.spec = env.spec
            self.unwrapped: Any = env.unwrapped
            self.metadata: Mapping[str, Any] = env.metadata

    @property
    def limit(self) -> int | None:
        """Agent steps after which an episode is cut off; None: never."""
        limit = self.spec.max_episode_steps if self.spec else None
        return None if limit is None else -(-limit // self.repeats)

    @property
    def reward_threshold(self) -> float | None:
        """The score at which the task counts as solved, where it is registered with one."""
        return self.spec.reward_threshold if self.spec else None

    def masks(self) -> bool:
        """Whether it says what can be done, from a reset on, as `info["action_mask"]`."""
        if self._masks:
            self._info = self._reset(0)[1]
        return self.tells_mask

    @property
    def tells_mask(self) -> bool:
        """Whether it has just said what can be done."""
        return self._masks and MASK in self._info

    def mask(self, actions: Actions) -> Array | None:
        """What can be done now, [mask_width] bool. None where it does not say: everything."""
        try:
            return mask_of(self._info, actions)
        except (ValueError, TypeError, AttributeError) as error:
            given, width = form(self._info.get(MASK)), actions.mask_width
            raise EnvironmentFault(
                f"{self.name}: info['action_mask'] is {given}; it must hold {width} zeros and ones"
            ) from error

    def reset(self, seed: int, read: Read) -> Array:
        """The first observation of a new episode."""
        obs, self._info = self._reset(seed)
        return self._read(obs, read)

    def _reset(self, seed: int) -> Any:
        """Observation and info."""
        try:
            result = self._env.reset(seed=seed)
        except OURS:
            raise
        except BaseException as error:
            self._failed("reset", error)
        if not isinstance(result, SEVERAL) or len(result) != 2 or not isinstance(result[1], Mapping):
            raise EnvironmentFault(f"{self.name}: reset must give (observation, info), and gave {form(result)}; {OLD}")
        return result

    def step(self, action: Any, read: Read) -> tuple[Array, float, float, bool]:
        """Observation, reward, discount (0 where the task ended) and whether the episode stops."""
        try:
            result: Any = self._env.step(action)
        except OURS:
            raise
        except BaseException as error:
            self._failed(f"step({said(action)})", error)
        if not isinstance(result, SEVERAL) or len(result) != 5:
            count = f"{len(result)} values" if isinstance(result, SEVERAL) else form(result)
            raise EnvironmentFault(self._step_form(action, count))
        obs, reward, terminated, truncated, self._info = result
        if type(reward) is not float:
            reward = self._number(action, reward)
        if type(terminated) is not bool or type(truncated) is not bool:
            terminated = self._flag(action, "terminated", terminated)
            truncated = self._flag(action, "truncated", truncated)
        return self._read(obs, read, action), reward, 0.0 if terminated else 1.0, terminated or truncated

    def render(self) -> Any:
        """Its picture, in whatever form. LACKING as they come: a package to draw with may be missing."""
        with calling(self.name, "render", self._env, LACKING):
            return self._env.render()

    def close(self) -> None:
        with calling(self.name, "close", self._env):
            self._env.close()

    # What it says

    def _read(self, obs: Any, read: Read, *action: Any) -> Array:
        try:
            return read(obs)
        except (ValueError, TypeError, LookupError, AttributeError, OverflowError) as error:
            call = f"step({said(action[0])})" if action else "reset"
            wanted = f"its observation space is {shown(str(self.observation_space))}"
            raise EnvironmentFault(f"{self.name}: {call} gave {form(obs)} as observation; {wanted}") from error

    def _number(self, action: Any, reward: Any) -> float:
        if isinstance(reward, NUMBERS) or (
            isinstance(reward, np.ndarray) and reward.shape == () and reward.dtype.kind in "fiub"
        ):
            with suppress(OverflowError):  # of a whole number that no float holds
                return float(reward)
        raise EnvironmentFault(
            f"{self.name}: step({said(action)}) gave {form(reward)} as reward; a reward is one number"
        )

    def _flag(self, action: Any, what: str, value: Any) -> bool:
        if isinstance(value, FLAGS) or (
            isinstance(value, np.ndarray) and value.shape == () and value.dtype.kind in "iub"
        ):
            return bool(value)
        raise EnvironmentFault(f"{self.name}: step({said(action)}) gave {form(value)} as {what}; it is true or false")

    # What went wrong

    def _step_form(self, action: Any, count: str) -> str:
        return f"{self.name}: step({said(action)}) must give five values, {RESULTS}, and gave {count}; {OLD}"

    def _failed(self, call: str, error: BaseException) -> NoReturn:
        """Say which interface it has, if that is why; else what it raised, and where."""
        where = place(error, self._env)
        if call == "reset" and isinstance(error, TypeError) and not where and not _takes(self.unwrapped.reset, "seed"):
            raise EnvironmentFault(f"{self.name}: reset takes no seed; {OLD}") from error
        few = re.search(r"values to unpack \(expected 5(?:, got (\d+))?", str(error))
        if call != "reset" and isinstance(error, ValueError) and few and not where:  # Gymnasium's wrapper looked first
            count = f"{few[1]} values" if few[1] else "more"
            raise EnvironmentFault(self._step_form(call[5:-1], count)) from error
        found = fault(self.name, call, error, self._env)
        if call == "reset" and any(word in str(error) for word in ("options", "NoneType")):
            found = EnvironmentFault(f"{found}; reset is called without options here")
        raise found from error


def make(settings: EnvironmentConfig, render_mode: str | None = None) -> Foreign:
    """One environment. `envs.check` has seen the id: it is registered and has no colon.

    MissingError for a package that is not there, InputError for arguments that it refuses or lacks, else
    EnvironmentFault.
    """
    name, kwargs, limit = settings.id, settings.kwargs, settings.max_episode_steps
    repeats = wrappers.repeats(settings.wrappers)
    hear_mujoco(name)
    try:
        with catch_warnings():  # whoever writes CartPole-v0 means it
            filterwarnings("ignore", ".*is out of date", DeprecationWarning)
            env = gymnasium.make(
                name,
                max_episode_steps=None if limit is None else limit * repeats,
                disable_env_checker=True,  # the checker's warnings are for authors of environments
                **deepcopy(kwargs),  # an environment may change what it is given
                **({} if render_mode is None else {"render_mode": render_mode}),
            )
    except OURS:
        raise
    except LACKING as error:
        raise MissingError(f"environment.id: {name} needs a package that is not installed: {told(error)}") from error
    except gymnasium.error.Error as error:
        raise InputError(f"environment.id: {name} cannot be made: {told(error)}") from error
    except BaseException as error:
        _not_made(settings, error)
    if settings.action_masks:
        env = wrappers.mask_aside(env, *_spaces(name, env))
    return Foreign(wrappers.around(env, settings.wrappers), name, settings.action_masks, repeats)


def _not_made(settings: EnvironmentConfig, error: BaseException) -> NoReturn:
    """InputError if the arguments are why, else EnvironmentFault."""
    name, cause = settings.id, error
    if isinstance(error, TypeError) and "from the environment creator" in str(error) and error.__context__:
        cause = error.__context__  # as its constructor raised it
    missing = re.match(r"\S*__init__\(\) missing \d+ required \S+ arguments?: (.*)", str(cause))
    if missing and isinstance(cause, TypeError):
        keys = [f"environment.kwargs.{key}" for key in re.findall(r"'(\w+)'", missing[1])]
        raise InputError(f"{', '.join(keys)}: missing; {name} cannot be made without") from error
    refusals = (TypeError, ValueError, KeyError, AssertionError, AttributeError, IndexError)
    if settings.kwargs and isinstance(cause, refusals):
        given = shown(str(dict(settings.kwargs)))
        raise InputError(f"environment.kwargs: {name} refuses {given}: {told(cause)}") from error
    raise fault(name, "make", cause) from error


def fits(space: spaces.Space[Any], obs: Any) -> bool:
    """Whether an observation has the form that its space declares. Numbers beyond the bounds of a Box are let pass."""
    match space:
        case spaces.Box():
            array = np.asarray(obs)
            return array.shape == space.shape and array.dtype.kind in "fiub"
        case spaces.Tuple():
            parts = isinstance(obs, tuple | list) and len(obs) == len(space.spaces)
            return parts and all(fits(part, own) for part, own in zip(space.spaces, obs, strict=True))
        case spaces.Dict():
            return isinstance(obs, Mapping) and all(
                key in obs and fits(part, obs[key]) for key, part in space.spaces.items()
            )
    return bool(space.contains(obs))


def _spaces(name: str, env: gymnasium.Env[Any, Any]) -> tuple[spaces.Space[Any], spaces.Space[Any]]:
    """Of its actions, and of its observations."""
    actions = _space(name, "action_space", lambda: env.action_space)
    return actions, _space(name, "observation_space", lambda: env.observation_space)


def _space(name: str, what: str, look: Callable[[], Any]) -> spaces.Space[Any]:
    try:
        space = look()
    except OURS:
        raise
    except BaseException as error:
        raise EnvironmentFault(f"{name}: it has no {what} ({told(error)})") from error
    if not isinstance(space, spaces.Space):
        raise EnvironmentFault(f"{name}: its {what} is {form(space)}, not a space of Gymnasium")
    return space


def _takes(function: Callable[..., Any], keyword: str) -> bool:
    """Whether it can be called with this keyword; True where its parameters are not known."""
    try:
        known = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return True
    return keyword in known or any(each.kind is inspect.Parameter.VAR_KEYWORD for each in known.values())
