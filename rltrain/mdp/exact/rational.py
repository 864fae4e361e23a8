"""The numbers of a model as fractions: what its author meant, where floating point can still tell.

A model read from text brings its own. Otherwise a row of probabilities is read in the first of these ways whose sum is
exactly 1: the shortest decimals that give these floats (0.1 is 1/10), simple fractions within 1e-12 (0.333… is 1/3),
the binary values themselves, the greatest of them changed so that they do.

Fractions of thousands of digits are what exact values of some hundred states come to. Sums of such are put over one
denominator and reduced once, by python-flint where that is installed.
"""

from __future__ import annotations

import importlib.util
import math
import numbers
import time
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import NamedTuple

import numpy as np

from rltrain.errors import InputError, UncertifiedError
from rltrain.mdp import thresholds
from rltrain.mdp.model import Exact, Model

READINGS = ("as written", "decimals", "simple fractions", "binary values")  # from the surest to the last resort
DENOMINATORS = (12, 100, 1000, 10**4, 10**6)
NEAR = Fraction(1, 10**12)
ZERO, ONE = Fraction(0), Fraction(1)
MAX_SECONDS = 300.0  # for an answer in fractions
Number = Fraction | float  # a float only where it is MINUS_INFINITY
MINUS_INFINITY = float("-inf")  # what a state is worth that loses for ever at discount 1


LONG = 2_000  # bits, from which python-flint finds a common divisor faster, its own call included


@cache
def has_flint() -> bool:
    """Whether python-flint is installed: the extra `exact`."""
    return importlib.util.find_spec("flint") is not None


class _Coprime(NamedTuple):
    """What `Fraction` takes as it is: it would look for a common divisor of two integers."""

    numerator: int
    denominator: int


numbers.Rational.register(_Coprime)


def coprime(numerator: int, denominator: int) -> Fraction:
    """The fraction of two numbers that have no common divisor, the lower one above 0."""
    return Fraction(_Coprime(numerator, denominator))  # type: ignore[call-overload, no-any-return]  # registered as a number


def quotient(numerator: int, denominator: int) -> Fraction:
    """numerator / denominator, reduced; the denominator is above 0."""
    if min(numerator.bit_length(), denominator.bit_length()) < LONG or not has_flint():
        return Fraction(numerator, denominator)
    from flint import fmpz

    common = int(fmpz(numerator).gcd(denominator))
    return coprime(numerator // common, denominator // common)


def mean(weights: Sequence[Fraction], values: Sequence[Number]) -> Number:
    """sum_j w_j x_j, w > 0; MINUS_INFINITY where an x is."""
    finite = [x for x in values if isinstance(x, Fraction)]
    if len(finite) < len(values):
        return MINUS_INFINITY
    unit, lower = math.lcm(*(w.denominator for w in weights)), math.lcm(*(x.denominator for x in finite))
    pairs = zip(weights, finite, strict=True)
    total = sum(w.numerator * (unit // w.denominator) * (x.numerator * (lower // x.denominator)) for w, x in pairs)
    return quotient(total, unit * lower)


@dataclass(frozen=True)
class Table:
    """A model in plain lists of fractions."""

    pairs: list[list[int]]  # of each state; none: terminal
    next: list[list[int]]  # of each pair
    prob: list[list[Fraction]]  # of each pair
    reward: list[Fraction]  # of each pair


class Clock:
    """When to give up: fractions may grow without end."""

    def __init__(self, max_seconds: float | None) -> None:
        self.start = time.perf_counter()
        self.max_seconds = max_seconds

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self.start

    def check(self) -> None:
        if self.max_seconds is not None and self.seconds > self.max_seconds:
            raise UncertifiedError(
                f"the exact answer was not found within {self.max_seconds:g} s; "
                "fractions are for small models: without them the answer has a proven bound"
            )


def check_small(model: Model) -> None:
    """InputError for a model that fractions are not for."""
    if model.num_next > thresholds.EXACT_NEXT:
        raise InputError(
            f"{model.name or 'the model'} has {model.num_next:,} successors; fractions are for small models, "
            f"up to {thresholds.EXACT_NEXT:,}: without them the answer has a proven bound"
        )


def rational(model: Model) -> Exact:
    """The model's numbers as fractions; those of a pair sum to exactly 1."""
    return read_numbers(model)[0]


def read_numbers(model: Model) -> tuple[Exact, str]:
    """The model's numbers as fractions, and which of READINGS it took; of several rows, the least sure."""
    if model.exact is not None:
        return _mended(model, model.exact), READINGS[0]
    decimals: dict[float, Fraction] = {}
    rows: dict[bytes, tuple[list[Fraction], int]] = {}
    prob: list[Fraction] = []
    reward: list[Fraction] = []
    worst = 1
    for pair in range(model.num_pairs):
        span = model.successors(pair)
        key = model.prob[span].tobytes()
        if key not in rows:
            rows[key] = distribution([float(p) for p in model.prob[span]])
        row, reading = rows[key]
        worst = max(worst, reading)
        prob.extend(row)
        if model.next_reward is None:
            reward.append(_number(float(model.reward[pair]), decimals))
        else:
            given = (_number(float(r), decimals) for r in model.next_reward[span])
            reward.append(sum((p * r for p, r in zip(row, given, strict=True)), ZERO))
    discount = None if model.discount is None else _number(model.discount, decimals)
    return Exact(tuple(prob), tuple(reward), discount), READINGS[worst]


def _mended(model: Model, exact: Exact) -> Exact:
    """Rows that were written as sums of nearly 1, such as three times 0.3333333333, are divided by them."""
    prob = list(exact.prob)
    for pair in range(model.num_pairs):
        span = model.successors(pair)
        total = sum(prob[span])
        if total != 1:
            prob[span] = [p / total for p in prob[span]]
    return Exact(tuple(prob), exact.reward, exact.discount) if prob != list(exact.prob) else exact


def table(model: Model, exact: Exact) -> Table:
    first, after = model.first_next.tolist(), model.next.tolist()
    return Table(
        pairs=[list(model.pairs(state)) for state in range(model.num_states)],
        next=[after[first[i] : first[i + 1]] for i in range(model.num_pairs)],
        prob=[list(exact.prob[first[i] : first[i + 1]]) for i in range(model.num_pairs)],
        reward=list(exact.reward),
    )


def action_values(rows: Table, value: Sequence[Number], discount: Fraction) -> list[Number]:
    """Q of every pair from V of every state."""
    return [
        rows.reward[i] + discount * mean(rows.prob[i], [value[j] for j in rows.next[i]])
        for i in range(len(rows.reward))
    ]


def distribution(row: list[float]) -> tuple[list[Fraction], int]:
    """Probabilities that sum to exactly 1, and which of READINGS they are."""
    decimals = [Fraction(repr(p)) for p in row]
    if sum(decimals) == 1:
        return decimals, 1
    for most in DENOMINATORS:
        simple = [Fraction(p).limit_denominator(most) for p in row]
        near = all(abs(s - Fraction(p)) <= NEAR for s, p in zip(simple, row, strict=True))
        if near and all(simple) and sum(simple) == 1:
            return simple, 2
    binary = [Fraction(p) for p in row]
    binary[row.index(max(row))] += 1 - sum(binary)  # by less than rounding did; all keep powers of two below the line
    return binary, 3


def _number(number: float, known: dict[float, Fraction]) -> Fraction:
    """The shortest decimal, unless it uses all digits of a float and is a simple fraction to its last bits."""
    if number not in known:
        decimal = Fraction(repr(number))
        if len(repr(number).replace("-", "").replace(".", "").strip("0")) >= 15:
            simple = decimal.limit_denominator(1000)
            if abs(simple - decimal) <= 2 * abs(decimal) * Fraction(float(np.finfo(np.float64).eps)):
                decimal = simple
        known[number] = decimal
    return known[number]
