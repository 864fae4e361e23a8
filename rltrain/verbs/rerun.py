"""`rltrain rerun`: trains a run anew from its own folder, and compares the bytes of its logs and last checkpoint."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rltrain import envs, imports
from rltrain.errors import CheckpointError, InputError
from rltrain.experiment.config import Experiment, load
from rltrain.plain_files import is_count, last_json_line
from rltrain.report import rows
from rltrain.report.rows import RowsApart
from rltrain.run import facts, folder, machine, needs, unverified
from rltrain.run.disk import REAL, Damaged, disk_errors
from rltrain.run.loop import Event, Run
from rltrain.run.reading import checkpoint_names, read_manifest
from rltrain.run.starting_point import STARTED_FROM, manifest_hash
from rltrain.spelling import shown
from rltrain.verbs import saved_policy, train
from rltrain.verbs.diff import TABLES
from rltrain.verbs.saved_policy import SavedRun

FILES = ("metrics.jsonl", "metrics.csv", "eval.jsonl", "eval.csv", "points.csv", "trials.csv")  # compared byte by byte
PIECE = 1 << 20  # bytes of a file that are compared at once


@dataclass(frozen=True)
class RunToRepeat:
    """A run, and all that it takes to make it again."""

    folder: Path
    experiment: Experiment
    start: SavedRun | None  # the checkpoint that it started from
    counters: Mapping[str, int]  # how far it is
    finished: bool  # whether that is its end
    evaluated_last: bool  # whether an evaluation was made there

    def begin(self, runs_dir: Path, name: str | None, command: str) -> Run:
        """The new run, in a new folder. InputError for a name that is taken."""
        return train.begin(self.experiment, runs_dir, name or _free_name(runs_dir, self.folder), command, self.start)

    def advance(self, run: Run) -> Iterator[Event]:
        """Advance the new run to where this one is: to its end, or to where it was stopped."""
        last = "eval" if self.evaluated_last else "step"  # what it did before it was stopped
        for event in run.advance():
            yield event
            reached = run.counters[run.primary] >= self.counters.get(run.primary, 0)
            if reached and not self.finished and event.kind == last:
                run.request_stop("wall")


@dataclass(frozen=True)
class Repeated:
    """A run and the same run again."""

    run: str  # folders
    again: str
    whole: bool  # whether the new run came as far as the old one
    equal: bool  # whether all bytes agree that were compared
    files: dict[str, bool]  # logs and tables: whether their bytes agree
    checkpoint: str | None  # the newest that both have; None: they share none
    arrays: bool | None  # whether its weights and all else of its state agree; None: there is none in common
    tables: dict[str, RowsApart]  # training and evaluations, row by row
    why: list[str]  # what may be the cause of a difference

    def json(self) -> dict[str, Any]:
        """All of it as JSON has it."""
        return asdict(self)


def prepare(run: str, runs_dir: Path) -> RunToRepeat:
    """What it takes to make a run again. InputError for one that cannot be, CheckpointError, NotBroughtError.

    `run` is a run's name or folder. One that started from another run needs that checkpoint, to the byte.
    """
    place = folder.find(runs_dir, run)
    needs.require(place)
    needs.refuse_another_class(place)
    experiment = load(place / folder.MARKER, ["run.max_wall=null", "run.track=null"])
    envs.check(experiment.environment)
    status = unverified.status(place)
    primary = next(iter(experiment.run.budget or {}), "")
    if not status.counters.get(primary):
        raise InputError(f"{shown(str(place))}: has not begun to train, so there is nothing to make again")
    try:
        known = facts.read(place)
    except (OSError, ValueError):
        known = {}
    if isinstance(known.get("forked"), dict):
        origin = shown(str(known["forked"].get("run")))
        raise InputError(
            f"{shown(str(place))}: was forked from {origin} and has no beginning of its own; rerun {origin}"
        )
    start = _start(place, known.get(STARTED_FROM)) if known.get(STARTED_FROM) else None
    evaluated = _last_evaluated(place, primary) == status.counters[primary]
    return RunToRepeat(place, experiment, start, status.counters, status.state == "finished", evaluated)


def compared(old: RunToRepeat, again: Path) -> Repeated:
    """Hold the run that was made again against the old one. InputError for a file that cannot be read."""
    place = old.folder
    tables = {name: rows.apart(place / file, again / file) for name, file in TABLES.items()}
    files = {name: _same_bytes(place / name, again / name) for name in FILES if (place / name).exists()}
    checkpoint, arrays = _checkpoint(place, again)
    now = unverified.status(again)
    primary = next(iter(old.experiment.run.budget or {}), "")
    whole = now.counters.get(primary, 0) >= old.counters.get(primary, 0)
    # A run that was stopped has perhaps not made the evaluation that was due: there both are equal as far as both go.
    logs = all(files.values()) if old.finished else not any(table.parted for table in tables.values())
    equal = whole and logs and arrays is not False
    why = [] if equal else [*_changed(place, again)]
    return Repeated(str(place), str(again), whole, equal, files, checkpoint, arrays, tables, why)


def _free_name(runs_dir: Path, place: Path) -> str:
    """dqn-1-rerun, or with the next free number; of a seed of several its group's name before it."""
    among_seeds = os.path.isfile(place.parent / folder.GROUP_MARKER)
    stem = f"{place.parent.name}-{place.name}" if among_seeds else place.name
    name, number = f"{stem[:80]}-rerun", 1
    while os.path.lexists(runs_dir / name):
        number += 1
        name = f"{stem[:80]}-rerun-{number}"
    return name


def _start(place: Path, said: Any) -> SavedRun:
    """The checkpoint that a run started from, if it is still there. InputError, CheckpointError."""
    said = said if isinstance(said, dict) else {}
    origin = Path(str(said.get("run"))) / "checkpoints" / str(said.get("checkpoint"))
    if not origin.is_dir():
        raise InputError(
            f"{shown(str(place))}: started from {shown(str(origin))}, which is gone; it cannot be made again"
        )
    if manifest_hash(origin) != said.get("sha256"):
        raise CheckpointError(f"{shown(str(origin))}: is another checkpoint than {shown(str(place))} started from")
    return saved_policy.read(origin, place.parent)


def _last_evaluated(place: Path, counter: str) -> int | None:
    """The count at which the last evaluation was made; None: there is none."""
    with suppress(OSError, ValueError):
        found = last_json_line(place / TABLES["evaluations"]).get(counter)
        return found if is_count(found) else None
    return None


def _same_bytes(one: Path, other: Path) -> bool:
    with disk_errors(f"cannot read {one}"):
        if not other.is_file() or one.stat().st_size != other.stat().st_size:
            return False
        with open(one, "rb") as ours, open(other, "rb") as theirs:
            while piece := ours.read(PIECE):
                if piece != theirs.read(PIECE):
                    return False
    return True


def _checkpoint(one: Path, other: Path) -> tuple[str | None, bool | None]:
    """The newest checkpoint that both runs have, and whether all of it agrees but times."""
    homes = one / "checkpoints", other / "checkpoints"
    shared = [name for name in checkpoint_names(homes[0]) if (homes[1] / name).is_dir()]
    if not shared:
        return None, None
    with disk_errors(f"cannot read {one}"):
        try:
            ours, theirs = (read_manifest(REAL, home / shared[-1])[0] for home in homes)
        except Damaged as fault:
            raise CheckpointError(f"{shared[-1]}: {fault}") from fault
    return shared[-1], (ours.files, ours.blobs) == (theirs.files, theirs.blobs)


def _changed(place: Path, again: Path) -> Iterator[str]:
    """What may be the cause of a difference, a clause each."""
    now = facts.read(again)
    try:
        then = facts.read(place)
    except (OSError, ValueError):
        yield "on which machine it was made is not known: its run.json cannot be read"
        return
    yield from machine.changes(then["machine"], now["machine"])
    yield from imports.changes(then.get("imports", {}), now.get("imports", {}))
    for said, whose in ((then, "the run"), (now, "the new run")):
        if not said["exact"]:
            yield f"{whose} is not exact: {said.get('why', 'it does not say why')}"
