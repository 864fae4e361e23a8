"""Where policies change: by hand, and what is easily missed."""

from fractions import Fraction

import numpy as np
import pytest

from rltrain.errors import InputError
from rltrain.mdp import files, thresholds
from rltrain.mdp.build import from_transitions
from rltrain.mdp.exact.discounts import breakpoints
from rltrain.mdp.exact.polynomials import compare, exactly, gcd, isolate, rises, sign_after, sign_at, square_free


def lake():
    from rltrain.envs import model_named

    return model_named("FrozenLake-v1", {})


def small(*pairs):
    """(state, {next: probability}, reward), the actions of a state numbered as they come."""
    rows = []
    for place, (state, after, reward) in enumerate(pairs):
        action = sum(other == state for other, *_ in pairs[:place])
        rows += [(state, action, following, prob, reward) for following, prob in after.items()]
    size = 1 + max(max(row[0], row[2]) for row in rows)
    columns = [list(column) for column in zip(*rows, strict=True)]
    return from_transitions([f"s{k}" for k in range(size)], ["a0", "a1", "a2"], *columns)


def test_the_book():
    found = breakpoints(files.read(files.BOOK).model, 0.5, 0.999)
    (point,) = found.breakpoints
    # V(s0) = 7 / (1 - .7 g); s2: (1 - .1 g) V(s2) = 32 + .8 g V(s0) as V(s1) = 0; s1 turns where g V(s2) = 50:
    # 50 (1 - .1 g)(1 - .7 g) = g (32 (1 - .7 g) + 5.6 g), that is 20.3 g^2 - 72 g + 50 = 0
    g = (72 - np.sqrt(72**2 - 4 * 20.3 * 50)) / 40.6
    assert abs(point.discount - g) < 1e-14 and abs(g - 0.947633) < 1e-6
    assert found.rigorous and found.json()["breakpoints"] == [
        {"discount": point.discount, "state": "s1", "from": "a0", "to": "a2"}
    ]
    assert [piece["policy"] for piece in found.json()["intervals"]] == [["a0", "a0", "a1"], ["a0", "a2", "a1"]]


def chain(rewards):
    """State 0: stop at once for 0, or a way on which these rewards are earned, one a step."""
    steps = len(rewards)
    way = [(0, {steps: 1.0}, 0)] + [(k, {k + 1: 1.0}, reward) for k, reward in enumerate(rewards)]
    return small(*way)


def test_a_policy_that_comes_back():
    # -2 + 9 g - 9 g^2 = -(3 g - 1)(3 g - 2)
    found = breakpoints(chain([-2, 9, -9]), 0, 0.99)
    assert [p.discount for p in found.breakpoints] == [1 / 3, 2 / 3]
    assert found.intervals[0].choice[0] == found.intervals[2].choice[0] == 0 and found.intervals[1].choice[0] == 1


def test_touching_is_no_change():
    assert not breakpoints(chain([-1, 4, -4]), 0, 0.99).breakpoints  # -(2 g - 1)^2


def test_a_change_narrower_than_any_grid():
    # roots 1/2 and 1/2 + 1/1000000
    found = breakpoints(chain([-500001, 2000002, -2000000]), 0, 0.99)
    assert [p.discount for p in found.breakpoints] == [0.5, 0.500001]


def test_two_states_at_once_and_ties_for_every_discount():
    way = [(0, {2: 1.0}, 0), (0, {3: 1.0}, -1), (0, {3: 1.0}, -1), (1, {2: 1.0}, 0), (1, {3: 1.0}, -1)]
    found = breakpoints(small(*way, (3, {2: 1.0}, 2)), 0, 0.9)
    assert [(p.discount, p.state) for p in found.breakpoints] == [(0.5, 0), (0.5, 1)] and len(found.intervals) == 2


def test_the_grid_finds_the_same(monkeypatch):
    exact = breakpoints(lake(), 0.5, 0.999)
    assert exact.rigorous and len(exact.intervals) == 3
    monkeypatch.setattr(thresholds, "EXACT_DISCOUNTS_NEXT", 0)
    found = breakpoints(lake(), 0.5, 0.999, 1e-5)
    assert not found.rigorous and "grid" in found.note
    pairs = zip(found.breakpoints, exact.breakpoints, strict=True)
    assert all(abs(a.discount - b.discount) < 1e-4 and a.state == b.state for a, b in pairs)


def test_bad_ranges_are_refused():
    for low, high in ((0.9, 0.5), (0.5, 1.0), (-0.1, 0.5)):
        with pytest.raises(InputError, match="must ascend"):
            breakpoints(lake(), low, high)


def test_roots():
    # (3x - 1)^2 (2x - 1) (x^2 - 1/2): 1/3 twice, 1/2, 0.7071…
    poly = [1]
    for factor in ([-1, 3], [-1, 3], [-1, 2], [-1, 0, 2]):
        poly = [
            sum(poly[k - j] * factor[j] for j in range(len(factor)) if 0 <= k - j < len(poly))
            for k in range(len(poly) + len(factor) - 1)
        ]
    third, half, root = isolate(poly, Fraction(0), Fraction(1))
    assert np.allclose([float(third), float(half), float(root)], [1 / 3, 1 / 2, 2**-0.5], rtol=0, atol=1e-16)
    assert len(square_free(poly)) == len(poly) - 1
    assert gcd(poly, [-1, 0, 2]) in ([-1, 0, 2], [1, 0, -2])
    assert compare(root, isolate([-1, 0, 2], Fraction(1, 2), Fraction(1))[0]) == 0
    assert compare(half, exactly(Fraction(1, 2))) == 0 and compare(third, half) == -1 and compare(root, half) == 1
    # signs: positive before 1/2 (the double root only touches), negative to 0.7071, then positive
    assert sign_at(poly, third) == 0 == sign_at(poly, root) and sign_after(poly, third) == 1
    assert sign_after(poly, half) == -1 and sign_after(poly, root) == 1
    first = rises(poly, half, Fraction(1))
    assert first is not None and compare(first, root) == 0 and rises(poly, half, Fraction(7, 10)) is None
