"""`rltrain mdp discounts`: where the best policy of a known model changes as the discount does."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rltrain.cli.mdp import options


def discounts_command(
    model: options.ModelName = None,
    settings: options.Settings = None,
    imports: options.Imports = None,
    minimize: options.Minimize = False,
    strict: options.Strict = False,
    low: Annotated[str, typer.Option("--from", metavar="G", help="The least discount, as 0.5 or 1/2.")] = "0.5",
    high: Annotated[str, typer.Option("--to", metavar="G", help="The greatest, below 1.")] = "0.999",
    tolerance: Annotated[
        float, typer.Option(metavar="X", help="How well a change is found where fractions are too slow.")
    ] = 1e-6,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="A picture: .png or .svg.")
    ] = None,
    json: options.Json = False,
) -> None:
    """Find every discount at which the best policy changes."""
    from rltrain.cli.mdp.answer import show
    from rltrain.cli.mdp.answers.discounts import of_discounts
    from rltrain.cli.output import complain
    from rltrain.report import discounts as picture
    from rltrain.verbs.mdp.discounts import discounts

    if output is not None:
        picture.check_target(output)
    found = discounts(options.loading(model, settings, minimize, strict), low, high, tolerance)
    show(of_discounts(found), json)
    if output is not None:
        picture.draw(found, output)
        if not json:
            complain(f"drawn: {output}")
