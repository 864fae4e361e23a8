"""`rltrain diff`: what is different between two runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rltrain.cli import complete
from rltrain.cli.options import Imports, JsonFlag, RunsDir
from rltrain.cli.output import complain, out, say, say_json
from rltrain.spelling import brief, shown

if TYPE_CHECKING:
    from rltrain.report.rows import RowsApart
    from rltrain.verbs.diff import RunsApart

VALUE = 60  # characters of a value


def diff_command(
    one: Annotated[str, typer.Argument(metavar="RUN", help="A run's name or folder.", autocompletion=complete.runs)],
    other: Annotated[str, typer.Argument(metavar="RUN", help="Another one.", autocompletion=complete.runs)],
    runs_dir: RunsDir = Path("runs"),
    imports: Imports = None,
    json: JsonFlag = False,
) -> None:
    """Say what is different between two runs: settings, versions, machine, and where their numbers part."""
    from rltrain.verbs.diff import diff

    report = diff(one, other, runs_dir)
    if json:
        say_json(report.json())
    else:
        show(report)


def show(report: RunsApart) -> None:
    """Print what differs; that nothing does."""
    from rltrain.cli import columns
    from rltrain.cli.columns import Column

    for note in report.notes:
        complain(f"note: {note}")
    names = [shown(Path(place).name) for place in (report.one, report.other)]
    if names[0] == names[1]:
        names = [shown(report.one), shown(report.other)]
    if report.equal and report.facts_known:
        say(f"{names[0]} and {names[1]} are equal: settings, versions, machine, and every number")
        return
    cells = [
        (setting.key, _value(setting.one, setting.one_default), _value(setting.other, setting.other_default))
        for setting in report.settings
    ]
    cells += [(fact.name, _value(fact.one), _value(fact.other)) for fact in [*report.versions, *report.machine]]
    if cells:
        heads = zip(("", *names), zip(*cells, strict=True), strict=True)
        columns.show(out(), [Column(head, list(found), words=True) for head, found in heads])
    else:
        known = "settings, versions and machine" if report.facts_known else "settings"
        say(f"{known} of {names[0]} and {names[1]} are equal")
    for name, table in report.tables.items():
        say(f"{name:<13} {parting(table)}")
    for name, (one, other) in report.scores.items():
        if one is not None or other is not None:
            say(f"{name}: {_score(one)} and {_score(other)}")


def parting(table: RowsApart) -> str:
    """Where two tables part: `the first 3 rows are equal; at 4,000 steps mean is 120 and 130`."""
    from rltrain import words

    if not max(table.rows):
        return "none"
    if table.equal:
        return f"equal, {words.many(table.same, 'row')}"
    same = f"the first {table.same:,} rows are equal" if table.same > 1 else "the first row is equal" * table.same
    where = ", ".join(f"{words.count(value)} {words.counter(name)}" for name, value in (table.counters or {}).items())
    if table.metric is None:
        more = f"one goes on from there, at {where}: {table.rows[0]:,} rows and {table.rows[1]:,}"
    elif table.values[0] == table.values[1]:
        more = f"at {where} only one has {shown(table.metric)}"
    else:
        more = f"at {where} {shown(table.metric)} is {_exact(table.values[0])} and {_exact(table.values[1])}"
    return f"{same}; {more}" if same else more


def _exact(value: float | None) -> str:
    """As many digits as tell it from every other: the difference may be in the last."""
    return "-" if value is None else f"{value!r}".removesuffix(".0")


def _score(value: float | None) -> str:
    from rltrain import words

    return "never evaluated" if value is None else words.score(value)


def _value(text: str | None, default: bool = False) -> str:
    return "-" if text is None else brief(text, VALUE) + " (default)" * default
