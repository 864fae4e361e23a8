"""The policy gradient: the chapter's worked examples, its gradient against torch and finite differences, advantages."""

import numpy as np
import pytest
import torch

from rltrain.core import Array
from rltrain.policies import mlp, policy_gradient
from rltrain.policies.distributions import Categorical


def one_game(rewards: list[float]) -> tuple[Array, Array]:
    reward = np.array(rewards)[:, None]
    last = np.zeros_like(reward, dtype=bool)
    last[-1] = True
    return reward, last


# The chapter's examples


def test_discounted_rewards_of_the_chapter() -> None:
    assert policy_gradient.returns_to_go(*one_game([10, 0, -50]), 0.8)[:, 0].tolist() == [-22, -40, -50]


def test_normalised_scores_of_the_chapter() -> None:
    games = [[10.0, 0, -50], [10.0, 20]]
    scores = np.concatenate([policy_gradient.returns_to_go(*one_game(game), 0.8)[:, 0] for game in games])
    expected = [-0.28435071, -0.86597718, -1.18910299, 1.26665318, 1.0727777]
    np.testing.assert_allclose(policy_gradient.normalized(scores), expected, atol=5e-9)


def test_one_batched_pass_is_the_mean_of_the_chapters_gradients() -> None:
    """The chapter: the gradient of each step's cross-entropy, times its score; then the mean over all steps."""
    stream = np.random.default_rng(0)
    weights = mlp.initial([4, 4, 1], stream, variance=2.0)
    obs = stream.normal(size=(50, 4))
    action = stream.integers(0, 2, 50)
    score = stream.normal(size=50)
    two = Categorical(2, outputs=1)
    ours, _ = policy_gradient.policy_gradient(weights, [], two, obs, action, score, None, "elu", 0.0)

    layers = [torch.nn.Linear(4, 4, dtype=torch.float64), torch.nn.ELU(), torch.nn.Linear(4, 1, dtype=torch.float64)]
    network = torch.nn.Sequential(*layers)
    with torch.no_grad():
        for part, own in zip(network.parameters(), weights, strict=True):
            part.copy_(torch.from_numpy(own.T))
    total = [torch.zeros_like(part) for part in network.parameters()]
    for t in range(50):
        y = torch.tensor([1.0 - action[t]], dtype=torch.float64)  # the target chance of action 0
        loss = torch.nn.functional.binary_cross_entropy_with_logits(network(torch.from_numpy(obs[t])), y)
        for sum_, part in zip(total, torch.autograd.grad(loss, list(network.parameters())), strict=True):
            sum_ += score[t] * part
    for own, sum_ in zip(ours, total, strict=True):
        np.testing.assert_allclose(own, (sum_ / 50).numpy().T, atol=1e-6 * float(np.abs(own).max()))


# The scores in general


def test_advantages_by_hand() -> None:
    """Two games in a lane: the first ends by itself, the second is cut by the clock after one step."""
    reward = np.array([[1.0], [2.0], [3.0]])
    last = np.array([[False], [True], [True]])
    discount = np.array([[1.0], [0.0], [1.0]])
    value = np.array([[0.5], [1.5], [2.0], [10.0]])
    # delta: 1 + .9*1.5 - .5 = 1.85;  2 + 0 - 1.5 = .5;  3 + .9*10 - 2 = 10
    found = policy_gradient.advantages(reward, discount, last, value, 0.9, 0.5)
    assert found[:, 0] == pytest.approx([1.85 + 0.45 * 0.5, 0.5, 10.0])


def test_what_follows_a_lost_life_adds_nothing_to_what_was_before_though_the_game_goes_on() -> None:
    reward, value = np.array([[1.0], [2.0], [3.0]]), np.array([[0.5], [1.5], [2.0], [10.0]])
    last, discount = np.array([[False], [False], [True]]), np.array([[1.0], [0.0], [1.0]])  # lost in the second step
    found = policy_gradient.advantages(reward, discount, last, value, 0.9, 0.5)
    assert found[:, 0] == pytest.approx([1.85 + 0.45 * 0.5, 0.5, 10.0])


def test_lambda_1_is_the_return_minus_the_baseline() -> None:
    stream = np.random.default_rng(0)
    reward, last = stream.normal(size=(6, 2)), np.zeros((6, 2), bool)
    last[-1] = True
    discount = np.where(last, 0.0, 1.0)
    value = stream.normal(size=(7, 2))
    found = policy_gradient.advantages(reward, discount, last, value, 0.9, 1.0)
    np.testing.assert_allclose(found, policy_gradient.returns_to_go(reward, last, 0.9) - value[:-1])


def test_the_values_gradient_is_the_slope_of_the_squared_error() -> None:
    stream = np.random.default_rng(2)
    weights = mlp.initial([2, 5, 1], stream)
    obs, target = stream.normal(size=(9, 2)), stream.normal(size=9)
    gradient, loss = policy_gradient.value_gradient(weights, obs, target, "tanh")
    assert loss == pytest.approx(np.mean((mlp.forward(weights, obs, "tanh")[:, 0] - target) ** 2))
    for part, slope in zip(weights, gradient, strict=True):
        for at in np.ndindex(part.shape):
            before, h = part[at], 1e-6
            ends = []
            for value in (before + h, before - h):
                part[at] = value
                ends.append(np.mean((mlp.forward(weights, obs, "tanh")[:, 0] - target) ** 2))
            part[at] = before
            assert slope[at] == pytest.approx((ends[0] - ends[1]) / (2 * h), rel=1e-4, abs=1e-8)
