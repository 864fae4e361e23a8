"""`rltrain mdp evaluate --exact`: V of a given policy in fractions, beside V* and what is lost."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

from rltrain.errors import InputError

if TYPE_CHECKING:
    from rltrain.core import Array
    from rltrain.mdp.exact.rational import Number
    from rltrain.mdp.model import Model


class ExactValues(NamedTuple):
    """Nothing here is rounded."""

    value: tuple[Number, ...]  # [S]
    best: tuple[Number, ...] | None  # [S] V*; None: there is none, as with discount 1 it may be
    why: str  # there is none


def run(model: Model, name: str, discount: Fraction, limit: int | None, json: bool) -> None:
    """Evaluate and print."""
    from rltrain.cli.mdp import show
    from rltrain.mdp.files import json_stream

    found = evaluate(model, name, discount)
    if json:
        show.say_pieces(json_stream.of_object(report(model, name, discount, found)))
    else:
        show_values(model, name, discount, found, limit)


def evaluate(model: Model, name: str, discount: Fraction) -> ExactValues:
    """V, and V* where there is one. The policy `optimal` is an exactly optimal one."""
    from rltrain.cli.mdp.evaluate import policy_of
    from rltrain.mdp.exact.discounted import evaluate_exact, solve_exact

    best, why = None, ""
    try:
        best = solve_exact(model, discount)
    except InputError as error:
        if discount != 1 or name == "optimal":
            raise
        why = str(error)
    if name == "optimal":
        assert best is not None
        return ExactValues(best.value, best.value, why)
    value = evaluate_exact(model, shares(model, policy_of(model, name, float(discount))), discount)
    return ExactValues(value, None if best is None else best.value, why)


def shares(model: Model, policy: Array) -> dict[int, dict[int, Fraction]]:
    """The probabilities of the pairs [P] of each state that acts, as fractions that sum to 1: 0.1 is 1/10."""
    from rltrain.mdp.exact.rational import distribution

    found = {}
    for state in range(model.num_states):
        taken = [pair for pair in model.pairs(state) if policy[pair] > 0]
        if taken:
            read, _ = distribution([float(policy[pair]) for pair in taken])
            found[state] = dict(zip(taken, read, strict=True))
    return found


def losses(found: ExactValues) -> list[Number] | None:
    """[S] V* - V; 0 where both are -infinity: no policy does better."""
    if found.best is None:
        return None
    return [Fraction(0) if b == v else b - v for b, v in zip(found.best, found.value, strict=True)]


def report(model: Model, name: str, discount: Fraction, found: ExactValues) -> dict[str, Any]:
    """What --json prints: fractions as strings, "21/2", or "-infinity"; nothing is rounded, so the bound is 0."""
    from rltrain.cli.mdp.solve_exact import text

    loss = losses(found)
    return {
        "model": model.name,
        "policy": name,
        "discount": str(discount),
        "states": list(model.states),
        "V": [text(value) for value in found.value],
        "V_optimal": None if found.best is None else [text(value) for value in found.best],
        "loss": None if loss is None else [text(value) for value in loss],
        "worst_loss": None if loss is None else text(max(loss)),
        "worst_state": None if loss is None else model.states[loss.index(max(loss))],
        "bound": 0,
    }


def show_values(model: Model, name: str, discount: Fraction, found: ExactValues, limit: int | None) -> None:
    """Print V of the policy and what it loses: fractions where they are short, decimals beside them."""
    import numpy as np

    from rltrain.cli.mdp import show
    from rltrain.cli.mdp.evaluate import LOSING
    from rltrain.cli.mdp.solve import lost_line
    from rltrain.cli.mdp.solve_exact import decimal, short
    from rltrain.cli.output import say
    from rltrain.spelling import shown

    loss, count = losses(found), show.rows_shown(model, limit)
    say(show.title(model, f"discount {discount}"))
    say(f"policy {shown(name)}")
    say()
    rows = [["state", "V", "as a decimal"] + ["loss", "as a decimal"] * (loss is not None)]
    for state in range(count):
        numbers = [found.value[state]] + ([loss[state]] if loss is not None else [])
        rows.append([show.name(model.states[state]), *(write(each) for each in numbers for write in (short, decimal))])
    show.table(rows, left=("state",))
    show.rest_of_rows(model, count)
    say()
    longer = "; … is a longer fraction: --json has it" if any("…" in cell for row in rows for cell in row[1:]) else ""
    lines = [("proven", f"exact: V solves the policy's equations in fractions; decimals are rounded{longer}")]
    if loss is None:
        lines.insert(0, ("best", f"none: {found.why}"))
    elif max(loss) == 0:
        lines.insert(0, ("worst", "nothing is lost anywhere: the policy is optimal"))
    else:
        worst = loss.index(max(loss))
        lines.insert(0, ("worst", f"{decimal(loss[worst])} is lost from state {show.name(model.states[worst])}"))
    lost = np.array([not isinstance(value, Fraction) for value in found.value])
    if lost.any():
        lines.insert(0, ("infinite", lost_line(model, lost, LOSING)))
    show.facts(lines)
