"""Two cores for one learner: what there is to do in a round beside the updates themselves.

The environments play, and later updates need their targets and their observations. These are jobs of the helper,
between the parts of an update (see `learner`), which are urgent; what it has not begun when it is needed is done by the
thread that needs it. Every job is a function of what stood at the round's start, or of the update that it is part of,
so the numbers depend neither on timing nor on which thread does what: one thread, the same sums.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from torch import Tensor

from rltrain.deep.fast.helper import Helper, Job

Played = TypeVar("Played")
Result = TypeVar("Result")

AHEAD = 2  # inputs and targets that the helper may be ahead of the updates


class HelperWork(Generic[Played]):
    """One round's jobs for `helper`: `plays` calls of `play`, one after the other, and what `plan` names."""

    def __init__(self, helper: Helper, play: Callable[[], Played], plays: int) -> None:
        self._helper, self._play, self._plays = helper, play, plays
        self._turn = threading.Lock()
        self._played: list[Played] = []
        self._failed: BaseException | None = None
        self._play_jobs: list[Job[None]] = []
        self._inputs: list[Job[Tensor] | None] = []  # None: used up, its memory is free again
        self._targets: list[Job[Tensor] | None] = []
        self._input_works: Sequence[Callable[[], Tensor]] = ()
        self._target_works: Sequence[Callable[[], Tensor]] = ()
        self._group = 1

    def plan(self, inputs: Sequence[Callable[[], Tensor]], targets: Sequence[Callable[[], Tensor]], group: int) -> None:
        """What the round's updates need: an input each, and a target for every `group` of them."""
        self._input_works, self._target_works, self._group = inputs, targets, group

    def begin(self, update: int) -> tuple[Tensor, Tensor]:
        """The input of this update and the target of its group. The helper gets what later ones will need."""
        target, updates = update // self._group, len(self._input_works)
        if update == 0:  # this thread does the first itself
            self._inputs.append(Job(self._input_works[0]))
            self._targets.append(Job(self._target_works[0]))
        for works, jobs, upto in (
            (self._input_works, self._inputs, update + AHEAD),
            (self._target_works, self._targets, target + AHEAD),
        ):
            while len(jobs) < min(upto + 1, len(works)):
                jobs.append(self._helper.submit(works[len(jobs)]))
        # Steps of the environments go out one by one between the updates, so that none has to wait for many.
        while (2 * len(self._play_jobs) + 1) * updates < 2 * self._plays * (update + 1):
            self._play_jobs.append(self._helper.submit(self._play_one))
        x, of_group = _result(self._inputs, update), _result(self._targets, target)
        self._inputs[update] = None
        if (update + 1) % self._group == 0:
            self._targets[target] = None
        return x, of_group

    def play(self) -> None:
        """All steps of the environments may be done from now on, in place of `plan` and `begin`."""
        while len(self._play_jobs) < self._plays:
            self._play_jobs.append(self._helper.submit(self._play_one))

    def submit(self, work: Callable[[], Result]) -> Job[Result]:
        """A part of the update at hand."""
        return self._helper.submit(work, urgent=True)

    def played(self) -> list[Played]:
        """All steps of the environments, in order. The round is over when it returns."""
        self.play()
        for job in self._play_jobs:
            job.result()
        return self._played

    def _play_one(self) -> None:
        with self._turn:  # whichever job it is, it is the next step
            if self._failed is not None:  # an environment that has failed must not be stepped again
                raise self._failed
            try:
                self._played.append(self._play())
            except BaseException as error:
                self._failed = error
                raise

    def abandon(self) -> None:
        """After an error: nothing of the round runs on when this returns."""
        self._helper.abandon()


def _result(jobs: Sequence[Job[Tensor] | None], i: int) -> Tensor:
    job = jobs[i]
    assert job is not None
    return job.result()
