"""`rltrain plot`: one run's curve drawn anew, or several runs in one picture with a band over seeds."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rltrain.cli.output import complain, out, say, say_json
from rltrain.cli.train import RunsDir
from rltrain.errors import DiskError, InputError, RltrainError
from rltrain.spelling import brief, shown

if TYPE_CHECKING:
    from rltrain.report.groups import Group
    from rltrain.report.reading import Record

PICTURE = "comparison.png"  # in the folder of the runs
LABEL = 70  # characters of a group's name


def plot_command(
    runs: Annotated[list[str], typer.Argument(metavar="RUN", help="Names, folders, or patterns such as 'dqn-*'.")],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="Where to: .png, .svg or .pdf.")
    ] = None,
    x: Annotated[
        str | None, typer.Option("--x", metavar="COUNTER", help="env_steps, episodes, updates, ..., or seconds.")
    ] = None,
    y: Annotated[
        str | None, typer.Option("--y", metavar="METRIC", help="return, eval, or a metric such as loss/td.")
    ] = None,
    smooth: Annotated[
        int, typer.Option(metavar="N", min=1, max=1_000_000, help="Draw means of the last N points.")
    ] = 1,
    group: Annotated[
        str,
        typer.Option(metavar="KEY", help="auto: runs that differ in the seed alone; none; or a setting that tells."),
    ] = "auto",
    runs_dir: RunsDir = Path("runs"),
    json: Annotated[bool, typer.Option("--json", help="One JSON object on standard output, nothing else.")] = False,
) -> None:
    """Draw runs: one as it was drawn at its end, several in one picture with a band over seeds."""
    report = plot(runs, output, runs_dir=runs_dir, x=x, y=y, smooth=smooth, by=group)
    if json:
        say_json(report)
    else:
        show(report)


def plot(
    runs: Sequence[str],
    output: Path | None = None,
    *,
    runs_dir: Path = Path("runs"),
    x: str | None = None,
    y: str | None = None,
    smooth: int = 1,
    by: str = "auto",
) -> dict[str, Any]:
    """Draw, and return what `--json` prints: where the picture is, and what each group scored."""
    from rltrain.report import canvas, comparison, curve, measures
    from rltrain.report import groups as grouping

    if output is not None:
        canvas.suffix_of(output)
    folders = chosen(runs, runs_dir)
    records, empty = loaded(folders, forgiving=len(folders) > len(runs))
    folders = [record.folder for record in records]
    records = [with_baselines(records[0]), *records[1:]]
    several = runs_dir / PICTURE if runs_dir.is_dir() else Path(PICTURE)
    target = output or (folders[0] / curve.NAME if len(records) == 1 else several)
    if len(records) == 1 and x is None and y is None and smooth == 1:
        with advised(output):
            path = curve.draw(folders[0], target)
        with suppress(InputError):  # no game has ended yet: a picture that says so, and no score
            y = measures.choose_y(records, None)
        groups, notes = grouping.group(records, "none")
        return {"picture": str(path), "y": y, "groups": results(groups, y), "notes": [*empty, *notes]}
    groups, notes = grouping.group(records, by)
    across, up = measures.choose_x(records, x), measures.choose_y(records, y)
    curves = {run.folder: measures.curve(run, across, up, smooth) for group in groups for run in group.runs}
    for folder, found in curves.items():
        if not len(found.x):
            raise InputError(f"{shown(str(folder))}: no point of {up} has a known place on --x {across}")
    figure = comparison.draw(groups, curves, across, up, smooth)
    with advised(output):
        path = canvas.write(figure, target)
    return {"picture": str(path), "y": up, "groups": results(groups, up), "notes": [*empty, *notes]}


@contextmanager
def advised(output: Path | None) -> Iterator[None]:
    """Where the disk refuses a picture whose place nobody chose, say how to choose another."""
    try:
        yield
    except DiskError as error:
        raise DiskError(f"{error}" + ("" if output else "; -o FILE.png puts the picture elsewhere")) from error


def loaded(folders: Sequence[Path], forgiving: bool) -> tuple[list[Record], list[str]]:
    """The runs that have numbers, and a note for each that has none. InputError if `forgiving` is not asked for."""
    from rltrain.report import reading

    records, notes = [], []
    for folder in folders:
        try:
            records.append(reading.load(folder))
        except InputError as error:
            if not forgiving:
                raise
            notes.append(str(error))
    if not records:
        raise InputError(notes[0])
    return records, notes


def chosen(runs: Sequence[str], runs_dir: Path) -> list[Path]:
    """The folders of runs given by names, paths, patterns, or a folder that holds them; each once, in their order."""
    from rltrain.run import folder

    found: dict[Path, Path] = {}
    for given in runs:
        if any(sign in given for sign in "*?["):
            folders = [runs_dir / name for name in folder.names(runs_dir) if fnmatchcase(name, given)]
        else:
            folders = (_inside(runs_dir / given) or _inside(Path(given))) if given else []
        for path in folders or [folder.find(runs_dir, given)]:
            found.setdefault(path.resolve(), path)
    return list(found.values())


def _inside(path: Path) -> list[Path]:
    """The runs in a folder that is none itself, s2 before s10: those of several seeds."""
    from rltrain.run import folder

    if (path / folder.MARKER).is_file():
        return []
    members = [marker.parent for marker in path.glob(f"*/{folder.MARKER}")]
    return sorted(members, key=lambda member: (len(member.name), member.name))


def with_baselines(record: Record) -> Record:
    """A record with its baselines, played now if they never were. Without them if its environment is not here."""
    from rltrain.report import reading

    scored = record.evaluations or reading.finite(record.training.get("return/mean", []))
    if record.baselines or not scored:
        return record
    from dataclasses import replace

    from rltrain.cli.progress import line
    from rltrain.experiment.config import load
    from rltrain.run import baselines

    with suppress(RltrainError):
        baselines.write(load(record.folder / "config.yaml"), record.folder, progress=line)
    means, threshold = reading.references(record.folder)
    return replace(record, baselines=means, threshold=threshold)


def results(groups: Sequence[Group], y: str | None) -> list[dict[str, Any]]:
    """What each group scored at its end and at best. Of one run the interval is that of its games."""
    return [_result(group, y) for group in groups]


def _result(group: Group, y: str | None) -> dict[str, Any]:
    import numpy as np

    from rltrain.report import measures, spread

    said: dict[str, Any] = {
        "label": group.label,
        "runs": [str(run.folder) for run in group.runs],
        "seeds": group.seeds,
        "last": None,
        "low": None,
        "high": None,
        "interval": None,  # what low and high are
        "best": None,
    }
    if y is None:
        return said
    found = [measures.values(run, y) for run in group.runs]
    last = np.array([values[-1] for values in found])  # [n]
    said["last"] = float(last.mean())
    if len(last) > 1:
        said["low"], said["high"] = (float(end) for end in spread.interval(last))
        said["interval"] = spread.said(len(last))
    elif y == "eval":
        found_ends = (group.runs[0].evaluations.get(f"ci95/{end}", [math.nan])[-1] for end in ("low", "high"))
        said["low"], said["high"] = found_ends
        said["interval"] = "95 % interval of the mean over its games"
    better = measures.better(y)
    said["best"] = better(np.concatenate(found)) if better else None
    return said


def show(report: dict[str, Any]) -> None:
    """Print what `--json` gives, for a person."""
    from rltrain import words
    from rltrain.cli import columns
    from rltrain.cli.columns import Column

    groups = report["groups"]
    write = words.score if (report["y"] or "").split("/")[0] in ("eval", "return", "population") else words.number
    rows = [
        (
            brief(group["label"], LABEL),
            str(len(group["runs"])),
            write(group["last"]),
            "-" if group["low"] is None else f"{write(group['low'])} to {write(group['high'])}",
            write(group["best"]),
        )
        for group in groups
    ]
    head = ("", "runs", f"last {brief(report['y'] or 'score', LABEL)}", "interval", "best")
    made = [
        Column(heading, list(cells), need, words=not heading)
        for heading, cells, need in zip(head, zip(*rows, strict=True), (0, 4, 1, 2, 3), strict=True)
    ]
    columns.show(out(), made)
    for text in dict.fromkeys(group["interval"] for group in groups if group["interval"]):
        say(f"interval: {text}")
    for note in report["notes"]:
        complain(f"note: {note}; it is left out")
    say(f"picture: {shown(report['picture'])}")
