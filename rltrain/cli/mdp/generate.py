"""`rltrain mdp generate`: models of any size that are made rather than written."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from rltrain.errors import InputError


def generate_command(
    family: Annotated[
        str, typer.Argument(metavar="FAMILY", help="garnet, grid, chain, forest or gambler.", show_default=False)
    ],
    target: Annotated[Path, typer.Argument(metavar="TARGET", help="A file: .npz, or a small one: .yaml .csv …")],
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
        family, target, {key: value for key, value in given.items() if value is not None}, discount, overwrite
    )
    many = ", ".join(f"{words.count(made[key])} {key}" for key in ("states", "pairs", "transitions"))
    say(f"{target}: {many}, {words.size(target.stat().st_size)}")


def generate(
    family: str, target: Path, settings: dict[str, Any], discount: float | None = None, overwrite: bool = False
) -> dict[str, Any]:
    """Make and write. Returns the sizes."""
    from rltrain.mdp import files, problems
    from rltrain.spelling import did_you_mean, shown

    problem = problems.PROBLEMS.get(family)
    if problem is None:
        raise InputError(f"unknown family '{shown(family)}'{did_you_mean(family, problems.PROBLEMS)}")
    for key in settings:
        if key not in problem.settings:
            options = ", ".join(f"--{name}" for name in problem.settings)
            raise InputError(f"--{key} is not for {family}, which has {options} and --discount")
    for key, default in problem.settings.items():
        if default is None and key not in settings:
            raise InputError(f"{family} needs --{key}")
    files.check_target(target, overwrite)
    model = problem.make(**settings, discount=discount)
    files.write(model, target, overwrite=overwrite)
    return {"states": model.num_states, "pairs": model.num_pairs, "transitions": model.num_next}
