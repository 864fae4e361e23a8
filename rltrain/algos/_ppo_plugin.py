"""PPO as the program knows it. What takes long to import is imported when it is called."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rltrain.algos._ppo_config import PpoConfig
from rltrain.computation import Computation, Seen
from rltrain.core import Algorithm, AlgorithmPlugin, Env, EnvSpec, Hardware, Policy, State
from rltrain.rng import Streams
from rltrain.warm_start import Taken, WarmSource

if TYPE_CHECKING:
    from rltrain.algos.ppo import PPO


def _make(config: PpoConfig, env: Env, rng: Streams, hardware: Hardware) -> Algorithm:
    from rltrain.algos import ppo

    return ppo.PPO(config, env, rng, hardware)


def _cost(config: PpoConfig, spec: EnvSpec) -> dict[str, int]:
    from rltrain.algos import _ppo_network

    return _ppo_network.cost(config, spec)


def _load_policy(config: PpoConfig, spec: EnvSpec, state: State, hardware: Hardware) -> Policy:
    from rltrain.algos import _ppo_network

    return _ppo_network.load_policy(config, spec, state, hardware)


def _computation(config: PpoConfig, spec: EnvSpec, state: State, seen: Seen) -> Computation:
    from rltrain.algos import _ppo_network

    return _ppo_network.computation(config, spec, state, seen)


def _warm_start(algorithm: PPO, source: WarmSource) -> Taken:
    from rltrain.algos import _ppo_network

    return _ppo_network.warm_start(algorithm.config, algorithm.spec, algorithm.network, source)


PLUGIN = AlgorithmPlugin(
    config=PpoConfig,
    make=_make,
    budget={"env_steps": 1_000_000},
    num_envs=8,
    actions=("discrete", "multi_discrete", "continuous"),
    scaled_rewards=True,
    doubts=PpoConfig.doubts,
    cost=_cost,
    chosen=lambda algorithm: algorithm.network.chosen,
    load_policy=_load_policy,
    computation=_computation,
    warm_start=_warm_start,
)
