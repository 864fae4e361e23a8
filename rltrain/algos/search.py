"""Policy search: try many parameters, keep what scores best.

    best = argmax over the points tried of the mean return

The points are drawn at random, lie on a grid, or are spread as a Latin hypercube over the parameters' named ranges
(Géron, Hands-On Machine Learning, chapter 16; Bergstra and Bengio 2012 on why random beats a grid where few parameters
matter). The best of each batch is played again before it may win. Every point and its score stay in `points.csv`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, Field

from rltrain.core import AlgorithmPlugin, Array, Env, EnvSpec, Hardware, Metrics, State
from rltrain.experiment.settings import STRICT
from rltrain.policies import choosing, designs, trials, whole_games
from rltrain.policies.champion import spread
from rltrain.policies.generations import (
    Generations,
    computation,
    cost,
    family_for,
    load_policy,
    summary_lines,
    warm_start,
)
from rltrain.policies.parameters import Parameters
from rltrain.rng import Streams, derive
from rltrain.saved import Saved

MOST_COLUMNS = 16  # parameters that points.csv lists


class SearchConfig(BaseModel):
    """What is tried, and how often."""

    model_config = STRICT

    policy: choosing.Policy = None
    hidden: choosing.Hidden = (8,)
    activation: choosing.Act = "tanh"
    ranges: choosing.Ranges = {}
    sampler: Literal["random", "grid", "latin"] = Field(
        "random",
        description="random: uniform, without end; grid: `steps` values of each parameter; latin: `points` points, each"
        " parameter evenly covered",
    )
    steps: int = Field(11, ge=2, le=10_000, description="of the grid: values of each parameter, ends included")
    points: int = Field(1_000, ge=1, le=1_000_000, description="of latin: how many there are")
    batch: int = Field(100, ge=1, le=100_000, description="points that are tried in one step")
    games: int = Field(5, ge=1, le=10_000, description="whole games of each point; its score is their mean")
    same_starts: bool = Field(False, description=trials.SAME_STARTS)
    recheck: int = Field(50, ge=1, le=100_000, description="fresh games in which the best of a batch must prove itself")


class PolicySearch:
    """A `Strategy`: points of a design, one batch after the other."""

    counter, purpose = "policies", "batch"

    def __init__(self, config: SearchConfig, parameters: Parameters, rng: Streams) -> None:
        self.config, self._parameters, self._stream = config, parameters, rng.numpy("search")
        self.size: int | None = None  # of the design; None: without end
        if config.sampler == "grid":
            self.size = designs.grid_size(parameters, config.steps)
        elif config.sampler == "latin":
            self.size = config.points
            self._latin = designs.latin(parameters, config.points, np.random.default_rng(derive(rng.seed, "latin")))
        kept = len(parameters) if len(parameters) <= MOST_COLUMNS else 0  # a large network's would fill the disk
        self.points = np.zeros((0, kept))  # all that were tried, in their order
        self.scores = np.zeros(0)

    @property
    def count(self) -> int:
        return len(self.scores)

    @property
    def done(self) -> bool:
        return self.size is not None and self.count >= self.size

    def start_from(self, candidate: Array) -> None:
        """Nothing: a design is what it is, and the candidate [P] has its place as the first champion."""

    def ask(self) -> Array:
        parameters, tried, batch = self._parameters, self.count, self.config.batch
        if self.size is None:
            return parameters.draw(batch, self._stream)
        if self.config.sampler == "latin":
            return self._latin[tried : tried + batch]
        return designs.grid(parameters, self.config.steps, np.arange(tried, min(tried + batch, self.size)))

    def tell(self, candidates: Array, scores: Array) -> tuple[Array, Metrics]:
        self.points = np.concatenate([self.points, candidates[:, : self.points.shape[1]]])
        self.scores = np.concatenate([self.scores, scores])
        return candidates[[scores.argmax()]], spread(self.scores)  # of all that were tried

    def save(self) -> State:
        return {"points": self.points.copy(), "scores": self.scores.copy()}

    def load(self, state: State) -> None:
        saved = Saved.of(state)
        self.points = saved.array("points", "float64", (None, self.points.shape[1]))
        self.scores = saved.array("scores", "float64", (len(self.points),))


def make(config: SearchConfig, env: Env, rng: Streams, hardware: Hardware) -> Generations:
    family = family_for(config, env.spec)
    return Generations(config, family, env, rng.seed, PolicySearch(config, family.parameters, rng))


def tables(config: SearchConfig, spec: EnvSpec, state: Mapping[str, Any]) -> dict[str, dict[str, Array]]:
    """points.csv of a saved state: a column for each parameter where they are few, the score, the games behind it."""
    names = choosing.make(config, spec).parameters.names
    columns = dict(zip(names, state["points"].T, strict=True)) if len(names) <= MOST_COLUMNS else {}
    games = np.full(len(state["scores"]), config.games)
    return {"points": {**columns, "score": state["scores"], "games": games}}


PLUGIN = AlgorithmPlugin(
    config=SearchConfig,
    make=make,
    images=False,
    budget={"policies": 1_000},
    num_envs=100,
    actions=("discrete", "multi_discrete", "continuous"),
    cost=cost,
    doubts=whole_games.doubts,
    load_policy=load_policy,
    computation=computation,
    warm_start=warm_start,
    tables=tables,
    summary_lines=summary_lines,
)
