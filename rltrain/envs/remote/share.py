"""Some of a learner's environments, which a player holds; here stands all that it takes to have them made again.

    journal   the calls from which they are what they are: made, then reset or loaded, then every step since

A player that is lost is started again and makes the journal's calls; what is seen at their end must be what was seen,
and then the call under way is made. So that no journal grows for ever it begins anew with each state that is saved,
now and then one that is saved for this alone. Environments that do not repeat themselves open new episodes: in training
those that were running are cut off, as by a time limit; in an evaluation, where whole games count, they begin again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from rltrain.core import Array, EnvSpec, State, Step
from rltrain.envs.left_behind import all_left
from rltrain.envs.remote.crew import Crew, Notice, PlayerLost, Reply
from rltrain.envs.remote.player import Begin, Call, Close, GoOn, Load, Made, Make, Play, Raised, Retire, Save, newest
from rltrain.errors import EnvironmentFault, NotReplayedError
from rltrain.rng import derive

LONGEST_JOURNAL = 4_096  # steps, after which a state is saved to begin it anew: some seconds to play again
MOST_LOST = 10  # times in a row that a player is lost over one call: then that call is what kills it


class Share:
    """Environments that the player `number` of a crew holds as `key`."""

    def __init__(self, crew: Crew, number: int, key: str, make: Make) -> None:
        first = make.options.first_index or 0
        self.envs = range(first, first + make.options.num_envs)
        self.make = make
        self.rows = slice(self.envs.start, self.envs.stop)
        self.news: list[str] = []  # what happened to it that a person should know
        self.repeats = make.options.repeats
        self.obs: Array | None = None  # [n, *obs], what is seen now, as who sends and asks knows; None: nothing yet
        self._crew, self._number, self._key = crew, number, key
        self._start: int | None = crew.start_of(number)  # of the player, by which they were made; None: they are gone
        self._journal: list[Call] = []
        self._steps = 0  # in the journal
        self._made: Made
        self._call: Call = make
        self._reply: Reply | None = None
        self._lost = 0  # players so far
        self._playing = np.ones(len(self.envs), bool)  # not retired
        # What is known of where they stand.
        self._step: Step | None = None  # the last one, as the player sent it; None: they were loaded since
        self._seed: int | None = None
        self._episode = np.zeros(len(self.envs), np.int64)

    @property
    def spec(self) -> EnvSpec:
        return self._made.spec

    @property
    def over(self) -> bool:
        """Whether all were retired: there is nothing to play."""
        return not self._playing.any()

    def send(self, call: Call) -> None:
        """Ask for this; `answer` gives what is said."""
        self._call, self._reply = call, None
        if self._start == self._crew.start_of(self._number):
            self._reply = self._crew.ask(self._number, self._key, [call])

    def answer(self) -> Any:
        """What is said to what was sent, whoever was lost meanwhile. EnvironmentFault if that call kills players."""
        for _ in range(MOST_LOST):
            try:
                return self._noted(self._again() if self._reply is None else _said(self._reply))
            except PlayerLost as error:
                self._lost += 1
                self._reply, why = None, error
                self._crew.restart(self._number, self._start or 0)
                self._tell(str(error))
        raise EnvironmentFault(
            f"{self.make.settings.id}: the actor of environments {self._named()} was lost {MOST_LOST} times over one"
            f" step; the last time: {why}"
        )

    def shorten(self) -> bool:
        """Whether the journal is to begin anew, which the answer to a `Save` does."""
        return self._steps >= LONGEST_JOURNAL and self.repeats and bool(self._playing.all())

    def close(self) -> None:
        """Let go of them, without waiting for it."""
        if self._start == self._crew.start_of(self._number):
            self._crew.ask(self._number, self._key, [Close()])

    def _noted(self, found: Any) -> Any:
        """The answer to the call that was sent, once its effect is in the journal."""
        match call := self._call:
            case Make():
                self._made, self._journal = found, [call]
            case Begin(seed):
                self._seed, self._episode[:] = seed, 0
                self._begin(call)
            case Load(state):
                self._seed = state.get("seed")
                if "episode" in state:
                    self._episode = np.array(state["episode"])
                self._begin(call)
                self._step = None
            case Play():
                self._episode += found.first
                if self.repeats:
                    self._journal.append(call)
                self._steps += 1
            case Save() if self.repeats and self._playing.all():
                self._begin(Load(found))
            case Retire(which):
                self._playing &= ~which
                self._journal.append(call)
        if isinstance(call, Begin | Play | GoOn):
            self._step = found
        return found

    def _begin(self, call: Call) -> None:
        """The journal begins anew; who was retired stays so."""
        retired = [each for each in self._journal if isinstance(each, Retire)]
        self._journal, self._steps = [self.make, call, *retired], 0

    # After a loss

    def _again(self) -> Any:
        """The answer to the call under way, of environments that are made again."""
        self._start = self._crew.start_of(self._number)
        if isinstance(self._call, Make):
            return self._ask([self._call])
        if isinstance(self._call, Begin | Load):
            return self._ask([self.make, self._call])
        if self._step is None and not self.repeats:  # loaded, and nothing was said of it
            self._ask(self._journal)
            return self._ask([self._call])
        if self.repeats:
            try:
                self._check(self._ask(self._journal))
                return self._ask([self._call])
            except NotReplayedError:
                if not self._made.reopens:
                    raise
                self.repeats = False
                self._tell("they did not repeat themselves")
        return self._anew()

    def _check(self, found: Any) -> None:
        """Whether what is seen at the journal's end is what was seen. NotReplayedError."""
        obs = found.obs if isinstance(found, Step) else found
        if obs is None or self.obs is None or len(self._journal) == 1:
            return
        before = self.obs if obs.shape == self.obs.shape else self.obs[:, -1:]
        if not np.array_equal(obs[self._playing], before[self._playing]):
            rule = "an actor's episodes took another course when they were played again"
            raise NotReplayedError(f"{self.spec.id}: {rule}")

    def _anew(self) -> Any:
        """The answer to the call under way, of new episodes in place of those that cannot be played again."""
        call = self._call
        if isinstance(call, Save | Retire):  # nothing is opened for these: the next step does it
            self._start = None
            return self._left() if isinstance(call, Save) else None
        if not self.make.options.training:
            again = self._ask([self.make, Begin(derive(self._seed or 0, "again", self._lost))])
            self._ask([Retire(~self._playing)])
            return again
        assert self._step is not None and self.obs is not None
        zeros, nowhere = np.zeros_like(self._step.reward), np.zeros_like(self._step.first)
        still = Step(self.obs, zeros, zeros + 1, nowhere, nowhere, self._step.mask)
        return newest(self.spec, self._ask([self.make, Load(self._left()), GoOn(still)]))

    def _left(self) -> State:
        """The state in which nothing but who plays which episode is left."""
        ended = np.zeros(len(self.envs), bool) if self._step is None else self._step.last
        return all_left(self._seed, self._episode, ended)

    def _ask(self, calls: Sequence[Call]) -> Any:
        return _said(self._crew.ask(self._number, self._key, calls))

    def _tell(self, why: str) -> None:
        how = "they are played again to where they were"
        if not self.repeats:
            how = (
                "they do not repeat themselves, so new episodes begin"
                + " in place of those cut off" * self.make.options.training
            )
        text = f"the actor of environments {self._named()} was lost ({why}): {how} (lost so far: {self._lost})"
        self._crew.notices.append(Notice(text, exact=self.repeats == self.make.options.repeats))

    def _named(self) -> str:
        return f"{self.envs.start} to {self.envs.stop - 1}"


def _said(reply: Reply) -> Any:
    """What a player says. The error that it raised in place of that, as if it were raised here."""
    found = reply.get()
    if isinstance(found, Raised):
        raise found.kind(found.message)
    return found
