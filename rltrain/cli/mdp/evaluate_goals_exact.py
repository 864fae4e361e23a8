"""`rltrain mdp evaluate --exact` with --average or --horizon H: a policy beside the best, in fractions."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from rltrain.cli.mdp.evaluate_goals import Goal
    from rltrain.mdp.model import Model


class ExactCompared(NamedTuple):
    """Nothing here is rounded."""

    value: tuple[Fraction, ...]  # [S] V or gain of the policy
    best: tuple[Fraction, ...]  # [S]
    loss: tuple[Fraction, ...]  # [S]


def run(model: Model, name: str, goal: Goal, limit: int | None, json: bool) -> None:
    """Evaluate and print."""
    from rltrain.cli.mdp import show
    from rltrain.mdp.files import json_stream

    found = compare(model, name, goal)
    if json:
        show.say_pieces(json_stream.of_object(report(model, name, goal, found)))
    else:
        show_values(model, name, goal, found, limit)


def compare(model: Model, name: str, goal: Goal) -> ExactCompared:
    """The policy's numbers and the best ones. `optimal` is the best for each time to go, or in the long run."""
    from rltrain.cli.mdp.evaluate import policy_of
    from rltrain.cli.mdp.evaluate_exact import shares
    from rltrain.mdp.exact import average, horizon
    from rltrain.mdp.undiscounted.average import exactly

    taken = None
    if name != "optimal":
        given = shares(model, policy_of(model, name, 0.0))
        taken = [given.get(state, {}) for state in range(model.num_states)]
    if goal.steps is None:
        best = exactly(model).gain
        value = best if taken is None else average.evaluate(model, taken)
    else:
        discount = Fraction(goal.discount)
        best = horizon.values(model, None, discount, goal.steps)
        value = best if taken is None else horizon.values(model, taken, discount, goal.steps)
    return ExactCompared(value, best, tuple(b - v for b, v in zip(best, value, strict=True)))


def report(model: Model, name: str, goal: Goal, found: ExactCompared) -> dict[str, Any]:
    """What --json prints: fractions as strings, "21/2"; nothing is rounded, so the bound is 0."""
    own, best = goal.keys()
    return {
        "model": model.name,
        "policy": name,
        **goal.json(exact=True),
        "states": list(model.states),
        own: [str(value) for value in found.value],
        best: [str(value) for value in found.best],
        "loss": [str(loss) for loss in found.loss],
        "worst_loss": str(max(found.loss)),
        "worst_state": model.states[found.loss.index(max(found.loss))],
        "bound": 0,
    }


def show_values(model: Model, name: str, goal: Goal, found: ExactCompared, limit: int | None) -> None:
    """The table for a person: fractions where they are short, decimals beside them."""
    from rltrain.cli.mdp import show
    from rltrain.cli.mdp.solve_exact import decimal, short
    from rltrain.cli.output import say
    from rltrain.spelling import shown

    count = show.rows_shown(model, limit)
    say(show.title(model, *goal.title))
    say(f"policy {shown(name)}")
    say()
    rows = [["state", goal.headings[0], "as a decimal", "loss", "as a decimal"]]
    for state in range(count):
        numbers = (found.value[state], found.loss[state])
        rows.append([show.name(model.states[state]), *(write(each) for each in numbers for write in (short, decimal))])
    show.table(rows, left=("state",))
    show.rest_of_rows(model, count)
    say()
    longer = "; … is a longer fraction: --json has it" if any("…" in cell for row in rows for cell in row[1:]) else ""
    most = max(found.loss)
    worst = "nothing is lost anywhere"
    if most:
        worst = f"{decimal(most)} is lost from state {show.name(model.states[found.loss.index(most)])}"
    show.facts([("worst", worst), ("proven", f"exact, in fractions; decimals are rounded{longer}")])
