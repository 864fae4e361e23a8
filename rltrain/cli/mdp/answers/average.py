"""`rltrain mdp solve --average`: the best average reward of a step, its policy and relative values."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from rltrain import words
from rltrain.cli.mdp import text
from rltrain.cli.mdp.answer import Answer, Part, by_state, framed
from rltrain.mdp.files import json_stream

if TYPE_CHECKING:
    from rltrain.mdp.exact.average import ExactAverage
    from rltrain.mdp.undiscounted.average import Average

TITLES = ("average reward of a step",)
EVERYWHERE = "a step in the long run, wherever it starts"
SOLVES = "values h solve gain + h = max (r + P h)"
LED_TO = "the best mean of what it can be led to"


def of_average(solved: Average, epsilon: float, limit: int | None = None) -> Answer:
    """The gain in floating point, within `bound`; h misses its equation by `rest` at most."""
    unproven = ""
    if not solved.converged:
        unproven = (
            f"not converged after {solved.sweeps:,} sweeps: the gain is within {text.upwards(solved.bound)} of the "
            f"truth, and {epsilon:g} was asked for; raise --max-sweeps or --max-seconds, or --epsilon"
        )
    relative = None if solved.relative is None else json_stream.of_numbers(solved.relative)
    fields = {
        **_fields(solved, json_stream.of_numbers(solved.gain), relative),
        "bound": json_stream.finite(solved.bound),
        "rest": json_stream.finite(solved.rest),
        "components": solved.components,
        "converged": bool(solved.converged),
        "sweeps": int(solved.sweeps),
        "seconds": solved.seconds,
        "policies": int(solved.policies),
        "method": "relative value iteration",
    }
    return Answer(fields, _text(solved, limit), unproven=unproven)


def of_exact_average(solved: ExactAverage, limit: int | None = None) -> Answer:
    """The gain in fractions: nothing is rounded, so the bound is 0."""
    relative = None if solved.relative is None else text.fractions(solved.relative)
    fields = {
        **_fields(solved, text.fractions(solved.gain), relative),
        "numbers": solved.numbers,
        "bound": 0,
        "rest": 0,
        "converged": True,
        "policies": solved.iterations,
        "seconds": solved.seconds,
        "method": "exact",
    }
    return Answer(fields, _exact_text(solved, limit))


def _fields(solved: Average | ExactAverage, gain: Iterator[str], relative: Iterator[str] | None) -> dict[str, Any]:
    """What both have: gain and h are by state."""
    model = solved.model
    return {
        "model": model.name,
        "states": json_stream.of_names(model.states),
        "actions": list(model.actions),
        "gain": gain,
        "relative": relative,
        "policy": json_stream.of_choice(model, solved.choice),
    }


def _text(solved: Average, limit: int | None) -> Iterator[Part]:
    model, h, start = solved.model, solved.relative, ""
    written = text.form(solved.bound, float(abs(solved.gain).max(initial=0.0)))
    columns = [("gain", written.each(solved.gain)), _policy(solved)]
    if h is not None:
        columns.append(("relative value", text.form(solved.rest, float(abs(h).max(initial=0.0)), 6).each(h)))
        gain = f"{written(solved.gain[0])} {EVERYWHERE}"
        solves = f"{SOLVES} to within {text.upwards(solved.rest)}, 0 at the first state"
        relative = f"{solves}; what a start there is worth besides the gain"
    else:
        places = f"there are {solved.components:,} places to stay for ever (terminal states earn 0)"
        gain, relative = f"not one number: {places}, and the gain of a state is {LED_TO}", ""
        if model.start is not None:
            start = f"{written(float(model.start @ solved.gain))}, the mean gain of where it starts"
    ends = "what ends earns nothing in the long run; for what it earns till then: --discount 1"
    many = words.many(solved.sweeps, "sweep")
    if solved.policies:
        many += f" and the equations of {solved.policies:,} polic{'ies' if solved.policies != 1 else 'y'}"
    facts = [
        ("gain", gain),
        ("relative", relative),
        ("start", start),
        ("hint", ends if model.terminal.any() and not solved.gain.any() else ""),
        ("proven", text.proof(solved.bound, written).replace("number above", "gain above")),
        ("solved", f"by relative value iteration, {many}, {text.elapsed(solved.seconds)}"),
    ]
    yield from framed(model, TITLES, by_state(model, limit, columns, ("policy",)), facts)


def _exact_text(solved: ExactAverage, limit: int | None) -> Iterator[Part]:
    """Fractions where they are short, decimals beside them."""
    model = solved.model
    columns = [*text.exact_columns("gain", solved.gain), _policy(solved)]
    gain, relative = f"of a state: {LED_TO}; terminal states earn 0", ""
    if solved.relative is not None:
        columns.append(("relative value", map(text.short, solved.relative)))
        gain, relative = f"{text.short(solved.gain[0])} {EVERYWHERE}", f"{SOLVES}, 0 at the first state"
    table = by_state(model, limit, columns, ("policy",))
    exact = "exact: gain and h solve the optimality equations in fractions; decimals are rounded"
    facts = [
        ("gain", gain),
        ("relative", relative),
        ("proven", exact + text.longer(table.rows)),
        *text.solved_in_fractions(solved.numbers, solved.iterations, solved.seconds),
    ]
    yield from framed(model, TITLES, table, facts)


def _policy(solved: Average | ExactAverage) -> tuple[str, Iterator[str]]:
    return "policy", (text.action(solved.model, int(pair)) for pair in solved.choice)
