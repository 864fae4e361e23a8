"""Value iteration: sweeps over known states, with a proven bound.

    V(s) <- max_a sum_s' T(s, a, s') (R(s, a, s') + gamma V(s'))          (Bellman 1957)

Nothing is sampled: the environment is a model file, or a Gymnasium id that carries its table. One step is one sweep.
The run ends when what the last sweep changed proves that every V is within `epsilon` of the truth, or with its budget.
"""

from __future__ import annotations

from pydantic import BaseModel, Field

from rltrain.algos import _sweeps
from rltrain.core import AlgorithmPlugin, Hardware
from rltrain.experiment.settings import STRICT
from rltrain.mdp.learn.sweeping import Sweeping
from rltrain.mdp.model import Model
from rltrain.rng import Streams


class ViterConfig(BaseModel):
    """Settings of value iteration."""

    model_config = STRICT

    gamma: _sweeps.Gamma = None
    sweep: _sweeps.Order = "sync"
    epsilon: float | None = Field(
        1e-6, gt=0, description="stop when every V is proven to be within this of the truth; null: the whole budget"
    )


def make(config: ViterConfig, model: Model, rng: Streams, hardware: Hardware) -> _sweeps.TableSweeps:
    """An algorithm that sweeps over a table of V."""
    table = Sweeping(model, config.gamma, config.sweep == "inplace", of_pairs=False)
    return _sweeps.TableSweeps(table, config.epsilon)


PLUGIN = AlgorithmPlugin(
    config=ViterConfig,
    make=make,
    budget={"sweeps": 1_000_000},
    task="mdp",
    load_policy=_sweeps.load_policy,
    computation=_sweeps.computation,
)
