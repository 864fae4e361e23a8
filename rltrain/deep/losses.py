"""The mathematics of deep Q-learning as pure functions.

    target = h( reward + discount * h^-1( Q_target(next, argmax_a Q_select(next, a)) ) )

with Q_select = Q_target for DQN (Mnih et al. 2015) and the online network for Double DQN (van Hasselt et al. 2016), and
h the identity or the square-root transform of Pohlen et al. 2018. `discount` is 0 where the task ended, so no mask is
needed.
"""

from __future__ import annotations

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


def q_target(reward: Tensor, discount: Tensor, q_next: Tensor, q_select: Tensor, *, transform: bool) -> Tensor:
    """Regression targets [M]. reward, discount [M]; q_next [M, A] gives the values, q_select [M, A] chooses."""
    assert reward.shape == discount.shape == q_next.shape[:1] and q_next.shape == q_select.shape
    value = q_next.gather(1, q_select.argmax(1, keepdim=True)).squeeze(1)  # [M]
    if transform:
        return squash(reward + discount * unsquash(value))
    return reward + discount * value


def huber(td_error: Tensor) -> Tensor:
    """x^2 / 2 up to |x| = 1, |x| - 1/2 beyond: the clipped error of Mnih et al. 2015. Elementwise."""
    size = td_error.abs()
    return torch.where(size <= 1, 0.5 * td_error.square(), size - 0.5)


def squared(td_error: Tensor) -> Tensor:
    """x^2 / 2, so that its gradient is the error. Elementwise."""
    return 0.5 * td_error.square()
