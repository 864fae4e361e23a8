"""Numbers and names of answers about a model as a person reads them, with no digit that the bound does not support."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from rltrain import words
from rltrain.core import Array
from rltrain.mdp.files import json_stream
from rltrain.mdp.model import Model
from rltrain.spelling import brief, shown

if TYPE_CHECKING:
    from rltrain.mdp.exact.rational import Number

WHOLE = 50  # states that a table shows unless --limit says otherwise
PART = 20  # states it shows of more
DIGITS = 8  # after the point, at most
NAME = 24  # characters of a name
LONGEST = 24  # characters of a fraction in a table; longer ones are in the JSON
DECIMALS = 12  # of a fraction as a decimal number
LONGER = "; … is a longer fraction: --json has it"


class NumberForm(NamedTuple):
    """How the numbers of one table are written."""

    decimals: int
    scientific: bool
    rounding: float  # the greatest error that the writing adds

    def __call__(self, value: float) -> str:
        if not math.isfinite(value):
            return "-" if math.isnan(value) else infinity(value)
        text = f"{value:.{self.decimals}{'e' if self.scientific else 'f'}}"
        return text.removeprefix("-") if float(text) == 0 else text

    def each(self, values: Array) -> Iterator[str]:
        """Numbers, written as they are taken."""
        return (self(value) for value in values)


def infinity(value: float) -> str:
    """What a state is worth that loses for ever at discount 1, or what a policy loses that does so without need."""
    return "-infinity" if value < 0 else "infinity"


def form(bound: float, size: float, most: int = DIGITS) -> NumberForm:
    """For numbers up to `size`, each within `bound` of the truth: the last digit is worth at least the bound."""
    supported = math.floor(-math.log10(bound)) if 0 < bound < math.inf else 300
    if size == 0 or 1e-4 <= size < 1e12:
        decimals = max(0, min(most, supported))
        return NumberForm(decimals, False, 0.5 * 10.0**-decimals)
    order = math.floor(math.log10(size))
    decimals = max(0, min(most, supported + order))
    return NumberForm(decimals, True, 0.5 * 10.0 ** (order - decimals))


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


def proof(bound: float, written: NumberForm) -> str:
    """What is known of the numbers that were printed."""
    if not math.isfinite(bound):
        return "nothing: a bound could not be found"
    said = f"every number above is within {upwards(bound + written.rounding)} of the truth"
    return f"{said} ({upwards(bound)} is proven of it, {upwards(written.rounding)} is the rounding for print)"


def fraction(value: Number) -> str:
    """21/2, or -infinity."""
    return str(value) if isinstance(value, Fraction) else infinity(value)


def fractions(values: Sequence[Number]) -> Iterator[str]:
    """A JSON list of fractions as strings, made as it is printed."""
    return json_stream.of_list(len(values), lambda first, last: [fraction(value) for value in values[first:last]])


def short(value: Number) -> str:
    """A fraction as it stands in a table: … where it is long."""
    whole = fraction(value)
    return whole if len(whole) <= LONGEST else "…"


def decimal(value: Number) -> str:
    """A fraction as a decimal number."""
    if not isinstance(value, Fraction):
        return infinity(value)
    return f"{float(round(value, DECIMALS)):.{DECIMALS}f}" if abs(value) < 1000 else f"{float(value):.15g}"


def exact_columns(heading: str, values: Sequence[Number]) -> list[tuple[str, Iterator[str]]]:
    """Fractions where they are short, and their decimals beside them, written as they are taken."""
    return [(heading, map(short, values)), ("as a decimal", map(decimal, values))]


def longer(rows: Sequence[Sequence[str]]) -> str:
    """Where the fractions are that a table had no room for, if there are any; the first column has names."""
    return LONGER if any("…" in cell for row in rows for cell in row[1:]) else ""


def elapsed(seconds: float) -> str:
    """0.4 ms, 1.2 s"""
    return f"{1000 * seconds:.1f} ms" if seconds < 0.1 else words.spell(seconds)


def name(text: str) -> str:
    """A state's or action's name, as a terminal can print it, cut where it is long."""
    return brief(text, NAME)


def state(model: Model, number: int) -> str:
    """A state by name, as a terminal can print it."""
    return name(model.states[number])


def listed(first: Sequence[str], count: int) -> str:
    """s1, s2, s3 and 4 more: the first of `count` names."""
    said = ("; " if any("," in each for each in first) else ", ").join(map(name, first))
    return said + (f" and {count - len(first):,} more" if count > len(first) else "")


def some(model: Model, states: Array) -> str:
    """s1, s2, s3 and 4 more: the first of some states, by number."""
    return listed([model.states[int(state)] for state in states[:3]], len(states))


def action(model: Model, pair: int) -> str:
    """A pair's action by name, as a terminal can print it; (terminal) where the pair is -1."""
    return "(terminal)" if pair < 0 else name(model.actions[int(model.action[pair])])


def taken(model: Model, policy: Array, state: int) -> str:
    """What a policy [P] does in a state: an action, or shares of several."""
    shares = [(action(model, pair), policy[pair]) for pair in model.pairs(state) if policy[pair] > 0]
    if len(shares) <= 1:
        return shares[0][0] if shares else "(terminal)"
    if len({share for _, share in shares}) == 1:
        return f"any of {len(shares)}"
    return name(" ".join(f"{each}:{share:.3g}" for each, share in shares))


def title(model: Model, *more: str) -> str:
    """book · 3 states, 6 pairs of state and action · discount 0.95"""
    many = f"{words.many(model.num_states, 'state')}, {words.many(model.num_pairs, 'pair')}"
    short = " · ".join([shown(model.name) or "the model", many, *more])
    long = short.replace(many, f"{many} of state and action", 1)
    return long if len(long) <= 80 else short


def rows_shown(model: Model, limit: int | None) -> int:
    """How many states a table has."""
    if limit is None:
        limit = WHOLE if model.num_states <= WHOLE else PART
    return min(limit, model.num_states)


def rest_of_rows(model: Model, count: int) -> str:
    """How much of the model a table leaves out; empty where nothing."""
    if count == model.num_states:
        return ""
    return f"… {count:,} of {model.num_states:,} states; --limit shows more, --json has all"


def not_finite(values: Sequence[Number]) -> Array:
    """[S] bool: worth -infinity."""
    return np.array([not isinstance(value, Fraction) for value in values])


def lost_line(model: Model, lost: Array, why: str = "whatever is done, rewards are lost there for ever") -> str:
    """Which states, [S] bool, are worth -infinity, and why that is; empty where none is."""
    states = lost.nonzero()[0]
    if not len(states):
        return ""
    worth = f"{'is' if len(states) == 1 else 'are'} worth -infinity"
    return f"{len(states):,} of {model.num_states:,} states ({some(model, states)}) {worth}: {why}"


def solved_in_fractions(numbers: str, evaluations: int, seconds: float) -> list[tuple[str, str]]:
    """How the model's numbers were read, where they were not written as fractions, and what was done with them."""
    read = [] if numbers == "as written" else [("numbers", f"the model's numbers are floats, read as {numbers}")]
    many = words.many(evaluations, "evaluation")
    return [*read, ("solved", f"by policy iteration in fractions, {many}, {elapsed(seconds)}")]
