"""`rltrain sweep plot`: the score against each setting, and the best so far."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rltrain.cli.options import RunsDir
from rltrain.cli.output import say
from rltrain.cli.sweep.show import SweepName
from rltrain.spelling import shown


def plot_command(
    sweep: SweepName,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="Where to: .png, .svg or .pdf.")
    ] = None,
    runs_dir: RunsDir = Path("runs"),
) -> None:
    """Draw the score of all trials against each setting, and the best so far."""
    from rltrain import words
    from rltrain.verbs.sweep.plot import plot

    drawn = plot(sweep, runs_dir, output)
    say(f"{words.many(drawn.trials, 'trial')}; picture: {shown(drawn.picture)}")
