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

from rltrain.core import AlgorithmPlugin, Array, Env, EnvSpec, Hardware, Metrics, Policy, State
from rltrain.experiment.settings import STRICT
from rltrain.policies import choosing, designs, trials
from rltrain.policies.champion import Champion, champion_of, spread, told
from rltrain.rng import Streams, derive
from rltrain.saved import Saved

MOST_COLUMNS = 16  # parameters that points.csv lists


class Config(BaseModel):
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


class Algorithm:
    """Tries one batch of points a step."""

    def __init__(self, config: Config, env: Env, rng: Streams, hardware: Hardware) -> None:
        trials.check(env.spec, config.games, config.same_starts)
        self.config, self.env, self._seed = config, env, rng.seed
        self._stream = rng.numpy("search")
        self.family = choosing.make(config, env.spec)
        parameters = self.family.parameters
        self.size: int | None = None  # of the design; None: without end
        if config.sampler == "grid":
            self.size = designs.grid_size(parameters, config.steps)
        elif config.sampler == "latin":
            self.size = config.points
            self._latin = designs.latin(parameters, config.points, np.random.default_rng(derive(rng.seed, "latin")))
        self.champion = Champion(self.family, env, config.recheck, rng.seed)
        kept = len(parameters) if len(parameters) <= MOST_COLUMNS else 0  # a large network's would fill the disk
        self.points = np.zeros((0, kept))  # all that were tried, in their order
        self.scores = np.zeros(0)
        self.env_steps = self.episodes = 0

    @property
    def counters(self) -> Mapping[str, int]:
        return {"policies": len(self.scores), "env_steps": self.env_steps, "episodes": self.episodes}

    @property
    def done(self) -> bool:
        return self.size is not None and len(self.scores) >= self.size

    def step(self) -> Metrics:
        """One batch."""
        config, tried = self.config, len(self.scores)
        batch = self._batch(tried)
        seed = derive(self._seed, "batch", tried)
        played = trials.play(self.family, batch, self.env, config.games, seed, config.same_starts)
        replayed = self.champion.challenge(batch[[played.scores.argmax()]], tried)
        self.points = np.concatenate([self.points, batch[:, : self.points.shape[1]]])
        self.scores = np.concatenate([self.scores, played.scores])
        self.env_steps += int(played.lengths.sum() + replayed.lengths.sum())
        self.episodes += played.lengths.size + replayed.lengths.size
        return {**spread(self.scores), **self.champion.metrics()}

    def _batch(self, tried: int) -> Array:
        """The next points [n, P]."""
        parameters, count = self.family.parameters, self.config.batch
        if self.size is None:
            return parameters.draw(count, self._stream)
        if self.config.sampler == "latin":
            return self._latin[tried : tried + count]
        return designs.grid(parameters, self.config.steps, np.arange(tried, min(tried + count, self.size)))

    def policy(self) -> Policy:
        return self.champion.policy()

    def save(self) -> State:
        return {
            "points": self.points.copy(),
            "scores": self.scores.copy(),
            "champion": self.champion.save(),
            "env_steps": self.env_steps,
            "episodes": self.episodes,
        }

    def load(self, state: State) -> None:
        saved = Saved.of(state)
        self.points = saved.array("points", "float64", (None, self.points.shape[1]))
        self.scores = saved.array("scores", "float64", (len(self.points),))
        self.champion.load(saved.part("champion"))
        self.env_steps, self.episodes = saved.integer("env_steps"), saved.integer("episodes")


def load_policy(config: Config, spec: EnvSpec, state: Mapping[str, Any], hardware: Hardware) -> Policy:
    """The policy of a saved state."""
    return champion_of(choosing.make(config, spec), state)


def summary_lines(config: Config, spec: EnvSpec, state: Mapping[str, Any]) -> list[str]:
    """What is told at the end of a run."""
    return told(choosing.make(config, spec), state["champion"])


def tables(config: Config, spec: EnvSpec, state: Mapping[str, Any]) -> dict[str, dict[str, Array]]:
    """points.csv of a saved state: a column for each parameter where they are few, the score, the games behind it."""
    names = choosing.make(config, spec).parameters.names
    columns = dict(zip(names, state["points"].T, strict=True)) if len(names) <= MOST_COLUMNS else {}
    games = np.full(len(state["scores"]), config.games)
    return {"points": {**columns, "score": state["scores"], "games": games}}


def cost(config: Config, spec: EnvSpec) -> dict[str, int]:
    """What a run needs."""
    return {"parameters": len(choosing.make(config, spec).parameters)}


PLUGIN = AlgorithmPlugin(
    config=Config,
    make=Algorithm,
    budget={"policies": 1_000},
    num_envs=100,
    cost=cost,
    load_policy=load_policy,
    tables=tables,
    summary_lines=summary_lines,
)
