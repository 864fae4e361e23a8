"""`rltrain train` and `rltrain resume`: run an experiment until its budget is spent or someone asks it to stop.

What users of RL Baselines3 Zoo and CleanRL are used to type means the same here: -n, --env-id, -i, -f, -P, -params.
"""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rltrain.cli import signals
from rltrain.cli.errors import keeping_crashes
from rltrain.cli.options import Jobs, MaxWall, Overrides, ProgressFlag, QuietFlag, RunsDir, Steps, WithInput
from rltrain.cli.output import Output, complain, say
from rltrain.errors import DivergedError, EnvironmentFault, InputError, RltrainError

if TYPE_CHECKING:
    from rltrain.cli.display import View
    from rltrain.cli.signals import Asked
    from rltrain.run.loop import Event, Run


def train_command(
    config: Annotated[str | None, typer.Argument(help="A YAML file, such as configs/dqn_cartpole.yaml.")] = None,
    overrides: Overrides = None,
    total_timesteps: Steps = None,
    env: Annotated[str | None, typer.Option("--env", "--env-id", metavar="ID", help="Another environment.")] = None,
    seed: Annotated[str | None, typer.Option(metavar="N", help="All randomness derives from it.")] = None,
    seeds: Annotated[
        str | None,
        typer.Option(metavar="N|LIST", help="A run for each of several seeds, side by side: 5, or 3,7,9, or 0-4."),
    ] = None,
    jobs: Jobs = None,
    device: Annotated[str | None, typer.Option(metavar="DEVICE", help="auto, cpu, cuda or cuda:N.")] = None,
    runs_dir: RunsDir = Path("runs"),
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="The run's name; else one with the next free number.")
    ] = None,
    max_wall: MaxWall = None,
    resume: Annotated[
        str | None, typer.Option("-i", "--resume", metavar="RUN", help="Go on with a run, as `rltrain resume` does.")
    ] = None,
    params: Annotated[
        list[str] | None,
        typer.Option("-params", "--hyperparams", metavar="K:V...", help="As K=V of the algorithm: gamma:0.95"),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the complete configuration and stop.")] = False,
    quiet: QuietFlag = False,
    progress: ProgressFlag = False,
    stop_with_input: WithInput = False,
) -> None:
    """Train what a config file describes. Ctrl-C saves and stops; `rltrain resume` goes on, to the bit."""
    if stop_with_input:
        signals.stop_with_input()
    words = [*([] if config is None else [config]), *(overrides or [])]
    config, given = sorted_out(words, params or [])
    settings = [*given, *as_overrides(total_timesteps, env, seed, device, max_wall)]
    if resume is not None:
        if config is not None:
            raise InputError(f"--resume {resume}: a run has its own configuration; leave out {config}")
        if name is not None or dry_run:
            raise InputError(f"--resume {resume}: {'--name' if name is not None else '--dry-run'} is for new runs")
        if seeds is not None:
            raise InputError(f"--resume {resume}: leave out --seeds; all seeds of {resume} that are not done go on")
        raise typer.Exit(go_on(resume, settings, runs_dir=runs_dir, quiet=quiet, jobs=jobs))
    if config is None:
        raise InputError("which config? For example: rltrain train configs/dqn_cartpole.yaml")
    if total_timesteps is not None:  # in place of the file's budget, not beside it
        settings = ["run.budget=null", *settings]
    if seeds is not None:
        from rltrain.cli.seeds.verb import train_seeds

        raise typer.Exit(
            train_seeds(config, seeds, settings, runs_dir=runs_dir, name=name, jobs=jobs, quiet=quiet, dry_run=dry_run)
        )
    if jobs is not None:
        raise InputError(f"--jobs {jobs}: says how many of several seeds run at once, so it needs --seeds")
    if dry_run:
        from rltrain.experiment.config import load

        say(load(config, settings).to_yaml().rstrip("\n"))
        return
    raise typer.Exit(train(config, settings, runs_dir=runs_dir, name=name, quiet=quiet))


def resume_command(
    run: Annotated[str, typer.Argument(help="A run's name or folder.")],
    overrides: Overrides = None,
    total_timesteps: Steps = None,
    runs_dir: RunsDir = Path("runs"),
    max_wall: MaxWall = None,
    jobs: Jobs = None,
    fork: Annotated[
        str | None, typer.Option(metavar="NAME", help="Go on in a new run of this name, where any setting may change.")
    ] = None,
    quiet: QuietFlag = False,
    progress: ProgressFlag = False,
    stop_with_input: WithInput = False,
) -> None:
    """Go on with a run from its newest good checkpoint: the same folder, the same curve, nothing repeated."""
    if stop_with_input:
        signals.stop_with_input()
    flags = as_overrides(total_timesteps, None, None, None, max_wall)
    if fork is not None:
        raise typer.Exit(fork_run(run, fork, [*(overrides or []), *flags], runs_dir=runs_dir, quiet=quiet, jobs=jobs))
    raise typer.Exit(go_on(run, [*(overrides or []), *flags], runs_dir=runs_dir, quiet=quiet, jobs=jobs))


def sorted_out(words: Sequence[str], params: Sequence[str]) -> tuple[str | None, list[str]]:
    """The config among the words that are no options, and the overrides. After `-params` a word may be k:v too.

    >>> sorted_out(["batch_size:64", "c.yaml", "run.seed=3"], ["gamma:0.9"])
    ('c.yaml', ['algorithm.gamma=0.9', 'algorithm.batch_size=64', 'run.seed=3'])
    """
    config: str | None = None
    overrides = [_as_override(param) for param in params]
    for word in words:
        if params and re.match(r"[A-Za-z_][\w.]*:", word) and "=" not in word and not Path(word).exists():
            overrides.append(_as_override(word))
        elif config is None and ("=" not in word or Path(word).is_file()):
            config = word
        else:  # also a second word without "=": the config's reader says what is wrong with it
            overrides.append(word)
    return config, overrides


def _as_override(param: str) -> str:
    key, colon, value = param.partition(":")
    if not colon:
        raise InputError(f"-params {param}: expected KEY:VALUE, such as learning_rate:1e-3")
    return f"{key if '.' in key else f'algorithm.{key}'}={value}"


def as_overrides(
    total_timesteps: str | None, env: str | None, seed: str | None, device: str | None, max_wall: str | None
) -> list[str]:
    """Options that are settings, as the dotted overrides that they stand for; so they are checked as those are."""
    options = {
        "run.budget.env_steps": total_timesteps,
        "environment.id": env,
        "run.seed": seed,
        "run.device": device,
        "run.max_wall": max_wall,
    }
    return [f"{key}={value}" for key, value in options.items() if value is not None]


def train(
    config: str | Path, overrides: Sequence[str] = (), *, runs_dir: Path, name: str | None = None, quiet: bool = False
) -> int:
    """Train in a new run folder. Returns the exit code: 0, or 130 and 143 after a signal."""
    from rltrain.experiment.config import load
    from rltrain.verbs.train import begin

    return drive(begin(load(config, overrides), runs_dir, name, command_line()), quiet)


def go_on(run: str, overrides: Sequence[str] = (), *, runs_dir: Path, quiet: bool, jobs: int | None) -> int:
    """Go on with a run, or with the runs of several seeds that lie together. Returns the exit code."""
    from rltrain.run import group

    found = group.find(runs_dir, run)
    if found is not None:
        from rltrain.cli.seeds.verb import resume_seeds

        return resume_seeds(found, overrides, jobs=jobs, quiet=quiet)
    if jobs is not None:
        raise InputError(f"--jobs {jobs}: {run} is one run; it is for those of several seeds (train --seeds)")
    return resume_run(run, overrides, runs_dir=runs_dir, quiet=quiet)


def resume_run(run: str, overrides: Sequence[str] = (), *, runs_dir: Path, quiet: bool = False) -> int:
    """Go on with a run. Returns the exit code."""
    from rltrain.run import folder
    from rltrain.verbs.train import resume

    found = folder.find(runs_dir, run)
    with keeping_crashes(found):
        resumed = resume(found, overrides)
    return drive(resumed, quiet)


def fork_run(
    run: str, name: str, overrides: Sequence[str] = (), *, runs_dir: Path, quiet: bool = False, jobs: int | None = None
) -> int:
    """Go on with a copy of a run, with other settings. Returns the exit code."""
    from rltrain.run import folder, group
    from rltrain.run.fork import fork

    if not folder.NAME.fullmatch(name):
        raise InputError(f"--fork {name[:100]!r}: a run's name is {folder.NAME_RULE}")
    if jobs is not None or group.find(runs_dir, run) is not None:
        raise InputError(f"--fork {name}: it is for one run; name one of {run}, such as {run}/s0")
    found = folder.find(runs_dir, run)
    with keeping_crashes(found):
        new = fork(found, overrides, runs_dir, name, command_line())
    return resume_run(str(new), runs_dir=runs_dir, quiet=quiet)


def command_line() -> str:
    """What was typed, for run.json."""
    return shlex.join(["rltrain", *sys.argv[1:]])


def drive(run: Run, quiet: bool) -> int:
    """Advance a run to its end or to the first signal, show it, and free its folder."""
    from rltrain.cli.signals import stopping
    from rltrain.run.tables import summary_lines
    from rltrain.verbs.train import state_after

    state: str | None = "crashed"
    steps = 0
    with keeping_crashes(run.folder):
        try:
            with stopping(run.request_stop) as asked:
                shown = view_of(run, quiet)
                try:
                    for event in run.advance():
                        steps += event.kind == "step"
                        shown.show(event)
                finally:
                    shown.close()
            state = None
        except RltrainError as error:
            state = state_after(error)
            if not isinstance(error, DivergedError):
                mended = "when the environment is mended, " if isinstance(error, EnvironmentFault) else ""
                complain(f"{mended}go on from the last checkpoint with: rltrain resume {run.folder}")
            raise
        finally:
            run.close(state)
    verdict, *advice = ending(run, asked, steps, quiet)
    say(verdict)
    if run.finished and not quiet:
        for line in summary_lines(run.experiment, run.spec, run.algorithm):
            say(line)
    if steps and not quiet:  # the verdict does not wait for the picture
        say(picture(run))
    for line in advice:
        say(line)
    return asked.exit_code


def view_of(run: Run, quiet: bool) -> View[Event]:
    """Who shows this run: on a terminal, in a log, or warnings alone, which needs none of what draws."""
    from rltrain.cli.views import QuietView, view

    stream = Output(sys.stdout)
    if quiet:
        return QuietView(stream)
    from rltrain.cli.run_display import RunDisplay, RunFacts
    from rltrain.verbs.history import recall
    from rltrain.verbs.metrics import measure
    from rltrain.verbs.truth import discounts_apart

    facts = RunFacts(
        title=f"{run.experiment.algorithm_name} on {run.experiment.environment.name}",
        folder=str(run.folder),
        budget=run.budget,
        frames_per_step=run.spec.frames_per_step,
        progress=run.progress,
        past=recall(run.folder, run.counters, measure(run.budget)),
        note=discounts_apart(run.experiment, run.spec),
    )
    return view(RunDisplay(facts), stream)


def picture(run: Run) -> str:
    """Play the baselines of a finished run and draw its curve; the line that says where it is, or why it is not."""
    from rltrain.cli.progress import line
    from rltrain.verbs.train import draw

    try:
        with line.over("drawing the curve"):
            return f"curve: {draw(run, line)}"
    except RltrainError as error:
        return f"no curve: {error}"


def ending(run: Run, asked: Asked, steps: int, quiet: bool) -> list[str]:
    """What is said last: what happened in a session of so many steps, and what to type next."""
    from rltrain import words
    from rltrain.verbs.metrics import measure

    unit = measure(run.budget)
    done = (
        f"{words.count(run.counters[unit])} {words.counter(unit)} in {words.spell(run.progress()['elapsed_seconds'])}"
    )
    if not run.finished:
        why = {"SIGINT": "Ctrl-C", "SIGTERM": "SIGTERM", None: "--max-wall"}[asked.reason]
        return [f"stopped by {why} after {done}, and saved", f"go on with: rltrain resume {run.folder}"]
    best = ""
    if run.scores.best is not None:
        found = run.scores.best
        best = f", best evaluation {words.score(found['score'])} at {words.count(found['step'])}"
    if not steps:
        more = f"run.budget.{unit}={2 * run.counters[unit]}"
        if run.scores.solved:
            more = f"run.evaluate.until=null {more}"
        why = "run.evaluate.until" if run.scores.solved else "its budget"
        return [f"nothing to do: {done}, as {why} says", f"train on with: rltrain resume {run.folder} {more}"]
    what = "solved" if run.scores.solved else "finished"
    finished = f"{what}: {done}{best}, in {run.folder}"
    return [finished] if quiet else [finished, f"next: rltrain eval --checkpoint {run.folder}"]
