"""DQN as the program knows it. What needs torch is imported when it is called."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rltrain.algos._dqn_config import DqnConfig
from rltrain.computation import Computation, Seen
from rltrain.core import Algorithm, AlgorithmPlugin, Env, EnvSpec, Hardware, Policy, State
from rltrain.rng import Streams
from rltrain.warm_start import Taken, WarmSource

if TYPE_CHECKING:
    from rltrain.algos.dqn import DQN


def _make(config: DqnConfig, env: Env, rng: Streams, hardware: Hardware) -> Algorithm:
    from rltrain.algos import dqn

    return dqn.DQN(config, env, rng, hardware)


def _cost(config: DqnConfig, spec: EnvSpec) -> dict[str, int]:
    from rltrain.algos import _dqn_machine

    return _dqn_machine.cost(config, spec)


def _load_policy(config: DqnConfig, spec: EnvSpec, state: State, hardware: Hardware) -> Policy:
    from rltrain.algos import _dqn_machine

    return _dqn_machine.load_policy(config, spec, state, hardware)


def _computation(config: DqnConfig, spec: EnvSpec, state: State, seen: Seen) -> Computation:
    from rltrain.algos import _dqn_machine

    return _dqn_machine.computation(config, spec, state, seen)


def _warm_start(algorithm: DQN, source: WarmSource) -> Taken:
    from rltrain.algos import _q_network_start

    return _q_network_start.start(
        algorithm.learner, (algorithm.target, algorithm.actor), source, algorithm.config.model_dump()
    )


PLUGIN = AlgorithmPlugin(
    config=DqnConfig,
    make=_make,
    budget={"env_steps": 1_000_000},
    num_envs=8,
    scaled_rewards=True,
    on_gpu=True,
    asynchronous=True,
    doubts=DqnConfig.doubts,
    cost=_cost,
    chosen=lambda algorithm: algorithm.chosen,
    load_policy=_load_policy,
    computation=_computation,
    warm_start=_warm_start,
)
