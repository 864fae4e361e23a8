"""The folder of a sweep: what it is told by, how it is made and found.

runs/NAME/sweep.yaml      the sweep, complete; its config is base.yaml
runs/NAME/base.yaml       the config that is varied, so that an edit elsewhere changes nothing
runs/NAME/sweep.json      the command that began it, and whether it can be repeated exactly
runs/NAME/study.journal   what was tried and what came of it: `journal`
runs/NAME/trials.csv      the same for people and spreadsheets: `table`
runs/NAME/t0007/          trial 7, a group of runs like any other: `run.group`
runs/NAME/model/          copies of the known models that they learn from, if they do
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rltrain.errors import CheckpointError, InputError
from rltrain.experiment import config
from rltrain.experiment import sweep as sweeps
from rltrain.experiment.on_disk import MODEL_FOLDER
from rltrain.experiment.sweep import Sweep
from rltrain.plain_files import read_object, reason
from rltrain.run import folder as folders
from rltrain.run.build import keep_model
from rltrain.run.disk import disk_errors
from rltrain.run.group import SeedGroup
from rltrain.run.own_files import own_file, write_small
from rltrain.spelling import shown
from rltrain.verbs.sweep.journal import NAME as JOURNAL
from rltrain.verbs.sweep.study import BASE, SWEEP, TRIALS, trial_name
from rltrain.version import __version__

ASYNC = "--async: what a trial tries depends on which trials had ended when it was asked"


@dataclass(frozen=True)
class SweepFolder:
    """A sweep and where it lies."""

    folder: Path
    sweep: Sweep
    command: str  # that began it
    exact: bool  # else trials are asked as others end

    def trial(self, number: int) -> Path:
        """The folder of the group of runs of a trial. It may not exist yet."""
        return self.folder / trial_name(number)

    def keep(self, sweep: Sweep) -> SweepFolder:
        """The sweep with more trials, for good."""
        write_small(self.folder / SWEEP, sweep.to_yaml(BASE))
        return SweepFolder(self.folder, sweep, self.command, self.exact)

    def remove(self) -> bool:
        """Take the whole folder away, if no run has begun and nothing in it is anybody else's. Whether it is gone."""
        found = {path.name: path for path in self.folder.iterdir()}
        trials = [SeedGroup(found[name], self.sweep.seeds) for name in found if folders.TRIAL.fullmatch(f"x/{name}")]
        for group in trials:
            for seed in group.seeds:
                group.clear(seed)
        ours = {SWEEP, BASE, TRIALS, JOURNAL, folders.SWEEP_MARKER, MODEL_FOLDER, ".lock"}
        if not all(group.remove() for group in trials) or not set(os.listdir(self.folder)) <= ours:
            return False
        with disk_errors(f"cannot remove {self.folder}"):
            shutil.rmtree(self.folder)
        return True


def create(sweep: Sweep, runs_dir: Path, name: str | None, command: str, exact: bool = True) -> SweepFolder:
    """A new sweep in a new folder, called as a run would be. InputError for a name that is taken, DiskError."""
    stem = f"sweep-{sweep.base.algorithm_name}-{sweep.base.environment.name.split('/')[-1]}"
    folder = folders.create(runs_dir, name, stem)
    try:
        with folders.lock_new(folder):
            for each in sweep.models:
                keep_model(each, folder)
            write_small(folder / BASE, sweep.base.to_yaml())
            write_small(folder / SWEEP, sweep.to_yaml(BASE))
            created = time.strftime("%Y-%m-%dT%H:%M:%S%z")
            facts = {"format": 1, "command": command, "created": created, "rltrain": __version__, "exact": exact}
            facts |= {} if exact else {"why": ASYNC}
            write_small(folder / folders.SWEEP_MARKER, json.dumps(facts, indent=2) + "\n")  # last: it makes the sweep
    except BaseException:
        folders.forget_unbegun(folder)
        raise
    return read(folder)


def read(folder: Path) -> SweepFolder:
    """The sweep in this folder. CheckpointError if sweep.json is not as it was written, InputError: sweep.yaml."""
    path = folder / folders.SWEEP_MARKER
    try:
        facts = read_object(path)
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path}: cannot be read: {shown(reason(error))}") from error
    command, exact = facts.get("command"), facts.get("exact")
    if not isinstance(command, str) or not isinstance(exact, bool):
        raise CheckpointError(f"{path}: expected `command`, a text, and `exact`, true or false")
    for name in (SWEEP, BASE):
        if not own_file(folder / name):
            raise CheckpointError(f"{folder}: no {name} here; it is not whole")
    return SweepFolder(folder, sweeps.load(folder / SWEEP), command, exact)


def gone_on_with(home: SweepFolder, overrides: Sequence[str]) -> SweepFolder:
    """The sweep with more trials, where overrides say so; this process has locked it.

    InputError that names what else they would change.
    """
    if not overrides:
        return home
    before, after = home.sweep, sweeps.load(home.folder / SWEEP, overrides)
    changed = [f"{key}: {was!r} -> {now!r}" for key, was, now in config.differences(before.base, after.base)]
    old, new = (dict(config.leaves(sweep.to_dict())) for sweep in (before, after))
    for key in dict.fromkeys([*old, *new]):
        more = key == "sweep.trials" and after.trials >= before.trials
        if old.get(key) != new.get(key) and not more:
            changed.append(f"{key}: {old.get(key)!r} -> {new.get(key)!r}")
    if changed:
        rule = "a sweep keeps its space, its search and its config, and may have more trials; these would change:"
        hint = f"try that in a sweep of its own: rltrain sweep {home.folder / SWEEP} ..."
        raise InputError("\n".join([rule, *map(shown, changed), hint]))
    return home.keep(after) if after.trials > before.trials else home
