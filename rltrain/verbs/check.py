"""Is a config right, and will it fit? Is every byte of a run as it was written?"""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rltrain.errors import CheckpointError, InputError
from rltrain.experiment import catalog
from rltrain.experiment.config import Experiment, load
from rltrain.memory import available_bytes
from rltrain.run import edits, folder, sinks
from rltrain.run.build import doubts
from rltrain.run.checkpoint import Checkpoints
from rltrain.run.disk import REAL
from rltrain.run.reading import read_manifest
from rltrain.run.reserve import free_bytes
from rltrain.spelling import nearest
from rltrain.verbs.cost import memory_bytes, refuse_what_does_not_fit
from rltrain.verbs.truth import discounts_apart
from rltrain.verbs.worlds import EnvironmentReport, world_of


@dataclass(frozen=True)
class ConfigReport:
    """What an experiment is and what it will cost; None where that is not known."""

    config: str  # where it came from
    ok: bool
    algorithm: str
    environment: str
    num_envs: int
    obs_shape: list[int]  # of one observation
    obs_dtype: str
    num_states: int | None
    actions: list[str] | str  # their names; of several choices or numbers, what an action is
    frames_per_step: int
    max_episode_steps: int | None
    model_discount: float | None  # that a known model states
    note: str
    budget: dict[str, int]
    seed: int
    parameters: int | None
    replay_bytes: int | None
    checkpoint_bytes: int | None
    memory_bytes: int
    available_bytes: int
    disk_bytes: int | None  # of all checkpoints that are kept
    free_disk_bytes: int
    warnings: list[str]
    world: EnvironmentReport  # its environment

    def json(self) -> dict[str, Any]:
        """All of it as JSON has it."""
        return asdict(self)


@dataclass(frozen=True)
class CheckpointReport:
    """A checkpoint whose hashes were computed anew."""

    name: str
    bytes: int | None  # None: damaged
    faults: list[str]


@dataclass(frozen=True)
class RunReport:
    """What is whole in a run, and what is not."""

    run: str  # its folder
    ok: bool  # every hash holds, and a resume would take its config.yaml
    checkpoints: list[CheckpointReport]
    set_aside: list[str]  # checkpoints that were found damaged earlier
    edits: list[str]  # of config.yaml since the newest whole checkpoint

    def json(self) -> dict[str, Any]:
        """All of it as JSON has it."""
        return asdict(self)


def is_config(target: str, runs_dir: Path) -> bool:
    """A file, or what is called like one, is a config, as is one's name; a folder or a run's name is not."""
    path = Path(target)
    if os.path.isfile(path):
        return True
    is_folder = os.path.isdir(path) or os.path.isdir(runs_dir / target)
    return not is_folder and (path.suffix in (".yaml", ".yml") or os.path.isfile(catalog.find(path)))


def check_config(experiment: Experiment, runs_dir: Path) -> ConfigReport:
    """What it is and what it will cost. OutOfMemoryError for what will not fit. Trains nothing."""
    sinks.check(experiment.run.sinks)
    spec, cost = refuse_what_does_not_fit(experiment)
    place = next(path for path in (runs_dir, *runs_dir.absolute().parents) if path.is_dir())
    return ConfigReport(
        config=experiment.source,
        ok=True,
        algorithm=experiment.algorithm_name,
        environment=spec.id,
        num_envs=spec.num_envs,
        obs_shape=list(spec.obs_shape),
        obs_dtype=spec.obs_dtype,
        num_states=spec.num_states,
        actions=list(spec.action_names) or str(spec.actions),
        frames_per_step=spec.frames_per_step,
        max_episode_steps=spec.max_episode_steps,
        model_discount=spec.discount,
        note=discounts_apart(experiment, spec),
        budget=dict(experiment.run.budget or {}),
        seed=experiment.run.seed,
        parameters=cost.get("parameters"),
        replay_bytes=cost.get("replay_bytes"),
        checkpoint_bytes=cost.get("checkpoint_bytes"),
        memory_bytes=memory_bytes(cost),
        available_bytes=available_bytes(),
        disk_bytes=cost["checkpoint_bytes"] * (experiment.run.save.keep + 1) if "checkpoint_bytes" in cost else None,
        free_disk_bytes=free_bytes(place),
        warnings=doubts(experiment, spec),
        world=world_of(experiment.environment, "env" if experiment.task == "env" else "tabular"),
    )


def check_run(run: str, runs_dir: Path) -> RunReport:
    """Every checkpoint of a run, or the one that is given by its folder, with the faults that it has."""
    path = Path(run)
    if os.path.isfile(path / "MANIFEST.json"):
        home, wanted = path.resolve().parent.parent, [path.resolve().name]
    else:
        home, wanted = _run_called(run, runs_dir), []
    checkpoints = Checkpoints(home)
    found: list[CheckpointReport] = []
    for name in wanted or checkpoints.names():
        faults = checkpoints.verify(name)
        try:
            size = None if faults else checkpoints.size(name)
        except CheckpointError as error:
            size, faults = None, [str(error)]
        if faults and not wanted and not (home / "checkpoints" / name).exists():
            continue  # a run that trains has removed it meanwhile
        found.append(CheckpointReport(name, size, faults))
    set_aside = sorted(bad.name for bad in (home / "checkpoints").glob("bad-*"))
    whole = [checkpoint.name for checkpoint in found if not checkpoint.faults]
    edited, refused = edits_since(home, whole[-1]) if whole else ([], False)
    ok = not refused and not any(checkpoint.faults for checkpoint in found)
    return RunReport(str(home), ok, found, set_aside, edited)


def _run_called(run: str, runs_dir: Path) -> Path:
    """The folder of a run. InputError with the nearest run, and the nearest config."""
    try:
        return folder.find(runs_dir, run)
    except InputError as error:
        near = None if os.path.isdir(run) else nearest(run, catalog.names())
        if near is None:
            raise
        raise InputError(f"{error}; or is it the config '{near}'?") from error


def edits_since(home: Path, name: str) -> tuple[list[str], bool]:
    """What config.yaml says otherwise than a checkpoint of the run was made with, and whether a resume refuses it."""
    if not (home / folder.MARKER).is_file():  # checkpoints alone
        return [], False
    manifest, _ = read_manifest(REAL, home / "checkpoints" / name)
    try:
        found = edits.since(manifest.meta, load(home / folder.MARKER))
    except InputError as error:
        return str(error).splitlines(), True
    return [f"config.yaml was edited since {name}: {edit}" for edit in found], any(edit.refused for edit in found)
