"""UCT as the program knows it. What needs numba is imported when it is called."""

from __future__ import annotations

from rltrain.algos._uct_config import UctConfig
from rltrain.computation import Computation, Seen
from rltrain.core import Algorithm, AlgorithmPlugin, Env, EnvSpec, Hardware, State
from rltrain.errors import InputError
from rltrain.rng import Streams


def _make(config: UctConfig, env: Env, rng: Streams, hardware: Hardware) -> Algorithm:
    from rltrain.algos import uct

    return uct.UCT(config, env, rng, hardware)


def _computation(config: UctConfig, spec: EnvSpec, state: State, seen: Seen) -> Computation:
    raise InputError(
        "uct plans while it plays: it tries out in the environment itself what would follow, so nothing that it learned"
        " gives an action; take qlearn, viter or dqn for a policy that can be written down"
    )


PLUGIN = AlgorithmPlugin(
    config=UctConfig,
    make=_make,
    budget={"simulations": 1_000_000},
    task="tabular",
    or_env=True,
    doubts=UctConfig.doubts,
    warnings=lambda algorithm: algorithm.warnings,
    computation=_computation,
)
