"""The runs of a sweep's trials: the group of each, what is left of it to run, and what its runs scored."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rltrain.errors import CheckpointError
from rltrain.experiment.config import Experiment, differences, is_safe
from rltrain.launchers.job import RunJob
from rltrain.launchers.queue_notes import forget_ended
from rltrain.run import group as groups
from rltrain.run import unverified
from rltrain.run.folder import GROUP_MARKER
from rltrain.run.group import SeedGroup
from rltrain.run.lock import is_held, is_locked
from rltrain.run.own_files import own_folder
from rltrain.verbs.sweep.dimensions import values
from rltrain.verbs.sweep.folder import SweepFolder
from rltrain.verbs.sweep.journal import JournaledTrial
from rltrain.verbs.sweep.score import score_of
from rltrain.yaml_subset import flow


def experiment_of(home: SweepFolder, trial: JournaledTrial, rung: int) -> Experiment:
    """The config with what this trial tries, to the end of this rung. InputError if it does not take that."""
    sweep, halving = home.sweep, home.sweep.settings.halving
    end = [] if halving is None else [f"run.budget={flow({halving.counter: sweep.rungs[rung]})}"]
    return sweep.base.replace(*sweep.overrides(values(sweep.space, trial.point)), *end)


def jobs_of(home: SweepFolder, trials: Sequence[JournaledTrial], rung: int) -> list[RunJob]:
    """The runs of these trials that are not at the end of this rung; a trial that has no group is given one.

    CheckpointError if a group is not what its trial tries, or a link or a file is in its place.
    """
    jobs = []
    for trial in trials:
        experiment, folder = experiment_of(home, trial, rung), home.trial(trial.number)
        own_folder(folder)  # a link would lead out of the sweep
        if (folder / GROUP_MARKER).is_file():
            group = groups.read(folder)
            group.check_members()
            experiment = _as_asked(home, group, experiment)
            due = [seed for seed in group.seeds if not _is_over(group, seed, experiment)]
            for seed in set(group.seeds) - set(due):
                forget_ended(RunJob(group, seed, experiment))
        else:
            group = groups.create(experiment, home.sweep.seeds, home.folder, folder.name, home.command)
            due = list(group.seeds)
        jobs += [RunJob(group, seed, experiment) for seed in due]
    return jobs


def runs_of(home: SweepFolder, trials: Sequence[JournaledTrial]) -> list[RunJob]:
    """All runs of these trials, also of those that have no group yet."""
    groups_of = [SeedGroup(home.trial(trial.number), home.sweep.seeds) for trial in trials]
    return [RunJob(group, seed, home.sweep.base) for group in groups_of for seed in group.seeds]


def busy(runs: Sequence[RunJob]) -> str | None:
    """A run in which a process works, or is about to; None if there is none."""
    return next((str(run.folder) for run in runs if is_held(run.log) or is_locked(run.folder)), None)


def scores_of(home: SweepFolder, trial: JournaledTrial, rung: int) -> list[float | None]:
    """What each run of a trial scored at the end of this rung; None of one that diverged.

    CheckpointError for one that was not evaluated.
    """
    budget = experiment_of(home, trial, rung).run.budget or {}
    runs = [home.trial(trial.number) / f"s{seed}" for seed in home.sweep.seeds]
    return [None if _diverged(run) else score_of(run, home.sweep.settings.score, budget) for run in runs]


def _as_asked(home: SweepFolder, group: SeedGroup, experiment: Experiment) -> Experiment:
    """The group's configuration, with the budget of `experiment`. CheckpointError if it is another trial's."""
    own = group.experiment()
    found = [
        f"{key} is {was!r}, where the trial tries {now!r}"
        for key, was, now in differences(own, experiment)
        if not is_safe(key) and not (key == "environment.id" and experiment.environment.is_model)
    ]
    if group.seeds != home.sweep.seeds:
        found.append(f"its seeds are {list(group.seeds)}, where the sweep has {list(home.sweep.seeds)}")
    if found:
        hint = f"put that back, or move {group.folder} away: the trial runs anew"
        raise CheckpointError(f"{group.config}: {'; '.join(found)}; {hint}")
    if own.run.budget == experiment.run.budget:
        return own
    return group.experiment([f"run.budget={flow(dict(experiment.run.budget or {}))}"])


def _is_over(group: SeedGroup, seed: int, experiment: Experiment) -> bool:
    """Whether nothing is left to run: the end is there, or it diverged."""
    return group.finished(seed, experiment) or _diverged(group.member(seed))


def _diverged(run: Path) -> bool:
    return unverified.status(run).state == "diverged"
