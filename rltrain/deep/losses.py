"""The mathematics of deep Q-learning as pure functions.

    target = h( reward + discount * h^-1( Q_target(next, argmax_a Q_select(next, a)) ) )

with Q_select = Q_target for DQN (Mnih et al. 2015) and the online network for Double DQN (van Hasselt et al. 2016), and
h the identity or the square-root transform of Pohlen et al. 2018. `discount` is 0 where the task ended, so no mask is
needed.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

TRANSFORM_EPSILON = 1e-3  # keeps the inverse Lipschitz; Pohlen et al. 2018, section 3.2 use 1e-2, R2D2 1e-3


def squash(x: Tensor) -> Tensor:
    """h(x) = sign(x) (sqrt(|x| + 1) - 1) + eps x."""
    return x.sign() * ((x.abs() + 1).sqrt() - 1) + TRANSFORM_EPSILON * x


def unsquash(y: Tensor) -> Tensor:
    """The inverse of `squash`."""
    eps = TRANSFORM_EPSILON
    root = ((1 + 4 * eps * (y.abs() + 1 + eps)).sqrt() - 1) / (2 * eps)
    return y.sign() * (root.square() - 1)


def q_target(
    reward: Tensor, discount: Tensor, q_next: Tensor, q_select: Tensor, *, transform: bool, epsilon: float = 0.0
) -> Tensor:
    """Regression targets [M]. reward, discount [M]; q_next [M, A] gives the values, q_select [M, A] chooses.

    With `epsilon` the next action is random that often: Expected Sarsa (van Seijen et al. 2009) of the policy that is
    greedy but for it, whose best action keeps a distance from what one wrong step would lose.
    """
    assert reward.shape == discount.shape == q_next.shape[:1] and q_next.shape == q_select.shape
    if transform:
        q_next = unsquash(q_next)
    value = q_next.gather(1, q_select.argmax(1, keepdim=True)).squeeze(1)  # [M]
    if epsilon:
        value = (1 - epsilon) * value + epsilon * q_next.mean(1)
    target = reward + discount * value
    return squash(target) if transform else target


class Munchausen(NamedTuple):
    """Munchausen reinforcement learning (Vieillard et al. 2020). Their Atari settings: 0.9, 0.03, 1."""

    alpha: float  # share of the action's log-probability that is added to its reward
    tau: float  # temperature of the policy softmax(Q / tau)
    clip: float  # tau log-probability counts as at least minus this


def munchausen_target(
    reward: Tensor, discount: Tensor, q_next: Tensor, q_now: Tensor, action: Tensor, rule: Munchausen
) -> Tensor:
    """Regression targets [M] of a soft policy that is paid for being sure of what it did.

        reward + alpha max(tau log pi(action | now), -clip)
               + discount sum_a pi(a | next) (Q(next, a) - tau log pi(a | next)),   pi = softmax(Q / tau)

    reward, discount, action [M]; q_next, q_now [M, A] of the target network. Of n steps the first action is paid.
    The sum is tau log sum_a exp(Q(next, a) / tau).
    """
    sure = rule.tau * (q_now / rule.tau).log_softmax(1).gather(1, action[:, None]).squeeze(1)  # [M]
    value = rule.tau * (q_next / rule.tau).logsumexp(1)  # [M]
    return reward + rule.alpha * sure.clamp(min=-rule.clip) + discount * value


def huber(td_error: Tensor, delta: float = 1.0) -> Tensor:
    """x^2 / 2 up to |x| = delta, delta (|x| - delta / 2) beyond (Huber 1964). Elementwise.

    delta = 1 is the clipped error of Mnih et al. 2015. Beyond delta a value moves towards the median of its targets,
    not their mean: rare large rewards are then worth too little.
    """
    size = td_error.abs()
    return torch.where(size <= delta, 0.5 * td_error.square(), delta * (size - 0.5 * delta))


def squared(td_error: Tensor) -> Tensor:
    """x^2 / 2, so that its gradient is the error. Elementwise."""
    return 0.5 * td_error.square()
