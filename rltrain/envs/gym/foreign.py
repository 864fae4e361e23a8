"""The door to environments that others wrote: every call into one is made here, and its faults are its own.

An exception, a `sys.exit`, an old interface, an answer of the wrong form: each becomes an EnvironmentFault that names
the environment, the call with its action, and the line of its code. Gymnasium's interface is `reset(seed=)` ->
(observation, info) and `step(action)` -> (observation, reward, terminated, truncated, info)
(https://gymnasium.farama.org/api/env/). Whether numbers are finite is asked of all environments at once, in `serial`.
"""

from __future__ import annotations

import inspect
import re
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from copy import deepcopy
from pathlib import Path
from typing import Any, NoReturn

import gymnasium
import numpy as np
from gymnasium import spaces

from rltrain.core import Array
from rltrain.errors import EnvironmentFault, InputError, MissingError, RltrainError, out_of_memory
from rltrain.experiment.settings import EnvironmentConfig
from rltrain.spelling import described, shown

OURS = (KeyboardInterrupt, GeneratorExit, MemoryError, RltrainError)  # not the environment's doing
LACKING: tuple[type[BaseException], ...] = (ImportError, gymnasium.error.DependencyNotInstalled)
MACHINERY = ("core.py", "wrappers", "envs/registration.py")  # of Gymnasium: it only passes calls on
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

    def __init__(self, env: gymnasium.Env[Any, Any], name: str) -> None:
        self.name, self._env = name, env
        self.action_space = _space(name, "action_space", lambda: env.action_space)
        self.observation_space = _space(name, "observation_space", lambda: env.observation_space)
        with calling(name, "spec"):
            self.spec = env.spec
            self.unwrapped: Any = env.unwrapped
            self.metadata: Mapping[str, Any] = env.metadata

    def reset(self, seed: int, read: Read) -> Array:
        """The first observation of a new episode."""
        try:
            result = self._env.reset(seed=seed)
        except OURS:
            raise
        except BaseException as error:
            self._failed("reset", error)
        if not isinstance(result, SEVERAL) or len(result) != 2 or not isinstance(result[1], Mapping):
            raise EnvironmentFault(f"{self.name}: reset must give (observation, info), and gave {_form(result)}; {OLD}")
        return self._read("reset", result[0], read)

    def step(self, action: int, read: Read) -> tuple[Array, float, float, bool]:
        """Observation, reward, discount (0 where the task ended) and whether the episode stops."""
        try:
            result: Any = self._env.step(action)
        except OURS:
            raise
        except BaseException as error:
            self._failed(f"step({action})", error)
        if not isinstance(result, SEVERAL) or len(result) != 5:
            count = f"{len(result)} values" if isinstance(result, SEVERAL) else _form(result)
            raise EnvironmentFault(self._step_form(action, count))
        obs, reward, terminated, truncated, _ = result
        if type(reward) is not float:
            reward = self._number(action, reward)
        if type(terminated) is not bool or type(truncated) is not bool:
            terminated = self._flag(action, "terminated", terminated)
            truncated = self._flag(action, "truncated", truncated)
        return self._read(f"step({action})", obs, read), reward, 0.0 if terminated else 1.0, terminated or truncated

    def render(self) -> Any:
        """Its picture, in whatever form. LACKING as they come: a package to draw with may be missing."""
        with calling(self.name, "render", self._env, LACKING):
            return self._env.render()

    def close(self) -> None:
        with calling(self.name, "close", self._env):
            self._env.close()

    # What it says

    def _read(self, call: str, obs: Any, read: Read) -> Array:
        try:
            return read(obs)
        except (ValueError, TypeError, LookupError, AttributeError, OverflowError) as error:
            wanted = f"its observation space is {shown(str(self.observation_space))}"
            raise EnvironmentFault(f"{self.name}: {call} gave {_form(obs)} as observation; {wanted}") from error

    def _number(self, action: int, reward: Any) -> float:
        if isinstance(reward, NUMBERS) or (
            isinstance(reward, np.ndarray) and reward.shape == () and reward.dtype.kind in "fiub"
        ):
            with suppress(OverflowError):  # of a whole number that no float holds
                return float(reward)
        raise EnvironmentFault(f"{self.name}: step({action}) gave {_form(reward)} as reward; a reward is one number")

    def _flag(self, action: int, what: str, value: Any) -> bool:
        if isinstance(value, FLAGS) or (
            isinstance(value, np.ndarray) and value.shape == () and value.dtype.kind in "iub"
        ):
            return bool(value)
        raise EnvironmentFault(f"{self.name}: step({action}) gave {_form(value)} as {what}; it is true or false")

    # What went wrong

    def _step_form(self, action: int, count: str) -> str:
        return f"{self.name}: step({action}) must give five values, {RESULTS}, and gave {count}; {OLD}"

    def _failed(self, call: str, error: BaseException) -> NoReturn:
        """Say which interface it has, if that is why; else what it raised, and where."""
        where = _place(error, self._env)
        if call == "reset" and isinstance(error, TypeError) and not where and not _takes(self.unwrapped.reset, "seed"):
            raise EnvironmentFault(f"{self.name}: reset takes no seed; {OLD}") from error
        few = re.search(r"values to unpack \(expected 5(?:, got (\d+))?", str(error))
        if call != "reset" and isinstance(error, ValueError) and few and not where:  # Gymnasium's wrapper looked first
            count = f"{few[1]} values" if few[1] else "more"
            raise EnvironmentFault(self._step_form(int(call[5:-1]), count)) from error
        found = fault(self.name, call, error, self._env)
        if call == "reset" and any(word in str(error) for word in ("options", "NoneType")):
            found = EnvironmentFault(f"{found}; reset is called without options here")
        raise found from error


def make(settings: EnvironmentConfig, render_mode: str | None = None) -> Foreign:
    """One environment. `envs.check` has seen the id: it is registered and has no colon.

    MissingError for a package that is not there, InputError for arguments that it refuses or lacks, else
    EnvironmentFault.
    """
    name, kwargs = settings.id, settings.kwargs
    try:
        with warnings.catch_warnings():  # whoever writes CartPole-v0 means it
            warnings.filterwarnings("ignore", ".*is out of date", DeprecationWarning)
            env = gymnasium.make(
                name,
                max_episode_steps=settings.max_episode_steps,
                disable_env_checker=True,  # the checker's warnings are for authors of environments
                **deepcopy(kwargs),  # an environment may change what it is given
                **({} if render_mode is None else {"render_mode": render_mode}),
            )
    except OURS:
        raise
    except LACKING as error:
        raise MissingError(f"environment.id: {name} needs a package that is not installed: {_told(error)}") from error
    except gymnasium.error.Error as error:
        raise InputError(f"environment.id: {name} cannot be made: {_told(error)}") from error
    except BaseException as error:
        _not_made(settings, error)
    return Foreign(env, name)


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
        raise InputError(f"environment.kwargs: {name} refuses {given}: {_told(cause)}") from error
    raise fault(name, "make", cause) from error


@contextmanager
def calling(
    name: str,
    call: str,
    env: gymnasium.Env[Any, Any] | None = None,
    others: tuple[type[BaseException], ...] = (),
) -> Iterator[None]:
    """Around a call into the environment `name`: what it raises becomes an EnvironmentFault, but for `others`."""
    try:
        yield
    except OURS + others:
        raise
    except BaseException as error:
        raise fault(name, call, error, env) from error


def fault(name: str, call: str, error: BaseException, env: gymnasium.Env[Any, Any] | None = None) -> EnvironmentFault:
    """What the environment raised in this call, in a sentence, with the line of its code.

    Memory that runs out is raised on: torch says so in a RuntimeError.
    """
    if out_of_memory(error):
        raise error
    where = _place(error, env) or _place(error, None)
    at = f" ({where})" if where else ""
    if isinstance(error, SystemExit):
        return EnvironmentFault(f"{name}: {call} wanted to end the process: sys.exit({error.code!r}){at}")
    return EnvironmentFault(f"{name}: {call} failed: {_told(error)}{at}")


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


def _space(name: str, what: str, look: Callable[[], Any]) -> spaces.Space[Any]:
    try:
        space = look()
    except OURS:
        raise
    except BaseException as error:
        raise EnvironmentFault(f"{name}: it has no {what} ({_told(error)})") from error
    if not isinstance(space, spaces.Space):
        raise EnvironmentFault(f"{name}: its {what} is {_form(space)}, not a space of Gymnasium")
    return space


def _told(error: BaseException) -> str:
    """`RuntimeError: simulator lost its socket`, in a line that any terminal prints."""
    lines = str(error).strip().splitlines()
    return shown(f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__)


def _form(value: Any) -> str:
    """What something is, for who expected something else: `None`, `an array of shape (1,)`, `'text'`."""
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape} and dtype {value.dtype}"
    if value is None:
        return "None"
    if isinstance(value, int) and value.bit_length() > 1024:  # beyond floats, and it may be too long to be written
        return f"a whole number of {value.bit_length():,} bits"
    if isinstance(value, bool | int | float | str):
        return described(value)
    return f"a {type(value).__name__}" + (f" of {len(value)}" if isinstance(value, tuple | list | dict) else "")


def _place(error: BaseException, env: gymnasium.Env[Any, Any] | None) -> str:
    """`file.py:42`, the innermost line of the environment's code that the error passed; empty where it passed none.

    Without an environment: the innermost line that is neither ours nor the part of Gymnasium that passes calls on.
    """
    home = Path(gymnasium.__file__).parent
    through = (str(Path(__file__).parents[1]), *(str(home / part) for part in MACHINERY))
    own = set() if env is None else _files_of(type(env.unwrapped))
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if frame.filename in own or (env is None and not frame.filename.startswith(through)):
            return shown(f"{frame.filename}:{frame.lineno}")
    return ""


def _files_of(kind: type) -> set[str]:
    """The files in which a class and its parents are written, Gymnasium's own interface apart."""
    files = set()
    for parent in kind.__mro__:
        with suppress(TypeError, OSError):  # built in, or typed at a prompt
            files.add(inspect.getfile(parent))
    return files - {inspect.getfile(gymnasium.Env)}


def _takes(function: Callable[..., Any], keyword: str) -> bool:
    """Whether it can be called with this keyword; True where its parameters are not known."""
    try:
        known = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return True
    return keyword in known or any(each.kind is inspect.Parameter.VAR_KEYWORD for each in known.values())
