"""Updates of a Q-network on a GPU: what a round needs goes there in one piece, and each update is one launch.

An update is some 200 small operations, and a GPU waits for the processor between any two. So the update is recorded
once, as a CUDA graph, and then replayed: it reads its rows and writes its results at places that never move. The frames
lie in the GPU's memory already; what goes there is where they are, some 120 bytes a transition.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import numpy as np
import torch
from torch import Tensor

from rltrain.core import Array
from rltrain.deep.actor import Players
from rltrain.deep.fast.helper import Helper
from rltrain.deep.fast.playing import EngineRound, all_played, playing
from rltrain.deep.fast.serial import update
from rltrain.deep.learner import Learner, Samples, UpdateStats
from rltrain.deep.replay import Replay
from rltrain.deep.shifts import shifted_at_once
from rltrain.deep.transitions import Batch, TdTarget, Transitions

AHEAD = 2  # updates that the GPU has been given and has not done: a full queue keeps out whoever wants to act
PLAIN_CALLS = 3  # before the recording: libraries and the optimiser make at first what a recording may not make


class CudaEngine:
    """The `Engine` of a GPU."""

    def __init__(self, learner: Learner, helpers: Sequence[Helper], device: torch.device) -> None:
        """A helper for each part of the environments."""
        self._learner, self._helpers, self._device = learner, helpers, device
        self.updates: Updates | None = None  # made when the size of a batch is known

    def learn(self, samples: Iterable[Samples], learning_rate: float) -> list[UpdateStats]:
        return [update(self._learner, each, learning_rate) for each in samples]

    @contextmanager
    def round(self, replay: Replay, td_target: TdTarget, players: Players, steps: int) -> Iterator[EngineRound]:
        """`td_target`: the first one that learns is recorded, and so is that of all later rounds."""

        def learn(batches: Sequence[Batch], learning_rate: float) -> list[UpdateStats]:
            if not batches:
                return []
            if self.updates is None:
                self.updates = Updates(self._learner, td_target, replay, batches[0], self._device)
            return self.updates(batches, learning_rate)

        with playing(self._helpers, players, steps) as plays:
            if self.updates is not None and self.updates.ready:
                for each in plays:  # while it is being recorded no one else may use the GPU
                    each.offer(steps)
            yield EngineRound(learn, partial(all_played, plays))


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
    """The updates of a learner from a replay memory, a batch each."""

    def __init__(
        self, learner: Learner, td_target: TdTarget, replay: Replay, like: Batch, device: torch.device
    ) -> None:
        """`like`: a batch as those to come are."""
        self._learner, self._td_target, self._replay, self._device = learner, td_target, replay, device
        m, stack = len(like.row), replay.stack
        self._m = m
        # Where an update finds what it needs, and leaves what it found.
        self._frame = torch.zeros((2 * m, stack), dtype=torch.int64, device=device)  # of both observations
        self._shift = torch.zeros((2 * m, 2), dtype=torch.int64, device=device)
        self._action = torch.zeros(m, dtype=torch.int64, device=device)
        self._reward, self._discount, self._weight = torch.zeros((3, m), device=device)
        self._levels, self._noise = (torch.zeros(some.shape, device=device) for some in (like.levels, like.noise))
        some = replay.masks(np.zeros(2 * m, np.int64))
        self._mask = None if some is None else torch.from_numpy(some).to(device)  # of both observations
        self._rate = torch.zeros((), device=device)
        self._found = torch.zeros(m + 3, device=device)  # td errors, loss, mean value, gradient norm
        self._update = Recorded(self._one, device)
        self._done = [torch.cuda.Event(blocking=True) for _ in range(AHEAD)] if device.type == "cuda" else []

    @property
    def ready(self) -> bool:
        """Whether another thread may use the GPU while these run."""
        return self._update.ready

    def __call__(self, batches: Sequence[Batch], learning_rate: float) -> list[UpdateStats]:
        """One update a batch, in order."""
        frame = self._there([self._replay.frame_rows(np.concatenate([b.row, b.next_row])) for b in batches])
        shift = self._there([np.concatenate([b.shift, b.next_shift]) for b in batches])
        action = self._there([b.action for b in batches])
        numbers = self._there([np.stack([b.reward, b.discount, b.weight]) for b in batches])
        levels, noise = self._there([b.levels for b in batches]), self._there([b.noise for b in batches])
        masks = [self._replay.masks(np.concatenate([b.row, b.next_row])) for b in batches]
        mask = self._there([one for one in masks if one is not None]) if self._mask is not None else None
        found = torch.empty((len(batches), self._m + 3), device=self._device)
        self._rate.fill_(learning_rate)
        into = [self._frame, self._shift, self._action, self._reward, self._discount, self._weight]
        for i in range(len(batches)):
            if self._done:
                self._done[i % AHEAD].synchronize()
            torch._foreach_copy_(into, [frame[i], shift[i], action[i], *numbers[i]])
            for place, each in ((self._levels, levels), (self._noise, noise)):
                if each.numel():
                    place.copy_(each[i])
            if self._mask is not None and mask is not None:
                self._mask.copy_(mask[i])
            self._update()
            found[i].copy_(self._found)
            if self._done:
                self._done[i % AHEAD].record()
        return [UpdateStats(one[: self._m], *one[self._m :]) for one in found]

    def _there(self, columns: Sequence[Array]) -> Tensor:
        return torch.from_numpy(np.stack(columns)).to(self._device)

    def _one(self) -> None:
        """One update, from the fixed places to the fixed places."""
        learner = self._learner
        with torch.no_grad():
            obs = self._replay.shifted(self._replay.stacks(self._frame), partial(shifted_at_once, shift=self._shift))
            x, x_next = learner.working.prepare(obs).split(self._m)
            numbers = (self._action, self._reward, self._discount)
            mask, next_mask = (None, None) if self._mask is None else self._mask.split(self._m)
            more = (mask, next_mask, self._levels, self._noise)
            drawn = Transitions(lambda: x, *numbers, lambda: x_next, self._weight, *more)
            target = self._td_target(drawn)
        own = drawn.noise_of(next=False)
        stats = update(learner, Samples(x, self._action, target, self._weight, self._levels, own), self._rate)
        scalars = torch.stack([stats.loss, stats.value, stats.norm])
        self._found.copy_(torch.cat([stats.td_error, scalars]))
