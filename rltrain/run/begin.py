"""How a run begins: in a new folder, or where the newest good checkpoint of its folder stands."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from rltrain import imports
from rltrain.experiment import config
from rltrain.experiment.config import Experiment
from rltrain.imports import Facts
from rltrain.run import edits, facts, machine, other_versions, reserve
from rltrain.run import folder as folders
from rltrain.run.build import Parts, build, experiment_of, keep_model
from rltrain.run.disk import REAL, Disk
from rltrain.run.lock import Lock
from rltrain.run.loop import Run
from rltrain.run.own_files import write_small
from rltrain.saved import loading


def create(experiment: Experiment, runs_dir: Path, name: str | None, command: str, disk: Disk = REAL) -> Run:
    """A new run in a new folder. DiskError at once if the folder cannot be written; then none is left behind.

    `name` None: the algorithm's, the environment's and the next free number. `command`: what was typed, for run.json.
    """
    stem = f"{experiment.algorithm_name}-{experiment.environment.name.split('/')[-1]}"
    parts = build(experiment)  # before the folder: what cannot be built leaves nothing behind
    folder = folders.create(runs_dir, name, stem, disk)
    run = _run_in(folder, folders.lock_new(folder), parts, disk)
    began = time.monotonic()
    try:
        run.warnings += _try_disk(folder)
        facts.write(folder, facts.begun(command, _machine(run), run.chosen, _imported(run)), disk)
        keep_model(experiment, folder, disk)
        # Last, since it makes the folder a run that can be resumed.
        write_small(folder / folders.MARKER, experiment.to_yaml(), disk)
        run.clock.saved(began)  # a guess, until there is a save to time
    except BaseException:
        run.close()
        folders.forget_unbegun(folder)
        raise
    return run


def resume(folder: Path, overrides: Sequence[str] = (), disk: Disk = REAL) -> Run:
    """A run that goes on where its newest good checkpoint stands; from its beginning if it was killed before its first.

    InputError for an override, or an edit of config.yaml, that would make it another experiment.
    """
    lock = Lock(folder)
    try:
        folders.check_own(folder)
        experiment = experiment_of(folder, overrides)
        written = config.load(folder / folders.MARKER)
        run = Run(build(experiment), folder, lock, disk)
    except BaseException:
        lock.release()
        raise
    try:
        run.warnings += _try_disk(folder)
        _restore(run, written)
        if experiment != written:
            write_small(folder / folders.MARKER, experiment.to_yaml(), disk)
    except BaseException:
        run.close()
        raise
    return run


def _run_in(folder: Path, lock: Lock, parts: Parts, disk: Disk) -> Run:
    """A run in a new folder; the folder is gone if a sink of another package cannot be made."""
    try:
        return Run(parts, folder, lock, disk)
    except BaseException:
        lock.release()
        parts.env.close()
        folders.forget_unbegun(folder)
        raise


def _restore(run: Run, written: Experiment) -> None:
    """Load the newest whole checkpoint; `written` is what config.yaml says. InputError if it was edited since."""
    if not run.checkpoints.names():
        _look_at_machine(run)
        run.warnings.append("no checkpoint yet: the run starts from its beginning")
        return
    loaded = run.checkpoints.load()
    run.warnings += [*loaded.warnings, *edits.check(run.folder, loaded.meta, written)]
    run.clock.go_on(loaded.meta)
    with loading(loaded.name):
        run.load(loaded.state)
    run.warnings += other_versions.warnings(loaded.name, loaded.state, run.save())
    run.scores.recall(run.folder)
    _look_at_machine(run)


def _look_at_machine(run: Run) -> None:
    """Whether the run can go on to the bit here, and what to say where it cannot."""
    run.new_facts, warnings = facts.resumed(run.folder, _machine(run), run.chosen, _imported(run), run.counters)
    run.warnings += warnings


def _machine(run: Run) -> dict[str, str]:
    return machine.facts(run.threads, machine.device(run.experiment))


def _imported(run: Run) -> dict[str, Facts]:
    return imports.used_by(run.experiment.environment.id)


def _try_disk(folder: Path) -> list[str]:
    """Try now what a save will need. Returns warnings; DiskError if the folder cannot be written."""
    warnings = reserve.probe(folder)
    if not reserve.create_ballast(folder):
        warnings.append("the disk is nearly full: no room for the reserve that the last save may need")
    return warnings
