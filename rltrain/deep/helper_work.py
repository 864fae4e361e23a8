"""Two cores for one learner: what the second thread does in a round, and in which order.

Its jobs are a part of every gradient, and, between gradients, steps of the environments and targets for later batches.
Every job is a function of what stood at the round's start or of the update that it is part of, so the numbers do not
depend on timing. Which thread computes a target makes no difference either: the same rows, one thread, the same sums.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

from torch import Tensor

Played = TypeVar("Played")
P = TypeVar("P")


class HelperWork(Generic[Played]):
    """One round's jobs for `helper`, an executor of one thread, which runs them in the order given."""

    def __init__(self, helper: ThreadPoolExecutor, play: Callable[[], Played], plays: int) -> None:
        self._helper, self._play, self._plays = helper, play, plays
        self._played: list[Future[Played]] = []
        self._targets: Sequence[Callable[[], Tensor]] = ()
        self._futures: list[Future[Tensor]] = []
        self._updates = 0  # in this round
        self._begun = 0  # updates that have begun

    def plan(self, targets: Sequence[Callable[[], Tensor]], updates: int) -> None:
        """What the round needs: targets in the order of their use, one for every updates / len(targets) updates."""
        self._targets, self._updates = targets, updates
        self._lend(2)

    def target(self, i: int) -> Tensor:
        """The i-th target. One that the helper has not begun is computed here."""
        self._lend(i + 1)
        return self._targets[i]() if self._futures[i].cancel() else self._futures[i].result()

    def beside(self, ours: Callable[[], P], helpers: Callable[[], P]) -> list[P]:
        """Both results. The helper's part goes before anything else it has to do, so that nobody waits long."""
        part = self._helper.submit(helpers)
        self._begun += 1
        self._lend(2 + self._begun * len(self._targets) // self._updates)
        while len(self._played) * self._updates < self._plays * self._begun:
            self._played.append(self._helper.submit(self._play))
        return [ours(), part.result()]

    def played(self) -> list[Played]:
        """All steps of the environments, in order. The round is over when it returns."""
        while len(self._played) < self._plays:
            self._played.append(self._helper.submit(self._play))
        return [future.result() for future in self._played]

    def _lend(self, count: int) -> None:
        while len(self._futures) < min(count, len(self._targets)):
            self._futures.append(self._helper.submit(self._targets[len(self._futures)]))
