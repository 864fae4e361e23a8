"""`rltrain mdp solve --average`: the best average reward of a step, its policy and relative values."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from rltrain.errors import UncertifiedError

if TYPE_CHECKING:
    from rltrain.mdp.exact.average import ExactAverage
    from rltrain.mdp.model import Model
    from rltrain.mdp.undiscounted.average import Average


def run(
    model: Model,
    epsilon: float,
    max_sweeps: int | None,
    max_seconds: float | None,
    save: Path | None,
    overwrite: bool,
    limit: int | None,
    json: bool,
) -> None:
    """Solve, save and print."""
    from rltrain.cli.mdp import show
    from rltrain.mdp import pairs
    from rltrain.mdp.files import json_stream, policy_saving
    from rltrain.mdp.undiscounted import average

    solved = average.solve(model, epsilon, max_sweeps, max_seconds)
    if save is not None:
        policy_saving.write(save, model, pairs.of_choice(model, solved.choice), overwrite=overwrite)
    if json:
        show.say_pieces(json_stream.of_object(report(solved)))
    else:
        show_average(solved, limit, save)
    if not solved.converged:
        raise UncertifiedError(
            f"not converged after {solved.sweeps:,} sweeps: the gain is within {show.upwards(solved.bound)} of the "
            f"truth, and {epsilon:g} was asked for; raise --max-sweeps or --max-seconds, or --epsilon"
        )


def report(solved: Average) -> dict[str, Any]:
    """What --json prints. `gain` is by state; `bound` is for the gain; h misses its equation by `rest` at most."""
    from rltrain.mdp.files import json_stream

    model = solved.model
    return {
        "model": model.name,
        "states": json_stream.of_names(model.states),
        "actions": list(model.actions),
        "gain": json_stream.of_numbers(solved.gain),
        "relative": None if solved.relative is None else json_stream.of_numbers(solved.relative),
        "policy": json_stream.of_choice(model, solved.choice),
        "bound": json_stream.finite(solved.bound),
        "rest": json_stream.finite(solved.rest),
        "components": solved.components,
        "converged": bool(solved.converged),
        "sweeps": int(solved.sweeps),
        "seconds": solved.seconds,
        "policies": int(solved.policies),
        "method": "relative value iteration",
    }


def show_average(solved: Average, limit: int | None, saved: Path | None) -> None:
    """Print the gain, the policy and the relative value of each state, and how far they are proven."""
    from rltrain.cli.mdp import show
    from rltrain.cli.output import say

    model = solved.model
    written = show.form(solved.bound, float(abs(solved.gain).max(initial=0.0)))
    count = show.rows_shown(model, limit)
    say(show.title(model, "average reward of a step"))
    say()
    rows = [["state", "gain", "policy"]]
    if solved.relative is not None:
        loose = show.form(solved.rest, float(abs(solved.relative).max(initial=0.0)), 6)
        rows[0].append("relative value")
    for state in range(count):
        row = [show.name(model.states[state]), written(solved.gain[state])]
        row.append(show.action(model, int(solved.choice[state])))
        if solved.relative is not None:
            row.append(loose(solved.relative[state]))
        rows.append(row)
    show.table(rows, left=("state", "policy"))
    show.rest_of_rows(model, count)
    say()
    lines = []
    if solved.relative is not None:
        lines.append(("gain", f"{written(solved.gain[0])} a step in the long run, wherever it starts"))
        lines.append(
            (
                "relative",
                f"values h solve gain + h = max (r + P h) to within {show.upwards(solved.rest)}, 0 at the first state; "
                "what a start there is worth besides the gain",
            )
        )
    else:
        lines.append(
            (
                "gain",
                f"not one number: there are {solved.components:,} places to stay for ever (terminal states earn 0), "
                "and the gain of a state is the best mean of what it can be led to",
            )
        )
        if model.start is not None:
            lines.append(("start", f"{written(float(model.start @ solved.gain))}, the mean gain of where it starts"))
    if model.terminal.any() and not solved.gain.any():
        lines.append(("hint", "what ends earns nothing in the long run; for what it earns till then: --discount 1"))
    lines.append(("proven", show.proof(solved.bound, written).replace("number above", "gain above")))
    many = f"{solved.sweeps:,} sweep{'s' * (solved.sweeps != 1)}"
    if solved.policies:
        many += f" and the equations of {solved.policies:,} polic{'ies' if solved.policies != 1 else 'y'}"
    lines.append(("solved", f"by relative value iteration, {many}, {show.elapsed(solved.seconds)}"))
    if saved is not None:
        lines.append(("saved", str(saved)))
    show.facts(lines)


# In fractions


def run_exact(model: Model, save: Path | None, overwrite: bool, limit: int | None, json: bool) -> None:
    """Solve in fractions, save and print."""
    from rltrain.cli.mdp import show
    from rltrain.mdp import pairs
    from rltrain.mdp.files import json_stream, policy_saving
    from rltrain.mdp.undiscounted import average

    solved = average.exactly(model)
    if save is not None:
        policy_saving.write(save, model, pairs.of_choice(model, solved.choice), overwrite=overwrite)
    if json:
        show.say_pieces(json_stream.of_object(report_exact(solved)))
    else:
        show_exact(solved, limit, save)


def report_exact(solved: ExactAverage) -> dict[str, Any]:
    """What --json prints: fractions as strings, "170/137"; nothing is rounded, so the bound is 0."""
    from rltrain.mdp.files import json_stream

    model = solved.model
    return {
        "model": model.name,
        "states": list(model.states),
        "actions": list(model.actions),
        "gain": [str(gain) for gain in solved.gain],
        "relative": None if solved.relative is None else [str(value) for value in solved.relative],
        "policy": json_stream.of_choice(model, solved.choice),
        "numbers": solved.numbers,
        "bound": 0,
        "rest": 0,
        "converged": True,
        "policies": solved.iterations,
        "seconds": solved.seconds,
        "method": "exact",
    }


def show_exact(solved: ExactAverage, limit: int | None, saved: Path | None) -> None:
    """The table for a person: fractions where they are short, decimals beside them."""
    from rltrain.cli.mdp import show
    from rltrain.cli.mdp.solve_exact import decimal, short
    from rltrain.cli.output import say

    model = solved.model
    count = show.rows_shown(model, limit)
    say(show.title(model, "average reward of a step"))
    say()
    rows = [["state", "gain", "as a decimal", "policy", *["relative value"] * (solved.relative is not None)]]
    for state in range(count):
        gain = solved.gain[state]
        row = [
            show.name(model.states[state]),
            short(gain),
            decimal(gain),
            show.action(model, int(solved.choice[state])),
        ]
        rows.append(row if solved.relative is None else [*row, short(solved.relative[state])])
    show.table(rows, left=("state", "policy"))
    show.rest_of_rows(model, count)
    say()
    lines = []
    if solved.relative is not None:
        lines.append(("gain", f"{short(solved.gain[0])} a step in the long run, wherever it starts"))
        lines.append(("relative", "values h solve gain + h = max (r + P h), 0 at the first state"))
    else:
        lines.append(("gain", "of a state: the best mean of what it can be led to; terminal states earn 0"))
    longer = "; … is a longer fraction: --json has it" if any("…" in cell for row in rows for cell in row[1:]) else ""
    lines.append(
        ("proven", f"exact: gain and h solve the optimality equations in fractions; decimals are rounded{longer}")
    )
    if solved.numbers != "as written":
        lines.append(("numbers", f"the model's numbers are floats, read as {solved.numbers}"))
    many = f"{solved.iterations:,} evaluation{'s' * (solved.iterations != 1)}"
    lines.append(("solved", f"by policy iteration in fractions, {many}, {show.elapsed(solved.seconds)}"))
    if saved is not None:
        lines.append(("saved", str(saved)))
    show.facts(lines)
