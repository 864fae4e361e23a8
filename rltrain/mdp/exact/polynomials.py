"""Roots of polynomials with whole coefficients, exactly: isolated, compared, and the sign of another at or after one.

A polynomial is a list of int, the constant first, without trailing zeros; [] is zero. Roots are isolated by Descartes'
rule of signs and bisection (Vincent 1836; Collins and Akritas 1976), so each is known by an interval that has no other.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

Poly = list[int]
PRIME = (1 << 61) - 1  # two polynomials without a common factor modulo a prime have none
FINE = Fraction(1, 1 << 40)
COARSE = 1 << 10


@dataclass
class Root:
    """The one root of `poly`, which has no double ones, in the open interval from low to high; or low = high."""

    poly: Poly
    low: Fraction
    high: Fraction

    def refine(self, width: Fraction | None = None) -> None:
        """Halve the interval, or until it is no wider than `width`."""
        while self.low < self.high:
            middle = (self.low + self.high) / 2
            side = sign(self.poly, middle)
            if side == 0:
                self.low = self.high = middle
            elif side == sign(self.poly, self.low):
                self.low = middle
            else:
                self.high = middle
            if width is None or self.high - self.low <= width:
                return

    def __float__(self) -> float:
        self.refine(Fraction(1, 1 << 64))
        return float((self.low + self.high) / 2)


def exactly(point: Fraction) -> Root:
    return Root([-point.numerator, point.denominator], point, point)


def primitive(poly: Sequence[int]) -> Poly:
    kept = list(poly)
    while kept and kept[-1] == 0:
        kept.pop()
    content = math.gcd(*kept)
    return [c // content for c in kept] if content > 1 else kept


def sign(poly: Sequence[int], point: Fraction) -> int:
    """-1, 0 or 1."""
    top, bottom = point.numerator, point.denominator
    total, power = 0, 1
    for c in reversed(poly):
        total = total * top + c * power
        power *= bottom
    return (total > 0) - (total < 0)


def derivative(poly: Sequence[int]) -> Poly:
    return primitive([k * c for k, c in enumerate(poly)][1:])


def gcd(a: Poly, b: Poly) -> Poly:
    """The greatest common divisor, up to a constant."""
    if a and b and _coprime_modulo(a, b):
        return [1]
    while b:
        a, b = b, primitive(_remainder(a, b))
    return a


def divided(a: Poly, b: Poly) -> Poly:
    """a / b up to a positive constant, where b divides a and its leading coefficient is taken positive."""
    if b[-1] < 0:
        b = [-c for c in b]
    left, quotient = list(a), [0] * (len(a) - len(b) + 1)
    for k in range(len(quotient) - 1, -1, -1):
        if left[k + len(b) - 1] % b[-1]:
            left, quotient = [c * b[-1] for c in left], [c * b[-1] for c in quotient]
        quotient[k] = left[k + len(b) - 1] // b[-1]
        for j, c in enumerate(b):
            left[k + j] -= quotient[k] * c
    return primitive(quotient)


def square_free(poly: Poly) -> Poly:
    common = gcd(poly, derivative(poly))
    return divided(poly, common) if len(common) > 1 else poly


def variations(poly: Poly, low: Fraction, high: Fraction) -> int:
    """Descartes' bound on the roots in the open interval: equal to their number where it is 0 or 1."""
    return _changes(_unit_to_line(_to_unit(poly, low, high)))


def isolate(poly: Poly, low: Fraction, high: Fraction) -> list[Root]:
    """All different roots in the open interval, ascending."""
    if len(poly) < 2 or variations(poly, low, high) == 0:
        return []
    poly = square_free(poly)
    for end in (low, high):
        if sign(poly, end) == 0:
            poly = divided(poly, [-end.numerator, end.denominator])
    found: list[Root] = []
    work = [(poly, low, high)]
    while work:
        poly, low, high = work.pop()
        count = variations(poly, low, high)
        if count == 1:
            found.append(Root(poly, low, high))
        elif count > 1:
            middle = (low + high) / 2
            if sign(poly, middle) == 0:
                found.append(exactly(middle))
                poly = divided(poly, [-middle.numerator, middle.denominator])
            work += [(poly, low, middle), (poly, middle, high)]
    return sorted(found, key=lambda root: (root.low, root.high))


def compare(a: Root, b: Root) -> int:
    """-1, 0 or 1 as a is before, equal to or after b."""
    common: Poly | None = None
    while True:
        low, high = max(a.low, b.low), min(a.high, b.high)
        if a.low == a.high and b.low == b.high:
            return (a.low > b.low) - (a.low < b.low)
        if low >= high and not (low == high and (low == a.low == a.high or low == b.low == b.high)):
            return -1 if a.high <= b.low else 1
        if low == high:  # one is a single point: is it the other's root?
            point, other = (a, b) if a.low == a.high else (b, a)
            if other.low < point.low < other.high and sign(other.poly, point.low) == 0:
                return 0
        elif common is None and max(a.high - a.low, b.high - b.low) <= FINE:
            common = gcd(a.poly, b.poly)
        if common is not None and len(common) > 1 and low < high and sign(common, low) * sign(common, high) < 0:
            return 0
        a.refine()
        b.refine()


def sign_at(poly: Poly, root: Root) -> int:
    """Of the polynomial's value at the root, which lies in [0, 1]."""
    if not poly:
        return 0
    root.refine(FINE)
    if root.low < root.high and not _steady(poly, root):
        common = gcd(poly, root.poly)
        if len(common) > 1 and sign(common, root.low) * sign(common, root.high) < 0:
            return 0
        while root.low < root.high and not _steady(poly, root):
            root.refine()
    return sign(poly, (root.low + root.high) / 2)


def _steady(poly: Poly, root: Root) -> bool:
    """The middle's value is further from zero than the polynomial can change within the interval."""
    middle, half = (root.low + root.high) / 2, (root.high - root.low) / 2
    top, bottom = middle.numerator, middle.denominator
    total, power = 0, 1
    for c in reversed(poly):
        total = total * top + c * power
        power *= bottom
    steepest = sum(k * abs(c) for k, c in enumerate(poly))  # of the slope, anywhere in [0, 1]
    return abs(total) * bottom * half.denominator > half.numerator * steepest * power


def sign_after(poly: Poly, root: Root) -> int:
    """Of its values just right of the root: that of the first derivative which does not vanish there."""
    while poly:
        found = sign_at(poly, root)
        if found:
            return found
        poly = derivative(poly)
    return 0


def rises(poly: Poly, after: Root, high: Fraction) -> Root | None:
    """The first point after the root, and before high, where a polynomial that is negative there becomes positive."""
    from_here, to_there = math.floor(after.low * COARSE), math.ceil(high * COARSE)  # short numbers are fast ones
    near = isolate(poly, Fraction(from_here, COARSE), Fraction(to_there, COARSE))
    end = exactly(high)
    roots = [root for root in near if compare(root, after) > 0 and compare(root, end) < 0]
    for here, then in itertools.pairwise([*roots, end]):
        while here.high >= then.low:
            here.refine()
            then.refine()
        if sign(poly, (here.high + then.low) / 2) > 0:
            return here
    return None


def _remainder(a: Poly, b: Poly) -> Poly:
    left = list(a)
    while len(left) >= len(b):
        top = left[-1]
        if top:
            common = math.gcd(top, b[-1])
            mine, its = b[-1] // common, top // common
            left = [c * mine for c in left]
            shift = len(left) - len(b)
            for j, c in enumerate(b):
                left[shift + j] -= its * c
        left.pop()
    return left


def _coprime_modulo(a: Poly, b: Poly) -> bool:
    """True proves that they have no common factor."""
    if a[-1] % PRIME == 0 or b[-1] % PRIME == 0:
        return False
    x, y = [c % PRIME for c in a], [c % PRIME for c in b]
    while y:
        inverse = pow(y[-1], -1, PRIME)
        while len(x) >= len(y):
            factor = x[-1] * inverse % PRIME
            shift = len(x) - len(y)
            for j, c in enumerate(y):
                x[shift + j] = (x[shift + j] - factor * c) % PRIME
            while x and x[-1] == 0:
                x.pop()
        x, y = y, x
    return len(x) == 1


def _to_unit(poly: Poly, low: Fraction, high: Fraction) -> Poly:
    """A positive multiple of poly(low + (high - low) x)."""
    bottom = math.lcm(low.denominator, high.denominator)
    start, width = int(low * bottom), int((high - low) * bottom)
    size = len(poly) - 1
    scaled = [c * bottom ** (size - k) for k, c in enumerate(poly)]  # bottom^size poly(x / bottom)
    if start:
        steps = _shifted([c * start**k for k, c in enumerate(scaled)])
        scaled = [c // start**k for k, c in enumerate(steps)]  # without remainder
    return primitive([c * width**k for k, c in enumerate(scaled)])


def _unit_to_line(poly: Poly) -> Poly:
    """(1 + x)^n poly(1 / (1 + x)): roots in (0, 1) become positive ones."""
    return _shifted(poly[::-1])


def _shifted(poly: Poly) -> Poly:
    """poly(x + 1), by repeated division by x - 1."""
    work = poly[::-1]
    found = []
    while work:
        work = list(itertools.accumulate(work))
        found.append(work.pop())
    return found


def _changes(poly: Poly) -> int:
    signs = [c > 0 for c in poly if c]
    return sum(a != b for a, b in itertools.pairwise(signs))
