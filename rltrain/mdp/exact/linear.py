"""Linear equations of Markov chains in fractions, by elimination of states.

    x[i] = b[i] + sum_j a[i, j] x[j],   a >= 0, rows sum to at most 1, and mass is lost from everywhere

Strongly connected components are solved one by one, those that depend on no others first, so that a model without
circles costs nothing but substitution. A larger one is solved modulo powers of a prime (Dixon 1982) by python-flint,
where that is installed (the extra `exact`): 120 states take 0.1 s, against most of a minute. Else, within one, the
state with the fewest neighbours is eliminated first (Markowitz 1957). No pivot can vanish: 1 - a[i, i] is the
probability to leave i. Fractions are what they are: both ways give the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from rltrain.mdp import thresholds
from rltrain.mdp.exact.rational import ONE, ZERO, Clock, coprime, has_flint
from rltrain.mdp.graph import ordered_components

Row = dict[int, Fraction]


def solve(rows: Sequence[Row], constant: Sequence[Fraction], clock: Clock) -> list[Fraction]:
    """x [n]. The keys of a row are 0 to n - 1; what its sum lacks of 1 is lost. UncertifiedError when time is up."""
    answer = [ZERO] * len(rows)
    for block in ordered_components(rows):
        inside = set(block)
        matrix: dict[int, Row] = {}
        known: dict[int, Fraction] = {}
        for i in block:
            matrix[i] = {j: a for j, a in rows[i].items() if j in inside}
            known[i] = sum((a * answer[j] for j, a in rows[i].items() if j not in inside), constant[i])
        by_flint = len(block) in thresholds.EXACT_BY_FLINT and has_flint()
        for i, x in (_lifted if by_flint else _eliminate)(matrix, known, clock):
            answer[i] = x
    return answer


def _lifted(matrix: dict[int, Row], constant: dict[int, Fraction], clock: Clock) -> list[tuple[int, Fraction]]:
    """Solve one component by python-flint. Nothing can stop it on the way."""
    from flint import fmpq, fmpq_mat

    clock.check()
    place = {i: k for k, i in enumerate(matrix)}
    system = fmpq_mat(len(matrix), len(matrix))
    for i, row in matrix.items():
        for j, a in row.items():
            system[place[i], place[j]] = fmpq(-a.numerator, a.denominator)
        system[place[i], place[i]] += 1
    right = fmpq_mat(len(matrix), 1, [fmpq(constant[i].numerator, constant[i].denominator) for i in matrix])
    found = system.solve(right).entries()
    clock.check()
    return [(i, coprime(int(x.p), int(x.q))) for i, x in zip(matrix, found, strict=True)]


def _eliminate(matrix: dict[int, Row], constant: dict[int, Fraction], clock: Clock) -> list[tuple[int, Fraction]]:
    """Solve one component by elimination of its states. Uses its arguments up."""
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
