"""`rltrain sweep FILE` and `rltrain sweep resume NAME`: begin, watch, stop, and say what came of it."""

from __future__ import annotations

import sys
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rltrain.cli import complete, signals
from rltrain.cli.drive import command_line
from rltrain.cli.errors import keeping_crashes
from rltrain.cli.options import Imports, Jobs, LauncherName, MaxWall, Overrides, QuietFlag, RunsDir, Slurm, WithInput
from rltrain.cli.output import Output, complain, say
from rltrain.cli.sweep.show import SweepName
from rltrain.errors import DiskError, InputError, RltrainError
from rltrain.imports import typed
from rltrain.launchers.choose import LauncherChoice, choose

if TYPE_CHECKING:
    from rltrain.experiment.sweep import Sweep
    from rltrain.launchers.contract import Launcher
    from rltrain.verbs.sweep.folder import SweepFolder
    from rltrain.verbs.sweep.train import SweepTraining

STOPS = {"SIGINT": "Ctrl-C", "SIGTERM": "SIGTERM", "wall": "--max-wall"}


def run_command(
    config: Annotated[
        str, typer.Argument(metavar="CONFIG", help="A sweep file, or a sweep's name.", autocompletion=complete.sweeps)
    ],
    overrides: Overrides = None,
    jobs: Jobs = None,
    launcher: LauncherName = None,
    slurm: Slurm = None,
    runs_dir: RunsDir = Path("runs"),
    imports: Imports = None,
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="The sweep's name; else one with the next free number.")
    ] = None,
    max_wall: MaxWall = None,
    fill: Annotated[
        bool, typer.Option("--async", help="Ask for a trial whenever there is room; such a sweep is not exact.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the complete sweep and its first batch, and stop.")
    ] = False,
    quiet: QuietFlag = False,
    stop_with_input: WithInput = False,
) -> None:
    """Try settings of a config: many trials, each a group of runs. Ctrl-C saves and stops; `sweep resume` goes on."""
    from rltrain.experiment import sweep as sweeps
    from rltrain.verbs.sweep import folder, room

    if stop_with_input:
        signals.stop_with_input()
    where, limit = choose(launcher, slurm), seconds_of(max_wall)
    sweep = sweeps.load(config, overrides or [])
    if dry_run:
        return describe(sweep)
    at_once = room.jobs_for(sweep, jobs, where, not fill)
    home = folder.create(sweep, runs_dir, name, command_line(), not fill)
    raise typer.Exit(drive(home, at_once, where, limit, quiet, new=True))


def resume_command(
    sweep: SweepName,
    overrides: Annotated[
        list[str] | None, typer.Argument(metavar="sweep.trials=N", help="For more trials; nothing else can change.")
    ] = None,
    jobs: Jobs = None,
    launcher: LauncherName = None,
    slurm: Slurm = None,
    runs_dir: RunsDir = Path("runs"),
    imports: Imports = None,
    max_wall: MaxWall = None,
    quiet: QuietFlag = False,
    stop_with_input: WithInput = False,
) -> None:
    """Go on with a sweep where it stands, to the byte; sweep.trials=128 gives it more trials."""
    from rltrain.run.lock import Lock
    from rltrain.verbs.sweep import folder, room
    from rltrain.verbs.sweep.study import find

    if stop_with_input:
        signals.stop_with_input()
    where, limit = choose(launcher, slurm), seconds_of(max_wall)
    home = folder.read(find(runs_dir, sweep))
    with Lock(home.folder):
        home = folder.gone_on_with(home, overrides or [])
    at_once = room.jobs_for(home.sweep, jobs, where, home.exact, resumed=True)
    raise typer.Exit(drive(home, at_once, where, limit, quiet))


def seconds_of(max_wall: str | None) -> int | None:
    """What --max-wall says. InputError."""
    from rltrain.experiment.settings import parse_duration

    try:
        return None if max_wall is None else parse_duration(max_wall)
    except ValueError as error:
        raise InputError(f"--max-wall: {error}") from error


def describe(sweep: Sweep) -> None:
    """Print the sweep, complete, and what its first batch tries."""
    from rltrain.verbs.sweep.dimensions import values
    from rltrain.verbs.sweep.search import asks

    first = range(min(sweep.settings.at_once, sweep.trials))
    runs = sweep.trials * len(sweep.seeds)
    say(f"# {sweep.trials:,} trials, {runs:,} runs; the first batch:")
    for number, point in zip(first, asks(sweep, first, []), strict=True):
        say(f"#   t{number:04d}  {' '.join(sweep.overrides(values(sweep.space, point)))}")
    say(sweep.to_yaml().rstrip("\n"))


def drive(
    home: SweepFolder, jobs: int, where: LauncherChoice, max_wall: int | None, quiet: bool, new: bool = False
) -> int:
    """Bring a sweep to its end, or to the first signal or fault, and show it. Returns the exit code.

    Of a `new` one that is refused, or interrupted, before a run has begun no folder is left.
    """
    from rltrain.cli.sweep.display import SweepDisplay, SweepFacts
    from rltrain.cli.views import QuietView, view
    from rltrain.run.lock import Lock
    from rltrain.verbs.sweep import room
    from rltrain.verbs.sweep.train import SweepTraining

    again = f"rltrain sweep resume {home.folder}{typed()}{where.typed()}"
    told, seconds = 0, 0.0
    facts = SweepFacts(title_of(home.sweep), str(home.folder), what_of(home.sweep, jobs), home.sweep.space)
    try:
        launcher = where.launcher(home.folder, room.needs_of(home.sweep))
        with keeping_crashes(home.folder, "rltrain sweep resume"), Lock(home.folder), closing(launcher):
            training = SweepTraining(home, launcher, jobs, max_wall)
            with closing(training), signals.stopping(training.request_stop) as signalled:
                stream = Output(sys.stdout)
                shown = QuietView(stream) if quiet else view(SweepDisplay(facts), stream)
                try:
                    for moment in training.moments():
                        told, seconds = told + len(moment.news), moment.seconds
                        shown.show(moment)
                finally:
                    shown.close()
    except BaseException as error:  # Ctrl-C too, before it is listened to
        gone = False
        with suppress(RltrainError), Lock(home.folder):
            gone = new and home.remove()
        if isinstance(error, DiskError) and not gone:
            complain(f"when the disk takes it again, go on with: {again}")
        raise
    if training.fault is not None:
        complain(f"{training.fault.run} failed (exit code {training.fault.code}): {training.fault.why}")
    for line in ending(home, training, seconds, told, launcher, again, quiet):
        say(line)
    return signalled.exit_code or (training.fault.code if training.fault is not None else 0)


def ending(
    home: SweepFolder,
    training: SweepTraining,
    seconds: float,
    told: int,
    launcher: Launcher,
    resume: str,
    quiet: bool,
) -> list[str]:
    """What is said last: how many trials were told, the best of them, and what to type next."""
    from rltrain import words
    from rltrain.cli.sweep.display import trial_line
    from rltrain.verbs.sweep.standing import best_of

    study, trials = training.study, home.sweep.trials
    found = best_of(study)
    best = [] if found is None else [f"best: {trial_line(home.sweep.space, found)}"]
    took, done = words.spell(seconds), f"{len(study.order):,} of {trials:,} trials scored"
    if not training.finished:
        if training.fault is not None:
            head = f"stopped after {took} by a run that failed: {done}"
            return [head, *best, f"when that is mended, go on with: {resume}"]
        why = STOPS[training.stop] if training.stop else "nothing"
        runs = "; the runs that were begun go on" if launcher.outlives else ", and saved"
        return [f"stopped by {why} after {took}{runs}: {done}", *best, f"go on with: {resume}", *launcher.parting()]
    if not told:
        more = f"{resume} sweep.trials={2 * trials}"
        return [f"nothing to do: {done}", *best, f"for more trials: {more}"]
    verdict = f"finished: {words.many(trials, 'trial')} in {took}, in {home.folder}"
    if quiet:
        return [verdict, *best]
    keep = f", then rltrain sweep best {home.folder} -o best.yaml" if best else ""
    return [verdict, *best, f"next: rltrain sweep show {home.folder}{keep}"]


def title_of(sweep: Sweep) -> str:
    """dqn on CartPole-v1"""
    return f"{sweep.base.algorithm_name} on {sweep.base.environment.name}"


def what_of(sweep: Sweep, jobs: int) -> str:
    """tpe, 64 trials of 3 seeds, 4 at a time"""
    seeds = f" of {len(sweep.seeds)} seeds" if len(sweep.seeds) > 1 else ""
    at_once = f"{jobs} runs at a time" if jobs > 1 else "one run at a time"
    return f"{sweep.settings.search}, {sweep.trials:,} trial{'s' * (sweep.trials != 1)}{seeds}, {at_once}"
