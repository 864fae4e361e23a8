"""A group: runs of one configuration that differ in the seed alone, side by side in one folder.

    runs/NAME/seeds.json       the seeds, and at the end what came of them
    runs/NAME/experiment.yaml  the configuration, of which each run takes all but the seed
    runs/NAME/s3/              the run of seed 3: a run folder like any other
    runs/NAME/s3.log           what that run said
    runs/NAME/model/           a copy of the known model that they learn from, if they do

The configuration is copied when the group begins, so a file that is edited meanwhile changes no run that still waits.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from rltrain.errors import CheckpointError, InputError
from rltrain.experiment.config import SAFE_KEYS, Experiment, load
from rltrain.experiment.on_disk import MODEL_FOLDER
from rltrain.plain_files import read_object, reason
from rltrain.run import folder as folders
from rltrain.run import sinks, unverified
from rltrain.run.build import experiment_of, keep_model
from rltrain.run.disk import disk_errors
from rltrain.run.own_files import own_file, write_small
from rltrain.run.starting_point import STARTED_FROM, manifest_hash
from rltrain.spelling import shown

CONFIG = "experiment.yaml"
MOST_SEEDS = 1_000
CHANGEABLE = tuple(key.removeprefix("run.") for key in SAFE_KEYS)  # of the run block: may change on a resume


class SeedStart(NamedTuple):
    """The checkpoint of another run that every seed starts from, see `starting_point`."""

    path: str  # of its folder, absolute
    sha256: str  # of its manifest


@dataclass(frozen=True)
class SeedGroup:
    """A folder and the seeds whose runs lie in it."""

    folder: Path
    seeds: tuple[int, ...]
    start: SeedStart | None = None

    @property
    def config(self) -> Path:
        return self.folder / CONFIG

    def member(self, seed: int) -> Path:
        """The run folder of this seed. It may not exist yet."""
        return self.folder / f"s{seed}"

    def log(self, seed: int) -> Path:
        """What the run of this seed printed, of all sessions."""
        return self.folder / f"s{seed}.log"

    def begun(self, seed: int) -> bool:
        """Whether there is a run to go on with."""
        return (self.member(seed) / folders.MARKER).is_file()

    def check_members(self) -> None:
        """CheckpointError for what lies where the run of a seed is to begin, and is not what a stopped process left."""
        for seed in self.seeds:
            member = self.member(seed)
            if os.path.lexists(member) and not self.begun(seed) and not folders.is_unbegun(member):
                raise CheckpointError(
                    f"{member} is in the way of seed {seed}: it holds no {folders.MARKER}, so it is no run; put that"
                    f" back if it was one, or move it away: rltrain resume {self.folder} begins the seed anew"
                )

    def check_start(self) -> None:
        """CheckpointError if what the seeds start from that have not begun is not what it was; all must be alike."""
        if self.start is None or all(map(self.begun, self.seeds)):
            return
        if manifest_hash(Path(self.start.path)) != self.start.sha256:
            raise CheckpointError(f"{shown(self.start.path)}: not what the other seeds of {self.folder} started from")

    def clear(self, seed: int) -> None:
        """Remove what a process left that died before it had a run. Not while one may be at its beginning."""
        if folders.is_unbegun(self.member(seed)):
            folders.forget_unbegun(self.member(seed))

    def experiment(self, overrides: Sequence[str] = ()) -> Experiment:
        """The configuration, with what may change on a resume changed for good. InputError if more than that would."""
        if not own_file(self.config):
            begun = next((self.member(seed) / folders.MARKER for seed in self.seeds if self.begun(seed)), None)
            copy = "" if begun is None else f"; each run has a copy: cp {begun} {self.config}"
            raise CheckpointError(f"{self.config} is gone, which says what the seeds are runs of: put it back{copy}")
        if not overrides:
            return load(self.config)
        changed = experiment_of(self.folder, overrides, CONFIG)
        sinks.check(changed.run.sinks)
        write_small(self.config, changed.to_yaml())
        return changed

    def finished(self, seed: int, experiment: Experiment) -> bool:
        """Whether this run has come to the end that the group's configuration sets now."""
        own = self._own(seed)
        ended = unverified.status(self.member(seed)).state == "finished"
        return ended and own is not None and _end(own) == _end(experiment)

    def changes(self, seed: int, experiment: Experiment) -> list[str]:
        """The overrides that bring a run which has begun to what the group's configuration says now."""
        own = self._own(seed)
        if own is None:  # the run itself will say what is wrong with its config
            return []
        before, now = own.run.model_dump(mode="json"), experiment.run.model_dump(mode="json")
        return [f"run.{key}={json.dumps(now[key])}" for key in CHANGEABLE if before[key] != now[key]]

    def _own(self, seed: int) -> Experiment | None:
        try:
            return load(self.member(seed) / folders.MARKER)
        except InputError:
            return None

    def write_results(self, results: Mapping[str, Any]) -> None:
        """Into seeds.json, in place of what an earlier session wrote there."""
        facts = _read(self.folder) | {"results": results}
        write_small(self.folder / folders.GROUP_MARKER, json.dumps(facts, indent=2, allow_nan=False) + "\n")

    def remove(self) -> bool:
        """Take the whole folder away, if no run has begun and nothing in it is anybody else's. Whether it is gone."""
        ours = {CONFIG, MODEL_FOLDER, folders.GROUP_MARKER, ".lock", *(self.log(seed).name for seed in self.seeds)}
        with disk_errors(f"cannot remove {self.folder}"):
            if not set(os.listdir(self.folder)) <= ours:
                return False
            shutil.rmtree(self.folder)
        return True


def create(
    experiment: Experiment,
    seeds: Sequence[int],
    runs_dir: Path,
    name: str | None,
    command: str,
    start: Path | None = None,
) -> SeedGroup:
    """A new group in a new folder, called as a run would be. `start`: the checkpoint that every seed starts from."""
    origin = None if start is None else SeedStart(str(start.resolve()), manifest_hash(start))
    stem = f"{experiment.algorithm_name}-{experiment.environment.name.split('/')[-1]}"
    folder = folders.create(runs_dir, name, stem)
    try:
        with folders.lock_new(folder):
            keep_model(experiment, folder)
            write_small(folder / CONFIG, experiment.to_yaml())
            created = time.strftime("%Y-%m-%dT%H:%M:%S%z")
            facts = {"format": 1, "command": command, "created": created, "seeds": list(seeds), "results": None}
            if origin is not None:
                facts[STARTED_FROM] = origin._asdict()
            write_small(folder / folders.GROUP_MARKER, json.dumps(facts, indent=2) + "\n")  # last: it makes the group
    except BaseException:
        folders.forget_unbegun(folder)
        raise
    return SeedGroup(folder, tuple(seeds), origin)


def find(runs_dir: Path, given: str | Path) -> SeedGroup | None:
    """The group that is given by its name or its path; None if it is no group's."""
    name = str(given)
    named = folders.NAME.fullmatch(name) or folders.TRIAL.fullmatch(name)
    candidates = [runs_dir / name] if named else []
    for path in [*candidates, Path(name)]:
        if os.path.isfile(path / folders.MARKER):  # False, not an error, for a name that is too long
            return None
        if os.path.isfile(path / folders.GROUP_MARKER):
            return read(path)
    return None


def read(folder: Path) -> SeedGroup:
    """The group in this folder. CheckpointError if its seeds.json is not as it was written."""
    facts = _read(folder)
    seeds = facts.get("seeds")
    if (
        not isinstance(seeds, list)
        or not 1 <= len(seeds) <= MOST_SEEDS
        or not all(type(seed) is int and 0 <= seed < 2**63 for seed in seeds)
        or len(set(seeds)) < len(seeds)
    ):
        rule = f"expected `seeds`, a list of 1 to {MOST_SEEDS:,} different whole numbers"
        raise CheckpointError(f"{folder / folders.GROUP_MARKER}: {rule}")
    group = SeedGroup(folder, tuple(seeds), _start_of(folder, facts))
    for seed in group.seeds:
        if group.member(seed).is_symlink():
            raise CheckpointError(folders.link_for_member(group.member(seed)))
        if folders.lost_marker(group.member(seed)):
            raise CheckpointError(f"{group.member(seed)} holds no {folders.MARKER}; {folders.PUT_BACK}")
        own_file(group.log(seed))
    return group


def results(folder: Path) -> Mapping[str, Any] | None:
    """What came of the group's last session; None before its first ended."""
    found = _read(folder).get("results")
    return found if isinstance(found, dict) else None


def _start_of(folder: Path, facts: Mapping[str, Any]) -> SeedStart | None:
    found = facts.get(STARTED_FROM)
    if found is None:
        return None
    fits = isinstance(found, dict) and set(found) == set(SeedStart._fields)
    if not fits or not all(isinstance(value, str) for value in found.values()) or not os.path.isabs(found["path"]):
        rule = f"expected `{STARTED_FROM}`, the absolute path of a checkpoint and its sha256"
        raise CheckpointError(f"{folder / folders.GROUP_MARKER}: {rule}")
    return SeedStart(**found)


def _end(experiment: Experiment) -> tuple[Any, Any]:
    """What ends a run."""
    return experiment.run.budget, experiment.run.evaluate.until


def _read(folder: Path) -> dict[str, Any]:
    path = folder / folders.GROUP_MARKER
    try:
        return read_object(path)
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path}: cannot be read: {shown(reason(error))}") from error
