"""`rltrain sweep show`: the trials of a sweep from the best to the worst, what mattered, and what luck adds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rltrain.cli import complete
from rltrain.cli.options import JsonFlag, RunsDir
from rltrain.cli.output import out, say, say_json
from rltrain.spelling import brief, shown
from rltrain.yaml_subset import flow

if TYPE_CHECKING:
    from rltrain.verbs.sweep.ranking import RankedTrial, SweepReport

WIDEST_VALUE = 30  # characters of a setting's value

SweepName = Annotated[
    str, typer.Argument(metavar="SWEEP", help="A sweep's name or folder.", autocompletion=complete.sweep_folders)
]


def show_command(
    sweep: SweepName,
    rows: Annotated[int, typer.Option("-n", "--rows", metavar="N", min=1, help="The best N trials.")] = 20,
    every: Annotated[bool, typer.Option("--all", help="All trials.")] = False,
    runs_dir: RunsDir = Path("runs"),
    json: JsonFlag = False,
) -> None:
    """Rank the trials of a sweep, and say how far the ranking can be believed. While it runs, too."""
    from rltrain.verbs.sweep import ranking

    report = ranking.show(sweep, runs_dir)
    if json:
        say_json(report.json())
    else:
        show(report, None if every else rows)


def show(report: SweepReport, most: int | None) -> None:
    """Print the best trials, `most` of them, and what there is to say of all."""
    from rltrain.verbs.sweep import told

    for line in head(report):
        say(line)
    if report.ranking:
        _table(report, report.ranking[:most])
    left = 0 if most is None else len(report.ranking) - most
    if left > 0:
        say(f"  and {left:,} more; --all shows them, --json for programs")
    for line in (*told.counts(report), *told.mattered(report), *told.believed(report), *advice(report)):
        say(line)


def head(report: SweepReport) -> Iterator[str]:
    """Which sweep it is and how far."""
    what = f"{shown(report.algorithm or '?')} on {shown(report.environment or '?')}"
    far = f"{report.state}, {report.scored:,} of {report.trials:,} trials scored"
    yield f"{shown(report.name)}: {what}, {report.search}; {far}"
    if not report.ranking:
        yield "no batch of trials has ended yet"


def _table(report: SweepReport, ranking: Sequence[RankedTrial]) -> None:
    from rich.text import Text

    from rltrain import words
    from rltrain.cli import columns
    from rltrain.cli.columns import Column
    from rltrain.verbs.sweep import study

    colours = {"running": "green", "paused": "dim", "diverged": "red", "failed": "red"}
    alike = all(row.state == "finished" for row in ranking)  # then it goes before any setting does
    settings = list(ranking[0].settings)
    made = [
        Column("rank", ["-" if row.rank is None else f"{row.rank:,}" for row in ranking]),
        Column("trial", [row.trial for row in ranking], words=True),
        Column("score", [words.score(None if row.rank is None else row.score) for row in ranking]),
        Column("95 % interval", [_interval(row) for row in ranking], 1),
        Column(
            "state",
            [Text(state_of(report, row), colours.get(row.state, "")) for row in ranking],
            9 + len(settings) if alike else 2,
            words=True,
        ),
    ]
    order = list(report.importances or settings)
    for key in settings:
        cells = [brief(flow(row.settings[key]), WIDEST_VALUE) for row in ranking]
        numeric = all(_is_number(cell) for cell in cells)
        cells = [words.number(float(cell)) if numeric and "." in cell else cell for cell in cells]
        made.append(
            Column(brief(study.short(key, settings), WIDEST_VALUE), cells, 3 + order.index(key), words=not numeric)
        )
    columns.show(out(), made, indent=1)


def state_of(report: SweepReport, row: RankedTrial) -> str:
    """`paused at 10,000`: what a trial does, and where it was scored last."""
    at = f" at {row.counter:,}" if row.state in ("paused", "running") and row.counter is not None else ""
    waits = row.state == "running" and report.state != "running"
    return f"{'unfinished' if waits else row.state}{at}"


def _interval(row: RankedTrial) -> str:
    from rltrain import words

    return "-" if row.ci95 is None else f"{words.score(row.ci95[0])} to {words.score(row.ci95[1])}"


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def advice(report: SweepReport) -> Iterator[str]:
    """What to type next."""
    if report.state == "interrupted":
        yield f"go on with: rltrain sweep resume {shown(report.folder)}"
    if any(row.rank for row in report.ranking):
        yield f"the best: rltrain sweep best {shown(report.folder)} -o best.yaml"
        yield from new_seeds("best.yaml")


def new_seeds(file: str) -> Iterator[str]:
    """How to learn what the best trial is worth: by seeds that did not choose it."""
    yield f"new seeds tell what it is worth: rltrain train {shown(file)} --seeds 10 --seed 1000"
