"""`rltrain mdp solve --average`: the best average reward of a step, its policy and relative values."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rltrain import words
from rltrain.cli.mdp import text
from rltrain.cli.mdp.answer import Answer, AnswerTable, Part, framed
from rltrain.cli.mdp.answers.solution import solved_in_fractions
from rltrain.mdp.files import json_stream
from rltrain.mdp.model import Model

if TYPE_CHECKING:
    from rltrain.mdp.exact.average import ExactAverage
    from rltrain.mdp.undiscounted.average import Average

TITLE = "average reward of a step"


def of_average(solved: Average, epsilon: float, limit: int | None = None, saved: Path | None = None) -> Answer:
    """The gain in floating point, and what is proven of it."""
    unproven = ""
    if not solved.converged:
        unproven = (
            f"not converged after {solved.sweeps:,} sweeps: the gain is within {text.upwards(solved.bound)} of the "
            f"truth, and {epsilon:g} was asked for; raise --max-sweeps or --max-seconds, or --epsilon"
        )
    return Answer(_fields(solved), _text(solved, limit, saved), unproven=unproven)


def _fields(solved: Average) -> dict[str, Any]:
    """`gain` is by state; `bound` is for the gain; h misses its equation by `rest` at most."""
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


def _text(solved: Average, limit: int | None, saved: Path | None) -> Iterator[Part]:
    model = solved.model
    written = text.form(solved.bound, float(abs(solved.gain).max(initial=0.0)))
    count = text.rows_shown(model, limit)
    states = range(count)
    columns = [["gain", *(written(solved.gain[state]) for state in states)], _policy(solved, count)]
    if solved.relative is not None:
        loose = text.form(solved.rest, float(abs(solved.relative).max(initial=0.0)), 6)
        columns.append(["relative value", *(loose(solved.relative[state]) for state in states)])
        facts = [
            ("gain", f"{written(solved.gain[0])} a step in the long run, wherever it starts"),
            (
                "relative",
                f"values h solve gain + h = max (r + P h) to within {text.upwards(solved.rest)}, 0 at the first state; "
                "what a start there is worth besides the gain",
            ),
        ]
    else:
        facts = [
            (
                "gain",
                f"not one number: there are {solved.components:,} places to stay for ever (terminal states earn 0), "
                "and the gain of a state is the best mean of what it can be led to",
            )
        ]
        if model.start is not None:
            facts.append(("start", f"{written(float(model.start @ solved.gain))}, the mean gain of where it starts"))
    if model.terminal.any() and not solved.gain.any():
        facts.append(("hint", "what ends earns nothing in the long run; for what it earns till then: --discount 1"))
    facts.append(("proven", text.proof(solved.bound, written).replace("number above", "gain above")))
    many = words.many(solved.sweeps, "sweep")
    if solved.policies:
        many += f" and the equations of {solved.policies:,} polic{'ies' if solved.policies != 1 else 'y'}"
    facts.append(("solved", f"by relative value iteration, {many}, {text.elapsed(solved.seconds)}"))
    yield from _framed(model, columns, facts, saved)


def of_exact_average(solved: ExactAverage, limit: int | None = None, saved: Path | None = None) -> Answer:
    """The gain in fractions."""
    return Answer(_exact_fields(solved), _exact_text(solved, limit, saved))


def _exact_fields(solved: ExactAverage) -> dict[str, Any]:
    """Fractions as strings, "170/137"; nothing is rounded, so the bound is 0."""
    model = solved.model
    return {
        "model": model.name,
        "states": list(model.states),
        "actions": list(model.actions),
        "gain": text.fractions(solved.gain),
        "relative": None if solved.relative is None else text.fractions(solved.relative),
        "policy": json_stream.of_choice(model, solved.choice),
        "numbers": solved.numbers,
        "bound": 0,
        "rest": 0,
        "converged": True,
        "policies": solved.iterations,
        "seconds": solved.seconds,
        "method": "exact",
    }


def _exact_text(solved: ExactAverage, limit: int | None, saved: Path | None) -> Iterator[Part]:
    """Fractions where they are short, decimals beside them."""
    model = solved.model
    count = text.rows_shown(model, limit)
    gain = solved.gain[:count]
    columns = [["gain", *map(text.short, gain)], ["as a decimal", *map(text.decimal, gain)], _policy(solved, count)]
    if solved.relative is not None:
        columns.append(["relative value", *map(text.short, solved.relative[:count])])
        facts = [
            ("gain", f"{text.short(solved.gain[0])} a step in the long run, wherever it starts"),
            ("relative", "values h solve gain + h = max (r + P h), 0 at the first state"),
        ]
    else:
        facts = [("gain", "of a state: the best mean of what it can be led to; terminal states earn 0")]
    exact = "exact: gain and h solve the optimality equations in fractions; decimals are rounded"
    facts.append(("proven", exact + text.longer([["", *column] for column in columns])))
    facts += solved_in_fractions(solved.numbers, solved.iterations, solved.seconds)
    yield from _framed(model, columns, facts, saved)


def _policy(solved: Average | ExactAverage, count: int) -> list[str]:
    return ["policy", *(text.action(solved.model, int(pair)) for pair in solved.choice[:count])]


def _framed(model: Model, columns: list[list[str]], facts: list[tuple[str, str]], saved: Path | None) -> Iterator[Part]:
    """The names of the states beside columns, of which each has its heading first."""
    count = len(columns[0]) - 1
    names = ["state", *(text.state(model, state) for state in range(count))]
    rows = list(zip(names, *columns, strict=True))
    if saved is not None:
        facts.append(("saved", str(saved)))
    yield from framed(
        [text.title(model, TITLE)], AnswerTable(rows, ("state", "policy"), text.rest_of_rows(model, count)), facts
    )
