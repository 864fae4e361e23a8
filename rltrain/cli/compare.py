"""`rltrain compare`: which of two or more sets of runs is better, and how sure that is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rltrain.cli import complete
from rltrain.cli.options import Imports, JsonFlag, RunsDir
from rltrain.cli.output import complain, out, say, say_json
from rltrain.cli.progress import line
from rltrain.spelling import shown

if TYPE_CHECKING:
    from rltrain.report.verdict import Duel
    from rltrain.verbs.compare import ComparedSides


def compare_command(
    runs: Annotated[
        list[str],
        typer.Argument(
            metavar="RUNS",
            help="Two or more patterns, such as 'dqn-*' 'ppo-*', or folders; or runs, sorted by their configs.",
            autocompletion=complete.runs,
        ),
    ],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="A picture too: .png, .svg or .pdf.")
    ] = None,
    on: Annotated[
        str, typer.Option(metavar="SCORE", help="final or best evaluation of a run, or auc: their mean over its steps.")
    ] = "final",
    by: Annotated[
        str | None,
        typer.Option(metavar="environment", help="Over several environments: shares of what there is to win in each."),
    ] = None,
    runs_dir: RunsDir = Path("runs"),
    imports: Imports = None,
    json: JsonFlag = False,
) -> None:
    """Say which runs are better, and how sure that is: intervals over seeds, probability of improvement, a verdict."""
    from rltrain.verbs.compare import compare

    report = compare(runs, output, on=on, by=by, runs_dir=runs_dir, progress=line)
    if json:
        say_json(report.json())
    else:
        show(report)


def show(report: ComparedSides) -> None:
    """Print the sides as a table, each pair, and the verdict."""
    from rltrain import words
    from rltrain.cli import columns
    from rltrain.cli.columns import Column

    write = words.share if report.scale else words.score
    seeds = [_counts({len(own) for own in side.seeds.values()}) for side in report.sides]
    head = f"{report.measure} on {', '.join(shown(name) for name in report.environments)}"
    say(head + (", as shares of what there is to win" if report.scale else ""))
    columns.show(
        out(),
        [
            Column("", [side.label for side in report.sides], words=True),
            Column("seeds", seeds, 3),
            Column("mean", [write(side.mean) for side in report.sides]),
            Column("95 % interval", [_ends(side.mean_low, side.mean_high, write) for side in report.sides], 1),
            Column("IQM", [write(side.iqm) for side in report.sides], 2),
            Column("95 % interval ", [_ends(side.iqm_low, side.iqm_high, write) for side in report.sides], 4),
        ],
    )
    for note in report.notes:
        complain(f"note: {note}")
    for name, scale in (report.scale or {}).items():
        zero, one = words.score(scale.zero), words.score(scale.one)
        say(f"{shown(name)}: 0 is {zero} (random play), 1 is {one} ({scale.named})")
    for duel in report.duels:
        say(pair(duel, write))
    if len(report.duels) > 1:
        pairs = len(report.sides) * (len(report.sides) - 1) // 2
        level = 100 * report.duels[0].level
        say(f"{len(report.sides)} sides, {pairs} pairs: intervals of {level:.1f} % each, so that all hold in 95 %")
    say(report.verdict)
    if report.picture:
        say(f"picture: {shown(report.picture)}")


def pair(duel: Duel, write: Callable[[float | None], str]) -> str:
    """The numbers of two sides: `P(b > a) = 0.93 (0.81 to 0.99), at the same seed 1.00; means apart 41 (30 to 52)`."""
    from rltrain.report.verdict import chance

    said = chance(duel.probability, duel.probability_low, duel.probability_high)
    same = "" if duel.same_seed is None else f", at the same seed {duel.same_seed:.2f}"
    ends = "" if duel.difference_low is None else f" ({_ends(duel.difference_low, duel.difference_high, write)})"
    return f"P({duel.better} > {duel.other}) = {said}{same}; means apart {write(duel.difference)}{ends}"


def _ends(low: float | None, high: float | None, write: Callable[[float | None], str]) -> str:
    return "-" if low is None else f"{write(low)} to {write(high)}"


def _counts(found: set[int]) -> str:
    return str(min(found)) if len(found) == 1 else f"{min(found)} to {max(found)}"
