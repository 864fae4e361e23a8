"""Updates of a Q-network on a GPU: what a round needs goes there in one piece, and each update is one launch.

An update is some 200 small operations, and a GPU waits for the processor between any two. So the update is recorded
once, as a CUDA graph, and then replayed: it reads its rows and writes its results at places that never move. The frames
lie in the GPU's memory already; what goes there is where they are, some 120 bytes a transition.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from rltrain.core import Array
from rltrain.deep import losses
from rltrain.deep.learner import Learner, Learnt, Samples
from rltrain.deep.networks import QNetwork
from rltrain.deep.replay import Batch, Replay, shifted_there

AHEAD = 2  # updates that the GPU has been given and has not done: a full queue keeps out whoever wants to act
PLAIN_CALLS = 3  # before the recording: libraries and the optimiser make at first what a recording may not make


class Targets(NamedTuple):
    """Whose values the updates move towards."""

    network: QNetwork
    selector: QNetwork | None  # Double: this one chooses the next action
    transform: bool
    epsilon: float
    munchausen: losses.Munchausen | None = None

    def of(self, reward: Tensor, discount: Tensor, x_next: Tensor, x: Tensor | None, action: Tensor) -> Tensor:
        """Regression targets [M]. reward, discount, action [M]; x_next: the next observations, prepared.

        x: those that the actions were taken on, which Munchausen targets ask for.
        """
        q_next = self.network.of_prepared(x_next)
        if self.munchausen is not None:
            assert x is not None
            q_now = self.network.of_prepared(x)
            return losses.munchausen_target(reward, discount, q_next, q_now, action, self.munchausen)
        q_select = q_next if self.selector is None else self.selector.of_prepared(x_next)
        return losses.q_target(reward, discount, q_next, q_select, transform=self.transform, epsilon=self.epsilon)


class Recorded:
    """`work`, which may only use memory that stays where it is between two calls. On a CPU it is simply called."""

    def __init__(self, work: Callable[[], None], device: torch.device) -> None:
        self._work, self._device = work, device
        self._calls = 0
        self._graph: torch.cuda.CUDAGraph | None = None

    @property
    def ready(self) -> bool:
        """Whether it is recorded. Before that no other thread may use the GPU meanwhile."""
        return self._graph is not None

    def __call__(self) -> None:
        self._calls += 1
        if self._device.type != "cuda":
            self._work()
        elif self._calls <= PLAIN_CALLS:
            self._call_aside()
        else:
            if self._graph is None:
                self._graph = torch.cuda.CUDAGraph()
                with torch.cuda.graph(self._graph):
                    self._work()  # nothing is done yet
            self._graph.replay()

    def _call_aside(self) -> None:
        """On a stream of its own, as the recording will be."""
        here, aside = torch.cuda.current_stream(self._device), torch.cuda.Stream(self._device)
        aside.wait_stream(here)
        with torch.cuda.stream(aside):
            self._work()
        here.wait_stream(aside)


class Updates:
    """The updates of a learner from a replay memory, `batch_size` transitions each."""

    def __init__(
        self, learner: Learner, targets: Targets, replay: Replay, batch_size: int, device: torch.device
    ) -> None:
        self._learner, self._targets, self._replay, self._device = learner, targets, replay, device
        m, stack = batch_size, replay.stack
        self._m = m
        # Where an update finds what it needs, and leaves what it found.
        self._frame = torch.zeros((2 * m, stack), dtype=torch.int64, device=device)  # of both observations
        self._moved = torch.zeros((2 * m, 2), dtype=torch.int64, device=device)
        self._action = torch.zeros(m, dtype=torch.int64, device=device)
        self._reward, self._discount, self._weight = torch.zeros((3, m), device=device)
        self._rate = torch.zeros((), device=device)
        self._found = torch.zeros(m + 3, device=device)  # td errors, loss, mean value, gradient norm
        self._update = Recorded(self._one, device)
        self._done = [torch.cuda.Event(blocking=True) for _ in range(AHEAD)] if device.type == "cuda" else []

    @property
    def ready(self) -> bool:
        """Whether another thread may use the GPU while these run."""
        return self._update.ready

    def __call__(self, batches: Sequence[Batch], learning_rate: float) -> list[Learnt]:
        """One update a batch, in order."""
        if not batches:
            return []
        frame = self._there([self._replay.frame_rows(np.concatenate([b.row, b.next_row])) for b in batches])
        moved = self._there([np.concatenate([b.moved, b.next_moved]) for b in batches])
        action = self._there([b.action for b in batches])
        numbers = self._there([np.stack([b.reward, b.discount, b.weight]) for b in batches])
        found = torch.empty((len(batches), self._m + 3), device=self._device)
        self._rate.fill_(learning_rate)
        into = [self._frame, self._moved, self._action, self._reward, self._discount, self._weight]
        for i in range(len(batches)):
            if self._done:
                self._done[i % AHEAD].synchronize()
            torch._foreach_copy_(into, [frame[i], moved[i], action[i], *numbers[i]])
            self._update()
            found[i].copy_(self._found)
            if self._done:
                self._done[i % AHEAD].record()
        return [Learnt(one[: self._m], *one[self._m :]) for one in found]

    def _there(self, columns: Sequence[Array]) -> Tensor:
        return torch.from_numpy(np.stack(columns)).to(self._device)

    def _one(self) -> None:
        """One update, from the fixed places to the fixed places."""
        learner = self._learner
        with torch.no_grad():
            obs = self._replay.stacks(self._frame)
            if self._replay.random_shift:
                obs = shifted_there(obs, self._moved)
            x, x_next = learner.online.prepare(obs).split(self._m)
            target = self._targets.of(self._reward, self._discount, x_next, x, self._action)
        learnt = learner.plain_update(Samples(x, self._action, target, self._weight), self._rate)
        scalars = torch.stack([learnt.loss, learnt.value, learnt.norm])
        self._found.copy_(torch.cat([learnt.td_error, scalars]))
