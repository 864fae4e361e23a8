"""The options that several verbs share, each written once: how it is spelled and what its help says."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def _brought(context: typer.Context, names: list[str] | None) -> list[str] | None:
    """Import what a person brings, before any id is looked up."""
    for name in () if context.resilient_parsing else names or ():  # the first: a shell completes the line
        from rltrain.imports import bring

        bring(name)
    return names


Imports = Annotated[
    list[str] | None,
    typer.Option(
        "--import",
        "--gym-packages",
        metavar="MODULE|FILE",
        callback=_brought,
        help="Import an environment of another package (minigrid) or of your own (./my_env.py).",
    ),
]
Overrides = Annotated[
    list[str] | None,
    typer.Argument(metavar="KEY.SUB=VALUE", help="Settings that go before the file's: algorithm.gamma=0.95"),
]
Steps = Annotated[
    str | None,
    typer.Option("-n", "--total-timesteps", "--n-timesteps", metavar="N", help="Environment steps to train for."),
]
RunsDir = Annotated[
    Path, typer.Option("-f", "--runs-dir", "--log-folder", metavar="DIR", help="Where run folders are.")
]
MaxWall = Annotated[str | None, typer.Option(metavar="TIME", help="Stop and save after this long: 50m, 5h50m, 90s.")]
QuietFlag = Annotated[bool, typer.Option("-q", "--quiet", help="Only warnings and the last line; no picture.")]
Jobs = Annotated[
    int | None, typer.Option("-j", "--jobs", metavar="N", min=1, help="Of several runs, how many at once.")
]
LauncherName = Annotated[
    str | None,
    typer.Option("--launcher", metavar="NAME", help="Where several runs run: local, slurm or ray."),
]
Slurm = Annotated[
    str | None,
    typer.Option(
        "--slurm", metavar="KEY=VALUE,...", help="Of each job of --launcher slurm: partition=gpu,time=4h,mem=8G."
    ),
]
WithInput = Annotated[bool, typer.Option("--stop-with-input", hidden=True, help="Stop when standard input ends.")]
ProgressFlag = Annotated[bool, typer.Option("-P", "--progress", hidden=True, help="Taken, and done in any case.")]
JsonFlag = Annotated[bool, typer.Option("--json", help="One JSON object on standard output, nothing else.")]

# Of verbs that play a saved policy
Protocol = Annotated[
    str | None, typer.Option(metavar="NAME", help="nature, sticky or training; else what the run's config says.")
]
Epsilon = Annotated[
    float | None, typer.Option(metavar="X", min=0, max=1, help="Share of random actions; else the protocol's.")
]
GamesSeed = Annotated[int, typer.Option(metavar="N", min=0, help="Of the games; independent of the training's.")]
Device = Annotated[str | None, typer.Option(metavar="DEVICE", help="auto, cpu, cuda or cuda:N.")]
