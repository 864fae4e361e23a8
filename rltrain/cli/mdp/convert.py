"""`rltrain mdp convert`: a model from one form into another; an environment's table into a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rltrain.cli.mdp import options


def convert_command(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="A model file, or a Gymnasium id with a table.")],
    target: Annotated[
        Path,
        typer.Argument(
            metavar="TARGET",
            help=".yaml .npz .csv .mdp, a folder: .mdpd, or to look at: .dot .prism",
            show_default=False,
        ),
    ],
    settings: options.Settings = None,
    imports: options.Imports = None,
    minimize: options.Minimize = False,
    strict: options.Strict = False,
    discount: Annotated[
        str | None, typer.Option("--discount", metavar="G", help="What TARGET states, as 0.95; else the model's own.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace TARGET.")] = False,
) -> None:
    """Write a model in another form; the suffix of TARGET says which."""
    from rltrain import words
    from rltrain.cli.output import complain, say
    from rltrain.mdp import files
    from rltrain.verbs.mdp.convert import convert

    loaded = convert(source, target, settings, minimize=minimize, strict=strict, discount=discount, overwrite=overwrite)
    for warning in loaded.warnings:
        complain(f"warning: {warning}")
    say(f"{target}: {words.size(files.size_of(target))}")
