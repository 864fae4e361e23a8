"""Temporal-difference evaluation as the program knows it. What needs numba is imported when it is called."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rltrain.algos._td_config import TdConfig
from rltrain.computation import Computation, Seen
from rltrain.core import Algorithm, AlgorithmPlugin, EnvSpec, Hardware, Policy, State
from rltrain.mdp.learn.as_computation import of_probabilities
from rltrain.mdp.learn.stochastic_policy import restored
from rltrain.rng import Streams
from rltrain.saved import Saved
from rltrain.warm_start import Taken, WarmSource

if TYPE_CHECKING:
    from rltrain.algos._learners import Learners
    from rltrain.envs.models.tabular import TabularEnv


def _make(config: TdConfig, env: TabularEnv, rng: Streams, hardware: Hardware) -> Algorithm:
    from rltrain.algos import td

    return td.make(config, env, rng, hardware)


def load_policy(config: TdConfig, spec: EnvSpec, state: State, hardware: Hardware) -> Policy:
    """The policy that was valued, of a saved state."""
    return restored(Saved.of(state).part("policy"), spec)


def computation(config: TdConfig, spec: EnvSpec, state: State, seen: Seen) -> Computation:
    """What the policy that was valued computes."""
    return of_probabilities(restored(Saved.of(state).part("policy"), spec), seen)


def _warm_start(algorithm: Learners, source: WarmSource) -> Taken:
    from rltrain.algos import td

    return td.warm_start(algorithm, source)


PLUGIN = AlgorithmPlugin(
    config=TdConfig,
    make=_make,
    budget={"env_steps": 100_000},
    task="tabular",
    warnings=lambda algorithm: algorithm.warnings,
    load_policy=load_policy,
    computation=computation,
    warm_start=_warm_start,
)
