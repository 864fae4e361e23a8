"""Environments whose states have numbers, for learners that keep a table: obs [N, 1] int64.

`Tabular` is a known model, sampled as the learning kernels sample it. `numbered` is any Gymnasium environment whose
observations are finitely many: Discrete, MultiDiscrete, MultiBinary, and tuples of them such as Blackjack's, numbered
by mixed radix. Both are an `Env`, know how many states there are, and can be made again with one lane (`alone`).
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from rltrain.core import Array, Env, EnvSpec, State, Stateful, Step, as_int64
from rltrain.errors import InputError
from rltrain.experiment.settings import EnvironmentConfig
from rltrain.mdp import files
from rltrain.mdp.files import LoadedModel
from rltrain.mdp.model import Model
from rltrain.saved import MAX_COUNT, Saved, check_lanes

if TYPE_CHECKING:
    from rltrain.envs.gym.foreign import Foreign

MAX_STATES = 10_000_000  # of an environment that is only sampled: its table has every state times every action

MOST_REMEMBERED = 100_000  # observations whose numbers are looked up rather than computed


class TabularEnv(Env, Protocol):
    """An `Env` whose observations are the numbers of states."""

    model: Model | None  # None: it can be sampled only, and every action is possible everywhere
    num_states: int

    def alone(self) -> Alone: ...  # a fresh one with one lane; closing this one closes it


class Alone(Stateful, Protocol):
    """One game in plain numbers, for a learner that takes its steps one by one."""

    def begin(self, seed: int) -> int: ...  # the first state
    def play(self, action: int) -> tuple[int, float, bool, bool]: ...  # state, reward, the task ended, last
    def again(self) -> int: ...  # after `last`: the first state of the next episode
    def close(self) -> None: ...


class Lane:
    """An `Env` of one lane as an `Alone`."""

    def __init__(self, env: Env) -> None:
        self._env = env
        self._any = np.zeros(1, np.int64)  # after `last` the action is ignored

    def begin(self, seed: int) -> int:
        return int(self._env.reset(seed).obs[0, 0])

    def play(self, action: int) -> tuple[int, float, bool, bool]:
        step = self._env.step(np.array([action]))
        return int(step.obs[0, 0]), float(step.reward[0]), bool(step.discount[0] == 0), bool(step.last[0])

    def again(self) -> int:
        return int(self._env.step(self._any).obs[0, 0])

    def close(self) -> None:
        self._env.close()

    def save(self) -> State:
        return self._env.save()

    def load(self, state: State) -> None:
        self._env.load(state)


class Tabular:
    """N walks through a model. An impossible action is replaced by a possible one, each as likely."""

    def __init__(
        self,
        model: Model,
        num_envs: int = 1,
        max_episode_steps: int | None = None,
        name: str = "",
        warnings: tuple[str, ...] = (),
    ) -> None:
        from rltrain.mdp.learn import sampling

        self.model = model
        self.num_states = model.num_states
        self.sampler = sampling.make(model)
        self.spec = _model_spec(LoadedModel(model, warnings), num_envs, max_episode_steps, name or model.name)
        self._lanes = sampling.Lanes(
            stream=np.zeros(num_envs, np.uint64),
            state=np.zeros(num_envs, np.int64),
            age=np.zeros(num_envs, np.int64),
            last=np.zeros(num_envs, bool),
        )

    def alone(self) -> Alone:
        return Lane(Tabular(self.model, 1, self.spec.max_episode_steps, self.spec.id))

    def reset(self, seed: int) -> Step:
        from rltrain.mdp.learn import sampling

        self._lanes.stream[:] = sampling.streams(seed, "world", self.spec.num_envs)
        self._lanes.last[:] = True
        return self.step(np.zeros(self.spec.num_envs, np.int64))

    def step(self, action: Array) -> Step:
        """Play one step, action [N] int64. ValueError if one is out of range."""
        from rltrain.mdp.learn import sampling

        action = as_int64(action)
        if action.shape != self._lanes.state.shape or action.min() < 0 or action.max() >= self.spec.num_actions:
            expected = f"{self.spec.num_envs} actions from 0 to {self.spec.num_actions - 1}"
            raise ValueError(f"expected {expected}, got {action.tolist()}")
        reward, discount = np.zeros(len(action)), np.ones(len(action), np.float32)
        limit = self.spec.max_episode_steps or 0
        with np.errstate(over="ignore"):  # uint64 wraps around, in plain Python too
            first = sampling.walk(self.sampler, self.model.action, limit, self._lanes, action, reward, discount)
        return Step(self._lanes.state[:, None].copy(), reward, discount, first, self._lanes.last.copy())

    def close(self) -> None:
        pass

    def save(self) -> State:
        return {name: array.copy() for name, array in self._lanes._asdict().items()}

    def load(self, state: State) -> None:
        saved, own = Saved.of(state), self._lanes
        check_lanes(saved, "state", self.spec.num_envs)
        saved.fill("stream", own.stream)
        saved.fill("state", own.state, 0, self.num_states - 1)
        saved.fill("age", own.age, 0, self.spec.max_episode_steps or MAX_COUNT)
        saved.fill("last", own.last)
        stuck = np.flatnonzero(~own.last & self.model.terminal[own.state])
        if len(stuck):
            saved.refuse("state", f"{own.state[stuck[0]]} at [{stuck[0]}] is terminal; must be one that has actions")


class Numbered:
    """N games of Gymnasium, stepped in turn, whose observations are numbered."""

    def __init__(self, settings: EnvironmentConfig, num_envs: int) -> None:
        from rltrain.envs.gym import foreign
        from rltrain.envs.serial import Serial

        games = [foreign.make(settings) for _ in range(num_envs)]
        self.model: Model | None = None
        self.num_states, number = numbering(settings.id, games[0].observation_space)
        self.spec = _games_spec(settings, games[0], num_envs)
        self._settings = settings
        self._number = number
        self._others: list[Alone] = []
        self._serial = Serial(self.spec, [_Game(game, number) for game in games])

    def alone(self) -> Alone:
        from rltrain.envs.gym import foreign
        from rltrain.envs.serial import Solo

        game = _Game(foreign.make(self._settings), remembered(self._number))
        self._others.append(Solo(replace(self.spec, num_envs=1), game))
        return self._others[-1]

    def reset(self, seed: int) -> Step:
        return self._serial.reset(seed)

    def step(self, action: Array) -> Step:
        return self._serial.step(action)

    def close(self) -> None:
        self._serial.close()
        for other in self._others:
            other.close()

    def save(self) -> State:
        return self._serial.save()

    def load(self, state: State) -> None:
        self._serial.load(state)


class _Game:
    """One game, as `Serial` wants it."""

    def __init__(self, env: Foreign, number: Callable[[Any], int]) -> None:
        self._env, self._number = env, number
        self._first_action = int(env.action_space.start)  # type: ignore[attr-defined]  # Discrete: `_games_spec`

    def reset(self, seed: int) -> Array:
        return self._env.reset(seed, self._read)

    def step(self, action: int) -> tuple[Array, float, float, bool]:
        return self._env.step(self._first_action + action, self._read)

    def close(self) -> None:
        self._env.close()

    def _read(self, obs: Any) -> Array:
        return np.array([operator.index(self._number(obs))])  # TypeError for what is no whole number


def make(settings: EnvironmentConfig, num_envs: int | None = None) -> Tabular | Numbered:
    """A model's file, a Gymnasium environment that carries its table, or one that can be numbered.

    InputError for one whose observations have no numbers, MissingError for one that does not exist.
    """
    count = num_envs or settings.num_envs or 1
    loaded = _load(settings)
    if loaded is None:
        return Numbered(settings, count)
    return Tabular(loaded.model, count, _limit(settings), settings.id, loaded.warnings)


def describe(settings: EnvironmentConfig, num_envs: int | None = None) -> EnvSpec:
    """What an algorithm may know of it before the first step. Errors as `make`."""
    from rltrain.envs.gym import foreign

    count = num_envs or settings.num_envs or 1
    loaded = _load(settings)
    if loaded is not None:
        return _model_spec(loaded, count, _limit(settings), settings.id)
    game = foreign.make(settings)
    try:
        numbering(settings.id, game.observation_space)
        return _games_spec(settings, game, count)
    finally:
        game.close()


def model_of(settings: EnvironmentConfig) -> Model | None:
    """The known model behind these settings. None where there is only an environment to sample."""
    loaded = _load(settings)
    return None if loaded is None else loaded.model


def _load(settings: EnvironmentConfig) -> LoadedModel | None:
    if files.is_model_file(settings.id):
        return files.read(Path(settings.id))
    from rltrain.envs import known
    from rltrain.envs.models import gym_tables

    known.check(settings)
    model = gym_tables.model_of(settings.id, settings.kwargs)
    return None if model is None else LoadedModel(model)


def numbering(name: str, space: Any) -> tuple[int, Callable[[Any], int]]:
    """How many observations a space has, and the number of one. InputError if they are not finitely many.

    The number of what is not one of them: ValueError or TypeError.
    """
    from gymnasium import spaces

    if isinstance(space, spaces.Discrete):
        first = int(space.start)
        count = int(space.n)
        return count, lambda obs: mixed_radix([operator.index(obs) - first], [count])
    if isinstance(space, spaces.MultiDiscrete | spaces.MultiBinary):
        least = np.ravel(getattr(space, "start", 0) + np.zeros(space.shape, np.int64))
        sizes = [int(size) for size in np.ravel(getattr(space, "nvec", np.full(space.shape, 2)))]
        return _checked(name, math.prod(sizes)), lambda obs: mixed_radix((np.ravel(obs) - least).tolist(), sizes)
    if isinstance(space, spaces.Tuple):
        parts = [numbering(name, part) for part in space.spaces]
        sizes = [size for size, _ in parts]

        def number(obs: Any) -> int:
            return mixed_radix([own(part) for (_, own), part in zip(parts, obs, strict=True)], sizes)

        return _checked(name, math.prod(sizes)), number
    raise InputError(
        f"environment.id: {name} has observations {space}; a table needs finitely many, such as FrozenLake-v1's; "
        "for this one take `dqn`"
    )


def remembered(number: Callable[[Any], int]) -> Callable[[Any], int]:
    """The number of an observation, looked up where it is a tuple that came before."""
    known: dict[Any, int] = {}

    def look_up(obs: Any) -> int:
        if type(obs) is not tuple:
            return number(obs)
        try:
            found = known.get(obs)
        except TypeError:  # an array in it is no key
            return number(obs)
        if found is None:
            found = number(obs)
            if len(known) < MOST_REMEMBERED:
                known[obs] = found
        return found

    return look_up


def mixed_radix(digits: list[int], sizes: list[int]) -> int:
    """The number with these digits, the first the most significant. ValueError unless digit i is in 0..sizes[i] - 1."""
    number = 0
    for digit, size in zip(digits, sizes, strict=True):
        if not 0 <= digit < size:
            raise ValueError(f"{digit} is not from 0 to {size - 1}")
        number = number * size + digit
    return number


def _checked(name: str, count: int) -> int:
    if count > MAX_STATES:
        raise InputError(f"environment.id: {name} has {count:,} observations; a table takes at most {MAX_STATES:,}")
    return count


def _limit(settings: EnvironmentConfig) -> int | None:
    """The steps after which an episode is cut off: as set, else as the environment is registered."""
    if settings.max_episode_steps is not None or files.is_model_file(settings.id):
        return settings.max_episode_steps
    import gymnasium

    return gymnasium.spec(settings.id).max_episode_steps


def _model_spec(loaded: LoadedModel, num_envs: int, limit: int | None, name: str) -> EnvSpec:
    model = loaded.model
    actions = tuple(model.actions[number] for number in range(model.num_actions))
    spec = _spec(name, actions, num_envs, limit, None, model.num_states)
    endless = limit is None and not model.terminal.any()
    return replace(spec, discount=model.discount, endless=endless, warnings=loaded.warnings)


def _games_spec(settings: EnvironmentConfig, game: Any, num_envs: int) -> EnvSpec:
    from gymnasium import spaces

    if not isinstance(game.action_space, spaces.Discrete):
        raise InputError(f"environment.id: {settings.id} has actions {game.action_space}; a table needs discrete ones")
    registered = game.spec
    return _spec(
        settings.id,
        tuple(str(number) for number in range(int(game.action_space.n))),
        num_envs,
        registered.max_episode_steps if registered else None,
        registered.reward_threshold if registered else None,
        numbering(settings.id, game.observation_space)[0],
    )


def _spec(
    name: str, actions: tuple[str, ...], num_envs: int, limit: int | None, threshold: float | None, states: int
) -> EnvSpec:
    return EnvSpec(
        id=name,
        obs_shape=(1,),
        obs_dtype="int64",
        frame_stack=1,
        num_actions=len(actions),
        action_names=actions,
        num_envs=num_envs,
        frames_per_step=1,
        max_episode_steps=limit,
        reward_threshold=threshold,
        num_states=states,
    )
