"""The runs of several seeds, side by side: begun or gone on with, looked after, and put in order at their end."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

from rltrain.errors import RltrainError
from rltrain.experiment.config import Experiment, parse_duration
from rltrain.launchers.choose import LauncherChoice
from rltrain.launchers.contract import Launcher
from rltrain.launchers.job import RunJob
from rltrain.launchers.pool import Pool
from rltrain.launchers.queue_notes import check_none_queued, forget_ended
from rltrain.report import curve
from rltrain.run import needs
from rltrain.run.group import SeedGroup
from rltrain.run.lock import Lock
from rltrain.verbs.plot import plot
from rltrain.verbs.seeds import asked
from rltrain.verbs.seeds.asked import share_of
from rltrain.verbs.seeds.measure import Measure, measure_of, results
from rltrain.verbs.seeds.progress import SeedProgress, SeedRow, progress

TICK_SECONDS = 0.1
READ_SECONDS = 0.5  # between two looks into the run folders
ACTIVE = ("running", "waiting")


@dataclass(frozen=True)
class SeedsMoment:
    """How all seeds stand."""

    rows: Sequence[SeedRow]
    seconds: float  # of this command
    measure: Measure
    note: str = ""  # what goes on besides
    urgent: bool = False  # to be seen at once
    warnings: Sequence[str] = ()  # that came since the last

    def share(self, budget: Mapping[str, int]) -> float:
        """Of all work, how much is done: the mean of the seeds' shares."""
        return sum(share_of_row(row, budget) for row in self.rows) / len(self.rows)

    def left(self, budget: Mapping[str, int], jobs: int) -> float:
        """Seconds to go, if each seed takes as long as those that have ended, or else those that have begun."""
        shares = [(share_of_row(row, budget), row.progress.seconds) for row in self.rows]
        known = [(share, seconds) for share, seconds in shares if share > 0 and math.isfinite(seconds)]
        whole = [seconds for share, seconds in known if share == 1] or [seconds / share for share, seconds in known]
        todo = sum(1 - share for (share, _), row in zip(shares, self.rows, strict=True) if row.state in ACTIVE)
        return todo * sum(whole) / len(whole) / max(1, min(jobs, math.ceil(todo))) if whole else math.nan

    def count(self, *states: str) -> int:
        return sum(row.state in states for row in self.rows)


class SeedsTraining:
    """The seeds that are `due` at work, at most `jobs` at once: `moments` looks after them, `finish` comes last."""

    def __init__(
        self,
        group: SeedGroup,
        experiment: Experiment,
        due: Sequence[int],
        jobs: int,
        launcher: Launcher,
    ) -> None:
        self._group, self.due = group, due
        self.pool = Pool(launcher, [RunJob(group, seed, experiment) for seed in due], jobs)
        self._begun = time.monotonic()
        limit = experiment.run.max_wall
        self._limit = None if limit is None else parse_duration(limit)
        self.stop: Literal["SIGINT", "SIGTERM", "wall"] | None = None
        self._training_since: float | None = None  # when the first of them began, after its imports
        self._known: dict[int, SeedProgress] = {}
        self._found: dict[int, SeedProgress] = {}  # at first sight

    def request_stop(self, reason: Literal["SIGINT", "SIGTERM"]) -> None:
        """Safe to call from a signal handler: it only sets a flag."""
        self.stop = reason

    def moments(self) -> Iterator[SeedsMoment]:
        """Keep them going until nobody runs and nobody has to; yields now and then how they stand."""
        looked = -READ_SECONDS
        while True:
            news = self.pool.tend()
            for member, _ in news:
                self._known.pop(member.job.seed, None)
            warnings = [f"seed {member.job.seed}: {text}" for member, said in news for text in said]
            if news or time.monotonic() - looked >= READ_SECONDS:
                looked = time.monotonic()
                yield self.moment(bool(news), warnings)
            if not self.pool.busy:
                return
            if self._limit is not None and self._is_time_up(self._limit):
                self.stop = self.stop or "wall"
            if self.pool.out_of_time:
                self.stop = self.stop or "wall"
            if self.stop:
                self.pool.stop()
            time.sleep(TICK_SECONDS)

    def _is_time_up(self, limit: int) -> bool:
        """Whether --max-wall is over, counted from when a run is seen to get on: each session brings one further."""
        if self._training_since is None:
            if any(known.counters != self._found[seed].counters for seed, known in self._known.items()):
                self._training_since = time.monotonic()
            return False
        return time.monotonic() - self._training_since >= limit

    def moment(self, urgent: bool = False, warnings: Sequence[str] = ()) -> SeedsMoment:
        """How all seeds stand now. Those that do not run are read once."""
        rows = []
        at_work = {member.job.seed: member for member in self.pool.members}
        for seed in self._group.seeds:
            member = at_work.get(seed)
            if seed not in self._known or (member is not None and member.live):
                self._known[seed] = progress(self._group.member(seed))
            self._found.setdefault(seed, self._known[seed])
            rows.append(SeedRow(seed, "finished" if member is None else member.state, self._known[seed]))
        note = "stopping: each run saves" if self.stop and self.pool.busy else ""
        return SeedsMoment(rows, time.monotonic() - self._begun, measure_of(rows), note, urgent, warnings)

    def finish(self, moment: SeedsMoment) -> bool:
        """Write what came of them into seeds.json. False if no run has begun and the group's folder was removed."""
        if not self.pool.left and self.forget_unbegun():
            return False
        codes = {member.job.seed: member.code for member in self.pool.members}
        folders = {seed: str(self._group.member(seed)) for seed in self._group.seeds}
        self._group.write_results(results(moment.measure, moment.rows, codes, folders, moment.seconds))
        return True

    def forget_unbegun(self) -> bool:
        """Remove what is left of runs that never began, and the group if none did. Returns whether it was removed."""
        if any(member.live for member in self.pool.members):
            return False
        for seed in self._group.seeds:
            self._group.clear(seed)
        return not any(self._group.begun(seed) for seed in self._group.seeds) and self._group.remove()

    def draw(self) -> str:
        """Draw the curve of each seed that went on, and all in one. Returns the file of that; RltrainError, why not."""
        for seed in self.due:
            if self._group.begun(seed):
                with suppress(RltrainError):  # one that has no numbers yet takes no other's picture away
                    plot([f"s{seed}"], runs_dir=self._group.folder)
        return plot([str(self._group.folder)], self._group.folder / curve.NAME).picture


def unfinished(
    group: SeedGroup, overrides: Sequence[str], jobs: int | None, where: LauncherChoice
) -> tuple[Experiment, list[int], int]:
    """The group's experiment with these settings, the seeds that are not at its end, and how many may run at once."""
    for seed in group.seeds:
        needs.require(group.member(seed))
    with Lock(group.folder):  # a group that is in use is busy, however little memory it leaves
        group.check_members()
        group.check_start()
        runs = [RunJob(group, seed, group.experiment()) for seed in group.seeds]
        if where.name != "slurm":
            check_none_queued(runs)  # before anything is changed for those that wait
        experiment = group.experiment(overrides)
        due = [seed for seed in group.seeds if not group.finished(seed, experiment)]
        for run in runs:
            if run.seed not in due:
                forget_ended(run)
        return experiment, due, asked.jobs_for(experiment, len(due), jobs, True, where) if due else 1


def share_of_row(row: SeedRow, budget: Mapping[str, int]) -> float:
    """How much of the budget this seed has spent, 0..1."""
    return 1.0 if row.state == "finished" else share_of(row.progress.counters, budget)
