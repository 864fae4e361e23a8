"""The arguments and options that verbs of `rltrain mdp` share, and what is checked of them before any work."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from rltrain.cli.options import Imports as Imports
from rltrain.errors import InputError

if TYPE_CHECKING:
    from rltrain.mdp.model import Model

EPSILON = 1e-6  # how near numbers must be proven
TOLERANCE = 1e-6  # what a policy may lose in a state

ModelName = Annotated[
    str | None,
    typer.Argument(metavar="MODEL", help="A model file or a Gymnasium id that has its table; else the book's model."),
]
Settings = Annotated[
    list[str] | None, typer.Argument(metavar="KEY=VALUE", help="Arguments of the environment, as map_name=8x8.")
]
Discount = Annotated[
    str | None, typer.Option("--discount", metavar="G", help="0 to 1, as 0.95 or 19/20; else the model's own.")
]
Minimize = Annotated[bool, typer.Option("--minimize", help="Its rewards are costs: the least is the best.")]
Strict = Annotated[
    bool, typer.Option("--strict", help="Refuse probabilities that are off by rounding, and repeated rows.")
]
ExactNumbers = Annotated[bool, typer.Option("--exact", help="Fractions in place of floating point, for small models.")]
PolicyName = Annotated[
    str,
    typer.Option(
        "--policy", metavar="FILE|optimal|random|ACTION", help="A saved policy, a rule, or one action everywhere."
    ),
]
Near = Annotated[
    float | None, typer.Option("--epsilon", metavar="X", help=f"How near V and V* must be proven; else {EPSILON:g}.")
]
AverageGoal = Annotated[bool, typer.Option("--average", help="By the average reward of a step, without end.")]
HorizonGoal = Annotated[int | None, typer.Option("--horizon", metavar="H", min=1, help="By what H steps bring.")]
Limit = Annotated[int | None, typer.Option("--limit", metavar="ROWS", min=0, help="States that the table shows.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object on standard output, nothing else.")]


def refuse(context: typer.Context, excludes: Mapping[str, tuple[tuple[str, ...], str]]) -> None:
    """InputError for given options that make no sense together: an option -> those it goes without, and why."""
    given = {
        max(option.opts, key=len)
        for option in context.command.params
        if context.params[option.name or ""] != option.get_default(context)
    }
    for option, (others, why) in excludes.items():
        wrong = [other for other in others if other in given]
        if option in given and wrong:
            raise InputError(f"{option} goes without {', '.join(wrong)}: {why}")


def no_limit_with_json(limit: int | None, json: bool) -> None:
    """InputError where rows are limited of what has no table."""
    if limit is not None and json:
        raise InputError("--json goes without --limit: the JSON has every state")


def positive(option: str, value: float | None, default: float) -> float:
    """A number above 0. InputError for anything else."""
    if value is None:
        return default
    if not (math.isfinite(value) and value > 0):
        raise InputError(f"{option} {value:g}: a number above 0, such as {default:g}")
    return value


def loading(argument: str | None, settings: list[str] | None, minimize: bool = False, strict: bool = False) -> Model:
    """The model that is meant; the warnings of its reader go to standard error."""
    from rltrain.cli.output import complain
    from rltrain.cli.progress import line
    from rltrain.verbs.mdp import models

    with line.phase(f"reading {argument or 'the model'}"):
        loaded = models.load(argument, settings, minimize=minimize, strict=strict)
    for warning in loaded.warnings:
        complain(f"warning: {warning}")
    return loaded.model
