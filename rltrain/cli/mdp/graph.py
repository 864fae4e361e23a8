"""`rltrain mdp graph`: a small model and its policy as a picture, or as DOT for Graphviz."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rltrain.cli.mdp import options
from rltrain.errors import InputError


def graph_command(
    model: options.ModelName = None,
    settings: options.Settings = None,
    imports: options.Imports = None,
    minimize: options.Minimize = False,
    strict: options.Strict = False,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", help=".svg, .png or .dot; else DOT on standard output."),
    ] = None,
    policy: Annotated[
        str | None,
        typer.Option(metavar="FILE|optimal|none", help="What is blue: also random, or an action; else optimal."),
    ] = None,
    discount: options.Discount = None,
    max_states: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Refuse larger models; else 60, 2500 on a grid, 200 for DOT."),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace FILE.")] = False,
) -> None:
    """Draw a small model: states, actions, what may follow, and what the policy takes."""
    from rltrain import words
    from rltrain.cli.output import complain, say
    from rltrain.verbs.mdp import graph as verb

    if output is not None:
        verb.check_target(output, overwrite)
    elif overwrite:
        raise InputError("--overwrite is for --output FILE")
    loaded = options.loading(model, settings, minimize, strict)
    verb.check_size(loaded, output, max_states)
    drawing = verb.drawing_of(loaded, policy, discount)
    if drawing.note:
        complain(drawing.note)
    if output is None:
        return say("\n".join(verb.dot_lines(drawing)))
    verb.draw(drawing, output)
    say(f"{output}: {words.size(output.stat().st_size)}")
