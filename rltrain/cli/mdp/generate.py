"""`rltrain mdp generate`: models of any size that are made rather than written."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def generate_command(
    family: Annotated[
        str, typer.Argument(metavar="FAMILY", help="garnet, grid, chain, forest or gambler.", show_default=False)
    ],
    target: Annotated[
        Path,
        typer.Argument(
            metavar="TARGET", help="A file: .npz, or a small one: .yaml .csv …; .mdpd, a folder, for any size."
        ),
    ],
    states: Annotated[int | None, typer.Option(metavar="N", min=1, help="All but grid.")] = None,
    actions: Annotated[int | None, typer.Option(metavar="N", min=1, help="garnet; else 4.")] = None,
    branching: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="garnet: successors a pair; else 8.")
    ] = None,
    seed: Annotated[int | None, typer.Option(metavar="N", min=0, help="garnet; else 0.")] = None,
    side: Annotated[int | None, typer.Option(metavar="N", min=2, help="grid: side x side cells.")] = None,
    slip: Annotated[
        float | None, typer.Option(metavar="P", min=0, max=1, help="grid, chain: chance to go astray; else 0.2.")
    ] = None,
    fire: Annotated[float | None, typer.Option(metavar="P", min=0, max=1, help="forest: a year; else 0.1.")] = None,
    win: Annotated[float | None, typer.Option(metavar="P", min=0, max=1, help="gambler: the coin; else 0.4.")] = None,
    discount: Annotated[float | None, typer.Option(metavar="G", min=0, max=1, help="Written into the model.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace TARGET.")] = False,
) -> None:
    """Make a model: random (garnet), a grid, or a textbook's; the same for the same seed."""
    from rltrain import words
    from rltrain.cli.output import say
    from rltrain.cli.progress import line
    from rltrain.mdp import files
    from rltrain.verbs.mdp.generate import generate

    given = {
        "states": states,
        "actions": actions,
        "branching": branching,
        "seed": seed,
        "side": side,
        "slip": slip,
        "fire": fire,
        "win": win,
    }
    made = generate(
        family, target, {key: value for key, value in given.items() if value is not None}, discount, overwrite, line
    )
    sizes = {"states": made.num_states, "pairs": made.num_pairs, "transitions": made.num_next}
    many = ", ".join(f"{words.count(number)} {what}" for what, number in sizes.items())
    say(f"{target}: {many}, {words.size(files.size_of(target))}")
