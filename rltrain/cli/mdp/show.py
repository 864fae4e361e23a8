"""Answers about a model as tables of 80 columns, with no digit that the bound does not support."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from rltrain.core import Array
    from rltrain.mdp.model import Model
    from rltrain.mdp.solution import Solution

WHOLE = 50  # states that a table shows unless --limit says otherwise
PART = 20  # states it shows of more
DIGITS = 8  # after the point, at most
ENOUGH = 6  # after the point, where a table is too wide for more
NAME = 24  # characters of a name


class Form(NamedTuple):
    """How the numbers of one table are written."""

    decimals: int
    scientific: bool
    rounding: float  # the greatest error that the writing adds

    def __call__(self, value: float) -> str:
        if not math.isfinite(value):
            return "-" if math.isnan(value) else infinity(value)
        text = f"{value:.{self.decimals}{'e' if self.scientific else 'f'}}"
        return text.removeprefix("-") if float(text) == 0 else text


def infinity(value: float) -> str:
    """What a state is worth that loses for ever at discount 1, or what a policy loses that does so without need."""
    return "-infinity" if value < 0 else "infinity"


def form(bound: float, size: float, most: int = DIGITS) -> Form:
    """For numbers up to `size`, each within `bound` of the truth: the last digit is worth at least the bound."""
    supported = math.floor(-math.log10(bound)) if 0 < bound < math.inf else 300
    if size == 0 or 1e-4 <= size < 1e12:
        decimals = max(0, min(most, supported))
        return Form(decimals, False, 0.5 * 10.0**-decimals)
    order = math.floor(math.log10(size))
    decimals = max(0, min(most, supported + order))
    return Form(decimals, True, 0.5 * 10.0 ** (order - decimals))


def upwards(bound: float) -> str:
    """Two digits, rounded up: a bound that is rounded down is none."""
    if bound == 0 or not math.isfinite(bound):
        return "0" if bound == 0 else "infinity"
    order = math.floor(math.log10(bound))
    digits = math.ceil(bound / 10.0 ** (order - 1) * (1 - 1e-12))
    if digits == 100:
        digits, order = 10, order + 1
    if -4 <= order < 6:
        return f"{digits * 10.0 ** (order - 1):.{max(0, 1 - order)}f}"
    return f"{digits / 10:.1f}e{order:+03d}"


def proof(bound: float, written: Form) -> str:
    """What is known of the numbers that were printed."""
    if not math.isfinite(bound):
        return "nothing: a bound could not be found"
    said = f"every number above is within {upwards(bound + written.rounding)} of the truth"
    return f"{said} ({upwards(bound)} is proven of it, {upwards(written.rounding)} is the rounding for print)"


def elapsed(seconds: float) -> str:
    """0.4 ms, 1.2 s"""
    from rltrain import words

    return f"{1000 * seconds:.1f} ms" if seconds < 0.1 else words.spell(seconds)


def name(text: str) -> str:
    """A state's or action's name, as a terminal can print it, cut where it is long."""
    from rltrain.spelling import brief

    return brief(text, NAME)


def listed(first: Sequence[str], count: int) -> str:
    """s1, s2, s3 and 4 more: the first of `count` names."""
    said = ("; " if any("," in each for each in first) else ", ").join(map(name, first))
    return said + (f" and {count - len(first):,} more" if count > len(first) else "")


def rows_shown(model: Model, limit: int | None) -> int:
    """How many states the table has."""
    if limit is None:
        limit = WHOLE if model.num_states <= WHOLE else PART
    return min(limit, model.num_states)


def width_of(rows: Sequence[Sequence[str]]) -> int:
    """Columns of the terminal that a table takes."""
    from rich.cells import cell_len

    return sum(max(map(cell_len, column)) + 2 for column in zip(*rows, strict=True)) - 2


def room() -> int:
    """Columns of the terminal; 80 where there is none."""
    from rltrain.cli.output import out

    return out().width


def table(rows: Sequence[Sequence[str]], left: Sequence[str]) -> None:
    """The first row is the heading; columns named in `left` are words. Where it is too wide the last ones go first."""
    from rltrain.cli import columns
    from rltrain.cli.columns import Column
    from rltrain.cli.output import out

    made = [
        Column(heading, cells, number, words=heading in left)
        for number, (heading, *cells) in enumerate(zip(*rows, strict=True))
    ]
    columns.show(out(), made)


def facts(lines: Iterable[tuple[str, str]]) -> None:
    """`what  text`, the text folded."""
    from rltrain.cli import columns
    from rltrain.cli.output import say

    for line in columns.named(lines, 10, columns.reading()):
        say(line)


def title(model: Model, *more: str) -> str:
    """book · 3 states, 6 pairs of state and action · discount 0.95"""
    from rltrain import words
    from rltrain.spelling import shown

    many = f"{words.many(model.num_states, 'state')}, {words.many(model.num_pairs, 'pair')}"
    short = " · ".join([shown(model.name) or "the model", many, *more])
    long = short.replace(many, f"{many} of state and action", 1)
    return long if len(long) <= 80 else short


def solution_table(solution: Solution, bound: float, limit: int | None) -> Form:
    """State by state V, the policy, the gap and every Q; one line a pair where that is too wide. Returns the form."""
    from rltrain.mdp.files import json_stream
    from rltrain.mdp.solvers import bellman

    model = solution.model
    count = rows_shown(model, limit)
    size = max(bellman.size(solution.value), bellman.size(solution.q))
    tied = json_stream.tied_states(solution)
    most = form(bound, size).decimals
    for decimals in range(most, min(most, ENOUGH) - 1, -1):
        written = form(bound, size, decimals)
        rows = _wide(solution, tied, written, count)
        if width_of(rows) <= room():
            break
    else:
        written = form(bound, size)
        rows = _long(solution, tied, written, count)
    table(rows, left=("state", "policy", "action"))
    return written


def _wide(solution: Solution, tied: Array, written: Form, count: int) -> list[list[str]]:
    model = solution.model
    rows = [["state", "V", "policy", "gap", *(f"Q({name(each)})" for each in model.actions)]]
    for state in range(count):
        q = ["-"] * model.num_actions
        for pair in model.pairs(state):
            q[int(model.action[pair])] = written(solution.q[pair])
        rows.append(
            [
                name(model.states[state]),
                written(solution.value[state]),
                "any" if solution.lost[state] else action(model, int(solution.choice[state])),
                _gap(solution, tied, written, state),
                *q,
            ]
        )
    return rows


def _long(solution: Solution, tied: Array, written: Form, count: int) -> list[list[str]]:
    model = solution.model
    rows = [["state", "V", "action", "Q", "gap"]]
    for state in range(count):
        head = [name(model.states[state]), written(solution.value[state])]
        if model.terminal[state]:
            rows.append([*head, "(terminal)", "", ""])
        for pair in model.pairs(state):
            best = pair == solution.choice[state]
            gap = _gap(solution, tied, written, state)
            marked = ("* " if best and not solution.lost[state] else "  ") + action(model, pair)
            rows.append([*head, marked, written(solution.q[pair]), gap if best else ""])
            head = ["", ""]
    return rows


def _gap(solution: Solution, tied: Array, written: Form, state: int) -> str:
    if tied[state]:
        return "tie"
    return written(solution.gaps[state]) if math.isfinite(solution.gaps[state]) else "-"


def action(model: Model, pair: int) -> str:
    """A pair's action by name, as a terminal can print it."""
    return "(terminal)" if pair < 0 else name(model.actions[int(model.action[pair])])


def rest_of_rows(model: Model, count: int) -> None:
    """A line that says how much of the model the table leaves out."""
    from rltrain.cli.output import say

    if count < model.num_states:
        say(f"… {count:,} of {model.num_states:,} states; --limit shows more, --json has all")


def say_pieces(pieces: Iterable[str]) -> None:
    """One line on standard output, made as it is written: a million states need not stand in memory as text."""
    import sys

    from rltrain.cli.output import Output

    output = Output(sys.stdout)
    for piece in pieces:
        output.write(piece)
    output.write("\n")
    output.flush()


class Sweeps:
    """How far a solve is, for the live line: the bound falls by about the same factor a sweep, from first to goal."""

    def __init__(self, goal: float) -> None:
        self._goal = goal
        self._first: float | None = None

    def __call__(self, sweeps: int, bound: float) -> None:
        import math

        from rltrain.cli.progress import line

        if self._first is None and math.isfinite(bound) and bound > self._goal:
            self._first = bound
        if self._first is None or bound <= 0:
            line.at(0.0, math.nan, sweeps, "sweeps")
            return
        whole = math.log(self._first / self._goal)
        line.at(min(max(math.log(self._first / bound), 0.0), whole), whole, sweeps, "sweeps")
