"""A network and a distribution over actions as a policy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from rltrain.core import Array
from rltrain.policies.asking import ActionSpread
from rltrain.policies.distributions import Categorical, Distribution, draw, log_policy, masked

Network = Callable[[Array], Array]  # obs [N, *obs] -> outputs [N, K] float64


@dataclass(frozen=True)
class DistributionPolicy:
    """A `Policy` that plays the likeliest action; with a stream, one that is drawn."""

    network: Network
    free: list[Array]  # parameters of the distribution that no observation changes
    distribution: Distribution
    stream: np.random.Generator | None
    value: Network | None = None  # obs [N, *obs] -> [N], what a state is worth; None: nobody learned it

    def values(self, obs: Array) -> Array | None:
        """See `policies.asking.Valuing`."""
        return None if self.value is None else self.value(obs)

    def spread(self, obs: Array, mask: Array | None = None) -> ActionSpread | None:
        """See `policies.asking.Spreading`."""
        return self.distribution.spread(self.network(obs), self.free, mask)

    def act(self, obs: Array, mask: Array | None = None) -> Array:
        """Actions [N, *action] at obs [N, *obs]."""
        if self.stream is None:
            return self.likeliest(obs, mask)
        out = self.network(obs)
        return self.distribution.taken(self.distribution.draw(out, self.free, mask, self.stream))

    def likeliest(self, obs: Array, mask: Array | None = None) -> Array:
        """The likeliest actions [N, *action] at obs [N, *obs], whether or not they are drawn: `asking.Drawing`."""
        return self.distribution.mode(self.network(obs), mask)


@dataclass(frozen=True)
class SoftmaxPolicy:
    """A `Scoring` policy, which chooses one of some actions: the likeliest; with a stream, one that is drawn."""

    network: Network
    distribution: Categorical
    stream: np.random.Generator | None
    value: Network | None = None  # obs [N, *obs] -> [N], what a state is worth; None: nobody learned it

    score_name = "probability"

    def values(self, obs: Array) -> Array | None:
        """See `policies.asking.Valuing`."""
        return None if self.value is None else self.value(obs)

    def scores(self, obs: Array, mask: Array | None = None) -> Array:
        """The probability of every action [N, A] at obs [N, *obs]; 0 of what is impossible."""
        return np.exp(log_policy(masked(self._logits(obs), mask)))

    def act(self, obs: Array, mask: Array | None = None) -> Array:
        """Actions [N] at obs [N, *obs]."""
        z = masked(self._logits(obs), mask)
        return np.asarray(z.argmax(axis=1)) if self.stream is None else draw(np.exp(log_policy(z)), self.stream)

    def _logits(self, obs: Array) -> Array:
        return self.distribution.logits(self.network(obs))
