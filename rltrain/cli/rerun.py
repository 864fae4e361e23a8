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
    run: Annotated[str, typer.Argument(help="A run's name or folder.", autocompletion=complete.runs)],
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
    if not report.equal:
        raise typer.Exit(UncertifiedError.exit_code)


def show(report: Repeated) -> None:
    """Print whether the bytes agree, and if not, what differs first and why it may."""
    from rltrain.cli.diff import parting

    names = [*report.files, *([report.checkpoint] if report.checkpoint else [])]
    if report.equal:
        what = f"to the byte: {', '.join(names)}" if all(report.files.values()) else "as far as both go"
        say(f"equal {what}" + ("" if report.checkpoint else "; neither has a checkpoint that could be compared"))
    elif not report.whole and not any(table.parted for table in report.tables.values()):
        say("stopped before the end of the run; equal as far as it came")
    else:
        say(f"not equal: {', '.join(_differing(report))}")
        for name, table in report.tables.items():
            if not table.equal:
                say(f"{name:<13} {parting(table)}")
        for why in report.why:
            say(f"it may be: {shown(why)}")
        if not report.why:
            say("versions, processor and threads are the same: was it resumed with other settings, or edited?")
    if not report.whole:
        say(f"go on with: rltrain resume {shown(report.again)}")
    say(f"in {shown(report.again)}; compare both with: rltrain diff {shown(report.run)} {shown(report.again)}")


def _differing(report: Repeated) -> list[str]:
    """The names of what differs."""
    found = [name for name, same in report.files.items() if not same]
    return found + ([str(report.checkpoint)] if report.arrays is False else [])
