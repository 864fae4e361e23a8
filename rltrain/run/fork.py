"""A run that begins where another stands: its newest whole checkpoint under a new name, with other settings.

The other run stays as it is. The new one is a run like any other, but no unbroken run from the beginning equals it, so
its run.json says where it comes from and that it is not exact.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from rltrain import envs
from rltrain.errors import InputError
from rltrain.experiment import config
from rltrain.experiment.wrappers import Shared
from rltrain.run import edits, facts, machine, needs
from rltrain.run import folder as folders
from rltrain.run.build import keep_model
from rltrain.run.checkpoint import Checkpoints
from rltrain.run.disk import REAL, disk_errors
from rltrain.run.lock import Lock
from rltrain.run.own_files import copy_file, make_own_folder, own_file, own_folder, write_small
from rltrain.run.sinks import OURS

EVENTS = "events"
SHARED = [model.__name__ for model in get_args(Shared)]


def fork(run: Path, overrides: Sequence[str], runs_dir: Path, name: str, command: str) -> Path:
    """Make a run from the newest checkpoint of another. Returns its folder, ready to be resumed.

    InputError, CheckpointError, BusyError or DiskError; then no folder is left behind.

    overrides   as for a new run: whatever the state can be loaded into; what is normalised stays so, and nothing else
    """
    needs.require(run)
    with Lock(run):
        folders.check_own(run)
        experiment = config.load(run / folders.MARKER, overrides)
        envs.check(experiment.environment)
        store = Checkpoints(run)
        loaded = store.load()
        changed = edits.since(loaded.meta, experiment)
        _check_shared(run, changed)
        new = folders.create(runs_dir, name, name)
        with folders.lock_new(new):
            try:
                write_small(new / folders.FORKING, "")
                here = machine.facts(experiment.run.threads or machine.cores(), machine.device(experiment))
                origin = {"run": str(run), "checkpoint": loaded.name, "changed": [str(edit) for edit in changed]}
                known = facts.begun(command, here, {}, needs.of(run)) | {"forked": origin}
                facts.write(new, known | facts.inexact(f"forked from {run} at {loaded.name}", loaded.counters))
                keep_model(experiment, new)
                meta = {**loaded.meta, **edits.recorded(experiment)}
                # Logs of other packages' sinks stay where they are; such sinks of the new run begin anew.
                ours = {name: part for name, part in loaded.state.part("sinks").items() if name in OURS}
                Checkpoints(new, experiment.run.save.keep).save(loaded.step, {**loaded.state, "sinks": ours}, meta)
                _copy_logs(run, new)
                write_small(new / folders.MARKER, experiment.to_yaml())  # last: it makes the folder a run
                REAL.remove(new / folders.FORKING)
            except BaseException:
                folders.remove(new)
                raise
    return new


def _check_shared(run: Path, changed: Sequence[edits.Edit]) -> None:
    """InputError for wrappers that begin or cease to change observations and rewards of all environments.

    The weights, the memory and the step under way are of what they were: they would go on among strange numbers.
    """
    for edit in changed:
        if edit.key == edits.WRAPPERS and (before := _shared(edit.before)) != (now := _shared(edit.now)):
            raise InputError(
                f"environment.wrappers: {before or 'none'} -> {now or 'none'}: a fork goes on with what was learned of"
                " observations and rewards as they were; begin a new run with its weights:"
                f" rltrain train CONFIG --from {run}"
            )


def _shared(listed: Any) -> str:
    """Those of a list of wrappers that look at all environments side by side, by name."""
    blocks = [each for each in listed if isinstance(each, Mapping)] if isinstance(listed, list) else []
    return ", ".join(str(each["name"]) for each in blocks if each.get("name") in SHARED)


def _copy_logs(run: Path, new: Path) -> None:
    """The numbers so far. What is beyond the checkpoint is cut away when the new run is resumed."""
    with disk_errors(f"cannot copy the numbers of {run}"):
        for name in folders.GROWING:
            if own_file(run / name):
                copy_file(REAL, run / name, new / name)
        if own_folder(run / EVENTS):
            make_own_folder(REAL, new / EVENTS)
            for name in sorted(os.listdir(run / EVENTS)):
                copy_file(REAL, run / EVENTS / name, new / EVENTS / name)
