"""Linear equations of Markov chains in fractions, by elimination of states.

    x[i] = b[i] + sum_j a[i, j] x[j],   a >= 0, rows sum to at most 1, and mass is lost from everywhere

Strongly connected components are solved one by one, those that depend on no others first, so that a model without
circles costs nothing but substitution. Within one, the state with the fewest neighbours goes first (Markowitz 1957).
No pivot can vanish: 1 - a[i, i] is the probability to leave i.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from fractions import Fraction

from rltrain.errors import UncertifiedError
from rltrain.mdp.graph import ordered_components

Row = dict[int, Fraction]
ZERO, ONE = Fraction(0), Fraction(1)


class Clock:
    """When to give up."""

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


def solve(rows: Sequence[Row], constant: Sequence[Fraction], clock: Clock) -> list[Fraction]:
    """x. Successors that are no key of any row's index range are not allowed; what is missing in a row is lost."""
    answer = [ZERO] * len(rows)
    for block in ordered_components(rows):
        inside = set(block)
        matrix: dict[int, Row] = {}
        known: dict[int, Fraction] = {}
        for i in block:
            matrix[i] = {j: a for j, a in rows[i].items() if j in inside}
            known[i] = sum((a * answer[j] for j, a in rows[i].items() if j not in inside), constant[i])
        for i, x in _eliminate(matrix, known, clock):
            answer[i] = x
    return answer


def _eliminate(matrix: dict[int, Row], constant: dict[int, Fraction], clock: Clock) -> list[tuple[int, Fraction]]:
    """Solve one component. Uses its arguments up."""
    users: dict[int, set[int]] = {i: set() for i in matrix}
    for i, row in matrix.items():
        for j in row:
            users[j].add(i)
    left = set(matrix)
    order = []
    while left:
        clock.check()
        i = min(left, key=lambda k: (len(matrix[k]) * len(users[k]), k))
        left.remove(i)
        order.append(i)
        row = matrix[i]
        leave = ONE - row.pop(i, ZERO)
        users[i].discard(i)
        if leave != 1:
            for j in row:
                row[j] /= leave
            constant[i] /= leave
        for j in row:
            users[j].discard(i)
        for k in users[i]:
            other = matrix[k]
            weight = other.pop(i)
            constant[k] += weight * constant[i]
            for j, a in row.items():
                if j in other:
                    other[j] += weight * a
                else:
                    other[j] = weight * a
                    users[j].add(k)
    found: dict[int, Fraction] = {}
    for i in reversed(order):
        found[i] = sum((a * found[j] for j, a in matrix[i].items()), constant[i])
    return list(found.items())
