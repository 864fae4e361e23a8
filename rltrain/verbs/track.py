"""A run's numbers, pictures and films to an experiment tracker, by a process that the training does not know of."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

from rltrain.errors import BusyError, InputError, RltrainError
from rltrain.experiment.config import leaves
from rltrain.experiment.settings import TRACK_PROJECT, TrackConfig, environment_name
from rltrain.launchers.child import interpreter
from rltrain.plain_files import is_count, json_lines, read_object
from rltrain.progress import Progress, Silent
from rltrain.report import curve
from rltrain.run import facts, folder, how_far, unverified
from rltrain.run.disk import REAL, disk_errors
from rltrain.run.lock import hold, is_held, is_locked
from rltrain.run.loop import Run
from rltrain.run.own_files import append, open_tail
from rltrain.spelling import shown
from rltrain.track import targets
from rltrain.track.contract import Open, Scalar, TrackedRun
from rltrain.track.follower import Follower

PROJECT = "rltrain"
LOG = "track.log"
POLL_SECONDS = 1.0
KILLED_SECONDS = 60.0  # without news, of a run that says it is running while no process has its lock
PICTURE_SECONDS = 60.0  # that a process may take, after its last row, to draw what it leaves
LONGEST = 500  # characters of a fact of run.json


@dataclass(frozen=True)
class TrackReport:
    """What a tracker was sent in this call."""

    run: str  # the folder
    to: str
    project: str
    tracker_run: str  # the tracker's id of it; empty of tensorboard
    where: str  # how to look at it
    state: str  # of the run: running, finished, interrupted, diverged, crashed, ...
    rows: dict[str, int]  # train, eval: how many rows went
    files: list[str]  # pictures, pages and films that went
    notes: list[str]
    partial: bool = False  # Ctrl-C ended it

    def json(self) -> dict[str, Any]:
        """All of it as JSON has it."""
        return asdict(self)


def track(
    run: str | os.PathLike[str],
    to: str,
    *,
    project: str | None = None,
    follow: bool = False,
    runs_dir: str | os.PathLike[str] = "runs",
    progress: Progress | None = None,
) -> TrackReport:
    """Send what a run has, and was not sent before, to trackio, wandb or mlflow.

    run       a name or a folder
    project   where runs lie together at the tracker; None: where this run lies already, else `rltrain`
    follow    go on until the run is over
    runs_dir  the folder in which names are looked up

    InputError for an unknown tracker, and for whatever its package raises; MissingError without its package; BusyError
    while another process sends this run there; CheckpointError, DiskError.
    """
    place = folder.find(Path(runs_dir), os.fspath(run))
    if to == targets.EVENTS:
        note = "a run writes its event files itself, and goes on with them after a resume; there is nothing to send"
        look = f"tensorboard --logdir {place}"
        return TrackReport(str(place), to, "", "", look, state_of(place), {"train": 0, "eval": 0}, [], [note])
    if to not in targets.NAMES:
        raise InputError(f"--to {shown(to)}: expected {', '.join(targets.NAMES)} or {targets.EVENTS}")
    if project is not None and not TRACK_PROJECT.fullmatch(project):
        raise InputError(f"--project {shown(project[:100])}: has letters, digits and _ . -")
    return send(place, to, targets.opener(to), project=project, follow=follow, progress=progress)


def send(
    place: Path,
    to: str,
    open_tracker: Open,
    *,
    project: str | None = None,
    follow: bool = False,
    progress: Progress | None = None,
) -> TrackReport:
    """Send the run in a folder to the tracker that `open_tracker` opens; `to` names it in the run folder."""
    progress = progress or Silent()
    lock = _lock(place, to, wait=follow)
    try:
        about = told_of(place, project)
        follower = Follower(place, to, about, open_tracker)
        if project is not None and project != follower.project:
            raise InputError(f"--project {shown(project)}: this run is in {shown(follower.project)} at {to} already")
        partial = False
        try:
            with progress.phase("following" if follow else "sending", f"{place.name} to {to}"):
                _send_all(follower, follow, progress)
            follower.finish(state_of(place), summary_of(place))
        except KeyboardInterrupt:
            partial = True
    finally:
        os.close(lock)
    return TrackReport(
        run=str(place),
        to=to,
        project=follower.project,
        tracker_run=follower.id,
        where=follower.where,
        state=state_of(place),
        rows={str(table): count for table, count in follower.rows.items()},
        files=follower.files,
        notes=[*unverified.config(place).edits, *follower.notes],
        partial=partial,
    )


def start_beside(run: Run) -> None:
    """Start `rltrain track --follow` for a run that asks for it, as a process of its own that outlives this one.

    What stands in the way is a warning of the run and nothing else: training goes on without a tracker.
    """
    wanted = run.experiment.run.track
    if wanted is None:
        return
    lacking = targets.missing(wanted.to)
    if lacking is not None:
        run.warnings.append(f"run.track: {lacking}; training goes on without, and later: {_later(run, wanted)}")
        return
    place = run.folder.absolute()
    words = [*interpreter(), "-m", "rltrain", "track", str(place), "--to", wanted.to, "--follow"]
    words += [] if wanted.project is None else ["--project", wanted.project]
    try:
        with disk_errors(f"{place / LOG}: cannot be written"), os.fdopen(open_tail(REAL, place / LOG), "ab") as out:
            subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, start_new_session=True
            )
    except (RltrainError, OSError) as error:
        run.warnings.append(f"run.track: {error}; training goes on without, and later: {_later(run, wanted)}")


def told_of(place: Path, project: str | None) -> TrackedRun:
    """What a tracker is told of a run before its first row. InputError if its config is not one that a run wrote."""
    found = unverified.config(place)
    if found.value is None or found.faults:
        raise InputError(f"{shown(str(place))}: not the configuration that a run writes: {found.faults[0]}")
    params = {key: _scalar(value) for key, value in leaves(found.value)}
    with suppress(OSError, ValueError):
        known = read_object(place / facts.FILE, unverified.MOST_BYTES)
        params |= {f"{facts.FILE}/{key}": _scalar(value) for key, value in leaves(known)}
    tags = {"algorithm": str(found.algorithm), "environment": environment_name(str(found.environment))}
    grouped = (place.parent / folder.GROUP_MARKER).is_file()
    name = f"{place.parent.name}/{place.name}" if grouped else place.absolute().name
    return TrackedRun(name, project or PROJECT, _counter(place), params, tags)


def state_of(place: Path) -> str:
    """The state of a run: that of status.json, and `killed` of one that had no time to say so."""
    return how_far.state_of(place) or how_far.KILLED


def summary_of(place: Path) -> dict[str, Scalar]:
    """The last score and the best, and how far the run came."""
    status = unverified.status(place)
    known = {"last": status.score, "best": status.best_score, "best_step": status.best_step, **status.counters}
    return {key: value for key, value in known.items() if value is not None}


def _send_all(follower: Follower, follow: bool, progress: Progress) -> None:
    """Send what is there; to `follow`, until the run is over and nothing is left to send."""
    place = follower.folder
    budget = unverified.config(place).budget
    total = budget.get("env_steps", next(iter(budget.values()), 0))

    def tick() -> None:
        progress.at(max(0, follower.step), total, sum(follower.rows.values()), "rows")

    over = not follow
    while True:
        follower.send(tick)
        tick()
        if over:
            return
        time.sleep(POLL_SECONDS)
        over = _is_over(place)  # what came before this moment is sent once more round


def _is_over(place: Path) -> bool:
    """Whether the run is at rest, and its process has drawn the picture that it leaves."""
    if is_locked(place):
        return False
    status = unverified.status(place)
    age = time.time() - (status.updated or 0)
    if status.state in (None, "running"):  # killed, or on a disk without locks
        return age > KILLED_SECONDS
    with suppress(OSError, ValueError):
        process = read_object(place / unverified.STATUS, unverified.MOST_BYTES).get("pid")
        picture, said = place / curve.NAME, place / unverified.STATUS
        drawn = picture.exists() and picture.stat().st_mtime_ns >= said.stat().st_mtime_ns
        return drawn or age > PICTURE_SECONDS or not (is_count(process) and psutil.pid_exists(process))
    return True


def _lock(place: Path, to: str, wait: bool) -> int:
    """A descriptor that keeps other processes from sending this run there. BusyError, unless to `wait` for them."""
    path = place / f".tracked-{to}.lock"
    with disk_errors(f"{path}: cannot be written"):
        append(path, "")
        while is_held(path):
            if not wait:
                raise BusyError(f"{place}: another process sends it to {to}; wait for it to end, or stop it")
            time.sleep(POLL_SECONDS)
        return hold(path)


def _counter(place: Path) -> str:
    """What the steps of the run's rows count."""
    with suppress(OSError):
        for row in json_lines(place / "metrics.jsonl"):
            counters = [key for key, value in row.items() if is_count(value)]
            return "env_steps" if "env_steps" in counters or not counters else counters[0]
    budget: Mapping[str, int] = unverified.config(place).budget
    return "env_steps" if "env_steps" in budget else next(iter(budget), "env_steps")


def _scalar(value: object) -> Scalar:
    return value if isinstance(value, str | int | float | bool) else str(value)


def _later(run: Run, wanted: TrackConfig) -> str:
    return f"rltrain track {shown(str(run.folder))} --to {wanted.to}"
