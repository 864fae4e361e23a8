"""Q-value iteration: sweeps over known pairs, and a proven bound.

    Q(s, a) <- sum_s' T(s, a, s') (R(s, a, s') + gamma max_a' Q(s', a'))

Nothing is sampled: the environment is a model file, or a Gymnasium id that carries its table. One step is one sweep.
The run ends when what the last sweep changed proves that every Q is within `epsilon` of the truth, or with its budget.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, Field

from rltrain.core import AlgorithmPlugin, EnvSpec, Hardware, Metrics, Policy, State
from rltrain.experiment.settings import STRICT
from rltrain.mdp.learn.sweeping import Sweeping
from rltrain.mdp.learn.table_policy import greedy, restored
from rltrain.mdp.model import Model
from rltrain.rng import Streams
from rltrain.saved import Saved


class Config(BaseModel):
    """Settings of Q-value iteration."""

    model_config = STRICT

    gamma: float | None = Field(None, ge=0, le=1, description="discount a step; null: the model's own")
    sweep: Literal["sync", "inplace"] = Field(
        "sync", description="sync: new values from old ones alone; inplace: new values are used as soon as they stand"
    )
    epsilon: float | None = Field(
        1e-6, gt=0, description="stop when every Q is proven to be within this of the truth; null: the whole budget"
    )


class Algorithm:
    """A table of Q, and one sweep a step."""

    def __init__(self, config: Config, model: Model, rng: Streams, hardware: Hardware) -> None:
        self.config = config
        self.table = Sweeping(model, config.gamma, config.sweep == "inplace", of_pairs=True)

    @property
    def counters(self) -> Mapping[str, int]:
        return {"sweeps": self.table.sweeps}

    @property
    def done(self) -> bool:
        return self.config.epsilon is not None and (self.table.bound <= self.config.epsilon or self.table.still)

    def step(self) -> Metrics:
        return self.table.sweep()

    def policy(self) -> Policy:
        return greedy(self.table.model, self.table.q)

    def save(self) -> State:
        return {"table": self.table.save(), "policy": greedy(self.table.model, self.table.q).save()}

    def load(self, state: State) -> None:
        self.table.load(Saved.of(state).part("table"))


def load_policy(config: Config, spec: EnvSpec, state: Mapping[str, Any], hardware: Hardware) -> Policy:
    """The policy of a saved state."""
    saved = Saved.of(state)
    return restored(saved.part("policy"), saved.part("table").array("q", "float64", (None,)), spec)


PLUGIN = AlgorithmPlugin(
    config=Config,
    make=Algorithm,
    budget={"sweeps": 1_000_000},
    task="mdp",
    load_policy=load_policy,
)
