"""`rltrain rerun`: trains a run anew from its own folder, and compares the bytes of its logs and last checkpoint."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from rltrain import envs, imports, words
from rltrain.errors import CheckpointError, InputError
from rltrain.experiment.config import Experiment
from rltrain.report import row_files, rows
from rltrain.report.rows import RowsApart
from rltrain.run import believed, facts, folder, how_far, machine, needs
from rltrain.run.disk import REAL, Damaged, disk_errors
from rltrain.run.how_far import HowFar
from rltrain.run.loop import Event, Run
from rltrain.run.reading import checkpoint_names, read_manifest
from rltrain.run.starting_point import STARTED_FROM, manifest_hash
from rltrain.spelling import shown
from rltrain.verbs import saved_policy, train
from rltrain.verbs.diff import TABLES
from rltrain.verbs.saved_policy import SavedRun

LOGS = ("metrics.jsonl", "metrics.csv", "eval.jsonl", "eval.csv")  # they grow at their ends alone
FILES = (*LOGS, "points.csv", "trials.csv")  # compared byte by byte
Bytes = Literal["equal", "equal as far as one goes", "unequal"]
ENDED = {  # what became of a run that did not come to its end, by its state
    "running": "it is still training, and was at {count}",
    "interrupted": "it was stopped at {count}",
    how_far.KILLED: "it was killed at about {count}",
    "": "how it ended is not known, and the last that it wrote is of {count}",
}
PIECE = 1 << 20  # bytes of a file that are compared at once


@dataclass(frozen=True)
class RunToRepeat:
    """A run, and all that it takes to make it again."""

    folder: Path
    experiment: Experiment
    start: SavedRun | None  # the checkpoint that it started from
    reached: HowFar  # where it is
    primary: str  # the counter by which that is told
    notes: tuple[str, ...]  # what of it is damaged, or was edited and is not believed

    @property
    def counters(self) -> Mapping[str, int]:
        """How far it is."""
        return self.reached.counters

    @property
    def finished(self) -> bool:
        """Whether that is its end."""
        return self.reached.state == "finished"

    @property
    def end(self) -> str | None:
        """Why it is only so far; None: it is at its end."""
        if self.finished:
            return None
        count = f"{words.count(self.counters[self.primary])} {words.counter(self.primary)}"
        state = self.reached.state
        return ENDED.get(state, f"its state is '{shown(state)}', and it was at {{count}}").format(count=count)

    def begin(self, runs_dir: Path, name: str | None, command: str) -> Run:
        """The new run, in a new folder. InputError for a name that is taken."""
        return train.begin(self.experiment, runs_dir, name or _free_name(runs_dir, self.folder), command, self.start)

    def advance(self, run: Run) -> Iterator[Event]:
        """Advance the new run to where this one is: to its end, or to the last that it wrote."""
        last = "eval" if self.reached.evaluated else "step"  # what it wrote last
        for event in run.advance():
            yield event
            reached = run.counters[self.primary] >= self.counters[self.primary]
            if reached and not self.finished and event.kind == last:
                run.request_stop("wall")


@dataclass(frozen=True)
class Repeated:
    """A run and the same run again."""

    run: str  # folders
    again: str
    partial: bool  # the new run was stopped before it came as far as the old one
    end: str | None  # why the old one was compared only as far as it came; None: it is at its end
    equal: bool | None  # whether all bytes agree that both have; None: partial, and so far they do
    files: dict[str, Bytes]  # logs and tables
    checkpoint: str | None  # the newest that both have; None: they share none
    arrays: bool | None  # whether its weights and all else of its state agree; None: there is none in common
    tables: dict[str, RowsApart]  # training and evaluations, row by row
    why: list[str]  # what may be the cause of a difference
    notes: list[str]  # what of the old run is damaged, or was edited and is not believed

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
    experiment, edited = believed.experiment(place, ["run.max_wall=null", "run.track=null"])
    envs.check(experiment.environment)
    budget = experiment.run.budget or {}
    primary = next(iter(budget), "")
    reached = how_far.of(place, primary, budget)
    if not reached.counters.get(primary):
        damaged = "".join(f"; {fault}" for fault in reached.faults)
        raise InputError(f"{shown(str(place))}: wrote no numbers yet, so there is nothing to make again{damaged}")
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
    return RunToRepeat(place, experiment, start, reached, primary, (*edited, *reached.faults))


def compared(old: RunToRepeat, again: Path) -> Repeated:
    """Hold the run that was made again against the old one. InputError for a file that cannot be read."""
    place = old.folder
    tables = {name: rows.apart(place / file, again / file) for name, file in TABLES.items()}
    now = how_far.of(again, old.primary, {})
    partial = now.counters.get(old.primary, 0) < old.counters[old.primary] or (old.finished and now.state != "finished")
    # A run that was killed or stopped has perhaps not written all that was due: both are equal as far as one goes. And
    # what an algorithm lists beside its logs is written anew at each save: it tells of the end alone.
    short = partial or not old.finished
    found = [name for name in (LOGS if short else FILES) if _in((all if short else any), name, place, again)]
    files = {name: _bytes(place / name, again / name) for name in found}
    checkpoint, arrays = _checkpoint(place, again)
    agreed = all(same == "equal" or (short and same != "unequal") for same in files.values()) and arrays is not False
    equal = (None if partial else True) if agreed else False
    why = [] if agreed else [*_changed(place, again)]
    notes = [*old.notes, *(line for file in TABLES.values() for line in row_files.damage(place / file))]
    return Repeated(str(place), str(again), partial, old.end, equal, files, checkpoint, arrays, tables, why, notes)


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


def _in(some: Callable[[Iterable[bool]], bool], name: str, *homes: Path) -> bool:
    """Whether a file is in all, or in any, of these folders."""
    return some((home / name).is_file() for home in homes)


def _bytes(one: Path, other: Path) -> Bytes:
    with disk_errors(f"cannot read {one}"):
        if not (one.is_file() and other.is_file()):
            return "equal as far as one goes"
        with open(one, "rb") as ours, open(other, "rb") as theirs:
            while True:
                here, there = ours.read(PIECE), theirs.read(PIECE)
                length = min(len(here), len(there))
                if here[:length] != there[:length]:
                    return "unequal"
                if len(here) != len(there):
                    return "equal as far as one goes"
                if not here:
                    return "equal"


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
