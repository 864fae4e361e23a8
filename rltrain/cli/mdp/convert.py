"""`rltrain mdp convert`: a model from one form into another; an environment's table into a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rltrain.cli.mdp.solve import Minimize, Settings, Strict


def convert_command(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="A model file, or a Gymnasium id with a table.")],
    target: Annotated[
        Path,
        typer.Argument(metavar="TARGET", help=".yaml .npz .csv .mdp, or to look at: .dot .prism", show_default=False),
    ],
    settings: Settings = None,
    minimize: Minimize = False,
    strict: Strict = False,
    discount: Annotated[
        str | None, typer.Option("--discount", metavar="G", help="What TARGET states, as 0.95; else the model's own.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace TARGET.")] = False,
) -> None:
    """Write a model in another form; the suffix of TARGET says which."""
    from rltrain.cli.output import complain, say

    for line in convert(
        source, target, settings or [], minimize=minimize, strict=strict, discount=discount, overwrite=overwrite
    ):
        complain(f"warning: {line}")
    say(f"{target}: {_size(target)}")


def convert(
    source: str,
    target: Path,
    settings: list[str] | None = None,
    *,
    minimize: bool = False,
    strict: bool = False,
    discount: str | None = None,
    overwrite: bool = False,
) -> list[str]:
    """Read, check, write. Returns what is doubtful about the model."""
    from dataclasses import replace

    from rltrain.cli.mdp.solve import fraction_of
    from rltrain.mdp import files
    from rltrain.verbs.mdp import models

    files.check_target(target, overwrite)  # before a large model is read
    loaded = models.load(source, settings or [], minimize=minimize, strict=strict)
    model = loaded.model
    if discount is not None:
        written = fraction_of(model, discount)
        exact = model.exact and replace(model.exact, discount=written)
        model = replace(model, discount=float(written), exact=exact)
    files.write(model, target, overwrite=overwrite)
    return list(loaded.warnings)


def _size(target: Path) -> str:
    from rltrain import words

    return words.size(target.stat().st_size)
