"""UCT as the program knows it. What needs numba is imported when it is called."""

from __future__ import annotations

from rltrain.algos._uct_config import UctConfig
from rltrain.core import Algorithm, AlgorithmPlugin, Env, Hardware
from rltrain.rng import Streams


def _make(config: UctConfig, env: Env, rng: Streams, hardware: Hardware) -> Algorithm:
    from rltrain.algos import uct

    return uct.UCT(config, env, rng, hardware)


PLUGIN = AlgorithmPlugin(
    config=UctConfig,
    make=_make,
    budget={"simulations": 1_000_000},
    task="tabular",
    or_env=True,
    doubts=UctConfig.doubts,
    warnings=lambda algorithm: algorithm.warnings,
)
