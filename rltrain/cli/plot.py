"""`rltrain plot`: one run's curve drawn anew, or several runs in one picture with a band over seeds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rltrain.cli import complete
from rltrain.cli.options import Imports, JsonFlag, RunsDir
from rltrain.cli.output import complain, out, say, say_json
from rltrain.cli.progress import line
from rltrain.spelling import brief, shown

if TYPE_CHECKING:
    from rltrain.verbs.plot import Plotted

LABEL = 70  # characters of a group's name


def plot_command(
    runs: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN",
            help="Names, folders, or patterns such as 'dqn-*'.",
            autocompletion=complete.runs,
        ),
    ],
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
    imports: Imports = None,
    json: JsonFlag = False,
) -> None:
    """Draw runs: one as it was drawn at its end, several in one picture with a band over seeds."""
    from rltrain.verbs.plot import plot

    report = plot(runs, output, runs_dir=runs_dir, x=x, y=y, smooth=smooth, by=group, progress=line)
    if json:
        say_json(report.json())
    else:
        show(report)


def show(report: Plotted) -> None:
    """Print where the picture is and what the runs scored, for a person."""
    from rltrain import words
    from rltrain.cli import columns
    from rltrain.cli.columns import Column

    write = words.score if (report.y or "").split("/")[0] in ("eval", "return", "population") else words.number
    rows = [
        (
            brief(group.label, LABEL),
            str(len(group.runs)),
            write(group.last),
            "-" if group.low is None else f"{write(group.low)} to {write(group.high)}",
            write(group.best),
        )
        for group in report.groups
    ]
    head = ("", "runs", f"last {brief(report.y or 'score', LABEL)}", "interval", "best")
    made = [
        Column(heading, list(cells), need, words=not heading)
        for heading, cells, need in zip(head, zip(*rows, strict=True), (0, 4, 1, 2, 3), strict=True)
    ]
    columns.show(out(), made)
    for text in dict.fromkeys(group.interval for group in report.groups if group.interval):
        say(f"interval: {text}")
    for note in report.notes:
        complain(f"note: {note}")
    say(f"picture: {shown(report.picture)}")
