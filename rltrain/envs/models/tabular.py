"""A known model as an environment, sampled as the learning kernels sample it: obs [N, 1] int64, the numbers of states.

`TabularEnv` is what learners that keep a table are given, this or an environment whose observations can be numbered.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

import numpy as np

from rltrain.core import Array, Env, EnvSpec, State, Stateful, Step
from rltrain.mdp.files import LoadedModel
from rltrain.mdp.graph import ranges
from rltrain.mdp.model import Model
from rltrain.saved import MAX_COUNT, Saved, check_num_envs
from rltrain.spaces import Discrete
from rltrain.steps import as_int64


class TabularEnv(Env, Protocol):
    """An `Env` whose observations are the numbers of states."""

    model: Model | None  # None: it can be sampled only, and every action is possible everywhere
    num_states: int

    def single(self) -> SingleGame: ...  # a fresh one; closing this one closes it


class SingleGame(Stateful, Protocol):
    """One game in plain numbers, for a learner that takes its steps one by one."""

    @property
    def over(self) -> bool: ...  # a `load` has left the running episode behind: `again` comes next
    @property
    def mask(self) -> Array | None: ...  # [A] bool, what can be done now; asked where `spec.masked`

    def begin(self, seed: int) -> int: ...  # the first state
    def play(self, action: int) -> tuple[int, float, bool, bool]: ...  # state, reward, the task ended, last
    def again(self) -> int: ...  # after `last`: the first state of the next episode
    def close(self) -> None: ...


class SingleWalk:
    """An `Env` of one environment as a `SingleGame`."""

    over = False

    def __init__(self, env: Env) -> None:
        self._env = env
        self._any = np.zeros(1, np.int64)  # after `last` the action is ignored
        self.mask: Array | None = None  # [A] bool

    def begin(self, seed: int) -> int:
        return self._at(self._env.reset(seed))

    def play(self, action: int) -> tuple[int, float, bool, bool]:
        step = self._env.step(np.array([action]))
        return self._at(step), float(step.reward[0]), bool(step.discount[0] == 0), bool(step.last[0])

    def again(self) -> int:
        return self._at(self._env.step(self._any))

    def _at(self, step: Step) -> int:
        self.mask = None if step.mask is None else step.mask[0]
        return int(step.obs[0, 0])

    def close(self) -> None:
        self._env.close()

    def save(self) -> State:
        return self._env.save()

    def load(self, state: State) -> None:
        self._env.load(state)


class Tabular:
    """N walks through a model. Each step says what can be done, if not everything; without `masks` it does not.

    An action that is impossible all the same is replaced by a possible one, each as likely.
    """

    def __init__(
        self,
        model: Model,
        num_envs: int = 1,
        max_episode_steps: int | None = None,
        name: str = "",
        warnings: tuple[str, ...] = (),
        masks: bool = True,
        first_index: int = 0,
    ) -> None:
        """`first_index`: the number of the first walk, where these are a part of more."""
        from rltrain.mdp.learn import sampling

        self.model = model
        self.num_states = model.num_states
        self._first_index = first_index
        self.sampler = sampling.make(model)
        self.spec = spec_of(LoadedModel(model, warnings), num_envs, max_episode_steps, name or model.name, masks)
        self._walks = sampling.Walks(
            stream=np.zeros(num_envs, np.uint64),
            state=np.zeros(num_envs, np.int64),
            age=np.zeros(num_envs, np.int64),
            last=np.zeros(num_envs, bool),
        )

    def single(self) -> SingleGame:
        return SingleWalk(Tabular(self.model, 1, self.spec.max_episode_steps, self.spec.id, (), self.spec.masked))

    def reset(self, seed: int) -> Step:
        from rltrain.mdp.learn import sampling

        first = self._first_index
        self._walks.stream[:] = sampling.streams(seed, "world", first + self.spec.num_envs)[first:]
        self._walks.last[:] = True
        return self.step(np.zeros(self.spec.num_envs, np.int64))

    def step(self, action: Array) -> Step:
        """Play one step, action [N] int64. ValueError if one is out of range."""
        from rltrain.mdp.learn import sampling

        action = as_int64(action)
        if action.shape != self._walks.state.shape or action.min() < 0 or action.max() >= self.spec.num_actions:
            expected = f"{self.spec.num_envs} actions from 0 to {self.spec.num_actions - 1}"
            raise ValueError(f"expected {expected}, got {action.tolist()}")
        reward, discount = np.zeros(len(action)), np.ones(len(action), np.float32)
        limit = self.spec.max_episode_steps or 0
        with np.errstate(over="ignore"):  # uint64 wraps around, in plain Python too
            first = sampling.walk(self.sampler, self.model.action, limit, self._walks, action, reward, discount)
        state = self._walks.state.copy()
        mask = possible(self.model, state) if self.spec.masked else None
        return Step(state[:, None], reward, discount, first, self._walks.last.copy(), mask)

    def close(self) -> None:
        pass

    def save(self) -> State:
        return {name: array.copy() for name, array in self._walks._asdict().items()}

    def load(self, state: State) -> None:
        saved, own = Saved.of(state), self._walks
        check_num_envs(saved, "state", self.spec.num_envs)
        saved.fill("stream", own.stream)
        saved.fill("state", own.state, 0, self.num_states - 1)
        saved.fill("age", own.age, 0, self.spec.max_episode_steps or MAX_COUNT)
        saved.fill("last", own.last)
        stuck = np.flatnonzero(~own.last & self.model.terminal[own.state])
        if len(stuck):
            saved.refuse("state", f"{own.state[stuck[0]]} at [{stuck[0]}] is terminal; must be one that has actions")


def possible(model: Model, states: Array) -> Array:
    """What can be done in these states [N]: [N, A] bool; in a terminal one nothing is refused."""
    first, end = model.first_pair[states], model.first_pair[states + 1]
    mask = np.zeros((len(states), model.num_actions), bool)
    mask[np.repeat(np.arange(len(states)), end - first), model.action[ranges(first, end)]] = True
    mask[first == end] = True
    return mask


def spec_of(loaded: LoadedModel, num_envs: int, limit: int | None, name: str, masks: bool = True) -> EnvSpec:
    """What an algorithm may know of a model; `limit` cuts off its episodes; `masks`: it hears what is impossible."""
    model = loaded.model
    actions = tuple(model.actions[number] for number in range(model.num_actions))
    spec = numbered_spec(name, actions, num_envs, limit, None, model.num_states)
    endless = limit is None and not model.terminal.any()
    masked = masks and bool((np.diff(model.first_pair)[~model.terminal] < model.num_actions).any())
    return replace(spec, discount=model.discount, endless=endless, warnings=loaded.warnings, masked=masked)


def numbered_spec(
    name: str, actions: tuple[str, ...], num_envs: int, limit: int | None, threshold: float | None, states: int
) -> EnvSpec:
    return EnvSpec(
        id=name,
        obs_shape=(1,),
        obs_dtype="int64",
        frame_stack=1,
        actions=Discrete(len(actions), actions),
        num_envs=num_envs,
        frames_per_step=1,
        max_episode_steps=limit,
        reward_threshold=threshold,
        num_states=states,
    )
