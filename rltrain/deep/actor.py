"""Playing for a learner of Q-values: greedy actions of its network but for those that a plan draws at random.

An `Actor` plays with the learner's network. `Away` stands for other processes, which play with copies of it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
import torch

from rltrain.core import Array, Env, EnvSpec, Step
from rltrain.deep.learner import arrays
from rltrain.deep.masks import masked
from rltrain.deep.networks import NetworkShape, QNetwork
from rltrain.saved import Saved
from rltrain.spaces import nth_possible
from rltrain.steps import Parted, joined


class Played(NamedTuple):
    """One step of some environments. Of stacked frames both ends hold the newest alone, [N, 1, H, W]."""

    step: Step  # what was seen
    action: Array  # [N] int64
    next_step: Step  # what followed


class Exploration(NamedTuple):
    """Of a round of K steps: where the action is random, and which it is. Drawn beforehand, whoever plays.

    Where actions may be masked it is known too late which are possible: a number in [0, 1) then says which of them.
    """

    random: Array  # [K, N] bool; [N] of one step
    action: Array  # [K, N] int64, or float64 in [0, 1); [N] of one step

    @classmethod
    def drawn(cls, epsilon: float | Array, steps: int, spec: EnvSpec, rng: np.random.Generator) -> Exploration:
        """Random this often: a number, or one for each environment, [N]."""
        shape = (steps, spec.num_envs)
        random = rng.random(shape) < epsilon
        return cls(random, rng.random(shape) if spec.masked else rng.integers(0, spec.num_actions, shape))

    @classmethod
    def of(cls, random: Array, saved: Saved, key: str, spec: EnvSpec) -> Exploration:
        """The inverse of saving both; `action` is that of a key. CheckpointError."""
        shape = random.shape
        if not spec.masked:
            return cls(random, saved.array(key, "int64", shape, 0, spec.num_actions - 1))
        return cls(random, saved.array(key, "float64", shape, 0, np.nextafter(1, 0)))

    def over(self, greedy: Array, mask: Array | None) -> Array:
        """Of one step: the random actions where there are any, else the greedy ones. greedy [N], mask [N, A]."""
        if mask is None or self.action.dtype == np.int64:
            return np.where(self.random, self.action, greedy)
        return np.where(self.random, nth_possible(mask, self.action), greedy)


# obs [N, *obs] on the network's device, mask [N, A] or None -> actions [N]
Act = Callable[[QNetwork, torch.Tensor, Array | None, Exploration], Array]


def epsilon_greedy(network: QNetwork, obs: torch.Tensor, mask: Array | None, explored: Exploration) -> Array:
    """Actions [N] int64, of those that are possible. obs [N, *obs], mask [N, A], None: all are."""
    return explored.over(masked(network(obs), mask).argmax(1).cpu().numpy(), mask)


@runtime_checkable
class PlayedApart(Env, Protocol):
    """Environments that others play, by copies of the learner's network; what they have played arrives here."""

    refresh: int  # updates between two times that they are sent the weights
    epsilon: Array  # [N], how often each takes a random action

    def show(self, shape: NetworkShape, weights: Mapping[str, Array]) -> None:
        """They play by these weights as soon as they are told, which the next that they are asked for does."""
        ...

    def arrived(self, least: int) -> int:
        """Steps of all environments that are here, once there are at least so many."""
        ...

    def take(self) -> Played:
        """The first of them. LookupError if there is none."""
        ...


class Actor:
    """Plays an environment, all of the run's or a part that a thread of its own plays, with a network that is still."""

    def __init__(self, env: Env, device: torch.device, act: Act) -> None:
        self._env, self._device, self._act = env, device, act
        self.now: Step  # what the environment said last
        self._plan = Exploration(np.zeros((0, 0), bool), np.zeros((0, 0), np.int64))
        self._next = 0
        on_gpu = device.type == "cuda"
        # On a GPU what it asks goes before the updates that are under way, and does not queue behind them.
        self._stream = torch.cuda.Stream(device, priority=-1) if on_gpu else None
        self._begun = torch.cuda.Event() if on_gpu else None

    def begin_round(self, network: QNetwork, plan: Exploration) -> None:
        """In the learner's thread: what that has given the GPU so far comes before all acting."""
        self._network, self._plan, self._next = network, plan, 0
        if self._begun is not None:
            self._begun.record()

    def step(self) -> Played:
        """The round's next step."""
        step, explored = self.now, Exploration(*(column[self._next] for column in self._plan))
        self._next += 1
        with torch.inference_mode(), self._beside():
            action = self._act(self._network, torch.from_numpy(step.obs).to(self._device), step.mask, explored)
        self.now = self._env.step(action)
        return Played(self._newest(step), action, self._newest(self.now))

    def _newest(self, step: Step) -> Step:
        """Copied, so that the other frames of the stacks need not be kept until the round is over."""
        return step._replace(obs=step.obs[:, -1:].copy()) if self._env.spec.frame_stack > 1 else step

    @contextlib.contextmanager
    def _beside(self) -> Iterator[None]:
        if self._stream is None or self._begun is None:
            yield
            return
        with torch.cuda.stream(self._stream):
            self._stream.wait_event(self._begun)
            yield


class Away:
    """In the place of an `Actor`: environments that others play."""

    def __init__(self, env: PlayedApart, shape: NetworkShape) -> None:
        self.env, self._shape = env, shape
        self.epsilon = float(env.epsilon.mean())
        self.now: Step  # what the environments said last; of stacks of frames only the newest counts

    def begin_round(self, network: QNetwork, plan: Exploration) -> None:
        """They have the network already, see `arrived`, and draw their random actions themselves."""

    def arrived(self, network: QNetwork, least: int) -> int:
        """Steps that have arrived, once there are at least so many; what is played from now on is by this network."""
        self.env.show(self._shape, arrays(network))
        return self.env.arrived(least)

    def step(self) -> Played:
        """The next step that has arrived."""
        played = self.env.take()
        newest = played.next_step.obs
        stack = self.env.spec.frame_stack
        self.now = played.next_step._replace(obs=np.repeat(newest, stack, axis=1) if stack > 1 else newest)
        return played


class Players:
    """An actor for each part of a run's environments, so that one may decide while another's are stepped."""

    def __init__(self, env: Env, device: torch.device, act: Act, shape: NetworkShape) -> None:
        parts = env.parts if isinstance(env, Parted) else (env,)
        self.away = Away(env, shape) if isinstance(env, PlayedApart) else None  # None: these actors play
        self.actors: Sequence[Actor | Away] = (
            [Actor(part, device, act) for part in parts] if self.away is None else [self.away]
        )

    @property
    def now(self) -> Step:
        """What all environments said last."""
        return joined([actor.now for actor in self.actors])

    def go_on_from(self, step: Step) -> None:
        """`step`: what all environments said last."""
        columns = {name: self._by_part(column) for name, column in step._asdict().items() if column is not None}
        for part, actor in enumerate(self.actors):
            actor.now = Step(**{name: each[part] for name, each in columns.items()})

    def begin_round(self, network: QNetwork, plan: Exploration) -> None:
        """The steps from now on are made with this network, and with these random actions, [K, N]."""
        columns = (self._by_part(column, axis=1) for column in plan)
        for actor, random, action in zip(self.actors, *columns, strict=True):
            actor.begin_round(network, Exploration(random, action))

    def step(self) -> Played:
        """The round's next step, in this thread."""
        return together([actor.step() for actor in self.actors])

    def _by_part(self, column: Array, axis: int = 0) -> list[Array]:
        """An array of all environments, which lie along `axis`, cut into those of each part."""
        return np.split(column, len(self.actors), axis)


def together(parts: Sequence[Played]) -> Played:
    """One step of all environments, from those of their parts."""
    if len(parts) == 1:
        return parts[0]
    step, action, next_step = zip(*parts, strict=True)
    return Played(joined(step), np.concatenate(action), joined(next_step))
