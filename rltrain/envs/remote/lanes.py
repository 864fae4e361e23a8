"""Environments that a player of a crew plays by itself, as they arrive here: step after step, whoever is lost.

What was asked for and has not arrived when a player is lost is lost with it. New episodes begin in place of those that
were running, which are cut off as by a time limit; so it is when a run is resumed. An environment that was about to
begin an episode has nothing to cut off: for it the new one takes the other's place, and those that have go a step
behind it from then on. A learner sees every environment by itself, so it is the same to it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from rltrain.core import Array, EnvSpec, Step
from rltrain.envs.remote.crew import Crew, Notice, PlayerLost, Reply
from rltrain.envs.remote.player import Begin, Call, Close, Explore, Made, Make, Raised, Roam
from rltrain.errors import EnvironmentFault
from rltrain.rng import derive
from rltrain.steps import by_column

if TYPE_CHECKING:
    from rltrain.deep.networks import NetworkShape
    from rltrain.deep.roaming import Segment

SEGMENT_STEPS, SEGMENT_ROWS = 32, 256  # of a message, at most: of each environment, and of all of a player's together
ASKED = 2  # messages that a player owes, so that it has always something to do
HELD = 4  # messages, asked for or here and not yet taken, beyond which a player waits for the learner
MOST_LOST = 10  # times in a row that a player is lost and sends nothing between: then what it plays kills it


class Row(NamedTuple):
    """One step of n environments: the action, and what followed."""

    action: Array  # [n] int64
    step: Step  # [n]; of stacked frames the newest, [n, 1, H, W]


class Told(NamedTuple):
    """What players decide by."""

    version: int  # of the weights
    shape: NetworkShape
    weights: Mapping[str, Array]


class Lanes:
    """The environments of the player `number`, which holds them as `key`."""

    def __init__(self, crew: Crew, number: int, key: str, make: Make, epsilon: Array) -> None:
        """`epsilon` [n]: how often their actions are random."""
        first = make.options.first_index or 0
        self.rows = slice(first, first + make.options.num_envs)
        self.held: deque[Row] = deque()  # what has arrived and was not taken
        self.now: Step  # what follows next upon is this: the end of what was taken
        self._crew, self._number, self._key, self._make, self._epsilon = crew, number, key, make, epsilon
        self._steps = max(1, min(SEGMENT_STEPS, SEGMENT_ROWS // make.options.num_envs))
        self._start = crew.start_of(number)  # of the player, by which they were made
        self._replies: deque[Reply] = deque()
        self._seed = self._opened = 0  # of the episodes, and how often new ones were begun
        self._version: int | None = None  # of the weights that the player was sent; None: nothing decides there yet
        self._lost = 0  # in a row
        self._late = np.zeros(make.options.num_envs, bool)  # those that are a step behind the others
        self._behind: Row  # theirs

    # Making and beginning: what is asked of all players at once is answered one by one

    def make(self) -> None:
        """Ask for them to be made."""
        self._replies.append(self._crew.ask(self._number, self._key, [self._make]))

    def made(self) -> EnvSpec:
        """What they are, once they are made."""
        while True:
            try:
                found: Made = _said(self._replies.popleft())
                return found.spec
            except PlayerLost as error:
                self._miss(error)
                self._start = self._crew.start_of(self._number)
                self.make()

    def begin(self, seed: int, opened: int) -> None:
        """Ask for new episodes: those of a seed that were begun so often before."""
        self._seed, self._opened, self._version = seed, opened, None
        again = self._start != self._crew.start_of(self._number)
        self._start = self._crew.start_of(self._number)
        calls: list[Call] = [Begin(derive(seed, "again", opened) if opened else seed)]
        self._replies.clear()
        self._replies.append(self._crew.ask(self._number, self._key, [self._make, *calls] if again else calls))

    def begun(self) -> Step:
        """What is seen at their beginning, [n]; of stacked frames the newest."""
        while True:
            try:
                found: Step = _said(self._replies.popleft())
                return found
            except PlayerLost as error:
                self._miss(error)
                self.begin(self._seed, self._opened + 1)

    def go_on(self, opened: Step) -> None:
        """What was running is cut off, and what was `opened` follows upon it."""
        tail = self.held[-1].step if self.held else self.now
        self._late = ~tail.first
        tail = _mixed(self._late, tail._replace(last=tail.last | self._late), opened)
        self._behind = Row(np.zeros(len(self._late), np.int64), opened)
        if self.held:
            self.held[-1] = self.held[-1]._replace(step=tail)
        else:
            self.now = tail

    # Playing

    def collect(self, told: Told, wait: bool = False) -> None:
        """Take in what has arrived, of which there is some if one may `wait`; ask for more."""
        self._ask(told)
        try:
            while self._replies and (wait or self._replies[0].ready()):
                wait = False
                self._take_in(_said(self._replies[0]))
                self._replies.popleft()
                self._lost = 0
        except PlayerLost as error:
            self._miss(error)
            self._tell(str(error))
        self._ask(told)

    def take(self) -> tuple[Step, Row]:
        """What was seen, what was done, and what followed."""
        row = self.held.popleft()
        seen, self.now = self.now, row.step
        return seen, row

    def close(self) -> None:
        """Let go of them, without waiting for it."""
        if self._start == self._crew.start_of(self._number):
            self._crew.ask(self._number, self._key, [Close()])

    def _ask(self, told: Told) -> None:
        if self._start != self._crew.start_of(self._number):
            self.begin(self._seed, self._opened + 1)
            self.go_on(self.begun())
        while len(self._replies) < ASKED and len(self._replies) + len(self.held) / self._steps < HELD:
            calls: list[Call] = []
            if self._version is None:
                seed = derive(self._seed, "explore", self.rows.start, self._opened)
                calls.append(Explore(told.shape, self._epsilon, seed))
            calls.append(Roam(self._steps, None if self._version == told.version else told.weights))
            self._version = told.version
            self._replies.append(self._crew.ask(self._number, self._key, calls))

    def _take_in(self, segment: Segment) -> None:
        for t in range(len(segment.action)):
            row = Row(segment.action[t], by_column(partial(_at, t), [segment.step]))
            if self._late.any():
                before, self._behind = self._behind, row
                action = np.where(self._late, before.action, row.action)
                row = Row(action, _mixed(self._late, before.step, row.step))
            self.held.append(row)

    # After a loss

    def _miss(self, why: PlayerLost) -> None:
        """The player is gone: start it again. EnvironmentFault if that was of no use too often."""
        self._lost += 1
        if self._lost >= MOST_LOST:
            raise EnvironmentFault(
                f"{self._make.settings.id}: the actor of environments {self._named()} was lost {MOST_LOST} times and"
                f" sent nothing between; the last time: {why}"
            )
        self._replies.clear()
        self._crew.restart(self._number, self._start)

    def _tell(self, why: str) -> None:
        text = (
            f"the actor of environments {self._named()} was lost ({why}): new episodes begin in place of those cut off"
        )
        self._crew.notices.append(Notice(text, exact=False))

    def _named(self) -> str:
        return f"{self.rows.start} to {self.rows.stop - 1}"


def _mixed(some: Array, one: Step, other: Step) -> Step:
    """Of `some` environments, [n] bool, the columns of one step, and of the rest those of another."""

    def column(both: Sequence[Array]) -> Array:
        mixed: Array = np.where(some.reshape(-1, *[1] * (both[0].ndim - 1)), *both)
        return mixed

    return by_column(column, [one, other])


def _at(t: int, column: Sequence[Array]) -> Array:
    """Of time t, the only one of some columns [T, n, ...]."""
    found: Array = column[0][t]
    return found


def _said(reply: Reply) -> Any:
    """What a player says. The error that it raised in place of that, as if it were raised here."""
    found = reply.get()
    if isinstance(found, Raised):
        raise found.kind(found.message)
    return found
