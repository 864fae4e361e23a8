"""Q-value iteration: sweeps over known pairs, and a proven bound.

    Q(s, a) <- sum_s' T(s, a, s') (R(s, a, s') + gamma max_a' Q(s', a'))

Nothing is sampled: the environment is a model file, or a Gymnasium id that carries its table. One step is one sweep.
The run ends when what the last sweep changed proves that every Q is within `epsilon` of the truth, or with its budget.
"""

from __future__ import annotations

from pydantic import BaseModel, Field

from rltrain.algos import _sweeps
from rltrain.core import AlgorithmPlugin, Hardware
from rltrain.experiment.settings import STRICT
from rltrain.mdp.learn.sweeping import Sweeping
from rltrain.mdp.model import Model
from rltrain.rng import Streams


class QiterConfig(BaseModel):
    """Settings of Q-value iteration."""

    model_config = STRICT

    gamma: _sweeps.Gamma = None
    sweep: _sweeps.Order = "sync"
    epsilon: float | None = Field(
        1e-6, gt=0, description="stop when every Q is proven to be within this of the truth; null: the whole budget"
    )


def make(config: QiterConfig, model: Model, rng: Streams, hardware: Hardware) -> _sweeps.TableSweeps:
    """An algorithm that sweeps over a table of Q."""
    table = Sweeping(model, config.gamma, config.sweep == "inplace", of_pairs=True)
    return _sweeps.TableSweeps(table, config.epsilon)


PLUGIN = AlgorithmPlugin(
    config=QiterConfig,
    make=make,
    budget={"sweeps": 1_000_000},
    task="mdp",
    load_policy=_sweeps.load_policy,
    computation=_sweeps.computation,
)
