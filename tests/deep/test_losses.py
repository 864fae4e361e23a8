"""Targets and errors against numbers worked out by hand."""

import math

import pytest
import torch

from rltrain.deep.losses import huber, munchausen_target, next_values, q_target, squared, squash, unsquash

Q_NEXT = torch.tensor([[1.0, 5.0], [2.0, -3.0]])
Q_SELECT = torch.tensor([[9.0, 0.0], [0.0, 1.0]])
REWARD = torch.tensor([1.0, -2.0])


def test_dqn_takes_the_target_networks_largest_value() -> None:
    target = q_target(REWARD, torch.tensor([0.9, 0.9]), Q_NEXT, Q_NEXT, transform=False)
    torch.testing.assert_close(target, torch.tensor([1 + 0.9 * 5, -2 + 0.9 * 2]))


def test_double_dqn_values_the_action_that_the_other_network_chose() -> None:
    target = q_target(REWARD, torch.tensor([0.9, 0.9]), Q_NEXT, Q_SELECT, transform=False)
    torch.testing.assert_close(target, torch.tensor([1 + 0.9 * 1, -2 + 0.9 * -3]))


def test_an_ended_task_has_no_future() -> None:
    torch.testing.assert_close(q_target(REWARD, torch.zeros(2), Q_NEXT, Q_SELECT, transform=False), REWARD)


def test_the_transform_and_its_inverse() -> None:
    x = torch.tensor([-1000.0, -3.0, 0.0, 0.5, 3.0, 99.0], dtype=torch.float64)
    assert squash(torch.tensor(3.0)).item() == pytest.approx(1 + 0.003)  # sqrt(4) - 1 + 0.001 * 3
    torch.testing.assert_close(unsquash(squash(x)), x)
    one = torch.tensor([[3.0]], dtype=torch.float64)
    target = q_target(torch.ones(1).double(), torch.full((1,), 0.5).double(), squash(one), squash(one), transform=True)
    torch.testing.assert_close(target, squash(torch.tensor([1 + 0.5 * 3]).double()))


def test_each_value_of_a_distribution_is_discounted_and_rewarded() -> None:
    values, discount = torch.tensor([[0.0, 4.0], [1.0, -3.0]]), torch.tensor([0.5, 0.0])
    by_hand = torch.tensor([[1.0, 3.0], [-2.0, -2.0]])
    torch.testing.assert_close(next_values(REWARD, discount, values, transform=False), by_hand)
    scaled = next_values(REWARD, discount, squash(values), transform=True)
    torch.testing.assert_close(scaled, squash(by_hand), atol=1e-4, rtol=1e-4)


def test_a_random_next_action_is_worth_the_mean() -> None:
    target = q_target(REWARD, torch.tensor([0.9, 0.9]), Q_NEXT, Q_SELECT, transform=False, epsilon=0.2)
    torch.testing.assert_close(
        target, torch.tensor([1 + 0.9 * (0.8 * 1 + 0.2 * 3), -2 + 0.9 * (0.8 * -3 + 0.2 * -0.5)])
    )
    squashed = q_target(REWARD, torch.tensor([0.9, 0.9]), squash(Q_NEXT), squash(Q_SELECT), transform=True, epsilon=0.2)
    torch.testing.assert_close(squashed, squash(target), atol=1e-4, rtol=1e-4)


def test_munchausen_pays_for_being_sure() -> None:
    """At temperature 1 with values 0 and log 3 the policy is (1/4, 3/4)."""
    log = math.log
    q = torch.tensor([[0.0, log(3)], [0.0, log(3)]])
    action, discount = torch.tensor([0, 1]), torch.tensor([0.9, 0.5])
    # The value of that policy with its entropy: 3/4 log 3 - 1/4 log 1/4 - 3/4 log 3/4 = log 4.
    target = munchausen_target(REWARD, discount, q, q, action, alpha=0.5, tau=1.0, clip=10.0)
    expected = torch.tensor([1 + 0.5 * log(1 / 4) + 0.9 * log(4), -2 + 0.5 * log(3 / 4) + 0.5 * log(4)])
    torch.testing.assert_close(target, expected)
    cut = munchausen_target(REWARD, discount, q, q, action, alpha=0.5, tau=1.0, clip=1.0)
    torch.testing.assert_close(cut, expected + 0.5 * torch.tensor([log(4) - 1, 0.0]))
    # A cold policy is the greedy one: its value is the largest, and who did that is paid nothing.
    cold = munchausen_target(REWARD, discount, q, q, torch.tensor([1, 1]), alpha=0.9, tau=1e-3, clip=1.0)
    torch.testing.assert_close(cold, q_target(REWARD, discount, q, q, transform=False))


def test_a_wider_huber_is_linear_later() -> None:
    td_error = torch.tensor([-20.0, -5.0, 0.0, 10.0, 30.0], requires_grad=True)
    error = huber(td_error, 10.0)
    torch.testing.assert_close(error, torch.tensor([150.0, 12.5, 0.0, 50.0, 250.0]))
    slope = torch.autograd.grad(error.sum(), td_error)[0]
    torch.testing.assert_close(slope, torch.tensor([-10.0, -5.0, 0.0, 10.0, 10.0]))


def test_errors() -> None:
    td_error = torch.tensor([-3.0, -0.5, 0.0, 1.0, 2.0])
    torch.testing.assert_close(huber(td_error), torch.tensor([2.5, 0.125, 0.0, 0.5, 1.5]))
    torch.testing.assert_close(squared(td_error), torch.tensor([4.5, 0.125, 0.0, 0.5, 2.0]))
