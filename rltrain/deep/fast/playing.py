"""Environments that play while a learner learns: their steps are jobs, for a helper or whoever needs them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from rltrain.deep.actor import Actor, Away, Played, Players, together
from rltrain.deep.fast.helper import Helper, Job
from rltrain.deep.learner import UpdateStats
from rltrain.deep.transitions import Batch


class Playing:
    """The steps of one actor in a round, one after the other, whoever makes them."""

    def __init__(self, helper: Helper, actor: Actor | Away, steps: int) -> None:
        self.helper, self.steps = helper, steps
        self._actor = actor
        self._turn = threading.Lock()
        self._played: list[Played] = []
        self._failed: BaseException | None = None
        self._jobs: list[Job[None]] = []

    def offer(self, steps: float) -> None:
        """So many of the steps, rounded, may be made from now on; `steps` counts from the round's start."""
        while len(self._jobs) + 0.5 < steps:
            self._jobs.append(self.helper.submit(self._step))

    def played(self) -> list[Played]:
        """All steps, in order; this thread makes those that no other has begun."""
        self.offer(self.steps)
        for job in self._jobs:
            job.result()
        return self._played

    def _step(self) -> None:
        with self._turn:  # whichever job it is, it is the next step
            if self._failed is not None:  # an environment that has failed must not be stepped again
                raise self._failed
            try:
                self._played.append(self._actor.step())
            except BaseException as error:
                self._failed = error
                raise


class EngineRound(NamedTuple):
    """Updates from the memory as it stood at the round's start, and the environments' steps, whichever come first.

    learn   A gradient step for each of the batches, in order, at this learning rate, towards the targets of the
            networks as they stood at the round's start.
    played  All steps of the environments, in order. The round is over when it returns.
    """

    learn: Callable[[Sequence[Batch], float], Sequence[UpdateStats]]
    played: Callable[[], Sequence[Played]]


@contextmanager
def playing(helpers: Sequence[Helper], players: Players, steps: int) -> Iterator[list[Playing]]:
    """A helper for each actor. After an error nothing of the round runs on."""
    pairs = zip(helpers, players.actors, strict=True)
    plays = [Playing(helper, actor, steps) for helper, actor in pairs]
    try:
        yield plays
    except BaseException:
        for each in plays:
            each.helper.abandon()
        raise


def all_played(plays: Sequence[Playing]) -> list[Played]:
    """The steps of all environments, in order, from those of their parts."""
    return [together(parts) for parts in zip(*[each.played() for each in plays], strict=True)]
