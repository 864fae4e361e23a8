"""PQN as the program knows it. What needs torch is imported when it is called."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rltrain.algos._pqn_config import PqnConfig
from rltrain.computation import Computation, Seen
from rltrain.core import Algorithm, AlgorithmPlugin, Env, EnvSpec, Hardware, Policy, State
from rltrain.rng import Streams
from rltrain.warm_start import Taken, WarmSource

if TYPE_CHECKING:
    from rltrain.algos.pqn import PQN


def _make(config: PqnConfig, env: Env, rng: Streams, hardware: Hardware) -> Algorithm:
    from rltrain.algos import pqn

    return pqn.PQN(config, env, rng, hardware)


def _cost(config: PqnConfig, spec: EnvSpec) -> dict[str, int]:
    from rltrain.algos import pqn

    return pqn.cost(config, spec)


def _load_policy(config: PqnConfig, spec: EnvSpec, state: State, hardware: Hardware) -> Policy:
    from rltrain.algos import pqn

    return pqn.load_policy(config, spec, state, hardware)


def _computation(config: PqnConfig, spec: EnvSpec, state: State, seen: Seen) -> Computation:
    from rltrain.algos import pqn

    return pqn.computation(config, spec, state, seen)


def _warm_start(algorithm: PQN, source: WarmSource) -> Taken:
    from rltrain.algos import _q_network_start

    return _q_network_start.start(algorithm.learner, (), source, algorithm.config.model_dump())


PLUGIN = AlgorithmPlugin(
    config=PqnConfig,
    make=_make,
    budget={"env_steps": 1_000_000},
    num_envs=32,
    scaled_rewards=True,
    on_gpu=True,
    doubts=PqnConfig.doubts,
    cost=_cost,
    chosen=lambda algorithm: algorithm.chosen,
    load_policy=_load_policy,
    computation=_computation,
    warm_start=_warm_start,
)
