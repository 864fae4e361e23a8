"""A policy that normalises what it is shown, by statistics that no longer change.

    obs -> (obs - mean) / sqrt(variance + epsilon), cut to -clip..clip

So whoever evaluates, watches or asks it shows observations as the environment gives them. `envs.normalized` learns the
statistics and says, in its saved state, all that is needed.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rltrain.core import Array, Policy, Scoring, State
from rltrain.policies.asking import ActionSpread, chosen, spread_of, thought, worth
from rltrain.saved import Saved


class Normalization(NamedTuple):
    """How observations are shifted and scaled."""

    mean: Array  # [*obs] float64
    variance: Array  # [*obs] float64
    epsilon: float
    clip: float | None  # None: not cut

    def __call__(self, obs: Array) -> Array:
        """[N, *obs] float32 -> the same, normalised."""
        found = (obs - self.mean) / np.sqrt(self.variance + self.epsilon)
        return cut(found, self.clip).astype(np.float32)


class NormalizingPolicy:
    """A policy behind a normalisation."""

    def __init__(self, policy: Policy, normalization: Normalization) -> None:
        self._policy, self._normalization = policy, normalization

    def act(self, obs: Array, mask: Array | None = None) -> Array:
        return chosen(self._policy, self._normalization(obs), mask)

    def values(self, obs: Array) -> Array | None:
        """See `policies.asking.Valuing`."""
        return worth(self._policy, self._normalization(obs))

    def spread(self, obs: Array, mask: Array | None = None) -> ActionSpread | None:
        """See `policies.asking.Spreading`."""
        return spread_of(self._policy, self._normalization(obs), mask)


class NormalizingScorer:
    """A policy behind a normalisation that can say what it thinks of every action: `core.Scoring`."""

    def __init__(self, policy: Scoring, normalization: Normalization) -> None:
        self._policy, self._normalization = policy, normalization
        self.score_name = policy.score_name

    def act(self, obs: Array, mask: Array | None = None) -> Array:
        return chosen(self._policy, self._normalization(obs), mask)

    def scores(self, obs: Array, mask: Array | None = None) -> Array:
        return thought(self._policy, self._normalization(obs), mask)

    def values(self, obs: Array) -> Array | None:
        """See `policies.asking.Valuing`."""
        return worth(self._policy, self._normalization(obs))


def normalizing(policy: Policy, statistics: State) -> Policy:
    """The policy that takes observations as they are, by statistics that were saved; itself where they count rewards.

    CheckpointError for statistics that cannot be read.
    """
    found = of_saved(statistics)
    if found is None:
        return policy
    return NormalizingScorer(policy, found) if isinstance(policy, Scoring) else NormalizingPolicy(policy, found)


def cut(values: Array, clip: float | None) -> Array:
    """Cut to -clip..clip; None: not at all."""
    return values if clip is None else np.minimum(np.maximum(values, -clip), clip)


def of_saved(statistics: State) -> Normalization | None:
    """How observations are normalised by statistics that were saved; None: they count rewards. CheckpointError."""
    saved = Saved.of(statistics)
    if not saved.given("obs"):
        return None
    obs = saved.part("obs")
    mean = obs.array("mean", "float64", (None,))
    return Normalization(
        mean,
        obs.like("variance", mean, 0),
        obs.number("epsilon", 0, 1),
        obs.number("clip", 0) if obs.given("clip") else None,
    )
