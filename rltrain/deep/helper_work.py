"""Two cores for one learner: what the second thread does in a round, and in which order.

Between its parts of an update (see `learner`) the helper plays, and prepares for later updates their targets and their
observations. Every job is a function of what stood at the round's start, or of the update that it is part of, so the
numbers do not depend on timing. Nor does it matter which thread does a job: one thread, the same sums.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

from torch import Tensor

Played = TypeVar("Played")
Result = TypeVar("Result")


class HelperWork(Generic[Played]):
    """One round's jobs for `helper`, an executor of one thread, which runs them in the order given."""

    def __init__(self, helper: ThreadPoolExecutor, play: Callable[[], Played], plays: int) -> None:
        self._helper, self._play, self._plays = helper, play, plays
        self._played: list[Future[Played]] = []
        self._jobs: dict[tuple[str, int], tuple[Callable[[], Tensor], Future[Tensor]]] = {}
        self._inputs: Sequence[Callable[[], Tensor]] = ()
        self._targets: Sequence[Callable[[], Tensor]] = ()
        self._group = 1

    def plan(self, inputs: Sequence[Callable[[], Tensor]], targets: Sequence[Callable[[], Tensor]], group: int) -> None:
        """What the round's updates need: an input each, and a target for every `group` of them."""
        self._inputs, self._targets, self._group = inputs, targets, group

    def begin(self, update: int) -> tuple[Tensor, Tensor]:
        """The input of this update and the target of its group. The helper gets what later ones will need."""
        target, updates = update // self._group, len(self._inputs)
        result = self._take("input", update, self._inputs), self._take("target", target, self._targets)
        if update + 1 < updates:
            self._lend("input", update + 1, self._inputs)
        # A target goes out when a group begins and steps of the environments between, so that no wait grows long.
        if update % self._group == 0 and target + 1 < len(self._targets):
            self._lend("target", target + 1, self._targets)
        while (2 * len(self._played) + 1) * updates < 2 * self._plays * (update + 1):
            self._played.append(self._helper.submit(self._play))
        return result

    def submit(self, job: Callable[[], Result]) -> Future[Result]:
        """A part of the update at hand."""
        return self._helper.submit(job)

    def played(self) -> list[Played]:
        """All steps of the environments, in order. The round is over when it returns."""
        while len(self._played) < self._plays:
            self._played.append(self._helper.submit(self._play))
        return [future.result() for future in self._played]

    def abandon(self) -> None:
        """After an error: nothing of the round runs on when this returns."""
        for future in self._played:
            future.cancel()
        self._helper.submit(int).result()

    def _lend(self, kind: str, i: int, jobs: Sequence[Callable[[], Tensor]]) -> None:
        self._jobs[kind, i] = jobs[i], self._helper.submit(jobs[i])

    def _take(self, kind: str, i: int, jobs: Sequence[Callable[[], Tensor]]) -> Tensor:
        """The result of a job. One that the helper has not begun is done here."""
        if (kind, i) not in self._jobs:
            if kind == "input":
                return jobs[i]()
            self._lend(kind, i, jobs)
        job, future = self._jobs[kind, i]
        if future.cancel():
            future = Future()
            future.set_result(job())
            self._jobs[kind, i] = job, future
        return future.result()
