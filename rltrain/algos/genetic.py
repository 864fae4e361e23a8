"""A genetic algorithm: the worst die, the best have children.

    child = parent + sigma · width · N(0, 1)          for each parameter; width: of its range

As in the chapter: of 100 policies the 80 worst die, and each of the 20 survivors has 4 children (Géron, Hands-On
Machine Learning, chapter 16; truncation selection without crossover, as in Such et al. 2017). Survivors live on
unchanged, and play anew in each generation: who was lucky once is found out.
"""

from __future__ import annotations

import numpy as np
from pydantic import BaseModel, Field, ValidationInfo, field_validator

from rltrain.core import AlgorithmPlugin, Array, Env, Hardware, Metrics, State
from rltrain.experiment.settings import STRICT
from rltrain.policies import choosing, trials, whole_games
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
from rltrain.rng import Streams
from rltrain.saved import Saved


class GeneticConfig(BaseModel):
    """Who lives, and how children differ."""

    model_config = STRICT

    policy: choosing.Policy = None
    hidden: choosing.Hidden = (8,)
    activation: choosing.Act = "tanh"
    ranges: choosing.Ranges = {}
    population: int = Field(100, ge=2, le=100_000, description="policies in a generation")
    survivors: int = Field(
        20, ge=1, le=50_000, validate_default=True, description="the best of a generation, which have children"
    )
    children: int | None = Field(
        None, ge=1, le=100_000, description="of each survivor; null: as many as fill the population"
    )
    elitism: bool = Field(
        True, description="survivors live on unchanged; else each is replaced by one more of its children"
    )
    sigma: float = Field(
        0.1, gt=0, le=10, description="size of the variation, as a share of each parameter's range (standard deviation)"
    )
    sigma_decay: float = Field(0.95, gt=0, le=1, description="what sigma is multiplied by after each generation")
    sigma_min: float = Field(0.01, ge=0, le=10, description="where sigma stops falling; no effect above `sigma`")
    games: int = Field(5, ge=1, le=10_000, description="whole games of each policy; its score is their mean")
    same_starts: bool = Field(False, description=trials.SAME_STARTS)
    recheck: int = Field(50, ge=1, le=100_000, description="fresh games in which a generation's best must prove itself")

    @field_validator("survivors")
    @classmethod
    def _some_die(cls, value: int, info: ValidationInfo) -> int:
        population = info.data.get("population")
        if population is not None and value >= population:
            raise ValueError(f"survivors must be fewer than the population, {population}, got {value}")
        return value

    @field_validator("children")
    @classmethod
    def _fills_the_population(cls, value: int | None, info: ValidationInfo) -> int | None:
        population, survivors = info.data.get("population"), info.data.get("survivors")
        if value is not None and population and survivors and survivors * (1 + value) != population:
            raise ValueError(
                f"{survivors} survivors and {value} children of each are {survivors * (1 + value)}, and the population"
                f" is {population}"
            )
        return value


class Genetic:
    """A `Strategy`: a population, of which the best have children."""

    counter, purpose, done = "generations", "generation", False

    def __init__(self, config: GeneticConfig, parameters: Parameters, stream: np.random.Generator) -> None:
        self.config, self._parameters, self._stream = config, parameters, stream
        self.population = parameters.draw(config.population, stream)  # [C, P], not yet played
        self.count = 0

    @property
    def sigma(self) -> float:
        """Standard deviation of this generation's children, as a share of each parameter's range."""
        config = self.config
        return float(max(min(config.sigma, config.sigma_min), config.sigma * config.sigma_decay**self.count))

    def start_from(self, candidate: Array) -> None:
        """The first generation is this candidate [P] and children of it, as the next ones are of survivors."""
        sizes = self.config.population, self.sigma, True
        self.population = breed(candidate[None], *sizes, self._parameters, self._stream)

    def ask(self) -> Array:
        return self.population

    def tell(self, candidates: Array, scores: Array) -> tuple[Array, Metrics]:
        config, sigma = self.config, self.sigma
        survivors = candidates[best(scores, config.survivors)]
        self.population = breed(survivors, config.population, sigma, config.elitism, self._parameters, self._stream)
        self.count += 1
        return survivors[:1], {"sigma": sigma}

    def save(self) -> State:
        return {"population": self.population.copy(), "generations": self.count}

    def load(self, state: State) -> None:
        saved = Saved.of(state)
        self.population = saved.like("population", self.population)
        self.count = saved.integer("generations")


def make(config: GeneticConfig, env: Env, rng: Streams, hardware: Hardware) -> Generations:
    family = family_for(config, env.spec)
    strategy = Genetic(config, family.parameters, rng.numpy("breed"))
    return Generations(config, family, env, rng.seed, strategy)


def best(scores: Array, count: int) -> Array:
    """Indices [count] of the best scores [C], best first; of equals the first, which has lived the longest."""
    return np.argsort(-scores, kind="stable")[:count]


def breed(
    survivors: Array,
    population: int,
    sigma: float,
    elitism: bool,
    parameters: Parameters,
    stream: np.random.Generator,
) -> Array:
    """The next generation [population, P]: survivors [S, P] first, then children, the parents taking turns."""
    alive = len(survivors) if elitism else 0
    parents = survivors[np.arange(population - alive) % len(survivors)]
    children = parents + sigma * parameters.width * stream.standard_normal(parents.shape)
    return np.concatenate([survivors[:alive], parameters.inside(children)])


PLUGIN = AlgorithmPlugin(
    config=GeneticConfig,
    make=make,
    images=False,
    budget={"generations": 50},
    num_envs=100,
    actions=("discrete", "multi_discrete", "continuous"),
    cost=cost,
    doubts=whole_games.doubts,
    load_policy=load_policy,
    computation=computation,
    warm_start=warm_start,
    summary_lines=summary_lines,
)
