"""`rltrain mdp verify`: whether a policy is as good as the best, and if not, where it first goes wrong."""

from __future__ import annotations

from typing import Annotated

import typer

from rltrain.cli.mdp import options
from rltrain.cli.progress import line


def verify_command(
    policy: Annotated[
        str, typer.Argument(metavar="POLICY", help="A file of `solve --save`, random, optimal, or an action's name.")
    ],
    model: options.ModelName = None,
    settings: options.Settings = None,
    imports: options.Imports = None,
    tolerance: Annotated[
        float | None, typer.Option(metavar="X", help=f"What may be lost in a state; else {options.TOLERANCE:g}.")
    ] = None,
    discount: options.Discount = None,
    minimize: options.Minimize = False,
    strict: options.Strict = False,
    average: options.AverageGoal = False,
    horizon: options.HorizonGoal = None,
    limit: options.Limit = None,
    json: options.Json = False,
) -> None:
    """Check that a policy is optimal: its loss in each state; exit 9 if it loses more than --tolerance anywhere."""
    from rltrain.cli.mdp.answer import show
    from rltrain.cli.mdp.answers.verdict import of_verdict
    from rltrain.verbs.mdp.verify import verify

    options.no_limit_with_json(limit, json)
    allowed = options.positive("--tolerance", tolerance, options.TOLERANCE)
    loaded = options.loading(model, settings, minimize, strict)
    verdict = verify(loaded, policy, discount, average=average, horizon=horizon, tolerance=allowed, progress=line)
    show(of_verdict(verdict, limit), json)
