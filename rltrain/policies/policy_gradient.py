"""The mathematics of the policy gradient, as pure functions of arrays: scores of actions, a softmax policy, gradients.

    gradient of the return = E[ sum_t grad log pi(a_t | s_t) * score_t ]                      (Williams 1992)

Time runs downwards: arrays of whole games are [T, N], N environments side by side; those of a batch are [rows]. All
are float64, but for actions (int64) and `last` (bool).
"""

from __future__ import annotations

import numpy as np

from rltrain.core import Array
from rltrain.policies import mlp

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

    A game that ended is worth nothing more (discount 0); one that a time limit cut, what its last state is worth.
    (Schulman et al. 2016, eq. 16.)
    """
    error = reward + gamma * discount * value[1:] - value[:-1]
    return returns_to_go(error, last, gamma * gae_lambda)


def normalized(score: Array) -> Array:
    """Scores [rows] shifted to mean 0 and scaled to standard deviation 1."""
    return np.asarray((score - score.mean()) / (score.std() + EPS))


# The policy: softmax of a network's outputs


def logits(weights: mlp.Weights, obs: Array, activation: mlp.Activation, num_actions: int) -> Array:
    """Logits of all actions [rows, A] at obs [rows, in]."""
    return of_all_actions(mlp.forward(weights, obs, activation), num_actions)


def of_all_actions(out: Array, num_actions: int) -> Array:
    """The logits [rows, A] of the network's outputs [rows, A or 1].

    A single output z for two actions is the logit of action 0 against action 1: softmax of (z, 0) is sigmoid of z.
    """
    return out if out.shape[1] == num_actions else np.concatenate([out, np.zeros_like(out)], axis=1)


def log_policy(z: Array) -> Array:
    """Logarithm of the softmax of logits z [rows, A]."""
    z = z - z.max(axis=1, keepdims=True)
    return np.asarray(z - np.log(np.exp(z).sum(axis=1, keepdims=True)))


def draw(weight: Array, stream: np.random.Generator) -> Array:
    """An action a row [rows], with probabilities in proportion to weight [rows, A]."""
    mass = weight.cumsum(axis=1)
    return np.asarray((stream.random((len(mass), 1)) * mass[:, -1:] >= mass[:, :-1]).sum(axis=1))


def flat(obs: Array) -> Array:
    """Observations [N, *obs] of any shape as a network's inputs [N, in] float64."""
    return obs.reshape(len(obs), -1).astype(np.float64)


class SoftmaxPolicy:
    """Weights of an `mlp` as a `Scoring` policy. Without a stream it plays the likeliest action."""

    score_name = "probability"

    def __init__(
        self, weights: mlp.Weights, activation: mlp.Activation, num_actions: int, stream: np.random.Generator | None
    ) -> None:
        self.weights, self._activation, self._stream = weights, activation, stream
        self._num_actions = num_actions

    def scores(self, obs: Array) -> Array:
        """The probability of every action [N, A] at obs [N, *obs]."""
        return np.exp(log_policy(self._logits(obs)))

    def act(self, obs: Array, mask: Array | None = None) -> Array:
        """Actions [N] at obs [N, *obs]."""
        if self._stream is None:
            return np.asarray(self._logits(obs).argmax(axis=1))
        return draw(self.scores(obs), self._stream)

    def _logits(self, obs: Array) -> Array:
        return logits(self.weights, flat(obs), self._activation, self._num_actions)


# Gradients of the losses


def policy_gradient(
    weights: mlp.Weights,
    obs: Array,
    action: Array,
    score: Array,
    activation: mlp.Activation,
    ent_coef: float,
    num_actions: int,
) -> tuple[mlp.Weights, float]:
    """The gradient of the loss -mean(score log pi(action | obs)) - ent_coef entropy, and the entropy, in nats.

    Over rows of obs [rows, in], action [rows] and score [rows]. Equal to the mean over rows of the gradient of the
    action's cross-entropy times its score.
    """
    out, kept = mlp.forward_kept(weights, obs, activation)
    log_p = log_policy(of_all_actions(out, num_actions))
    p = np.exp(log_p)
    entropy = -(p * log_p).sum(axis=1, keepdims=True)
    d = p * score[:, None]
    d[np.arange(len(d)), action] -= score
    d += ent_coef * p * (log_p + entropy)
    d /= len(d)
    return mlp.gradient(weights, kept, d[:, : out.shape[1]], activation), float(entropy.mean())


def value_gradient(
    weights: mlp.Weights, obs: Array, target: Array, activation: mlp.Activation
) -> tuple[mlp.Weights, float]:
    """The gradient of the loss mean((V(obs) - target)²) over rows of obs [rows, in] and target [rows], and the loss."""
    out, kept = mlp.forward_kept(weights, obs, activation)
    error = out[:, 0] - target
    d_out = (2 / len(target)) * error[:, None]
    return mlp.gradient(weights, kept, d_out, activation), float(np.mean(error**2))
