"""How a sweep stands at one moment: what is told, who runs, and how long it takes."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

from rltrain.experiment.sweep import Sweep
from rltrain.launchers.pool import Member, Pool
from rltrain.verbs.seeds.asked import share_of
from rltrain.verbs.seeds.progress import progress
from rltrain.verbs.sweep import halving
from rltrain.verbs.sweep.journal import JournaledStudy, JournaledTrial

ENDED = ("finished", "diverged")


@dataclass(frozen=True)
class RunAtWork:
    """A run of a trial at one moment."""

    name: str  # t0007/s0
    state: str
    share: float  # of its budget, 0..1


@dataclass(frozen=True)
class SweepMoment:
    """How a sweep stands."""

    told: int  # trials with a score
    trials: int
    doing: str  # batch 3 of 16, or a rung of a halving
    best: JournaledTrial | None
    runs: Sequence[RunAtWork]  # that run or wait
    share: float  # of all work that is done, 0..1
    seconds: float  # of this session
    left: float  # seconds, NaN where unknown
    note: str = ""
    urgent: bool = False  # to be seen at once
    warnings: Sequence[str] = ()
    news: Sequence[JournaledTrial] = ()  # told since the last moment


def best_of(study: JournaledStudy) -> JournaledTrial | None:
    """The trial with the best score among those that came farthest; of equal ones the first. None without a score."""
    told = [(len(trial.tells), trial.score, trial) for trial in study.trials if trial.score is not None]
    sound = [(rungs, score, trial) for rungs, score, trial in told if not trial.tells[-1].diverged]
    return max(sound, key=lambda each: (each[0], each[1], -each[2].number))[2] if sound else None


def run_name(member: Member) -> str:
    """Of a run among those of a sweep: t0007/s0."""
    return f"{member.job.group.folder.name}/{member.job.folder.name}"


class Standing:
    """Looks at a sweep: `shares` is how much of its budget each run has spent, as it was seen last.

    `moved`: a run has been seen to get on in this session, beyond its imports and what it had done before.
    """

    def __init__(self, sweep: Sweep, study: JournaledStudy) -> None:
        self._sweep, self._study = sweep, study
        self._since = time.monotonic()
        self._at_first: float | None = None  # the share of the work that was done before this session
        self.shares: dict[str, float] = {}
        self._found: dict[str, float] = {}  # the shares at first sight
        self.moved = False

    def moment(
        self,
        pool: Pool | None,
        doing: str,
        rung: int,
        *,
        urgent: bool = False,
        warnings: Sequence[str] = (),
        note: str = "",
        news: Sequence[JournaledTrial] = (),
    ) -> SweepMoment:
        """How it stands now, while runs of the `pool` are brought to this rung."""
        runs, at_work = [], 0.0
        for member in [] if pool is None else pool.members:
            name = run_name(member)
            if member.live:
                budget = dict(member.job.experiment.run.budget or {})
                self.shares[name] = share_of(progress(member.job.folder).counters, budget)
                self.moved |= self.shares[name] != self._found.setdefault(name, self.shares[name])
            if member.state not in ENDED:
                runs.append(RunAtWork(name, member.state, self.shares.get(name, 0.0)))
            number = int(member.job.group.folder.name[1:])
            if len(self._study.trials[number].tells) <= rung:
                at_work += 1.0 if member.state in ENDED else self.shares.get(name, 0.0)
        seconds, done = time.monotonic() - self._since, self._share(rung, at_work)
        self._at_first = done if self._at_first is None else self._at_first
        pace = (done - self._at_first) / seconds if seconds > 0 else 0.0
        return SweepMoment(
            told=len(self._study.order),
            trials=self._sweep.trials,
            doing=doing,
            best=best_of(self._study),
            runs=runs,
            share=done,
            seconds=seconds,
            left=(1 - done) / pace if pace > 0 else math.nan,
            note=note,
            urgent=urgent or bool(news),
            warnings=warnings,
            news=news,
        )

    def _share(self, rung: int, at_work: float) -> float:
        """Of all work, how much is done: of trials, or of what a halving counts. `at_work`: of runs, in runs."""
        settings, at_work = self._sweep.settings.halving, at_work / len(self._sweep.seeds)
        if settings is None:
            return min(1.0, (len(self._study.order) + at_work) / self._sweep.trials)
        plan = halving.work(self._sweep.rungs, self._sweep.trials, settings.factor)
        lengths = [counts for _, counts in plan]
        done = sum(sum(lengths[: len(trial.tells)]) for trial in self._study.trials)
        return min(1.0, (done + at_work * lengths[rung]) / sum(trials * counts for trials, counts in plan))
