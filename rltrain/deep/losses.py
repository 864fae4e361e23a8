"""The mathematics of deep Q-learning as pure functions: targets, and the losses that move values towards them.

    target = h( reward + discount * h^-1( Q_target(next, argmax_a Q_select(next, a)) ) )

with Q_select = Q_target for DQN (Mnih et al. 2015) and the online network for Double DQN (van Hasselt et al. 2016), and
h the identity or the square-root transform of Pohlen et al. 2018. A value that is learned as a distribution has one for
its target: that of what was chosen next, each of its values discounted and rewarded so. `discount` is 0 where the task
ended, so no mask is needed. The value of an action that is impossible is minus infinity (`masks`); some action always
is possible.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from rltrain.deep.masks import mean
from rltrain.deep.quantiles import quantile_huber

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
        value = (1 - epsilon) * value + epsilon * mean(q_next)
    target = reward + discount * value
    return squash(target) if transform else target


def next_values(reward: Tensor, discount: Tensor, values: Tensor, *, transform: bool) -> Tensor:
    """What each value [M, B] that the next state may have comes to now, [M, B]. reward, discount [M]."""
    target = reward[:, None] + discount[:, None] * (unsquash(values) if transform else values)
    return squash(target) if transform else target


def munchausen_target(
    reward: Tensor,
    discount: Tensor,
    q_next: Tensor,
    q: Tensor,
    action: Tensor,
    *,
    alpha: float,
    tau: float,
    clip: float,
) -> Tensor:
    """Regression targets [M] of a soft policy that is paid for being sure of what it did.

        reward + alpha max(tau log pi(action | obs), -clip)
               + discount sum_a pi(a | next_obs) (Q(next_obs, a) - tau log pi(a | next_obs)),   pi = softmax(Q / tau)

    reward, discount, action [M]; q_next, q [M, A] of the target network. Of n steps the first action is paid.
    The sum is tau log sum_a exp(Q(next_obs, a) / tau). Source: Vieillard et al. 2020, "Munchausen Reinforcement
    Learning"; their Atari settings: alpha 0.9, tau 0.03, clip 1.
    """
    sure = tau * (q / tau).log_softmax(1).gather(1, action[:, None]).squeeze(1)  # [M]
    value = tau * (q_next / tau).logsumexp(1)  # [M]
    return reward + alpha * sure.clamp(min=-clip) + discount * value


def around_mean(outputs: Tensor, q: Tensor, tau: float) -> Tensor:
    """How quantiles [M, A, B] lie around their means q [M, A], on average by a soft policy, [M, B].

    Added to a Munchausen target they make one for each quantile, whose mean it is. Minus infinity in q: impossible.
    """
    apart = outputs - outputs.mean(2, keepdim=True)
    return ((q / tau).softmax(1)[:, :, None] * apart).sum(1)


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


class Loss(NamedTuple):
    """The loss of a batch of M transitions, and what is shown of it."""

    loss: Tensor  # scalar, to be differentiated
    td_error: Tensor  # [M], target - Q(obs, action); of C51 how far the distributions differ, see `categorical`
    value: Tensor  # scalar, mean Q(obs, action)


def regression(
    q: Tensor, action: Tensor, target: Tensor, weight: Tensor, each: Callable[[Tensor], Tensor] = squared
) -> Loss:
    """The weighted mean of `each` TD error. q [M, A, 1]; action [M] int64; target, weight [M]."""
    value = of_actions(q, action).squeeze(1)
    td_error = target - value
    return Loss((each(td_error) * weight).mean(), td_error.detach(), value.detach().mean())


def cross_entropy(
    logits: Tensor, action: Tensor, shares: Tensor, target: Tensor, weight: Tensor, *, centres: Tensor
) -> Loss:
    """The weighted mean cross-entropy of values that are histograms, each to one of its target (HL-Gauss).

    logits [M, A, B]; action [M] int64; shares [M, B], the target's histogram; target, weight [M]; centres [B].
    """
    log_shares = of_actions(logits, action).log_softmax(1)  # [M, B]
    each = -(shares * log_shares).sum(1)
    value = log_shares.detach().exp() @ centres
    return Loss((each * weight).mean(), target - value, value.mean())


def categorical(logits: Tensor, action: Tensor, target: Tensor, weight: Tensor, *, centres: Tensor) -> Loss:
    """The weighted mean cross-entropy of histograms to what they are to become (C51).

    logits [M, A, B]; action [M] int64; target [M, B], histograms; weight [M]; centres [B]. In place of a TD error: the
    Kullback-Leibler divergence from the target, by which Hessel et al. 2018 (Rainbow) draw transitions.
    """
    log_shares = of_actions(logits, action).log_softmax(1)  # [M, B]
    each = -(target * log_shares).sum(1)
    own = torch.special.entr(target).sum(1)
    return Loss((each * weight).mean(), each.detach() - own, (log_shares.detach().exp() @ centres).mean())


def quantile_regression(
    quantiles: Tensor, action: Tensor, target: Tensor, weight: Tensor, *, levels: Tensor, delta: float
) -> Loss:
    """The weighted mean of `quantile_huber`. quantiles [M, A, B]; action [M] int64; target [M, T]; weight [M].

    levels [M, B] or [B], of the quantiles.
    """
    own = of_actions(quantiles, action)  # [M, B]
    value = own.detach().mean(1)
    each = quantile_huber(own, target, levels, delta)
    return Loss((each * weight).mean(), target.mean(1) - value, value.mean())


def of_actions(outputs: Tensor, action: Tensor) -> Tensor:
    """[M, A, K] -> [M, K], of the action [M] of each row."""
    return outputs.gather(1, action[:, None, None].expand(-1, 1, outputs.shape[2])).squeeze(1)
