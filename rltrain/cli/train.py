"""`rltrain train`: run an experiment until its budget is spent or someone asks it to stop.

What users of RL Baselines3 Zoo and CleanRL are used to type means the same here: -n, --env-id, -i, -f, -P, -params.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rltrain.cli import complete, signals
from rltrain.cli.drive import command_line, drive
from rltrain.cli.options import (
    Imports,
    Jobs,
    LauncherName,
    MaxWall,
    Overrides,
    ProgressFlag,
    QuietFlag,
    RunsDir,
    Slurm,
    Steps,
    WithInput,
)
from rltrain.cli.output import say
from rltrain.cli.overrides import as_overrides, sorted_out
from rltrain.cli.resume import go_on
from rltrain.errors import InputError
from rltrain.experiment.grid_syntax import grid_of
from rltrain.launchers.choose import choose

if TYPE_CHECKING:
    from rltrain.experiment.config import Experiment


SEVERAL = "add --seeds N, or several values of a setting: algorithm.gamma=.9,.99"


def train_command(
    config: Annotated[
        str | None,
        typer.Argument(
            metavar="CONFIG",
            help="A YAML file, or a config's name, such as dqn_cartpole.",
            autocompletion=complete.configs,
        ),
    ] = None,
    overrides: Overrides = None,
    total_timesteps: Steps = None,
    env: Annotated[str | None, typer.Option("--env", "--env-id", metavar="ID", help="Another environment.")] = None,
    algo: Annotated[
        str | None,
        typer.Option(
            "--algo", metavar="NAME", help="With --env, in place of a config.", autocompletion=complete.algorithms
        ),
    ] = None,
    seed: Annotated[str | None, typer.Option(metavar="N", help="All randomness derives from it.")] = None,
    seeds: Annotated[
        str | None,
        typer.Option(metavar="N|LIST", help="A run for each of several seeds, side by side: 5, or 3,7,9, or 0-4."),
    ] = None,
    jobs: Jobs = None,
    launcher: LauncherName = None,
    slurm: Slurm = None,
    device: Annotated[str | None, typer.Option(metavar="DEVICE", help="auto, cpu, cuda or cuda:N.")] = None,
    runs_dir: RunsDir = Path("runs"),
    imports: Imports = None,
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="The run's name; else one with the next free number.")
    ] = None,
    max_wall: MaxWall = None,
    start: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="RUN",
            help="Start from what another run has learned: its best checkpoint.",
            autocompletion=complete.runs,
        ),
    ] = None,
    last: Annotated[bool, typer.Option("--last", help="With --from: the newest checkpoint, not the best.")] = False,
    trained: Annotated[
        str | None,
        typer.Option(
            "-i",
            "--trained-agent",
            metavar="RUN",
            help="--from RUN; without a config --resume RUN.",
            autocompletion=complete.runs,
        ),
    ] = None,
    resume: Annotated[
        str | None,
        typer.Option(metavar="RUN", help="Go on with a run, as `rltrain resume` does.", autocompletion=complete.runs),
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
    where = choose(launcher, slurm)
    words = [*([] if config is None else [config]), *(overrides or [])]
    config, given = sorted_out(words, params or [])
    given, varied = grid_of(given)
    settings = [*given, *as_overrides(total_timesteps, env, seed, device, None if varied else max_wall)]
    if trained is not None:
        if start is not None or resume is not None:
            raise InputError(f"-i {trained}: says the same as --from or --resume; leave out one of them")
        resume, start = (trained, None) if config is None and algo is None else (None, trained)
    if varied and (start is not None or resume is not None):
        raise InputError(f"{varied[0]}: several values are a sweep, of new runs; leave out --from, --resume and -i")
    if last and start is None:
        raise InputError("--last: of the run that --from names the newest checkpoint; there is no --from")
    if resume is not None:
        if config is not None or algo is not None:
            rule = f"a run has its own configuration; leave out {config or '--algo'}"
            raise InputError(f"--resume {resume}: {rule}, or start a new run from what it learned: --from {resume}")
        if name is not None or dry_run:
            raise InputError(f"--resume {resume}: {'--name' if name is not None else '--dry-run'} is for new runs")
        if start is not None:
            raise InputError(f"--from {start}: is for new runs; leave it out, or give a config in place of --resume")
        if seeds is not None:
            raise InputError(f"--resume {resume}: leave out --seeds; all seeds of {resume} that are not done go on")
        raise typer.Exit(go_on(resume, settings, runs_dir=runs_dir, quiet=quiet, jobs=jobs, where=where))
    if total_timesteps is not None:  # in place of the file's budget, not beside it
        settings = ["run.budget=null", *settings]
    experiment, note = _experiment(config, algo, env, settings)
    if varied:
        from rltrain.cli.sweep.grid import train_grid

        raise typer.Exit(
            train_grid(
                experiment,
                varied,
                seeds,
                runs_dir=runs_dir,
                name=name,
                jobs=jobs,
                where=where,
                max_wall=max_wall,
                quiet=quiet,
                dry_run=dry_run,
            )
        )
    if seeds is not None:
        from rltrain.cli.seeds.verb import train_seeds

        raise typer.Exit(
            train_seeds(
                experiment,
                seeds,
                settings,
                runs_dir=runs_dir,
                name=name,
                jobs=jobs,
                where=where,
                quiet=quiet,
                dry_run=dry_run,
                start=start,
                last=last,
            )
        )
    if jobs is not None:
        raise InputError(f"--jobs {jobs}: says how many of several runs run at once; there is one: {SEVERAL}")
    if launcher is not None:
        raise InputError(f"--launcher {launcher}: says where several runs run; there is one: {SEVERAL}")
    if dry_run:
        say(f"# {note}\n{experiment.to_yaml()}".removeprefix("# \n").rstrip("\n"))
        return
    if note and not quiet:
        say(note)
    raise typer.Exit(train(experiment, runs_dir=runs_dir, name=name, quiet=quiet, start=start, last=last))


def _experiment(
    config: str | None, algo: str | None, env: str | None, settings: Sequence[str]
) -> tuple[Experiment, str]:
    """What a config or --algo and --env say, and a line for whoever takes defaults where tuned settings exist."""
    from rltrain.experiment import catalog
    from rltrain.experiment.config import load, named

    if config is not None:
        if algo is not None:
            raise InputError(f"--algo {algo}: {config} has its algorithm, and settings of that one; leave out either")
        return load(config, settings), ""
    if algo is None:
        lacking = "which config?" if env is None else f"--env {env}: which config, or with --algo which algorithm?"
        raise InputError(f"{lacking} For example: rltrain train dqn_cartpole; `rltrain list configs` shows more")
    if env is None:
        raise InputError(f"--algo {algo}: in which environment? For example: --env CartPole-v1")
    experiment = named(algo, env, settings)
    found = catalog.tuned(algo, env)
    return experiment, f"these are defaults; tuned settings: rltrain train {' or '.join(found)}" if found else ""


def train(
    experiment: Experiment,
    *,
    runs_dir: Path,
    name: str | None = None,
    quiet: bool = False,
    start: str | None = None,
    last: bool = False,
) -> int:
    """Train in a new run folder, `start`: from what that run has learned. Returns the exit code: 0, 130 or 143."""
    from rltrain.verbs.train import begin

    if start is None:
        return drive(begin(experiment, runs_dir, name, command_line()), quiet)
    from rltrain.verbs.saved_policy import read

    saved = read(start, runs_dir, last)
    run = begin(experiment, runs_dir, name, command_line(), saved)
    if not quiet and run.started_from is not None:
        say(f"starts from {saved.path} ({saved.chosen})")
        for line in run.started_from["taken"]:
            say(f"  taken: {line}")
    return drive(run, quiet)
