"""`rltrain mdp solve`: V, Q, the best policy, ties, and how far they are proven; in floating point or in fractions."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from rltrain import words
from rltrain.cli.mdp import answer, text
from rltrain.cli.mdp.answer import Answer, AnswerTable, Part, framed
from rltrain.core import Array
from rltrain.mdp.files import json_stream
from rltrain.mdp.solution import Solution
from rltrain.mdp.solvers import bellman

if TYPE_CHECKING:
    from rltrain.mdp.exact.discounted import ExactSolution

ENOUGH = 6  # digits after the point, where a table is too wide for more
METHODS = {
    "vi": "value iteration",
    "qvi": "Q-value iteration",
    "pi": "policy iteration",
    "mpi": "modified policy iteration",
    "gs": "Gauss-Seidel sweeps",
    "lp": "a linear program",
    "pi, discount 1": "policy iteration",
    "exact": "policy iteration in fractions",
}
NO_TIE = "none: one action is {} in every state"
WHERE = "the mean V of where it starts"


def of_solution(solution: Solution, epsilon: float, stopped: bool, limit: int | None = None) -> Answer:
    """A solution in floating point. `stopped`: a limit was given that may have ended it before epsilon."""
    unproven = ""
    if not solution.converged:
        advice = "raise --max-sweeps or --max-seconds, or --epsilon"
        if not stopped:
            advice = "floating point can prove no more; raise --epsilon, or take --exact, which is for small models"
        unproven = (
            f"not converged after {solution.sweeps:,} sweeps: the numbers are within "
            f"{text.upwards(json_stream.proven(solution))} of the truth, and {epsilon:g} was asked for; {advice}"
        )
    return Answer(json_stream.of_solution(solution), _text(solution, limit), unproven=unproven)


def _text(solution: Solution, limit: int | None) -> Iterator[Part]:
    model, bound = solution.model, json_stream.proven(solution)
    count = text.rows_shown(model, limit)
    table, written = _table(solution, bound, count)
    span, start = "", ""
    if count < model.num_states:
        ends = (int(solution.value.argmin()), int(solution.value.argmax()))
        span = " to ".join(f"{written(solution.value[state])} ({text.state(model, state)})" for state in ends)
    if model.start is not None:
        start = f"{written(bellman.mean(model.start, solution.value))}, {WHERE}"
    by, many = METHODS.get(solution.method, solution.method), words.many(solution.sweeps, "sweep")
    facts = [
        ("infinite", text.lost_line(model, solution.lost)),
        ("values", span),
        ("start", start),
        ("ties", _ties(solution)),
        ("circle", _circle(solution)),
        ("proven", text.proof(bound, written)),
        ("solved", f"by {by}, {many}, {text.elapsed(solution.seconds)}"),
    ]
    yield from framed(model, [f"discount {solution.discount:.12g}"], table, facts)


def _table(solution: Solution, bound: float, count: int) -> tuple[AnswerTable, text.NumberForm]:
    """State by state V, the policy, the gap and every Q, or a line a pair where that is too wide; and the form used."""
    size = max(bellman.size(solution.value), bellman.size(solution.q))
    tied = json_stream.tied_states(solution)
    most = text.form(bound, size).decimals
    for decimals in range(most, min(most, ENOUGH) - 1, -1):
        written = text.form(bound, size, decimals)
        rows = _wide(solution, tied, written, count)
        if answer.width_of(rows) <= answer.room():
            break
    else:
        written = text.form(bound, size)
        rows = _long(solution, tied, written, count)
    return AnswerTable(rows, ("state", "policy", "action"), text.rest_of_rows(solution.model, count)), written


def _wide(solution: Solution, tied: Array, written: text.NumberForm, count: int) -> list[list[str]]:
    model = solution.model
    rows = [["state", "V", "policy", "gap", *(f"Q({text.name(each)})" for each in model.actions)]]
    for state in range(count):
        q = ["-"] * model.num_actions
        for pair in model.pairs(state):
            q[int(model.action[pair])] = written(solution.q[pair])
        best = "any" if solution.lost[state] else text.action(model, int(solution.choice[state]))
        gap = _gap(solution, tied, written, state)
        rows.append([text.state(model, state), written(solution.value[state]), best, gap, *q])
    return rows


def _long(solution: Solution, tied: Array, written: text.NumberForm, count: int) -> list[list[str]]:
    model = solution.model
    rows = [["state", "V", "action", "Q", "gap"]]
    for state in range(count):
        head = [text.state(model, state), written(solution.value[state])]
        if model.terminal[state]:
            rows.append([*head, "(terminal)", "", ""])
        for pair in model.pairs(state):
            best = pair == solution.choice[state]
            gap = _gap(solution, tied, written, state)
            marked = ("* " if best and not solution.lost[state] else "  ") + text.action(model, pair)
            rows.append([*head, marked, written(solution.q[pair]), gap if best else ""])
            head = ["", ""]
    return rows


def _gap(solution: Solution, tied: Array, written: text.NumberForm, state: int) -> str:
    if tied[state]:
        return "tie"
    return written(solution.gaps[state]) if math.isfinite(solution.gaps[state]) else "-"


def _circle(solution: Solution | ExactSolution) -> str:
    """What the values mean where optimal actions form a circle; empty where they form none."""
    if solution.circle is None:
        return ""
    return (
        f"through {text.state(solution.model, solution.circle)} optimal actions form a circle that earns and loses in "
        "turn: going round for ever has no sum; these are the values of the best policy that ends"
    )


def _ties(solution: Solution) -> str:
    """How many states have several best actions, as far as the bound can tell."""
    model = solution.model
    tied = json_stream.tied_states(solution).nonzero()[0]
    if not len(tied):
        return NO_TIE.format("best")
    decides = "; --exact decides" if model.num_next <= 2_000 and solution.method != "exact" else ""
    takes = "one with which it ends" if solution.discount == 1 else "the first of them"
    return (
        f"in {len(tied):,} of {model.num_states:,} states ({text.some(model, tied)}) the best actions are nearer than "
        f"the bound can tell; the policy takes {takes}{decides}"
    )


# In fractions


def of_exact(solved: ExactSolution, limit: int | None = None) -> Answer:
    """In fractions, in the JSON as "21/2" or "-infinity"; nothing is rounded, so the bound is 0."""
    model = solved.model

    def optimal(first: int, last: int) -> list[Any]:
        return [[model.actions[int(model.action[pair])] for pair in pairs] for pairs in solved.optimal[first:last]]

    def q(first: int, last: int) -> list[Any]:
        rows: list[list[str | None]] = [[None] * model.num_actions for _ in range(first, last)]
        for row, state in zip(rows, range(first, last), strict=True):
            for pair in model.pairs(state):
                row[int(model.action[pair])] = text.fraction(solved.q[pair])
        return rows

    def gaps(first: int, last: int) -> list[Any]:
        return [None if gap is None else str(gap) for gap in (_exact_gap(solved, s) for s in range(first, last))]

    count = model.num_states
    fields = {
        "model": model.name,
        "states": json_stream.of_names(model.states),
        "actions": list(model.actions),
        "discount": str(solved.discount),
        "V": text.fractions(solved.value),
        "Q": json_stream.of_list(count, q),
        "policy": json_stream.of_choice(model, solved.choice),
        "optimal": json_stream.of_list(count, optimal),
        "gaps": json_stream.of_list(count, gaps),
        "numbers": solved.numbers,
        "bound": 0,
        "converged": True,
        "sweeps": solved.iterations,
        "seconds": solved.seconds,
        "method": "exact",
        **({} if solved.circle is None else {"circle": model.states[solved.circle]}),
    }
    return Answer(fields, _exact_text(solved, limit))


def _exact_gap(solved: ExactSolution, state: int) -> Fraction | None:
    """Best Q minus second best; None where there is one action or none, or no other that does not lose for ever."""
    finite = [q for q in (solved.q[pair] for pair in solved.model.pairs(state)) if isinstance(q, Fraction)]
    best = sorted(finite, reverse=True)
    return best[0] - best[1] if len(best) > 1 else None


def _exact_text(solved: ExactSolution, limit: int | None) -> Iterator[Part]:
    """Q of each action and what is optimal: fractions where they are short, decimals beside them."""
    model = solved.model
    count = text.rows_shown(model, limit)
    discount = f"{solved.discount}"
    if solved.discount.denominator != 1:
        discount += f" = {float(solved.discount):.12g}"
    rows = [["state", "optimal", "action", "Q", "as a decimal"]]
    for state in range(count):
        head = text.state(model, state)
        if model.terminal[state]:
            rows.append([head, "(terminal)", "", "0", text.decimal(Fraction(0))])
        for pair in model.pairs(state):
            best = "yes" if pair in solved.optimal[state] else ""
            rows.append(
                [head, best, text.action(model, pair), text.short(solved.q[pair]), text.decimal(solved.q[pair])]
            )
            head = ""
    start, ties = "", NO_TIE.format("optimal")
    if model.start is not None:
        mean = sum(float(p) * float(v) for p, v in zip(model.start, solved.value, strict=True) if p)
        start = f"{f'{mean:.10g}' if math.isfinite(mean) else text.infinity(mean)}, {WHERE}"
    if several := sum(len(pairs) > 1 for pairs in solved.optimal):
        ties = f"in {several:,} of {model.num_states:,} states several actions are optimal, exactly"
    exact = "exact: V solves Bellman's equation in fractions, so the policy is optimal; decimals are rounded"
    facts = [
        ("infinite", text.lost_line(model, text.not_finite(solved.value))),
        ("start", start),
        ("V", "of a state is its greatest Q"),
        ("ties", ties),
        ("circle", _circle(solved)),
        ("proven", exact + text.longer([row[2:4] for row in rows])),
        *text.solved_in_fractions(solved.numbers, solved.iterations, solved.seconds),
    ]
    table = AnswerTable(rows, ("state", "optimal", "action"), text.rest_of_rows(model, count))
    yield from framed(model, [f"discount {discount}"], table, facts)
