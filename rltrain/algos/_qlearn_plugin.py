"""Tabular Q-learning as the program knows it. What needs numba is imported when it is called."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rltrain.algos._qlearn_config import QlearnConfig
from rltrain.computation import Computation, Seen
from rltrain.core import Algorithm, AlgorithmPlugin, EnvSpec, Hardware, Policy, State
from rltrain.mdp.learn.as_computation import of_table
from rltrain.mdp.learn.table_policy import TablePolicy, believed, restored
from rltrain.rng import Streams
from rltrain.saved import Saved
from rltrain.warm_start import Taken, WarmSource

if TYPE_CHECKING:
    from rltrain.algos._learners import Learners
    from rltrain.envs.models.tabular import TabularEnv


def _make(config: QlearnConfig, env: TabularEnv, rng: Streams, hardware: Hardware) -> Algorithm:
    from rltrain.algos import qlearn

    return qlearn.make(config, env, rng, hardware)


def load_policy(config: QlearnConfig, spec: EnvSpec, state: State, hardware: Hardware) -> Policy:
    """The greedy policy of the first learner of a saved state."""
    return _restored(config, spec, state)


def computation(config: QlearnConfig, spec: EnvSpec, state: State, seen: Seen) -> Computation:
    """What the greedy policy of the first learner of a saved state computes."""
    return of_table(_restored(config, spec, state), seen)


def _restored(config: QlearnConfig, spec: EnvSpec, state: State) -> TablePolicy:
    saved = Saved.of(state)
    agent, learners = saved.part("agent"), len(config.rates) * config.learners
    q = agent.array("q", "float64", (learners, None))
    second = agent.array("second", "float64", (learners, q.shape[1] if config.method == "double" else 0))
    return restored(saved.part("policy"), believed(q, second)[0], spec)


def _warm_start(algorithm: Learners, source: WarmSource) -> Taken:
    from rltrain.algos import qlearn

    return qlearn.warm_start(algorithm, source)


PLUGIN = AlgorithmPlugin(
    config=QlearnConfig,
    make=_make,
    budget={"env_steps": 1_000_000},
    task="tabular",
    warnings=lambda algorithm: algorithm.warnings,
    load_policy=load_policy,
    computation=computation,
    warm_start=_warm_start,
)
