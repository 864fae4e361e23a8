"""Playing for a learner of Q-values: greedy actions of its network but for those that a plan draws at random."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch

from rltrain.core import Array, Env, Step, joined
from rltrain.deep.networks import QNetwork


class Played(NamedTuple):
    """One step of some environments. Of stacked frames both steps hold the newest alone, [N, 1, H, W]."""

    now: Step  # what was seen
    action: Array
    then: Step  # what followed


class Exploration(NamedTuple):
    """Of a round of K steps: where the action is random, and which it is. Drawn beforehand, whoever plays."""

    random: Array  # [K, N] bool
    action: Array  # [K, N] int64


class Actor:
    """Plays an environment, all of the run's or a part that a thread of its own plays, with a network that is still."""

    def __init__(self, env: Env, device: torch.device) -> None:
        self._env, self._device = env, device
        self.now: Step
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
        now, random, chosen = self.now, self._plan.random[self._next], self._plan.action[self._next]
        self._next += 1
        with torch.inference_mode(), self._beside():
            greedy = self._network(torch.from_numpy(now.obs).to(self._device)).argmax(1).cpu().numpy()
        action = np.where(random, chosen, greedy)
        self.now = self._env.step(action)
        return Played(self._newest(now), action, self._newest(self.now))

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


def together(parts: Sequence[Played]) -> Played:
    """The same step of all environments, from those of its parts."""
    if len(parts) == 1:
        return parts[0]
    now, action, then = zip(*parts, strict=True)
    return Played(joined(now), np.concatenate(action), joined(then))


def split(step: Step, sizes: Sequence[int]) -> list[Step]:
    """The inverse of `core.joined`, for parts of so many environments."""
    ends = np.cumsum(sizes)[:-1]
    return [Step(*columns) for columns in zip(*(np.split(column, ends) for column in step), strict=True)]
