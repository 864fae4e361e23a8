"""Gymnasium environments whose states have numbers, for learners that keep a table: obs [N, 1] int64.

One that carries its table of transitions is sampled by that table (`gym.tables`, `models.tabular`). Any other whose
observations are finitely many is stepped: Discrete, MultiDiscrete, MultiBinary, and tuples of them such as Blackjack's,
numbered by mixed radix. Actions have numbers likewise: several choices at once are one among their combinations.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from rltrain.core import Array, EnvSpec, State, Step
from rltrain.envs.gym import foreign, tables
from rltrain.envs.gym.action_names import named
from rltrain.envs.gym.actions import acting
from rltrain.envs.gym.foreign import Foreign
from rltrain.envs.gym.games import Gym
from rltrain.envs.models import tabular
from rltrain.envs.models.tabular import SingleGame, Tabular
from rltrain.envs.products import ProductGame, combined_names
from rltrain.envs.serial import SeededGame, Serial, Solo
from rltrain.errors import InputError
from rltrain.experiment.settings import EnvironmentConfig
from rltrain.experiment.wrappers import NormalizeObservation
from rltrain.mdp.files import LoadedModel
from rltrain.mdp.model import Model
from rltrain.spaces import MOST_PRODUCTS, Actions, Discrete, MultiDiscrete, OwnForm, combinations

MAX_STATES = 10_000_000  # of an environment that is only sampled: its table has every state times every action
MOST_REMEMBERED = 100_000  # observations whose numbers are looked up rather than computed


def make(
    settings: EnvironmentConfig, num_envs: int, longest: int | None = None, repeats: bool = True
) -> Tabular | NumberedEnv:
    """An environment that carries its table, or one that can be numbered; `longest` and `repeats` are `Serial`'s.

    InputError for one whose observations have no numbers.
    """
    model = tables.model_of(settings)
    if model is None:
        return NumberedEnv(settings, num_envs, longest, repeats)
    env = Tabular(model, num_envs, _limit(settings), settings.id, masks=settings.action_masks)
    env.spec = _registered(env.spec)
    return env


def describe(settings: EnvironmentConfig, num_envs: int) -> EnvSpec:
    """What an algorithm may know of it before the first step. Errors as `make`."""
    with np.errstate(all="ignore"):
        game = foreign.make(settings)
    try:
        model = tables.model_in(game, settings)
        if model is not None:
            limit, masks = _limit(settings), settings.action_masks
            return _registered(tabular.spec_of(LoadedModel(model), num_envs, limit, settings.id, masks))
        return spec_of(settings, game, num_envs)
    finally:
        game.close()


def _registered(spec: EnvSpec) -> EnvSpec:
    """With the score at which the task counts as solved, of which a table says nothing."""
    return replace(spec, reward_threshold=gymnasium.spec(spec.id).reward_threshold)


def _limit(settings: EnvironmentConfig) -> int | None:
    """The steps after which an episode is cut off: as set, else as the environment is registered."""
    return settings.max_episode_steps or gymnasium.spec(settings.id).max_episode_steps


class NumberedEnv:
    """N games of Gymnasium, stepped in turn, whose observations are numbered."""

    def __init__(
        self, settings: EnvironmentConfig, num_envs: int, longest: int | None = None, repeats: bool = True
    ) -> None:
        games = [foreign.make(settings) for _ in range(num_envs)]
        self.model: Model | None = None
        self.num_states, number = numbering(settings.id, games[0].observation_space)
        self.spec = spec_of(settings, games[0], num_envs)
        self._settings = settings
        self._number = number
        self._others: list[SingleGame] = []
        self._longest, self._repeats = longest, repeats
        self._serial = Serial(self.spec, [numbered_game(game, number, self.spec) for game in games], longest, repeats)

    def single(self) -> SingleGame:
        game = numbered_game(foreign.make(self._settings), remembered(self._number), self.spec)
        self._others.append(Solo(replace(self.spec, num_envs=1), game, self._longest, self._repeats))
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

    def go_on_from(self, step: Step) -> Step:
        return self._serial.go_on_from(step)


def own_form(settings: EnvironmentConfig) -> OwnForm:
    """How the environment says which of its observations it is, and what is done. Errors as `foreign.make`."""
    env = foreign.make(settings)
    try:
        number = numbering(env.name, env.observation_space)[1]
        acts = acting(env.name, env.action_space)
    finally:
        env.close()

    def read(obs: Any) -> Array:
        return np.array([operator.index(number(obs))])

    if not isinstance(acts.actions, MultiDiscrete):
        return OwnForm(read, acts.back)
    table = combinations(acts.actions)
    return OwnForm(read, lambda action: acts.back(table[action]), acts.actions)


def numbered_game(env: Foreign, number: Callable[[Any], int], spec: EnvSpec) -> SeededGame:
    """One game of an environment that is described by `spec`, as `Serial` wants it."""

    def read(obs: Any) -> Array:
        return np.array([operator.index(number(obs))])  # TypeError for what is no whole number

    acts = acting(env.name, env.action_space)
    game = Gym(env, read, acts, spec.masked)
    return ProductGame(game, acts.actions) if isinstance(acts.actions, MultiDiscrete) else game


def numbering(name: str, space: Any) -> tuple[int, Callable[[Any], int]]:
    """How many observations a space has, and the number of one. InputError if they are not finitely many.

    The number of what is not one of them: ValueError or TypeError.
    """
    if isinstance(space, spaces.Discrete):
        first = int(space.start)
        count = int(space.n)
        return count, lambda obs: mixed_radix([operator.index(obs) - first], [count])
    if isinstance(space, spaces.MultiDiscrete | spaces.MultiBinary):
        zeros = np.zeros(space.shape, np.int64)
        starts, counts = (space.start, space.nvec) if isinstance(space, spaces.MultiDiscrete) else (zeros, zeros + 2)
        least, sizes = np.ravel(starts), [int(size) for size in np.ravel(counts)]
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


def spec_of(settings: EnvironmentConfig, game: Foreign, num_envs: int) -> EnvSpec:
    """What an algorithm that keeps a table may know of it. InputError if it cannot be numbered."""
    if any(isinstance(each, NormalizeObservation) for each in settings.wrappers):
        raise InputError(
            "environment.wrappers: NormalizeObservation is for vectors, and a table needs numbers of states"
        )
    spec = tabular.numbered_spec(
        settings.id,
        _action_names(settings.id, acting(settings.id, game.action_space).actions),
        num_envs,
        game.limit,
        game.reward_threshold,
        numbering(settings.id, game.observation_space)[0],
    )
    return replace(spec, masked=game.masks())


def _action_names(name: str, actions: Actions) -> tuple[str, ...]:
    """Of the actions of a table. InputError for numbers within bounds, and for more combinations than are learned."""
    if isinstance(actions, Discrete):
        known = named(name, actions)
        return known.names if isinstance(known, Discrete) and known.names else tuple(map(str, range(actions.n)))
    if isinstance(actions, MultiDiscrete) and actions.products <= MOST_PRODUCTS:
        return combined_names(actions)
    many = f", {actions.products:,} combinations" if isinstance(actions, MultiDiscrete) else ""
    rule = f"one of some, or choices of at most {MOST_PRODUCTS:,} combinations"
    raise InputError(f"environment.id: an action of {name} is {actions}{many}; a table needs {rule}")
