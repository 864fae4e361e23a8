"""A policy that a network's logits make: the likeliest action, or one drawn with the probabilities of their softmax."""

from __future__ import annotations

import numpy as np

from rltrain.core import Array
from rltrain.policies import mlp
from rltrain.policies.policy_gradient import draw, log_policy, logits


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

    def act(self, obs: Array) -> Array:
        """Actions [N] at obs [N, *obs]."""
        if self._stream is None:
            return np.asarray(self._logits(obs).argmax(axis=1))
        return draw(self.scores(obs), self._stream)

    def _logits(self, obs: Array) -> Array:
        return logits(self.weights, flat(obs), self._activation, self._num_actions)


def flat(obs: Array) -> Array:
    """Observations [N, *obs] of any shape as a network's inputs [N, in] float64."""
    return obs.reshape(len(obs), -1).astype(np.float64)
