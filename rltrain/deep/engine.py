"""How a learner of Q-values is made fast: one door to three engines, which give the same numbers.

`SerialEngine` is the specification, in plain autograd and one thread. `TwoCoresEngine` divides updates, and the play
beside them, between two threads of a processor: equal to `SerialEngine` but for rounding, and to the bit whatever the
number of threads. `CudaEngine` records an update on a GPU and launches it whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import Protocol

import torch

from rltrain.deep.actor import Players
from rltrain.deep.device import prepare_thread
from rltrain.deep.fast.cuda import CudaEngine
from rltrain.deep.fast.helper import Helper
from rltrain.deep.fast.playing import EngineRound
from rltrain.deep.fast.serial import SerialEngine
from rltrain.deep.fast.two_cores import TwoCoresEngine
from rltrain.deep.learner import Learner, Samples, UpdateStats
from rltrain.deep.replay import Replay
from rltrain.deep.transitions import TdTarget


class Engine(Protocol):
    """How updates are computed. When a method has returned the learner's weights may be read by anyone."""

    def learn(self, samples: Iterable[Samples], learning_rate: float) -> Sequence[UpdateStats]:
        """A gradient step each, in order. What comes next may be prepared while a step is not quite complete."""
        ...

    def round(
        self, replay: Replay, td_target: TdTarget, players: Players, steps: int
    ) -> AbstractContextManager[EngineRound]:
        """Learn from `replay` while `players` make so many steps. After an error nothing of it runs on.

        td_target  Regression targets [M] of transitions; it may read only what no update of the round moves
        """
        ...


def engine(learner: Learner, device: torch.device, *, beside: bool, threads: int, parts: int = 1) -> Engine:
    """The fastest engine for this network on this device.

    beside   whether a second thread shares the work
    threads  with 1 no other thread is started, whatever `beside` says: the same numbers in one thread
    parts    of the environments, each of which gets a thread of its own to play in
    """
    prepare = partial(prepare_thread, device) if beside and threads > 1 else None
    helpers = [Helper("beside", prepare) for _ in range(parts)]
    if device.type == "cuda":
        return CudaEngine(learner, helpers, device)
    return TwoCoresEngine(learner, helpers) if beside or learner.working.has_image else SerialEngine(learner)
