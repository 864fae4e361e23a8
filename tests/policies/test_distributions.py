"""Distributions over actions: each gradient against finite differences of the loss, what is drawn, masks, bounds."""

import math

import numpy as np
import pytest

from rltrain.policies import distributions, mlp
from rltrain.policies.distributions import Categorical, Categoricals, Gaussian
from rltrain.policies.policy_gradient import policy_gradient
from rltrain.policies.trained import SoftmaxPolicy
from rltrain.spaces import Continuous, Discrete, MultiDiscrete

ROWS = 9
THREE = np.array([[True, False, True]] * 4 + [[True, True, True]] * 4 + [[False, False, False]])  # the last: all
PAIR = np.concatenate([THREE, np.array([[True, True]] * 5 + [[False, True]] * 4)], axis=1)


def log_softmax(z, mask):
    """Of one row, by hand: only over what is possible."""
    able = [k for k in range(len(z)) if mask is None or mask[k] or not any(mask)]
    total = math.log(sum(math.exp(z[k]) for k in able))
    return {k: z[k] - total for k in able}


def categorical(out, mask, action):
    """Log probability of one row's action, and its entropy."""
    log_p = log_softmax([out[0], 0.0] if len(out) == 1 else list(out), mask)
    return log_p[int(action)], -sum(math.exp(value) * value for value in log_p.values())


def categoricals(out, mask, action):
    parts = [(slice(0, 3), 0), (slice(3, 5), 1)]
    each = [categorical(out[at], None if mask is None else mask[at], action[k]) for at, k in parts]
    return sum(part for part, _ in each), sum(part for _, part in each)


def gaussian(log_std):
    def of(out, mask, action):
        log_p = [
            -((action[k] - out[k]) ** 2) / (2 * math.exp(2 * s)) - s - math.log(2 * math.pi) / 2
            for k, s in enumerate(log_std)
        ]
        return sum(log_p), sum(0.5 + math.log(2 * math.pi) / 2 + s for s in log_std)

    return of


CASES = {  # distribution, mask, log probability and entropy by hand
    "one of two, one output": (Categorical(2, 1), None),
    "one of three": (Categorical(3), None),
    "one of three, masked": (Categorical(3), THREE),
    "several": (Categoricals(MultiDiscrete((3, 2))), None),
    "several, masked": (Categoricals(MultiDiscrete((3, 2))), PAIR),
    "numbers": (Gaussian(Continuous((-2.0, 0.0), (2.0, math.inf)), -0.3), None),
}


@pytest.mark.parametrize("case", CASES)
def test_the_gradient_is_the_slope_of_the_loss(case):
    distribution, mask = CASES[case]
    stream = np.random.default_rng(1)
    weights, free = mlp.initial([2, 5, distribution.outputs], stream), distribution.initial()
    obs, score = stream.normal(size=(ROWS, 2)), stream.normal(size=ROWS)
    drawn = distribution.draw(mlp.forward(weights, obs, "tanh"), free, mask, stream)

    def loss():
        out = mlp.forward(weights, obs, "tanh")
        by_hand = {Categorical: categorical, Categoricals: categoricals}.get(type(distribution))
        by_hand = by_hand or gaussian(free[0].tolist())
        rows = [by_hand(out[i], None if mask is None else mask[i], drawn[i]) for i in range(ROWS)]
        return float(np.mean([-s * log_p - 0.3 * entropy for s, (log_p, entropy) in zip(score, rows, strict=True)]))

    gradient, entropy = policy_gradient(weights, free, distribution, obs, drawn, score, mask, "tanh", 0.3)
    assert math.isfinite(entropy)
    assert len(gradient) == len(weights) + len(free)
    for part, slope in zip([*weights, *free], gradient, strict=True):
        assert part.shape == slope.shape
        for at in np.ndindex(part.shape):
            before, h, ends = part[at], 1e-6, []
            for value in (before + h, before - h):
                part[at] = value
                ends.append(loss())
            part[at] = before
            assert slope[at] == pytest.approx((ends[0] - ends[1]) / (2 * h), rel=1e-4, abs=1e-8)


def test_the_entropy_of_numbers_is_that_of_the_normal_distribution():
    distribution = Gaussian(Continuous((-1.0,) * 2, (1.0,) * 2), 0.5)
    out, drawn = np.zeros((3, 2)), np.ones((3, 2))
    slopes = distribution.slopes(out, distribution.initial(), drawn, np.zeros(3), None, 0.0)
    assert slopes.entropy == pytest.approx(2 * (0.5 + math.log(2 * math.pi) / 2 + 0.5))


def test_actions_come_with_their_probabilities():
    weight = np.repeat([[1.0, 0.0, 3.0]], 40_000, axis=0)
    drawn = distributions.draw(weight, np.random.default_rng(0))
    share = np.bincount(drawn, minlength=3) / len(drawn)
    assert share[1] == 0
    assert share[0] == pytest.approx(0.25, abs=0.01)


@pytest.mark.parametrize("case", ["one of three, masked", "several, masked"])
def test_nothing_impossible_is_drawn_or_likeliest_however_much_the_network_wants_it(case):
    distribution, mask = CASES[case]
    out = np.zeros((ROWS, distribution.outputs))
    out[:, 1] = 1_000.0  # impossible in the first rows
    stream = np.random.default_rng(0)
    for action in [distribution.mode(out, mask), *(distribution.draw(out, [], mask, stream) for _ in range(50))]:
        first = action if action.ndim == 1 else action[:, 0]
        assert (first[:4] != 1).all()
        assert (first[4:] == 1).all()  # where all is possible, or nothing


def test_numbers_are_drawn_in_halves_of_the_bounds_and_clipped_to_them():
    space = Continuous((0.0, -2.0, -math.inf), (1.0, 2.0, math.inf))
    distribution = Gaussian(space, 0.0)
    mode = distribution.mode(np.array([[0.0, 0.0, 0.0], [1.0, 0.5, 30.0], [-9.0, 9.0, -9.0]]), None)
    np.testing.assert_allclose(mode, [[0.5, 0, 0], [1, 1, 30], [0, 2, -9]])
    assert mode.dtype == np.float32
    out = np.zeros((20_000, 3))
    drawn = distribution.draw(out, [np.log([0.5, 0.1, 2.0])], None, np.random.default_rng(0))
    np.testing.assert_allclose(drawn.std(axis=0), [0.5, 0.1, 2.0], rtol=0.03)
    taken = distribution.taken(drawn)
    assert space.fault(taken, len(taken)) is None
    assert (taken[:, 0] == 0).mean() == pytest.approx(0.0228, abs=0.005)  # beyond two deviations: clipped


def test_every_space_has_its_distribution():
    assert distributions.of(Discrete(3)).outputs == 3
    assert distributions.of(Discrete(2), single_output=True).outputs == 1
    assert distributions.of(MultiDiscrete((3, 2))).outputs == 5
    assert distributions.of(Continuous((-1.0,), (1.0,)), -1.0).initial()[0].tolist() == [-1.0]


def test_scores_of_a_softmax_are_the_chances_of_what_it_draws():
    out = np.tile([0.3, 1.2, -0.5], (3, 1))
    policy = SoftmaxPolicy(lambda obs: obs, Categorical(3), np.random.default_rng(0))
    mask = np.array([[True, False, True], [True, True, True], [False, False, False]])
    found, free = policy.scores(out, mask), policy.scores(out)
    assert found[0].tolist() == pytest.approx([free[0, 0] / (1 - free[0, 1]), 0, free[0, 2] / (1 - free[0, 1])])
    assert found[1:] == pytest.approx(free[1:])
    drawn = policy.act(np.tile(out[:1], (4000, 1)), np.tile(mask[:1], (4000, 1)))
    assert np.bincount(drawn, minlength=3) / 4000 == pytest.approx(found[0], abs=0.04)  # 5 sigma
