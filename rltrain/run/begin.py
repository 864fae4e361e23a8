"""How a run begins: in a new folder, or where the newest good checkpoint of its folder stands."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from rltrain import envs, imports
from rltrain.core import State
from rltrain.envs.left_behind import leaves_behind, left_behind
from rltrain.errors import NotReplayedError
from rltrain.experiment import config
from rltrain.experiment.config import Experiment
from rltrain.imports import Facts
from rltrain.run import edits, facts, machine, other_versions, reserve
from rltrain.run import folder as folders
from rltrain.run.build import Parts, build, experiment_of, keep_model
from rltrain.run.checkpoint import Checkpoints
from rltrain.run.disk import REAL, Disk, disk_errors
from rltrain.run.lock import Lock
from rltrain.run.loop import Run
from rltrain.run.own_files import write_small
from rltrain.run.reading import Loaded
from rltrain.run.starting_point import STARTED_FROM, StartingPoint
from rltrain.saved import loading


def create(
    experiment: Experiment,
    runs_dir: Path,
    name: str | None,
    command: str,
    disk: Disk = REAL,
    start: StartingPoint | None = None,
) -> Run:
    """A new run in a new folder. DiskError at once if the folder cannot be written; then none is left behind.

    `name` None: the algorithm's, the environment's and the next free number. `command`: what was typed, for run.json.
    With a `start` the run starts from what was learned there: InputError if nothing of it fits, CheckpointError.
    """
    stem = f"{experiment.algorithm_name}-{experiment.environment.name.split('/')[-1]}"
    differing = _differing(experiment)
    parts = build(experiment, not differing, start)  # before the folder: what cannot be built leaves nothing behind
    folder = folders.create(runs_dir, name, stem, disk)
    # Before it is a run it may hold what does not tell so itself: a checkpoint, a file of another package's sink.
    forking = start is not None or bool(experiment.run.sinks)
    run = _run_in(folder, folders.lock_new(folder), parts, disk, forking)
    began = time.monotonic()
    try:
        run.warnings += [*_not_exact(differing), *_try_disk(folder)]
        known = facts.begun(command, _machine(run), run.chosen, _imported(run), differing)
        if start is not None and parts.taken is not None:
            known[STARTED_FROM] = run.started_from = start.facts(parts.taken)
            run.save_start()
        facts.write(folder, known, disk)
        keep_model(experiment, folder, disk)
        # Last, since it makes the folder a run that can be resumed.
        write_small(folder / folders.MARKER, experiment.to_yaml(), disk)
        if forking:
            with disk_errors(f"cannot finish {folder}"):
                disk.remove(folder / folders.FORKING)
        run.clock.saved(began)  # a guess, until there is a save to time
    except BaseException:
        run.close()
        folders.forget_unbegun(folder)
        raise
    return run


def resume(folder: Path, overrides: Sequence[str] = (), disk: Disk = REAL, new_episodes: bool = False) -> Run:
    """A run that goes on where its newest good checkpoint stands; from its beginning if it was killed before its first.

    InputError for an override, or an edit of config.yaml, that would make it another experiment.

    new_episodes   leave the running episodes behind rather than play them again
    """
    lock = Lock(folder)
    try:
        folders.check_own(folder)
        experiment = experiment_of(folder, overrides)
        written = config.load(folder / folders.MARKER)
        differing = [] if Checkpoints(folder).names() else _differing(experiment)
        run = Run(build(experiment, repeats=not differing), folder, lock, disk)
    except BaseException:
        lock.release()
        raise
    try:
        run.warnings += [*_not_exact(differing), *_try_disk(folder)]
        if run.checkpoints.names():
            _restore(run, written, new_episodes)
        else:
            run.warnings.append("no checkpoint yet: the run starts from its beginning")
            _look_at_machine(run, differing)
        if experiment != written:
            run.reopen()  # first: whoever reads both must not take the end that was reached for the one that is set now
            write_small(folder / folders.MARKER, experiment.to_yaml(), disk)
        if (folder / folders.FORKING).exists():  # of a process that was killed when it had just begun
            with disk_errors(f"cannot clear {folder}"):
                disk.remove(folder / folders.FORKING)
    except BaseException:
        run.close()
        raise
    return run


def _run_in(folder: Path, lock: Lock, parts: Parts, disk: Disk, forking: bool) -> Run:
    """A run in a new folder; the folder is gone if a sink of another package cannot be made."""
    try:
        if forking:
            write_small(folder / folders.FORKING, "", disk)
        return Run(parts, folder, lock, disk)
    except BaseException:
        lock.release()
        parts.env.close()
        folders.forget_unbegun(folder)
        raise


def _differing(experiment: Experiment) -> list[str]:
    """That an environment does not repeat itself, or who plays it, and why; nothing where it was not seen."""
    distribute = experiment.run.distribute
    if distribute is not None and distribute.mode == "async":
        return ["run.distribute.mode is async: which weights an actor plays by depends on time"]
    why = envs.varies(experiment.environment, experiment.task)
    return [] if why is None else [f"{experiment.environment.name} does not repeat itself: {why}"]


def _not_exact(differing: Sequence[str]) -> list[str]:
    return [f"{each}; so the run is not exact, and a resume begins new episodes" for each in differing]


def _restore(run: Run, written: Experiment, new_episodes: bool) -> None:
    """Load the newest whole checkpoint; `written` is what config.yaml says. InputError if it was edited since."""
    loaded = run.checkpoints.load()
    run.warnings += [*loaded.warnings, *edits.check(run.folder, loaded.meta, written)]
    run.clock.go_on(loaded.meta)
    state, why = _loaded(run, loaded, new_episodes)
    run.warnings += other_versions.warnings(loaded.name, state, run.save())
    run.scores.recall(run.folder)
    anew = leaves_behind(state)
    if anew:
        run.warnings.append(f"{why}; the episodes that were under way are left behind, and new ones begin")
    _look_at_machine(run, ["new episodes"] if anew else [])


def _loaded(run: Run, loaded: Loaded, new_episodes: bool) -> tuple[State, str]:
    """Load a checkpoint, without its running episodes if they cannot be played again: its state then, and why.

    They are left behind where nothing but the environment can be the cause. NotReplayedError where something else may.
    """
    name = run.experiment.environment.name
    with loading(loaded.name):
        if new_episodes:
            state = left_behind(loaded.state)
            run.load(state)
            return state, "as asked for"
        try:
            run.load(loaded.state)
            return loaded.state, f"{name} does not repeat itself"
        except NotReplayedError as error:
            if changed := facts.changed(run.folder, _machine(run), _imported(run)):
                raise NotReplayedError(
                    f"{error}. Since the run began this has changed: {', '.join(changed)}. Go back to what it was,"
                    f" or go on with new episodes: rltrain resume {run.folder} --new-episodes"
                ) from error
            state = left_behind(loaded.state)
            run.load(state)
            return state, f"{error}; it does not repeat itself"


def _look_at_machine(run: Run, also: Sequence[str]) -> None:
    """Whether the run can go on to the bit here, and what to say where it cannot; `also`: why else not."""
    here, imported = _machine(run), _imported(run)
    run.new_facts, warnings = facts.resumed(run.folder, here, run.chosen, imported, run.counters, also)
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
