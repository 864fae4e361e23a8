"""Where the optimal policy changes as the discount does.

The value of a policy is a rational function of the discount g, V_pi(g) = N(g) / D(g) with D > 0 on [0, 1), and so is
the advantage of every pair. A policy stays optimal until the first of these turns positive: a root of a polynomial with
whole coefficients, found exactly. Right of it policy iteration goes on in the order of functions just right of a point,
as Blackwell (1962) does at 1, so no change is missed, however short: changes at several states at once, advantages
that only touch zero, and policies that come back. D and N come from the first linear relation among r, P r, P^2 r, …

Models for which that is too long are solved at discounts on a grid instead, and each change between two of them is
closed in on by bisection. That may miss what changes and changes back between two points, and the answer says so.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from rltrain.core import Array
from rltrain.errors import InputError
from rltrain.mdp import thresholds
from rltrain.mdp.exact import polynomials
from rltrain.mdp.exact.policy_iteration import evaluate, float_policy, improve
from rltrain.mdp.exact.polynomials import Poly, Root, exactly, rises, sign_after
from rltrain.mdp.exact.rational import Clock, Table, rational, table
from rltrain.mdp.model import Model

MOST_DEGREE = 64
MOST_WORK = 2_000_000  # pairs x degree^2
EXPONENTS = (127, 521, 1279, 4423, 11213)  # of Mersenne's primes 2^n - 1
GRID = 48


@dataclass(frozen=True, eq=False)
class Interval:
    low: float
    high: float
    choice: Array  # [S] int64 pairs, -1 where terminal


@dataclass(frozen=True)
class Breakpoint:
    discount: float
    state: int
    before: int  # pair that is optimal up to it
    after: int  # pair that is optimal from it on; at it both are


@dataclass(frozen=True, eq=False)
class Discounts:
    model: Model
    intervals: list[Interval]
    breakpoints: list[Breakpoint]  # ascending
    rigorous: bool  # every change is there; else those between two points of the grid may be missing
    width: float  # each breakpoint is known this well
    note: str

    def json(self) -> dict[str, Any]:
        """{intervals: [{from, to, policy}], breakpoints: [{discount, state, from, to}], …} with names."""
        model = self.model
        return {
            "model": model.name,
            "states": list(model.states),
            "actions": list(model.actions),
            "intervals": [
                {"from": piece.low, "to": piece.high, "policy": [action_name(model, int(i)) for i in piece.choice]}
                for piece in self.intervals
            ],
            "breakpoints": [
                {
                    "discount": point.discount,
                    "state": model.states[point.state],
                    "from": action_name(model, point.before),
                    "to": action_name(model, point.after),
                }
                for point in self.breakpoints
            ],
            "rigorous": self.rigorous,
            "tolerance": self.width,
            "note": self.note,
        }


class _TooLong(Exception):
    """The polynomials of this model are too many or too long."""


def action_name(model: Model, pair: int) -> str | None:
    return None if pair < 0 else model.actions[int(model.action[pair])]


def breakpoints(model: Model, low: float | Fraction, high: float | Fraction, tolerance: float = 1e-6) -> Discounts:
    """Every change of the optimal policy for discounts above low and below high."""
    first, last = (Fraction(repr(end)) if isinstance(end, float) else Fraction(end) for end in (low, high))
    if not 0 <= first < last < 1:
        raise InputError(f"discounts from {low} to {high}: they must ascend and lie in [0, 1), such as 0.5 and 0.999")
    if not 0 < tolerance <= 0.1:
        raise InputError(f"tolerance: {tolerance} is not in (0, 0.1]")
    if model.num_next <= thresholds.EXACT_DISCOUNTS_NEXT:
        try:
            return _exactly(model, first, last)
        except _TooLong:
            pass
    return _on_grid(model, float(first), float(last), tolerance)


def _exactly(model: Model, low: Fraction, high: Fraction) -> Discounts:
    rows = table(model, rational(model))
    choice = float_policy(model, float(low))
    for _ in range(3):  # whatever floating point says, what follows starts near the optimum and ends at it
        if not improve(rows, evaluate(rows, choice, low, Clock(None)), choice, low):
            break
    numbers = _in_whole_numbers(rows)
    gains = _advantages(numbers, choice)
    here = exactly(low)
    pieces: list[Interval] = []
    changes: list[Breakpoint] = []
    start = low
    while True:
        previous = choice
        choice, gains = _improved(numbers, previous, gains, here)
        if start is not low or pieces:
            changes += [
                Breakpoint(float(here), int(s), int(previous[s]), int(choice[s]))
                for s in np.flatnonzero(choice != previous)
            ]
        following: Root | None = None
        for poly in filter(None, gains):
            end = high if following is None else following.high
            found = rises(poly, here, end)
            if found is not None and (following is None or polynomials.compare(found, following) < 0):
                following = found
        begin = float(here)
        pieces.append(Interval(begin, float(high if following is None else following), choice))
        if following is None:
            note = "every change in this range, found exactly"
            return Discounts(model, pieces, changes, True, 2.0**-53, note)
        here = following


def _improved(rows: Whole, choice: Array, gains: list[Poly], here: Root) -> tuple[Array, list[Poly]]:
    """The policy that is optimal just right of `here`, keeping what is as good, and its advantages."""
    choice = choice.copy()
    kept = choice.copy()
    while True:
        after = [sign_after(gain, here) for gain in gains]
        better = False
        for state, pairs in enumerate(rows.pairs):
            rising = [i for i in pairs if after[i] > 0]
            if rising:
                best = rising[0]
                for i in rising[1:]:
                    if sign_after(_minus(gains[i], gains[best]), here) > 0:
                        best = i
                choice[state] = best
                better = True
        if not better:
            break
        gains = _advantages(rows, choice)
    back = [s for s, i in enumerate(kept.tolist()) if i >= 0 and choice[s] != i and not gains[i]]
    choice[back] = kept[back]  # as good for every discount: no reason to change
    return choice, gains


@dataclass(frozen=True)
class Whole:
    """A model in whole numbers: probabilities times `unit`, rewards times some number."""

    unit: int
    state: list[int]  # of each pair
    pairs: list[list[int]]
    next: list[list[int]]
    prob: list[list[int]]
    reward: list[int]


def _in_whole_numbers(rows: Table) -> Whole:
    unit = math.lcm(1, *(p.denominator for row in rows.prob for p in row))
    scale = math.lcm(1, *(r.denominator for r in rows.reward))
    return Whole(
        unit=unit,
        state=[state for state, pairs in enumerate(rows.pairs) for _ in pairs],
        pairs=rows.pairs,
        next=rows.next,
        prob=[[int(p * unit) for p in row] for row in rows.prob],
        reward=[int(r * scale) for r in rows.reward],
    )


def _minus(a: Poly, b: Poly) -> Poly:
    size = max(len(a), len(b))
    return polynomials.primitive([(a[k] if k < len(a) else 0) - (b[k] if k < len(b) else 0) for k in range(size)])


def _advantages(rows: Whole, choice: Array) -> list[Poly]:
    """Of each pair: a multiple of Q_pi(s, a) - V_pi(s), by the same positive function of the discount for all."""
    divisor, top = _value(rows, choice)
    powers = [rows.unit**k for k in range(len(divisor), -1, -1)]
    divisor = [c * power for c, power in zip(divisor, powers, strict=False)]  # from the discount / unit to the discount
    top = [[c * power for c, power in zip(row, powers, strict=False)] for row in top]
    found: list[Poly] = []
    for i, state in enumerate(rows.state):
        gain = [rows.reward[i] * c for c in divisor] + [0]
        for k, c in enumerate(top[state]):
            gain[k] -= c
        for j, p in zip(rows.next[i], rows.prob[i], strict=True):
            for k, c in enumerate(top[j]):
                if c:
                    gain[k + 1] += p * c // rows.unit  # without remainder: the power of top is at least 1
        found.append(polynomials.primitive(gain))
    return found


def _value(rows: Whole, choice: Array) -> tuple[Poly, list[Poly]]:
    """D and N [S] of V_pi = N / D in terms of x = discount / unit, constants first.

    If M^d r + c[d-1] M^(d-1) r + … + c[0] r = 0 then D = 1 + c[d-1] x + … + c[0] x^d, and N is what is left of
    D (r + x M r + x^2 M^2 r + …) below x^d: all else cancels. c is whole, since it divides the characteristic
    polynomial of M, which is. So it is found modulo a prime that is larger than it can be, and then checked.
    """
    pairs = choice.tolist()
    for exponent in EXPONENTS:
        prime = (1 << exponent) - 1
        vector = [rows.reward[i] if i >= 0 else 0 for i in pairs]
        series: list[list[int]] = []
        basis: list[tuple[int, list[int], list[int]]] = []  # pivot, reduced vector, its mix of the series
        while True:
            reduced, mix = [a % prime for a in vector], [0] * len(series) + [1]
            for pivot, row, its in basis:
                factor = reduced[pivot]
                if factor:
                    reduced = [(a - factor * b) % prime if b else a for a, b in zip(reduced, row, strict=True)]
                    for k, c in enumerate(its):
                        mix[k] = (mix[k] - factor * c) % prime
            place = next((k for k, a in enumerate(reduced) if a), None)
            if place is None:
                break
            series.append(vector)
            if len(series) > MOST_DEGREE or len(rows.reward) * len(series) ** 2 > MOST_WORK:
                raise _TooLong
            inverse = pow(reduced[place], -1, prime)
            basis.append((place, [a * inverse % prime for a in reduced], [c * inverse % prime for c in mix]))
            vector = [
                sum(p * vector[j] for j, p in zip(rows.next[i], rows.prob[i], strict=True)) if i >= 0 else 0
                for i in pairs
            ]
        mix = [c - prime if c > prime // 2 else c for c in mix]
        if not any(
            sum(c * a for c, a in zip(mix, column, strict=True)) for column in zip(*series, vector, strict=True)
        ):
            divisor = mix[::-1]
            top = [
                [sum(divisor[m] * series[k - m][s] for m in range(k + 1)) for k in range(len(series))]
                for s in range(len(pairs))
            ]
            return divisor, top
    raise _TooLong


def _on_grid(model: Model, low: float, high: float, tolerance: float) -> Discounts:
    from rltrain.mdp.solvers.solve import solve

    epsilon = 1e-3 * tolerance

    def policy(discount: float, previous: Array | None) -> Array:
        """The best pair of each state, or the previous one where it may be as good."""
        solution = solve(model, discount, epsilon=epsilon)
        choice = solution.choice.copy()
        if previous is not None:
            acting = choice >= 0
            keep = np.zeros_like(acting)
            keep[acting] = solution.tied[previous[acting]]
            choice[keep] = previous[keep]
        return choice

    points = 1 - np.geomspace(1 - low, 1 - high, GRID + 1)
    points[0], points[-1] = low, high
    pieces: list[Interval] = []
    changes: list[Breakpoint] = []
    left = policy(low, None)
    begin = low
    for start, end in zip(points[:-1].tolist(), points[1:].tolist(), strict=True):
        work = [(start, end, policy(end, left))]
        while work:
            start, end, right = work.pop()
            if (left == right).all():
                continue
            if end - start <= tolerance:
                at = (start + end) / 2
                pieces.append(Interval(begin, at, left))
                changes += [Breakpoint(at, int(s), int(left[s]), int(right[s])) for s in np.flatnonzero(left != right)]
                left, begin = right, at
                continue
            middle = (start + end) / 2
            work.append((middle, end, right))
            work.append((start, middle, policy(middle, left)))
    pieces.append(Interval(begin, high, left))
    note = (
        f"found on a grid of {GRID} steps and by bisection to {tolerance:g}: the model is too large to be sure that "
        "no policy comes and goes between two points"
    )
    return Discounts(model, pieces, changes, False, tolerance, note)
