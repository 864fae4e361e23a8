"""What the runs of a sweep take of a machine, and so how many run at once.

Settings that are varied may make a run larger: a network, a memory. So the ends of each range and the values of each
choice are looked at one by one, and the largest counts for all.
"""

from __future__ import annotations

from rltrain.experiment.config import Experiment
from rltrain.experiment.space import OneOf
from rltrain.experiment.sweep import Sweep
from rltrain.launchers.choose import LOCAL, LauncherChoice
from rltrain.launchers.needs import Needs
from rltrain.verbs.seeds import asked
from rltrain.yaml_subset import flow

MOST_VALUES = 20  # of a choice that are looked at
SIZED = ("algorithm.", "environment.")  # settings by which a run may grow


def jobs_for(
    sweep: Sweep, jobs: int | None, where: LauncherChoice = LOCAL, exact: bool = True, resumed: bool = False
) -> int:
    """How many runs at once: those that are to be done together, if there is room. OutOfMemoryError."""
    together = min(sweep.settings.at_once, sweep.trials) if exact else sweep.trials
    runs = together * len(sweep.seeds)
    if where.elsewhere:
        return asked.jobs_for(sweep.base, runs, jobs, where=where)
    return min(asked.jobs_for(each, runs, jobs, resumed) for each in _sizes(sweep))


def needs_of(sweep: Sweep) -> Needs:
    """The most that a run of any trial takes."""
    found = [asked.needs_of(each) for each in _sizes(sweep)]
    return Needs(*(max(needs) for needs in zip(*((n.cores, n.memory, n.gpus) for n in found), strict=True)))


def _sizes(sweep: Sweep) -> list[Experiment]:
    """The config, and with each value that is looked at."""
    found = [sweep.base]
    for key, varied in sweep.space.items():
        tried = varied.values[:MOST_VALUES] if isinstance(varied, OneOf) else (varied.low, varied.high)
        found += [sweep.base.replace(f"{key}={flow(value)}") for value in tried if key.startswith(SIZED)]
    return found
