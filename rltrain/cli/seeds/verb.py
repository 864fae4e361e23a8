"""`rltrain train --seeds`, and `rltrain resume` of what it left: begin, watch, stop, and say what came of it."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Literal

from rltrain import words
from rltrain.cli.errors import keeping_crashes
from rltrain.cli.output import Output, complain, say
from rltrain.cli.seeds.display import SeedsDisplay, SeedsFacts, SeedsMoment
from rltrain.cli.seeds.result import interval, measure_of, result_lines, results, solved_line, together
from rltrain.cli.views import View, view
from rltrain.envs import describe
from rltrain.errors import RltrainError
from rltrain.experiment.config import Experiment, load, parse_duration
from rltrain.run import group as groups
from rltrain.run.group import SeedGroup
from rltrain.run.lock import Lock
from rltrain.verbs.seeds import asked
from rltrain.verbs.seeds.children import Children, first_fault, last_words
from rltrain.verbs.seeds.progress import SeedProgress, SeedRow, progress
from rltrain.verbs.truth import discounts_apart

TICK_SECONDS = 0.1
READ_SECONDS = 0.5  # between two looks into the run folders
Reason = Literal["SIGINT", "SIGTERM", "wall"]
STOPS: dict[Reason, str] = {"SIGINT": "Ctrl-C", "SIGTERM": "SIGTERM", "wall": "--max-wall"}
ENDS = {  # a state, and how it is said of a seed whose process has ended
    "finished": "finished",
    "stopped": "stopped and saved",
    "waiting": "not begun",
    "diverged": "diverged",
    "failed": "failed",
}


def train_seeds(
    config: str | Path,
    seeds: str,
    overrides: Sequence[str] = (),
    *,
    runs_dir: Path,
    name: str | None = None,
    jobs: int | None = None,
    quiet: bool = False,
    dry_run: bool = False,
) -> int:
    """Train a run for each seed, in a new group. Returns the exit code: 0, that of the first seed that failed, or a
    signal's."""
    experiment = load(config, overrides)
    first_is_given = any(override.startswith("run.seed=") for override in overrides)
    wanted = asked.seeds_of(seeds, experiment.run.seed, first_is_given)
    load(config, [*overrides, f"run.seed={max(wanted)}"])  # is the last a seed too?
    if dry_run:
        say(f"# {len(wanted)} runs of this, with {asked.spelled(wanted)}")
        say(experiment.to_yaml().rstrip("\n"))
        return 0
    at_once = asked.jobs_for(experiment, len(wanted), jobs)
    group = groups.create(experiment, wanted, runs_dir, name, shlex.join(["rltrain", *sys.argv[1:]]))
    return drive(group, experiment, wanted, at_once, quiet)


def resume_seeds(
    group: SeedGroup, overrides: Sequence[str] = (), *, jobs: int | None = None, quiet: bool = False
) -> int:
    """Go on with every seed that is not at its end, which overrides may have moved. Returns the exit code."""
    with Lock(group.folder):  # a group that is in use is busy, however little memory it leaves
        experiment = group.experiment(overrides)
        due = [seed for seed in group.seeds if not group.finished(seed, experiment)]
        at_once = asked.jobs_for(experiment, len(due), jobs, resumed=True) if due else 1
    if not due:
        return _nothing_to_do(group, experiment, quiet)
    return drive(group, experiment, due, at_once, quiet)


def drive(group: SeedGroup, experiment: Experiment, due: Sequence[int], jobs: int, quiet: bool) -> int:
    """Run the seeds that are due to their ends or to the first signal, and show them."""
    from rltrain.cli.signals import stopping

    children = Children(group, experiment, due, jobs)
    watch = Watch(group, experiment, children)
    facts = _facts(group, experiment, jobs, len(due))
    note = "" if quiet else discounts_apart(experiment, describe(experiment.environment, task=experiment.task))
    if note:
        say(note)
    with keeping_crashes(group.folder), Lock(group.folder), children.pausing():
        with stopping(watch.request_stop) as signalled:
            shown = view(SeedsDisplay(facts), Output(sys.stdout), quiet)
            try:
                watch.attend(shown)
            finally:
                shown.close()
        moment = watch.moment()
        code = signalled.exit_code or first_fault(children.all, children.stopping)
        for line in faults(children):
            complain(line)
        for seed in group.seeds:
            group.clear(seed)
        if not any(group.begun(seed) for seed in group.seeds):
            group.remove()
            complain(f"no run has begun, so {group.folder} was removed")
            return code
        folders = {seed: str(group.member(seed)) for seed in group.seeds}
        group.write_results(results(moment.measure, moment.rows, children.all, folders, moment.seconds))
    if not quiet:
        for line in [
            *solved_line(experiment, moment.rows),
            *result_lines(moment.measure, moment.rows, experiment.run.evaluate.until),
        ]:
            say(line)
    verdict, *advice = ending(group, moment, watch.stop, quiet)
    say(verdict)
    if not quiet:  # the verdict does not wait for the pictures
        say(pictures(group, [seed for seed in due if group.begun(seed)]))
    for line in advice:
        say(line)
    return code


def pictures(group: SeedGroup, changed: Sequence[int]) -> str:
    """Draw the curve of each seed that went on, and all in one; the line that says where it is, or why it is not."""
    from rltrain.report.curve import NAME
    from rltrain.verbs.plot import plot

    for seed in changed:
        with suppress(RltrainError):  # one that has no numbers yet takes no other's picture away
            plot([f"s{seed}"], runs_dir=group.folder)
    try:
        return f"curve: {plot([str(group.folder)], group.folder / NAME).picture}"
    except RltrainError as error:
        return f"no curve: {error}"


def faults(children: Children) -> list[str]:
    """What went wrong: a line for each reason, with the seeds that gave it."""
    reasons: dict[tuple[str, str], list[int]] = {}
    for child in children.all.values():
        if child.state in ("failed", "diverged"):
            reasons.setdefault((f"{child.state} (exit code {child.code})", last_words(child)), []).append(child.seed)
    return [f"{asked.spelled(seeds)} {ended}: {why}" for (ended, why), seeds in reasons.items()]


def ending(group: SeedGroup, moment: SeedsMoment, stop: Reason | None, quiet: bool) -> list[str]:
    """What is said last: how many seeds finished, and what to type next."""
    took, count = words.spell(moment.seconds), len(moment.rows)
    if moment.count("finished") < count:
        kinds = {said: moment.count(state) for state, said in ENDS.items()}
        ends = ", ".join(f"{number} {said}" for said, number in kinds.items() if number)
        head = f"stopped by {STOPS[stop]}" if stop else "ended"
        return [f"{head} after {took}: of {count} seeds {ends}", f"go on with: rltrain resume {group.folder}"]
    done = f"finished: {asked.spelled(group.seeds)} in {took}"
    if not quiet:
        return [f"{done}, in {group.folder}", f"next: rltrain eval --checkpoint {group.folder}"]
    found = together(moment.measure, moment.rows)
    score = f", {moment.measure.name} {interval(found, moment.measure.form)}" if found else ""
    return [f"{done}{score}, in {group.folder}"]


def _nothing_to_do(group: SeedGroup, experiment: Experiment, quiet: bool) -> int:
    """All are finished: say what came of them."""
    rows = [SeedRow(seed, "finished", progress(group.member(seed))) for seed in group.seeds]
    lines = (
        []
        if quiet
        else [*solved_line(experiment, rows), *result_lines(measure_of(rows), rows, experiment.run.evaluate.until)]
    )
    unit = next(iter(experiment.run.budget or {}), "env_steps")
    more = f"run.budget.{unit}={2 * (experiment.run.budget or {}).get(unit, 1)}"
    until = experiment.run.evaluate.until
    if until is not None:
        more = f"run.evaluate.until=null {more}"
    why = "their budget says" if until is None else "their budget or run.evaluate.until says"
    for line in [
        f"nothing to do: {asked.spelled(group.seeds)} finished, as {why}",
        *lines,
        f"train on with: rltrain resume {group.folder} {more}",
    ]:
        say(line)
    return 0


def _facts(group: SeedGroup, experiment: Experiment, jobs: int, due: int) -> SeedsFacts:
    at_once = "all at once" if jobs >= due else f"{jobs} at a time" if jobs > 1 else "one at a time"
    return SeedsFacts(
        title=f"{experiment.algorithm_name} on {experiment.environment.name}",
        folder=str(group.folder),
        what=asked.spelled(group.seeds) + (f", {at_once}" if due > 1 else ""),
        budget=dict(experiment.run.budget or {}),
        evaluated=experiment.run.evaluate.every is not None,
        jobs=jobs,
    )


class Watch:
    """Keeps the children going, looks into their folders now and then, and passes on a wish to stop."""

    def __init__(self, group: SeedGroup, experiment: Experiment, children: Children) -> None:
        self._group, self._children = group, children
        self._begun = time.monotonic()
        limit = experiment.run.max_wall
        self._limit = None if limit is None else parse_duration(limit)
        self.stop: Reason | None = None
        self._training_since: float | None = None  # when the first of them began, after its imports
        self._known: dict[int, SeedProgress] = {}

    def request_stop(self, reason: Literal["SIGINT", "SIGTERM"]) -> None:
        """Safe to call from a signal handler: it only sets a flag."""
        self.stop = reason

    def attend(self, shown: View[SeedsMoment]) -> None:
        """Until nobody runs and nobody has to."""
        looked = -READ_SECONDS
        while True:
            news = self._children.tend()
            for child, _ in news:
                self._known.pop(child.seed, None)
            warnings = [f"seed {child.seed}: {text}" for child, said in news for text in said]
            if news or time.monotonic() - looked >= READ_SECONDS:
                looked = time.monotonic()
                shown.show(replace(self.moment(), urgent=bool(news), warnings=warnings))
            if not self._children.busy:
                return
            if self._limit is not None and self._is_time_up(self._limit):
                self.stop = self.stop or "wall"
            if self._children.out_of_time:
                self.stop = self.stop or "wall"
            if self.stop:
                self._children.stop()
            time.sleep(TICK_SECONDS)

    def _is_time_up(self, limit: int) -> bool:
        """Whether --max-wall is over, counted from the first run's beginning."""
        if self._training_since is None:
            if any(known.counters for known in self._known.values()):
                self._training_since = time.monotonic()
            return False
        return time.monotonic() - self._training_since >= limit

    def moment(self) -> SeedsMoment:
        """How all seeds stand now. Those that do not run are read once."""
        rows = []
        for seed, child in self._children.all.items():
            if child.live or seed not in self._known:
                self._known[seed] = progress(self._group.member(seed))
            rows.append(SeedRow(seed, child.state, self._known[seed]))
        note = "stopping: each run saves" if self.stop and self._children.busy else ""
        return SeedsMoment(rows, time.monotonic() - self._begun, measure_of(rows), note)
