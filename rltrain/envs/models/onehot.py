"""A known model for learners that see numbers, not states: obs float32 [N, S], 1 at the state, 0 elsewhere.

So a deep Q-network too can be held against the exact solution.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from rltrain.core import Array, EnvSpec, State, Step
from rltrain.envs.models.tabular import Tabular
from rltrain.errors import InputError

MOST_STATES = 10_000  # wide observations are slow, and no network learns a table that large


class OneHot:
    """A `Tabular` whose observations are one-hot."""

    def __init__(self, inner: Tabular) -> None:
        self._inner = inner
        self.spec = spec_of(inner.spec)

    def reset(self, seed: int) -> Step:
        return self._seen(self._inner.reset(seed))

    def step(self, action: Array) -> Step:
        return self._seen(self._inner.step(action))

    def close(self) -> None:
        self._inner.close()

    def save(self) -> State:
        return self._inner.save()

    def load(self, state: State) -> None:
        self._inner.load(state)

    def _seen(self, step: Step) -> Step:
        obs = np.zeros((len(step.first), *self.spec.obs_shape), np.float32)
        obs[np.arange(len(obs)), step.obs[:, 0]] = 1.0
        return step._replace(obs=obs, reward=step.reward.astype(np.float32))


def spec_of(spec: EnvSpec) -> EnvSpec:
    """What a network sees of a model of which a table would see `spec`. InputError if it has too many states."""
    states = spec.num_states or 0
    if states > MOST_STATES:
        raise InputError(
            f"environment.id: {spec.id} has {states:,} states; as one-hot vectors at most {MOST_STATES:,}; "
            "take qlearn, which keeps a table"
        )
    return replace(spec, obs_shape=(states,), obs_dtype="float32", num_states=None)
