"""`rltrain rerun`: the same run again, and whether it came to the same bytes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rltrain.cli import complete
from rltrain.cli.options import Imports, JsonFlag, QuietFlag, RunsDir
from rltrain.cli.output import complain, say, say_json
from rltrain.cli.progress import line
from rltrain.errors import UncertifiedError
from rltrain.spelling import shown

if TYPE_CHECKING:
    from rltrain.run.loop import Event, Run
    from rltrain.verbs.rerun import Repeated


class LineView:
    """Shows a run that is at work on standard error alone: warnings, and the live line."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def show(self, news: Event) -> None:
        for text in news.warnings:
            complain(f"warning: {shown(text)}")
        limit = self._run.budget[self._run.primary]
        line.at(news.counters[self._run.primary], limit)

    def close(self) -> None:
        pass


def rerun_command(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run's name or folder.", autocompletion=complete.runs)],
    runs_dir: RunsDir = Path("runs"),
    imports: Imports = None,
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="The new run's name; else that of the run, and -rerun.")
    ] = None,
    quiet: QuietFlag = False,
    json: JsonFlag = False,
) -> None:
    """Train a run again from its own folder, to the same end, and say whether the bytes agree."""
    from rltrain.cli.drive import advance, command_line, view_of
    from rltrain.verbs.rerun import compared, prepare

    old = prepare(run, runs_dir)
    new = old.begin(runs_dir, name, command_line())
    if json:
        with line.over("rltrain rerun"):
            asked, _ = advance(new, lambda: LineView(new), old.advance(new))
    else:
        asked, _ = advance(new, lambda: view_of(new, quiet), old.advance(new))
    report = compared(old, new.folder)
    if json:
        say_json(report.json())
    else:
        show(report)
    if asked.reason is not None:
        raise typer.Exit(asked.exit_code)
    if report.equal is False:
        raise typer.Exit(UncertifiedError.exit_code)


def show(report: Repeated) -> None:
    """Print whether the bytes agree, and if not, what differs first and why it may."""
    from rltrain.cli.diff import parting

    for note in report.notes:
        complain(f"note: {shown(report.run)}: {note}")
    names = ", ".join([*report.files, *([report.checkpoint] if report.checkpoint else [])])
    none = "" if report.checkpoint else "; there is no checkpoint in common that could be compared"
    if report.equal is None:
        say(f"stopped before the new run came as far as the old one; equal as far as it came: {names}{none}")
    elif report.equal and report.end is None:
        say(f"equal to the byte: {names}{none}")
    elif report.equal:
        say(f"equal as far as it came: {names}{none}")
    else:
        say(f"not equal: {', '.join(_differing(report))}")
        for name, table in report.tables.items():
            if not table.equal:
                say(f"{name:<13} {parting(table)}")
        for why in report.why:
            say(f"it may be: {shown(why)}")
        if not report.why:
            say("versions, processor and threads are the same: was it edited, cut, or resumed with other settings?")
    if report.end is not None:
        say(f"{shown(report.run)}: {report.end}")
    if report.partial:
        say(f"go on with: rltrain resume {shown(report.again)}")
    say(f"in {shown(report.again)}; compare both with: rltrain diff {shown(report.run)} {shown(report.again)}")


def _differing(report: Repeated) -> list[str]:
    """The names of what differs; of runs that are both at their ends also of what one has more of."""
    whole = report.end is None and not report.partial
    said = ("unequal", "equal as far as one goes") if whole else ("unequal",)
    found = [name for name, same in report.files.items() if same in said]
    return found + ([str(report.checkpoint)] if report.arrays is False else [])
