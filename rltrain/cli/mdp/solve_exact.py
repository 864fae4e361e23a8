"""`rltrain mdp solve --exact`: V* and Q* as fractions, the policy proven optimal, and every optimal action."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rltrain.cli.mdp.show import infinity

if TYPE_CHECKING:
    from rltrain.mdp.exact.discounted import ExactSolution
    from rltrain.mdp.exact.rational import Number
    from rltrain.mdp.model import Model

LONGEST = 24  # characters of a fraction in a table; longer ones are in the JSON
DECIMALS = 12


def run(model: Model, discount: Fraction, save: Path | None, overwrite: bool, limit: int | None, json: bool) -> None:
    """Solve, save and print."""
    from rltrain.cli.mdp import show
    from rltrain.mdp.exact.discounted import floating, solve_exact
    from rltrain.mdp.files import json_stream, policy_saving

    solved = solve_exact(model, discount)
    if save is not None:
        policy_saving.write_solution(save, floating(solved), overwrite=overwrite)
    if json:
        show.say_pieces(json_stream.of_object(report(solved)))
    else:
        show_exact(solved, limit, save)


def gaps(solved: ExactSolution) -> list[Fraction | None]:
    """Best Q minus second best; None where there is one action or none, or no other that does not lose for ever."""
    found: list[Fraction | None] = []
    for state in range(solved.model.num_states):
        q = sorted(
            (q for q in (solved.q[i] for i in solved.model.pairs(state)) if isinstance(q, Fraction)), reverse=True
        )
        found.append(q[0] - q[1] if len(q) > 1 else None)
    return found


def report(solved: ExactSolution) -> dict[str, Any]:
    """What --json prints: fractions as strings, "21/2", or "-infinity"; nothing is rounded, so the bound is 0."""
    model = solved.model
    q: list[list[str | None]] = [[None] * model.num_actions for _ in range(model.num_states)]
    for pair, value in enumerate(solved.q):
        q[int(model.pair_state[pair])][int(model.action[pair])] = text(value)
    name = [model.actions[int(action)] for action in model.action]
    return {
        "model": model.name,
        "states": list(model.states),
        "actions": list(model.actions),
        "discount": str(solved.discount),
        "V": [text(value) for value in solved.value],
        "Q": q,
        "policy": [None if pair < 0 else name[pair] for pair in solved.choice.tolist()],
        "optimal": [[name[pair] for pair in pairs] for pairs in solved.optimal],
        "gaps": [None if gap is None else str(gap) for gap in gaps(solved)],
        "numbers": solved.numbers,
        "bound": 0,
        "converged": True,
        "sweeps": solved.iterations,
        "seconds": solved.seconds,
        "method": "exact",
        **({} if solved.circle is None else {"circle": model.states[solved.circle]}),
    }


def show_exact(solved: ExactSolution, limit: int | None, saved: Path | None) -> None:
    """Print Q of each action and what is optimal: fractions where they are short, decimals beside them."""
    import math

    import numpy as np

    from rltrain.cli.mdp import show
    from rltrain.cli.mdp.solve import circle_line, lost_line
    from rltrain.cli.output import say

    model = solved.model
    count = show.rows_shown(model, limit)
    whole = solved.discount.denominator == 1
    said = f"{solved.discount}" if whole else f"{solved.discount} = {float(solved.discount):.12g}"
    say(show.title(model, f"discount {said}"))
    say()
    rows = [["state", "optimal", "action", "Q", "as a decimal"]]
    for state in range(count):
        head = show.name(model.states[state])
        if model.terminal[state]:
            rows.append([head, "(terminal)", "", "0", decimal(Fraction(0))])
        for pair in model.pairs(state):
            best = "yes" if pair in solved.optimal[state] else ""
            q, said = solved.q[pair], show.name(model.actions[int(model.action[pair])])
            rows.append([head, best, said, short(q), decimal(q)])
            head = ""
    show.table(rows, left=("state", "optimal", "action"))
    show.rest_of_rows(model, count)
    say()
    several = sum(len(pairs) > 1 for pairs in solved.optimal)
    lines = []
    lost = np.array([not isinstance(value, Fraction) for value in solved.value])
    if lost.any():
        lines.append(("infinite", lost_line(model, lost)))
    if model.start is not None:
        mean = sum(float(p) * float(v) for p, v in zip(model.start, solved.value, strict=True) if p)
        said = f"{mean:.10g}" if math.isfinite(mean) else show.infinity(mean)
        lines.append(("start", f"{said}, the mean V of where it starts"))
    lines.append(("V", "of a state is its greatest Q"))
    lines.append(
        (
            "ties",
            f"in {several:,} of {model.num_states:,} states several actions are optimal, exactly"
            if several
            else "none: one action is optimal in every state",
        )
    )
    if solved.circle is not None:
        lines.append(("circle", circle_line(model, solved.circle)))
    lines.append(
        (
            "proven",
            "exact: V solves Bellman's equation in fractions, so the policy is optimal; decimals are rounded"
            + ("; … is a longer fraction: --json has it" if any("…" in row[3] for row in rows) else ""),
        )
    )
    if solved.numbers != "as written":
        lines.append(("numbers", f"the model's numbers are floats, read as {solved.numbers}"))
    many = f"{solved.iterations:,} evaluation{'s' * (solved.iterations != 1)}"
    lines.append(("solved", f"by policy iteration in fractions, {many}, {show.elapsed(solved.seconds)}"))
    if saved is not None:
        lines.append(("saved", f"{saved}, in floats"))
    show.facts(lines)


def text(value: Number) -> str:
    """21/2, or -infinity."""
    return str(value) if isinstance(value, Fraction) else infinity(value)


def short(value: Number) -> str:
    """The fraction where it is short."""
    whole = text(value)
    return whole if len(whole) <= LONGEST else "…"


def decimal(value: Number) -> str:
    """The fraction as a decimal number."""
    if not isinstance(value, Fraction):
        return infinity(value)
    return f"{float(round(value, DECIMALS)):.{DECIMALS}f}" if abs(value) < 1000 else f"{float(value):.15g}"
