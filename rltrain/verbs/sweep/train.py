"""A sweep at work: what is tried is asked in batches, runs as groups of runs, and is told in the order of trials.

The loop is three steps: ask a batch, run it, tell it. Each is found again by what it left: an ask in the journal, a run
in its folder, a tell in the journal. So a sweep that was killed goes on where it stood, and nothing is done twice.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from rltrain.launchers.contract import Launcher
from rltrain.launchers.pool import Member, Pool, last_words
from rltrain.verbs.sweep import halving
from rltrain.verbs.sweep.folder import SweepFolder
from rltrain.verbs.sweep.journal import NAME, JournaledTrial, StudyJournal, Tell, ask_lines, end_line, tell_lines
from rltrain.verbs.sweep.runs import busy, jobs_of, runs_of, scores_of
from rltrain.verbs.sweep.search import KnownTrial, asks
from rltrain.verbs.sweep.standing import ENDED, Standing, SweepMoment, run_name
from rltrain.verbs.sweep.table import TrialsTable

TICK_SECONDS = 0.1
READ_SECONDS = 0.5  # between two looks into the folders of runs that are at work


@dataclass(frozen=True)
class SweepFault:
    """A run that failed, for which the sweep stopped."""

    run: str
    code: int  # the exit code of the sweep
    why: str


class SweepTraining:
    """A sweep whose folder this process has locked: `moments` brings it to its end, or as far as it is let.

    jobs       how many runs at once, where the launcher does not queue
    max_wall   seconds from the first run on; None: no limit
    """

    def __init__(self, home: SweepFolder, launcher: Launcher, jobs: int, max_wall: int | None = None) -> None:
        self._home, self._sweep = home, home.sweep
        self._launcher, self._jobs, self._max_wall = launcher, jobs, max_wall
        self._journal = StudyJournal(home.folder / NAME, home.sweep)
        self.study, self._table = self._journal.study, TrialsTable(home.folder, home.sweep)
        self.stop: Literal["SIGINT", "SIGTERM", "wall"] | None = None
        self.fault: SweepFault | None = None
        self.finished = False  # every trial has come to its end
        self._standing = Standing(home.sweep, self.study)
        self._working_since: float | None = None
        self._news: list[JournaledTrial] = []
        self._doing, self._rung = "", 0

    def request_stop(self, reason: Literal["SIGINT", "SIGTERM"]) -> None:
        """Safe to call from a signal handler: it only sets a flag."""
        self.stop = self.stop or reason

    def close(self) -> None:
        """Let go of the journal; a second call does nothing."""
        self._journal.close()

    # The course of a sweep

    def moments(self) -> Iterator[SweepMoment]:
        """Go on until all is told, a run fails, or a stop is asked for; yields now and then how it stands."""
        self._table.write(self.study.trials)
        found = halving.brackets(self.study.brackets, self._sweep.trials)
        for first, end in found if self._sweep.rungs else found[-1:]:
            yield from self._first_scores(end) if self._home.exact else self._as_they_end(end)
            if self._sweep.rungs and not self._over:
                yield from self._rungs(first, end)
            if self._over:
                return
        self.finished = True
        yield self._moment(None)

    @property
    def _over(self) -> bool:
        return self.stop is not None or self.fault is not None

    def _first_scores(self, end: int) -> Iterator[SweepMoment]:
        """Batch after batch, until the trials below `end` have their first score."""
        at_once, self._rung = self._sweep.settings.at_once, 0
        while not self._over and len(self.study.order) < end:
            first = len(self.study.order) // at_once * at_once
            numbers = range(first, min(first + at_once, end))
            self._doing = f"batch {first // at_once + 1} of {math.ceil(self._sweep.trials / at_once)}"
            self._ask(numbers, range(first), range(first, len(self.study.trials)))
            due = [self.study.trials[number] for number in numbers if not self.study.trials[number].tells]
            yield from self._run(due)
            if not self._over:
                self._tell(due)

    def _rungs(self, first: int, end: int) -> Iterator[SweepMoment]:
        """The rungs of a halving after the first: losers stay where they are, and winners go on."""
        rungs, settings = self._sweep.rungs, self._sweep.settings.halving
        assert settings is not None
        left = self.study.trials[first:end]
        for self._rung in range(1, len(rungs)):
            winners = halving.promoted(left, self._rung - 1, settings.factor)
            self._end([trial for trial in left if trial not in winners], "pruned")
            far = f"{rungs[self._rung]:,} {settings.counter}"
            self._doing = f"rung {self._rung + 1} of {len(rungs)}: the best {len(winners)} to {far}"
            due = [trial for trial in winners if len(trial.tells) <= self._rung]
            yield from self._run(due)
            if self._over:
                return
            self._tell(due)
            left = winners
        self._end(left, "complete")

    def _as_they_end(self, end: int) -> Iterator[SweepMoment]:
        """Trial after trial, each asked as soon as there is room: what it tries depends on who had ended by then."""
        pool, self._rung = Pool(self._launcher, [], self._jobs), 0
        members: dict[int, list[Member]] = {}  # of trials that are not told
        begun = [trial for trial in self.study.trials[:end] if not trial.tells]
        yield from self._unlocked(begun)
        self._fill(pool, members, begun, end)
        for moment in self._tend(pool):
            yield moment
            for number in [n for n, runs in members.items() if all(run.state in ENDED for run in runs)]:
                del members[number]
                self._tell([self.study.trials[number]])
            if not self._over and all(member.state in (*ENDED, "waiting", "running") for member in pool.members):
                self._fill(pool, members, begun, end)
        if not self._over and len(self.study.order) < end:  # the last were at their end before
            yield from self._as_they_end(end)

    def _fill(self, pool: Pool, members: dict[int, list[Member]], begun: list[JournaledTrial], end: int) -> None:
        """Ask for trials until no worker is idle."""
        while sum(member.state in ("waiting", "running") for member in pool.members) < self._jobs:
            if not begun:
                if len(self.study.trials) >= end:
                    return
                self._ask([len(self.study.trials)], self.study.order, members)
                begun.append(self.study.trials[-1])
            trial = begun.pop(0)
            members[trial.number] = [pool.add(job) for job in jobs_of(self._home, [trial], 0)]
            self._doing = f"{len(self.study.trials)} of {self._sweep.trials} trials asked"

    # Asking and telling

    def _ask(self, numbers: Iterable[int], known: Iterable[int], at_work: Iterable[int]) -> None:
        """Those of the numbers that were not asked yet, by the scores of the `known`, while others are `at_work`."""
        new, trials = [number for number in numbers if number >= len(self.study.trials)], self.study.trials
        if new:
            told = [KnownTrial(trials[number].point, trials[number].tells[0].score) for number in known]
            points = asks(self._sweep, new, told, [trials[number].point for number in at_work])
            self._journal.add(ask_lines(self._sweep.space, points))

    def _tell(self, trials: Sequence[JournaledTrial]) -> None:
        """What these came to, in the order of their numbers; one that diverged counts as the worst of any so far."""
        rung = self._rung
        scored = [scores_of(self._home, trial, rung) for trial in trials]
        means = [_mean(scores) for scores in scored]
        told = [trial.tells[rung] for trial in self.study.trials if len(trial.tells) > rung]
        sound = [tell.score for tell in told if not tell.diverged and tell.score is not None]
        worst = min([*sound, *(mean for mean in means if mean is not None)], default=None)
        step = self._sweep.rungs[rung] if self._sweep.rungs else None
        lines: list[str] = []
        for trial, scores, mean in zip(trials, scored, means, strict=True):
            tell = Tell(worst, tuple(scores), True) if mean is None else Tell(mean, tuple(scores))
            lines += tell_lines(trial.number, tell, step)
        self._journal.add(lines)
        self._news += trials
        self._table.write(self.study.trials)

    def _end(self, trials: Sequence[JournaledTrial], state: Literal["pruned", "complete"]) -> None:
        """These stay where they are."""
        self._journal.add([end_line(each.number, state, each.score) for each in trials if each.state == "running"])
        self._table.write(self.study.trials)

    # Running

    def _run(self, trials: Sequence[JournaledTrial]) -> Iterator[SweepMoment]:
        """Bring the runs of these trials to the present rung, those that are not there yet."""
        yield from self._unlocked(trials)
        jobs = [] if self._over else jobs_of(self._home, trials, self._rung)
        if jobs:
            yield from self._tend(Pool(self._launcher, jobs, self._jobs))

    def _unlocked(self, trials: Sequence[JournaledTrial]) -> Iterator[SweepMoment]:
        """Wait for processes that still work in these runs: those of a sweep that was killed save, and end."""
        runs = [] if self._launcher.outlives else runs_of(self._home, trials)
        self._launcher.taken(runs)  # none; but it says so if a queue has one
        while not self._over:
            run = busy(runs)
            if run is None:
                return
            yield self._moment(None, note=f"waiting for the process that works in {run}")
            time.sleep(TICK_SECONDS)

    def _tend(self, pool: Pool) -> Iterator[SweepMoment]:
        """Look after runs until none is left to wait for; afterwards `stop` and `fault` say whether all ended well.

        Whoever is given a moment may add runs to the pool.
        """
        looked = -math.inf
        with pool.pausing():
            while True:
                news = pool.tend()
                warnings = [f"{run_name(member)}: {text}" for member, said in news for text in said]
                if news or self._news or time.monotonic() - looked >= READ_SECONDS:
                    looked = time.monotonic()
                    note = "stopping: each run saves" if self.stop and pool.busy else ""
                    yield self._moment(pool, bool(news), warnings, note)
                if not pool.busy:
                    break
                if self._is_time_up() or pool.out_of_time:
                    self.stop = self.stop or "wall"
                if self.stop and self._launcher.outlives:
                    return  # the runs go on, and a later session collects them
                if self.stop:
                    pool.stop()
                time.sleep(TICK_SECONDS)
        ill = next((member for member in pool.members if member.state not in ENDED), None)
        if ill is not None and not self.stop:
            code = ill.code or 1
            self.fault = SweepFault(run_name(ill), code if code > 0 else 128 - code, last_words(ill.code, ill.said))

    def _is_time_up(self) -> bool:
        """Whether --max-wall is over, counted from when a run is seen to get on: each session brings one further."""
        if self._max_wall is None:
            return False
        if self._working_since is None and self._standing.moved:
            self._working_since = time.monotonic()
        return self._working_since is not None and time.monotonic() - self._working_since >= self._max_wall

    def _moment(
        self, pool: Pool | None, urgent: bool = False, warnings: Sequence[str] = (), note: str = ""
    ) -> SweepMoment:
        news, self._news = self._news, []
        return self._standing.moment(
            pool, self._doing, self._rung, urgent=urgent, warnings=warnings, note=note, news=news
        )


def _mean(scores: Sequence[float | None]) -> float | None:
    """Of the runs of a trial; None if one of them diverged."""
    sound = [score for score in scores if score is not None]
    return math.fsum(sound) / len(sound) if len(sound) == len(scores) else None
