"""`rltrain train C.yaml algorithm.gamma=.9,.99`: a sweep over every combination, without a file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rltrain import words
from rltrain.cli.drive import command_line
from rltrain.cli.output import say
from rltrain.errors import InputError
from rltrain.spelling import shown

if TYPE_CHECKING:
    from rltrain.experiment.config import Experiment
    from rltrain.experiment.sweep import Sweep
    from rltrain.launchers.choose import LauncherChoice


def train_grid(
    experiment: Experiment,
    varied: Sequence[str],
    seeds: str | None = None,
    *,
    runs_dir: Path,
    name: str | None = None,
    jobs: int | None = None,
    where: LauncherChoice,
    max_wall: str | None = None,
    quiet: bool = False,
    dry_run: bool = False,
) -> int:
    """Train at every point of the grid of `key=value,value` words, in a new sweep. Returns the exit code."""
    sweep = grid(experiment, varied, seeds)
    if dry_run:
        for line in points(sweep):
            say(line)
        return 0
    from rltrain.cli.sweep import run
    from rltrain.verbs.sweep import folder, room

    limit = run.seconds_of(max_wall)
    at_once = room.jobs_for(sweep, jobs, where)
    return run.drive(folder.create(sweep, runs_dir, name, command_line()), at_once, where, limit, quiet, new=True)


def grid(experiment: Experiment, varied: Sequence[str], seeds: str | None) -> Sweep:
    """The sweep; `seeds` as --seeds has them, of which a sweep takes those that follow one another. InputError."""
    from rltrain.experiment import sweep
    from rltrain.verbs.seeds.asked import seeds_of

    if seeds is None:
        return sweep.grid(experiment, varied)
    wanted = seeds_of(seeds, experiment.run.seed)
    if wanted != list(range(wanted[0], wanted[0] + len(wanted))):
        rule = "those of a grid follow one another; write how many (5), or from where to where (0-4)"
        raise InputError(f"--seeds {seeds[:60]}: {rule}")
    return sweep.grid(experiment.replace(f"run.seed={wanted[0]}"), varied, len(wanted))


def points(sweep: Sweep) -> list[str]:
    """What every trial tries, a line each."""
    count, seeds = sweep.trials, len(sweep.seeds)
    runs = f", {words.many(count * seeds, 'run')}" if seeds > 1 else ""
    head = f"# {words.many(count, 'trial')}{runs}, of {shown(sweep.base.source or 'the command line')}"
    return [
        head,
        *(f"t{number:04d}  {' '.join(sweep.overrides(point))}" for number, point in enumerate(sweep.points())),
    ]
