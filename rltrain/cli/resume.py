"""`rltrain resume`: go on with a run, with the runs of several seeds, or with a copy of a run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from rltrain.cli import complete, signals
from rltrain.cli.drive import command_line, drive
from rltrain.cli.errors import keeping_crashes
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
from rltrain.cli.overrides import as_overrides
from rltrain.errors import InputError
from rltrain.launchers.choose import LOCAL, LauncherChoice, choose


def resume_command(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run's name or folder.", autocompletion=complete.runs)],
    overrides: Overrides = None,
    total_timesteps: Steps = None,
    runs_dir: RunsDir = Path("runs"),
    imports: Imports = None,
    max_wall: MaxWall = None,
    jobs: Jobs = None,
    launcher: LauncherName = None,
    slurm: Slurm = None,
    fork: Annotated[
        str | None, typer.Option(metavar="NAME", help="Go on in a new run of this name, where any setting may change.")
    ] = None,
    new_episodes: Annotated[
        bool,
        typer.Option("--new-episodes", help="Leave the episodes that were under way behind; do not play them again."),
    ] = False,
    quiet: QuietFlag = False,
    progress: ProgressFlag = False,
    stop_with_input: WithInput = False,
) -> None:
    """Go on with a run from its newest good checkpoint: the same folder, the same curve, nothing repeated."""
    if stop_with_input:
        signals.stop_with_input()
    flags = as_overrides(total_timesteps, None, None, None, max_wall)
    where = choose(launcher, slurm)
    if fork is not None:
        if new_episodes:
            raise InputError(f"--new-episodes: resume {run} without --fork first, or the new run with it")
        if where.elsewhere:
            raise InputError(f"--launcher {launcher}: it is for the runs of several seeds; leave it out with --fork")
        raise typer.Exit(fork_run(run, fork, [*(overrides or []), *flags], runs_dir=runs_dir, quiet=quiet, jobs=jobs))
    settings = [*(overrides or []), *flags]
    raise typer.Exit(
        go_on(run, settings, runs_dir=runs_dir, quiet=quiet, jobs=jobs, where=where, new_episodes=new_episodes)
    )


def go_on(
    run: str,
    overrides: Sequence[str] = (),
    *,
    runs_dir: Path,
    quiet: bool,
    jobs: int | None,
    where: LauncherChoice = LOCAL,
    new_episodes: bool = False,
) -> int:
    """Go on with a run, or with the runs of several seeds that lie together. Returns the exit code."""
    from rltrain.run import group

    found = group.find(runs_dir, run)
    if found is not None:
        if new_episodes:
            raise InputError(f"--new-episodes: it is for one run; name one of {run}, such as {run}/s0")
        from rltrain.cli.seeds.verb import resume_seeds

        return resume_seeds(found, overrides, jobs=jobs, where=where, quiet=quiet)
    if jobs is not None:
        raise InputError(f"--jobs {jobs}: {run} is one run; it is for those of several seeds (train --seeds)")
    if where.elsewhere:
        raise InputError(f"--launcher {where.name}: {run} is one run; it is for those of several seeds (train --seeds)")
    return resume_run(run, overrides, runs_dir=runs_dir, quiet=quiet, new_episodes=new_episodes)


def resume_run(
    run: str, overrides: Sequence[str] = (), *, runs_dir: Path, quiet: bool = False, new_episodes: bool = False
) -> int:
    """Go on with a run. Returns the exit code."""
    from rltrain.run import folder
    from rltrain.verbs.train import resume

    found = folder.find(runs_dir, run)
    with keeping_crashes(found):
        resumed = resume(found, overrides, new_episodes)
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
