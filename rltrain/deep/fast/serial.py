"""Updates and rounds of deep Q-learning, one thing after the other in this thread: the specification.

    w <- w - learning_rate * optimiser( clip( d/dw  mean_i weight_i loss(target_i, Q_w(obs_i, action_i)) ) )

Source: Mnih et al. 2015, algorithm 1. The other engines are tested equal to this one. It is also the fastest for small
networks of vectors.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from rltrain.deep.actor import Players
from rltrain.deep.fast.playing import EngineRound
from rltrain.deep.learner import Learner, Samples, UpdateStats
from rltrain.deep.replay import Replay
from rltrain.deep.transitions import Batch, TdTarget


def update(learner: Learner, samples: Samples, learning_rate: float | Tensor) -> UpdateStats:
    """One gradient step, by autograd."""
    network, wide, others = learner.working, learner.wide, learner.others
    outputs = network.outputs(network.hidden(samples.obs), samples.levels, samples.noise)
    found = learner.loss(outputs, samples)
    gradients = torch.autograd.grad(found.loss, [*wide.working, *others.working])
    of_wide = len(wide.working)
    norm, scale = learner.clip(wide.take(gradients[:of_wide]), others.take(gradients[of_wide:]))
    wide.step(learning_rate, scale)
    others.step(learning_rate, scale)
    return UpdateStats(found.td_error, found.loss.detach(), found.value, norm)


class SerialEngine:
    """The `Engine` of one thread: first it learns, then it plays."""

    def __init__(self, learner: Learner) -> None:
        self._learner = learner

    def learn(self, samples: Iterable[Samples], learning_rate: float) -> list[UpdateStats]:
        return [update(self._learner, each, learning_rate) for each in samples]

    @contextmanager
    def round(self, replay: Replay, td_target: TdTarget, players: Players, steps: int) -> Iterator[EngineRound]:
        def learn(batches: Sequence[Batch], learning_rate: float) -> list[UpdateStats]:
            return self.learn(map(samples, batches), learning_rate)

        def samples(batch: Batch) -> Samples:
            drawn = replay.transitions(batch, self._learner.working.prepare)
            with torch.no_grad():
                target = td_target(drawn)
            return Samples(drawn.obs(), drawn.action, target, drawn.weight, drawn.levels, drawn.noise_of(next=False))

        yield EngineRound(learn, lambda: [players.step() for _ in range(steps)])
