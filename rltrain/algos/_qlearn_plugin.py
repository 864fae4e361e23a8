"""Tabular Q-learning as the program knows it. What needs numba is imported when it is called."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rltrain.algos._qlearn_config import Config
from rltrain.core import Algorithm, AlgorithmPlugin, EnvSpec, Hardware, Policy, State
from rltrain.rng import Streams

if TYPE_CHECKING:
    from rltrain.envs.models.tabular import TabularEnv


def _make(config: Config, env: TabularEnv, rng: Streams, hardware: Hardware) -> Algorithm:
    from rltrain.algos import qlearn

    return qlearn.make(config, env, rng, hardware)


def _load_policy(config: Config, spec: EnvSpec, state: State, hardware: Hardware) -> Policy:
    from rltrain.algos import qlearn

    return qlearn.load_policy(config, spec, state, hardware)


PLUGIN = AlgorithmPlugin(
    config=Config,
    make=_make,
    budget={"env_steps": 1_000_000},
    task="tabular",
    warnings=lambda algorithm: algorithm.warnings,
    load_policy=_load_policy,
)
