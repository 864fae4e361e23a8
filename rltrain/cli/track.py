"""`rltrain track`: a run's numbers, pictures and films to an experiment tracker."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rltrain.cli import complete
from rltrain.cli.options import JsonFlag, RunsDir
from rltrain.cli.output import complain, say, say_json
from rltrain.cli.progress import line
from rltrain.spelling import shown

if TYPE_CHECKING:
    from rltrain.verbs.track import TrackReport

INTERRUPTED = 130  # the exit code after Ctrl-C


def track_command(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run's name or folder.", autocompletion=complete.runs)],
    to: Annotated[str, typer.Option("--to", metavar="NAME", help="trackio, wandb, mlflow or tensorboard.")],
    follow: Annotated[bool, typer.Option("--follow", help="Go on until the run is over.")] = False,
    project: Annotated[
        str | None, typer.Option(metavar="NAME", help="Where runs lie together at the tracker; else rltrain.")
    ] = None,
    runs_dir: RunsDir = Path("runs"),
    json: JsonFlag = False,
) -> None:
    """Send a run to an experiment tracker, from its folder: training neither waits nor fails."""
    from rltrain.verbs.track import track

    report = track(run, to, project=project, follow=follow, runs_dir=runs_dir, progress=line)
    if json:
        say_json(report.json())
    else:
        show(report)
    if report.partial:
        raise typer.Exit(INTERRUPTED)


def show(report: TrackReport) -> None:
    """Print what went, and how to look at it."""
    for note in report.notes:
        complain(f"note: {note}")
    if report.partial:
        complain("stopped by Ctrl-C: call it again, and it goes on")
    if report.tracker_run:
        counts = [f"{report.rows['train']:,} rows of training", f"{report.rows['eval']:,} evaluations"]
        counts += [f"{len(report.files)} files"] if report.files else []
        say(shown(f"{report.run} ({report.state}) to {report.to}: {', '.join(counts)}"))
    say(shown(f"look at it: {report.where}"))
