"""One run's curve drawn anew, or several runs in one picture with a band over seeds."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np

from rltrain.errors import DiskError, InputError, RltrainError
from rltrain.progress import Progress
from rltrain.report import canvas, comparison, curve, measures, reading, spread
from rltrain.report import groups as grouping
from rltrain.report.groups import PlotGroup
from rltrain.report.reading import Record
from rltrain.run import baselines, believed, folder
from rltrain.spelling import shown

PICTURE = "comparison.png"  # in the folder of the runs


@dataclass(frozen=True)
class GroupScore:
    """What a group of runs, which differ in the seed alone, scored at its end and at best."""

    label: str
    runs: list[str]  # their folders
    seeds: list[int]
    last: float | None = None  # the mean of what they scored at their ends; None: nothing was scored yet
    low: float | None = None
    high: float | None = None
    interval: str | None = None  # what low and high are
    best: float | None = None


@dataclass(frozen=True)
class Plotted:
    """A picture of runs, and what it shows in numbers."""

    picture: str  # the file
    y: str | None  # the metric; None: no game has ended yet
    groups: list[GroupScore]
    notes: list[str]  # runs that are left out, and why; what of their files was not believed

    def json(self) -> dict[str, Any]:
        """All of it as JSON has it."""
        return asdict(self)


def plot(
    runs: Sequence[str],
    output: Path | None = None,
    *,
    runs_dir: Path = Path("runs"),
    x: str | None = None,
    y: str | None = None,
    smooth: int = 1,
    by: str = "auto",
    progress: Progress | None = None,
) -> Plotted:
    """Draw runs that are given by names, folders or patterns, over the counter `x`, and say what each group scored.

    InputError for what fits none of them, DiskError where the picture cannot be written, MissingError without
    matplotlib.
    """
    if output is not None:
        canvas.check(output)
    folders = chosen(runs, runs_dir)
    records, empty = loaded(folders, forgiving=len(folders) > len(runs))
    empty = [f"{note}; it is left out" for note in empty] + reading.notes_of(records)
    folders = [record.folder for record in records]
    records = [with_baselines(records[0], progress), *records[1:]]
    if len(records) == 1 and x is None and y is None and smooth == 1:
        with advised(output):
            path = curve.draw(folders[0], output)
        with suppress(InputError):  # no game has ended yet: a picture that says so, and no score
            y = measures.choose_y(records, None)
        groups, _ = grouping.group(records, "none")
        return Plotted(str(path), y, [score_of(group, y) for group in groups], empty)
    groups, notes = grouping.group(records, by)
    notes = [f"{note}; it is left out" for note in notes]
    across, up = measures.choose_x(records, x), measures.choose_y(records, y)
    curves = {run.folder: measures.curve(run, across, up, smooth) for group in groups for run in group.runs}
    for place, found in curves.items():
        if not len(found.x):
            raise InputError(f"{shown(str(place))}: no point of {up} has a known place on --x {across}")
    figure = comparison.draw(groups, curves, across, up, smooth)
    with advised(output):
        path = canvas.write(figure, output or _usual_place(folders, runs_dir))
    return Plotted(str(path), up, [score_of(group, up) for group in groups], [*empty, *notes])


def _usual_place(folders: Sequence[Path], runs_dir: Path) -> Path:
    """Where a picture goes whose place nobody chose."""
    if len(folders) == 1:
        return folders[0] / curve.NAME
    return runs_dir / PICTURE if runs_dir.is_dir() else Path(PICTURE)


@contextmanager
def advised(output: Path | None) -> Iterator[None]:
    """Where the disk refuses a picture whose place nobody chose, say how to choose another."""
    try:
        yield
    except DiskError as error:
        raise DiskError(f"{error}" + ("" if output else "; -o FILE.png puts the picture elsewhere")) from error


def loaded(folders: Sequence[Path], forgiving: bool, evaluated: bool = False) -> tuple[list[Record], list[str]]:
    """The runs that have numbers, and a note for each that has none. InputError if `forgiving` is not asked for.

    evaluated   evaluations are numbers enough, see `reading.load`
    """
    records, notes = [], []
    for place in folders:
        try:
            records.append(reading.load(place, evaluated))
        except InputError as error:
            if not forgiving:
                raise
            notes.append(str(error))
    if not records:
        raise InputError(notes[0])
    return records, notes


def chosen(runs: Sequence[str], runs_dir: Path) -> list[Path]:
    """The folders of runs given by names, paths, patterns, or a folder that holds them; each once, in their order."""
    found: dict[Path, Path] = {}
    for given in runs:
        if any(sign in given for sign in "*?["):
            known = folder.names(runs_dir, trials="/" in given)
            folders = [runs_dir / name for name in known if fnmatchcase(name, given)]
        else:
            folders = (_inside(runs_dir / given) or _inside(Path(given))) if given else []
        for path in folders or [folder.find(runs_dir, given)]:
            found.setdefault(path.resolve(), path)
    return list(found.values())


def _inside(path: Path) -> list[Path]:
    """The runs in a folder that is none itself, s2 before s10: those of several seeds."""
    if (path / folder.MARKER).is_file():
        return []
    members = [marker.parent for marker in path.glob(f"*/{folder.MARKER}")]
    return sorted(members, key=lambda member: (len(member.name), member.name))


def with_baselines(record: Record, progress: Progress | None = None) -> Record:
    """A record with its baselines, played now if these games never were; as they are if its environment is not here."""
    if not (record.evaluations or reading.finite(record.training.get("return/mean", []))):
        return record
    with suppress(RltrainError):
        baselines.write(believed.experiment(record.folder)[0], record.folder, progress=progress)
    means, threshold = reading.references(record.folder)
    return replace(record, baselines=means, threshold=threshold)


def score_of(group: PlotGroup, y: str | None) -> GroupScore:
    """What a group scored in the metric `y`. Of one run the interval is that of its games."""
    score = GroupScore(group.label, [str(run.folder) for run in group.runs], group.seeds)
    if y is None:
        return score
    found = [measures.values(run, y) for run in group.runs]
    last = np.array([values[-1] for values in found])  # [n]
    better = measures.better(y)
    best = better(np.concatenate(found)) if better else None
    score = replace(score, last=float(last.mean()), best=best)
    if len(last) > 1:
        low, high = (float(end) for end in spread.interval(last))
        return replace(score, low=low, high=high, interval=spread.interval_name(len(last)))
    if y == "eval":
        low, high = (group.runs[0].evaluations.get(f"ci95/{end}", [math.nan])[-1] for end in ("low", "high"))
        return replace(score, low=low, high=high, interval="95 % interval of the mean over its games")
    return score
