"""The mathematics of the policy gradient, as pure functions of arrays: scores of actions, gradients of the losses.

    gradient of the return = E[ sum_t grad log pi(a_t | s_t) * score_t ]                      (Williams 1992)

Time runs downwards: arrays of whole games are [T, N], N environments side by side; those of a batch are [rows]. All
are float64, but for actions (int64) and `last` (bool).
"""

from __future__ import annotations

import numpy as np

from rltrain.core import Array
from rltrain.policies import mlp
from rltrain.policies.distributions import Distribution

EPS = 1e-8  # keeps a batch of equal scores from being divided by nothing


# Scores


def returns_to_go(reward: Array, last: Array, gamma: float) -> Array:
    """Discounted sum of the rewards from each step to its game's end; reward and last [T, N] -> [T, N].

    A game that a time limit cuts counts as ended: what would have come after is not known here.
    """
    out = np.zeros_like(reward)
    later = np.zeros(reward.shape[1])
    for t in reversed(range(len(reward))):
        later = out[t] = reward[t] + gamma * np.where(last[t], 0.0, later)
    return out


def advantages(reward: Array, discount: Array, last: Array, value: Array, gamma: float, gae_lambda: float) -> Array:
    """Generalised advantage estimates [T, N] of reward, discount, last [T, N] and the states' values [T + 1, N].

    A game that ended is worth nothing more (discount 0), nor is one after a lost life, though it goes on; one that a
    time limit cut is worth what its last state is. (Schulman et al. 2016, eq. 16.)
    """
    error = reward + gamma * discount * value[1:] - value[:-1]
    return returns_to_go(error, last | (discount == 0), gamma * gae_lambda)


def normalized(score: Array) -> Array:
    """Scores [rows] shifted to mean 0 and scaled to standard deviation 1."""
    return np.asarray((score - score.mean()) / (score.std() + EPS))


# Gradients of the losses


def policy_gradient(
    weights: mlp.Weights,
    free: list[Array],
    distribution: Distribution,
    obs: Array,
    drawn: Array,
    score: Array,
    mask: Array | None,
    activation: mlp.Activation,
    ent_coef: float,
) -> tuple[list[Array], float]:
    """The gradient of the loss -mean(score log pi(drawn | obs)) - ent_coef entropy, and the entropy, in nats.

    Over rows of obs [rows, in], of what was drawn [rows, *action], its score [rows] and mask [rows, width]. The
    gradient is that in all weights of the network, then in the distribution's free parameters.
    """
    out, kept = mlp.forward_kept(weights, obs, activation)
    slopes = distribution.slopes(out, free, drawn, score, mask, ent_coef)
    return [*mlp.gradient(weights, kept, slopes.out, activation), *slopes.free], slopes.entropy


def value_gradient(
    weights: mlp.Weights, obs: Array, target: Array, activation: mlp.Activation
) -> tuple[mlp.Weights, float]:
    """The gradient of the loss mean((V(obs) - target)²) over rows of obs [rows, in] and target [rows], and the loss."""
    out, kept = mlp.forward_kept(weights, obs, activation)
    error = out[:, 0] - target
    d_out = (2 / len(target)) * error[:, None]
    return mlp.gradient(weights, kept, d_out, activation), float(np.mean(error**2))
