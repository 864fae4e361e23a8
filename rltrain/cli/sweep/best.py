"""`rltrain sweep best`: the config of the best trial, or of another, as a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rltrain.cli.options import RunsDir
from rltrain.cli.output import say
from rltrain.cli.sweep.show import SweepName, new_seeds
from rltrain.errors import InputError
from rltrain.outputs import check_place
from rltrain.spelling import shown


def best_command(
    sweep: SweepName,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="Where to; else it is printed.")
    ] = None,
    rank: Annotated[int, typer.Option(metavar="N", min=1, help="Of the trial of this rank, not of the best.")] = 1,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace FILE.")] = False,
    runs_dir: RunsDir = Path("runs"),
) -> None:
    """Write the config of the best trial, complete, for `rltrain train`."""
    from rltrain import words
    from rltrain.verbs.sweep import best as verb

    if overwrite and output is None:
        raise InputError("--overwrite is for -o FILE")
    if output is not None:
        check_place(output, overwrite)
    found = verb.best(sweep, runs_dir, rank)
    if output is None:
        say(found.text.rstrip("\n"))
        return
    verb.write(output, found.text, overwrite)
    say(f"{shown(str(output))}: {found.trial}, rank {found.rank}, score {words.score(found.score)}")
    for line in new_seeds(str(output)):
        say(line)
