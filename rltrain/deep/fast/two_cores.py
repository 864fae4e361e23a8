"""A learner on two cores: what there is to do in a round is divided between two threads.

The environments play, and later updates need their targets and their observations. These are jobs of the helper,
between the parts of an update (see `split_update`), which are urgent; what it has not begun when it is needed is done
by the thread that needs it. Every job is a function of what stood at the round's start, or of the update that it is
part of, so the numbers depend neither on timing nor on which thread does what: one thread, the same sums.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import numpy as np
import torch
from torch import Tensor

from rltrain.deep.actor import Players
from rltrain.deep.fast.helper import Helper, Job
from rltrain.deep.fast.playing import EngineRound, Playing, all_played, playing
from rltrain.deep.fast.split_update import SplitUpdate, Submit
from rltrain.deep.learner import Learner, Samples, UpdateStats
from rltrain.deep.replay import Replay
from rltrain.deep.transitions import Batch, TdTarget

AHEAD = 2  # observations and targets that the helper may be ahead of the updates
TARGET_ROWS = 64  # rows whose targets are computed at once: larger batches cost less a row


class TwoCoresEngine:
    """The `Engine` of a processor, for networks that are worth dividing."""

    def __init__(self, learner: Learner, helpers: Sequence[Helper]) -> None:
        """A helper for each part of the environments; the first one helps the learner too."""
        self._learner, self._helpers = learner, helpers
        self._update = SplitUpdate(learner, partial(helpers[0].submit, urgent=True))

    def learn(self, samples: Iterable[Samples], learning_rate: float) -> list[UpdateStats]:
        stats = [self._update(each, learning_rate) for each in samples]
        self._update.wait()
        return stats

    @contextmanager
    def round(self, replay: Replay, td_target: TdTarget, players: Players, steps: int) -> Iterator[EngineRound]:
        with playing(self._helpers, players, steps) as plays:
            for each in plays[1:]:
                each.offer(steps)  # their threads have nothing else to do

            def learn(batches: Sequence[Batch], learning_rate: float) -> list[UpdateStats]:
                return self.learn(self._samples(batches, replay, td_target, plays[0]), learning_rate)

            yield EngineRound(learn, partial(all_played, plays))

    def _samples(
        self, batches: Sequence[Batch], replay: Replay, td_target: TdTarget, plays: Playing
    ) -> Iterator[Samples]:
        """Those of each batch, when its update begins. The helper gets what later ones will need."""
        prepare = self._learner.working.prepare

        def targets(group: Sequence[Batch]) -> Tensor:
            together = Batch(*(np.concatenate(column) for column in zip(*group, strict=True)))
            with torch.inference_mode():
                return td_target(replay.transitions(together, prepare))

        size = len(batches[0].row) if batches else 1
        length = max(1, TARGET_ROWS // size)  # of a group, in batches
        groups = [batches[i : i + length] for i in range(0, len(batches), length)]
        all_drawn = [replay.transitions(batch, prepare) for batch in batches]
        obs = ahead([each.obs for each in all_drawn], plays.helper.submit)
        of_groups = ahead([partial(targets, group) for group in groups], plays.helper.submit)
        target = (one.clone() for of_group in of_groups for one in of_group.split(size))
        for i, each in enumerate(all_drawn):
            # Steps of the environments go out one by one between the updates, so that none has to wait for many.
            plays.offer(plays.steps * (i + 1) / len(batches))
            yield Samples(next(obs), each.action, next(target), each.weight, each.levels, each.noise_of(next=False))


def ahead(works: Sequence[Callable[[], Tensor]], submit: Submit) -> Iterator[Tensor]:
    """What each piece of work gives, in order. The helper may do the next few beforehand, but for the very first."""
    jobs: deque[Job[Tensor]] = deque()
    for i, work in enumerate(works):
        if i == 0:
            jobs.append(Job(work))
        jobs.extend(submit(later) for later in works[i + len(jobs) : i + AHEAD + 1])
        yield jobs.popleft().result()
