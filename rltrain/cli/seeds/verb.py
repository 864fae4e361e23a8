"""`rltrain train --seeds`, and `rltrain resume` of what it left: begin, watch, stop, and say what came of it."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Literal

from rltrain import words
from rltrain.cli.diagnosed import diagnosed
from rltrain.cli.errors import keeping_crashes
from rltrain.cli.output import Output, complain, say
from rltrain.cli.seeds.display import SeedsDisplay, SeedsFacts
from rltrain.cli.seeds.result import interval, result_lines, solved_line
from rltrain.cli.views import QuietView, view
from rltrain.envs import describe
from rltrain.errors import CheckpointError, DiskError, RltrainError
from rltrain.experiment.config import Experiment
from rltrain.imports import typed
from rltrain.launchers.choose import LOCAL, LauncherChoice
from rltrain.launchers.pool import Pool, first_fault, last_words
from rltrain.run import group as groups
from rltrain.run.group import SeedGroup
from rltrain.run.lock import Lock
from rltrain.verbs import saved_policy
from rltrain.verbs.seeds import asked
from rltrain.verbs.seeds.measure import measure_of, together
from rltrain.verbs.seeds.progress import SeedRow, progress
from rltrain.verbs.seeds.train import SeedsMoment, SeedsTraining, unfinished
from rltrain.verbs.truth import discounts_apart

Reason = Literal["SIGINT", "SIGTERM", "wall"]
STOPS: dict[Reason, str] = {"SIGINT": "Ctrl-C", "SIGTERM": "SIGTERM", "wall": "--max-wall"}
ENDS = {  # a state, and how it is said of a seed whose process has ended
    "finished": "finished",
    "stopped": "stopped and saved",
    "waiting": "not begun",
    "diverged": "diverged",
    "failed": "failed",
    "running": "left in the queue",
}


def train_seeds(
    experiment: Experiment,
    seeds: str,
    overrides: Sequence[str] = (),
    *,
    runs_dir: Path,
    name: str | None = None,
    jobs: int | None = None,
    where: LauncherChoice = LOCAL,
    quiet: bool = False,
    dry_run: bool = False,
    start: str | None = None,
    last: bool = False,
) -> int:
    """Train a run for each seed, in a new group; `overrides` are those that the experiment has already.

    With a `start` all of them start from what that run has learned. Returns the exit code: 0, that of the first seed
    that failed, or a signal's.
    """
    first_is_given = any(override.startswith("run.seed=") for override in overrides)
    wanted = asked.seeds_of(seeds, experiment.run.seed, first_is_given)
    experiment.replace(f"run.seed={max(wanted)}")  # is the last a seed too?
    if dry_run:
        say(f"# {len(wanted)} runs of this, with {asked.spelled(wanted)}")
        say(experiment.to_yaml().rstrip("\n"))
        return 0
    at_once = asked.jobs_for(experiment, len(wanted), jobs, where=where)
    origin = None if start is None else saved_policy.read(start, runs_dir, last).path
    group = groups.create(experiment, wanted, runs_dir, name, shlex.join(["rltrain", *sys.argv[1:]]), origin)
    return drive(group, experiment, wanted, at_once, where, quiet)


def resume_seeds(
    group: SeedGroup,
    overrides: Sequence[str] = (),
    *,
    jobs: int | None = None,
    where: LauncherChoice = LOCAL,
    quiet: bool = False,
) -> int:
    """Go on with every seed that is not at its end, which overrides may have moved. Returns the exit code."""
    experiment, due, at_once = unfinished(group, overrides, jobs, where)
    if not due:
        return _nothing_to_do(group, experiment, quiet)
    return drive(group, experiment, due, at_once, where, quiet)


def drive(
    group: SeedGroup, experiment: Experiment, due: Sequence[int], jobs: int, where: LauncherChoice, quiet: bool
) -> int:
    """Run the seeds that are due to their ends or to the first signal, and show them."""
    from rltrain.cli.signals import stopping

    try:
        launcher = where.launcher(group.folder, asked.needs_of(experiment))
    except BaseException:  # Ctrl-C too: no run has begun
        with Lock(group.folder):
            group.remove()
        raise
    training = SeedsTraining(group, experiment, due, jobs, launcher)
    pool = training.pool
    facts = _facts(group, experiment, jobs, len(due))
    note = "" if quiet else discounts_apart(experiment, describe(experiment.environment, task=experiment.task))
    if note:
        say(note)
    with keeping_crashes(group.folder), Lock(group.folder), closing(launcher), pool.pausing():
        with stopping(training.request_stop) as signalled:
            stream = Output(sys.stdout)
            shown = QuietView(stream) if quiet else view(SeedsDisplay(facts), stream)
            try:
                for moment in training.moments():
                    shown.show(moment)
            except RltrainError as error:
                if not training.forget_unbegun() and isinstance(error, DiskError):
                    complain(f"when there is room again, go on with: rltrain resume {group.folder}{typed()}")
                raise
            finally:
                shown.close()
        moment = training.moment()
        code = signalled.exit_code or first_fault(pool.members, pool.stopping)
        for line in faults(pool):
            complain(line)
        if not training.finish(moment):
            complain(f"no run has begun, so {group.folder} was removed")
            return code
    if not quiet:
        for line in [
            *solved_line(experiment, moment.rows),
            *result_lines(moment.measure, moment.rows, experiment.run.evaluate.until),
        ]:
            say(line)
    verdict, *advice = ending(group, moment, training.stop, where, quiet)
    if pool.left:
        advice += launcher.parting()
    say(verdict)
    if not quiet:  # the verdict does not wait for the pictures
        say(picture(training))
        for line in diagnosed({group.member(seed).name: group.member(seed) for seed in group.seeds}):
            say(line)
    for line in advice:
        say(line)
    return code


def picture(training: SeedsTraining) -> str:
    """Draw all curves; the line that says where they are, or why they are not."""
    try:
        return f"curve: {training.draw()}"
    except RltrainError as error:
        return f"no curve: {error}"


def faults(pool: Pool) -> list[str]:
    """What went wrong: a line for each reason, with the seeds that gave it."""
    reasons: dict[tuple[str, str], list[int]] = {}
    for member in pool.members:
        if member.state in ("failed", "diverged"):
            reason = (f"{member.state} (exit code {member.code})", last_words(member.code, member.said))
            reasons.setdefault(reason, []).append(member.job.seed)
    lines = [f"{asked.spelled(seeds)} {ended}: {why}" for (ended, why), seeds in reasons.items()]
    lost = [member.job for member in pool.members if member.code == CheckpointError.exit_code]
    if lost:
        moved = f"move {lost[0].folder} away, and rltrain resume {lost[0].group.folder} begins the seed anew"
        lines.append(f"a run without a whole checkpoint cannot go on: put back a copy of it, or {moved}")
    return lines


def ending(group: SeedGroup, moment: SeedsMoment, stop: Reason | None, where: LauncherChoice, quiet: bool) -> list[str]:
    """What is said last: how many seeds finished, and what to type next."""
    took, count = words.spell(moment.seconds), len(moment.rows)
    if moment.count("finished") < count:
        kinds = {said: moment.count(state) for state, said in ENDS.items()}
        ends = ", ".join(f"{number} {said}" for said, number in kinds.items() if number)
        head = f"stopped by {STOPS[stop]}" if stop else "ended"
        how = f"go on with: rltrain resume {group.folder}{typed()}{where.typed()}"
        diverged = [row.seed for row in moment.rows if row.state == "diverged"]
        if stop and moment.count("running"):
            how = f"they go on; come back to them with: rltrain resume {group.folder}{typed()}{where.typed()}"
        elif len(diverged) + moment.count("finished") == count:  # from its checkpoint it would come to the same
            one = group.member(diverged[0])
            how = f"to resume diverges again; try other settings: rltrain resume {one} KEY=VALUE --fork NAME{typed()}"
        return [f"{head} after {took}: of {count} seeds {ends}", how]
    done = f"finished: {asked.spelled(group.seeds)} in {took}"
    if not quiet:
        return [f"{done}, in {group.folder}", f"next: rltrain eval --checkpoint {group.folder}{typed()}"]
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
