"""`rltrain report`: a page about a run, several runs, or a sweep, that opens anywhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rltrain.cli import complete
from rltrain.cli.options import Imports, JsonFlag, RunsDir
from rltrain.cli.output import complain, say, say_json
from rltrain.cli.progress import line
from rltrain.spelling import shown

if TYPE_CHECKING:
    from rltrain.verbs.report import ReportPage

INTERRUPTED = 130  # the exit code after Ctrl-C


def report_command(
    runs: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN",
            help="Names, folders, or patterns such as 'dqn-*'; or a sweep.",
            autocompletion=complete.runs,
        ),
    ],
    output: Annotated[Path | None, typer.Option("-o", "--output", metavar="FILE", help="Where to: FILE.html.")] = None,
    film: Annotated[bool, typer.Option("--film/--no-film", help="With a game of the best policy, or without.")] = True,
    runs_dir: RunsDir = Path("runs"),
    imports: Imports = None,
    json: JsonFlag = False,
) -> None:
    """Write a page: what came of it, its curve, a film, its settings, and how to make it again."""
    from rltrain.verbs.report import write_report

    made = write_report(runs, output, runs_dir=runs_dir, film=film, progress=line)
    if json:
        say_json(made.json())
    else:
        show(made)
    if made.partial:
        raise typer.Exit(INTERRUPTED)


def show(made: ReportPage) -> None:
    """Print what the page says first, and where it is."""
    say(shown(f"{made.title}: {made.verdict}"))
    for text in made.diagnosis:
        say(shown(f"diagnosis: {text}"))
    for note in made.notes:
        complain(f"note: {note}")
    if made.partial:
        complain("stopped by Ctrl-C: the page is without the film")
    say(f"page: {shown(made.page)}")
