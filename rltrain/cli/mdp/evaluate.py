"""`rltrain mdp evaluate`: what a given policy is worth in a known model, exactly, beside the best."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from rltrain.cli.mdp.solve import (
    EPSILON,
    Discount,
    Json,
    Limit,
    Minimize,
    ModelName,
    Settings,
    Strict,
    fraction_of,
    loading,
    positive,
)
from rltrain.errors import InputError, UncertifiedError

if TYPE_CHECKING:
    from rltrain.core import Array
    from rltrain.mdp.losses import Losses
    from rltrain.mdp.model import Model

PolicyName = Annotated[
    str,
    typer.Option(
        "--policy", metavar="FILE|optimal|random|ACTION", help="A saved policy, a rule, or one action everywhere."
    ),
]
LOSING = "this policy may lose for ever from there"
Near = Annotated[
    float | None, typer.Option("--epsilon", metavar="X", help=f"How near V and V* must be proven; else {EPSILON:g}.")
]
AverageGoal = Annotated[bool, typer.Option("--average", help="By the average reward of a step, without end.")]
HorizonGoal = Annotated[int | None, typer.Option("--horizon", metavar="H", min=1, help="By what H steps bring.")]


def evaluate_command(
    model: ModelName = None,
    settings: Settings = None,
    policy: PolicyName = "optimal",
    discount: Discount = None,
    minimize: Minimize = False,
    strict: Strict = False,
    average: AverageGoal = False,
    horizon: HorizonGoal = None,
    epsilon: Near = None,
    exact: Annotated[
        bool, typer.Option("--exact", help="Fractions in place of floating point, for small models.")
    ] = False,
    limit: Limit = None,
    json: Json = False,
) -> None:
    """The value of a given policy in every state, the best value, and the loss."""
    from rltrain.cli.mdp import evaluate_goals, show
    from rltrain.mdp.files import json_stream
    from rltrain.verbs.mdp import models

    if limit is not None and json:
        raise InputError("--json goes without --limit: the JSON has every state")
    if exact and epsilon is not None:
        raise InputError("--exact goes without --epsilon: fractions have no error")
    near = positive("--epsilon", epsilon, EPSILON)
    loaded = loading(model, settings, minimize, strict)
    goal = evaluate_goals.goal_of(loaded, average, horizon, discount, exact)
    if goal is not None and exact:
        from rltrain.cli.mdp import evaluate_goals_exact

        return evaluate_goals_exact.run(loaded, policy, goal, limit, json)
    if goal is not None:
        return evaluate_goals.evaluate(loaded, policy, goal, near, limit, json)
    if exact:
        from rltrain.cli.mdp import evaluate_exact

        return evaluate_exact.run(loaded, policy, fraction_of(loaded, discount), limit, json)
    gamma = models.discount_of(loaded, discount)
    found = evaluate(loaded, policy, gamma, near)
    if json:
        show.say_pieces(json_stream.of_object(report(loaded, policy, gamma, found)))
    else:
        show_values(loaded, policy, gamma, found, limit)
    if found.bound > near:
        raise UncertifiedError(
            f"not proven: the numbers are within {show.upwards(found.bound)} of the truth, and {near:g} was asked for; "
            "floating point can prove no more; raise --epsilon, or take --exact, which is for small models"
        )


class Values(NamedTuple):
    """What is known of a policy; every number is within `bound` of the truth."""

    value: Array  # [S]
    start: float  # mean V of where the model starts
    bound: float
    losses: Losses | None  # None: there is no best value, as with discount 1 it may be
    why: str  # there is none


def evaluate(model: Model, policy: str, discount: float, epsilon: float = EPSILON) -> Values:
    """V, and V* and the loss of each state where there is a best value."""
    from rltrain.mdp.chains import policy as policies
    from rltrain.mdp.losses import losses

    given = policy_of(model, policy, discount)
    try:
        found = losses(model, given, discount, epsilon / 2)  # the other half is for rounding
    except InputError as error:
        if discount != 1:
            raise
        alone = policies.evaluate(model, given, discount, epsilon)  # says itself what is wrong with the policy
        return Values(alone.value, alone.start_value, alone.bound, None, str(error))
    return Values(found.evaluated.value, found.evaluated.start_value, found.bound, found, "")


def policy_of(model: Model, text: str, discount: float) -> Array:
    """[P] the policy that a person means: optimal, random, the name of an action, or a file."""
    from rltrain.mdp import pairs
    from rltrain.mdp.files import policy_files
    from rltrain.spelling import described, did_you_mean

    if text == "random":
        return pairs.uniform(model)
    if text == "optimal":
        from rltrain.cli.mdp.solve import solve_model

        return pairs.of_choice(model, solve_model(model, discount).choice)
    path = Path(text)
    if path.suffix.lower() in policy_files.SUFFIXES:
        return policy_files.read(path, model)
    if text in model.actions:
        return pairs.always(model, text)
    names = ["optimal", "random", *model.actions[:1000]]
    raise InputError(
        f"--policy {described(text)}: neither a file that ends in {', '.join(policy_files.SUFFIXES)}, nor optimal, "
        f"random or an action{did_you_mean(text, names)}"
    )


def report(model: Model, policy: str, discount: float, found: Values) -> dict[str, Any]:
    """What --json prints; `bound` is for every number in it. V_optimal and loss are null where there is no best."""
    import numpy as np

    from rltrain.mdp.files import json_stream
    from rltrain.mdp.solvers import bellman

    lost = np.isneginf(found.value)
    fields: dict[str, Any] = {
        "model": model.name,
        "policy": policy,
        "discount": float(discount),
        "states": json_stream.of_names(model.states),
        "V": json_stream.of_numbers(found.value),
        "V_optimal": None,
        "loss": None,
        "start_value": json_stream.finite(found.start),
        "start_value_optimal": None,
        "worst_loss": None,
        "worst_state": None,
        "bound": json_stream.finite(found.bound),
    }
    if found.losses is not None:
        best, loss = found.losses.optimal.value, found.losses.loss
        fields["V_optimal"] = json_stream.of_numbers(best)
        fields["loss"] = json_stream.of_numbers(loss)
        fields["start_value_optimal"] = json_stream.finite(bellman.mean(model.start_distribution(), best))
        fields["worst_loss"] = json_stream.finite(loss.max(initial=0.0))
        fields["worst_state"] = model.states[int(loss.argmax())]
        if found.losses.optimal.lost.any():
            fields["minus_infinity_optimal"] = json_stream.of_states(model, found.losses.optimal.lost)
    if lost.any():  # their V is null, and so is their loss where the best is finite
        fields["minus_infinity"] = json_stream.of_states(model, lost)
    return fields


def show_values(model: Model, policy: str, discount: float, found: Values, limit: int | None) -> None:
    """Print V of the policy beside the best and what is lost, state by state, with their bound."""
    import numpy as np

    from rltrain.cli.mdp import show
    from rltrain.cli.mdp.solve import lost_line
    from rltrain.cli.output import say
    from rltrain.mdp.solvers import bellman
    from rltrain.spelling import shown

    columns = [found.value]
    if found.losses is not None:
        columns += [found.losses.optimal.value, found.losses.loss]
    written = show.form(found.bound, max(bellman.size(column) for column in columns))
    count = show.rows_shown(model, limit)
    say(show.title(model, f"discount {discount:.12g}"))
    say(f"policy {shown(policy)}")
    say()
    rows = [["state", "V", "V*", "loss"][: 1 + len(columns)]]
    for state in range(count):
        rows.append([show.name(model.states[state]), *(written(column[state]) for column in columns)])
    show.table(rows, left=("state",))
    show.rest_of_rows(model, count)
    say()
    start = f"{written(found.start)}, the mean V of where it starts"
    lines = [("start", start), ("best", f"none: {found.why}")]
    if found.losses is not None:
        loss = found.losses.loss
        worst = int(loss.argmax())
        best = written(bellman.mean(model.start_distribution(), found.losses.optimal.value))
        lines = [("start", f"{start}; best {best}")]
        if loss[worst] > found.bound:
            lines.append(("worst", f"{written(loss[worst])} is lost from state {show.name(model.states[worst])}"))
        else:
            lines.append(("worst", "nothing is lost anywhere, as far as the bound can tell"))
    if np.isneginf(found.value).any():
        lines.insert(0, ("infinite", lost_line(model, np.isneginf(found.value), LOSING)))
    lines.append(("proven", show.proof(found.bound, written)))
    show.facts(lines)
