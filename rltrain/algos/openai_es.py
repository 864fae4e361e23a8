"""OpenAI's evolution strategy: the slope of a score under noise.

    gradient = 1/(n sigma) sum_k F_k e_k,    e_k ~ N(0, I) in pairs of opposite sign      (Salimans et al. 2017)

F_k are the centred ranks of the scores, from 1/2 for the best to -1/2 for the worst; equal scores share theirs. Adam
climbs (Kingma and Ba 2015), and weight decay pulls to the middle of the ranges. Space is measured by each parameter's
half range, from the middle: there the search begins.
"""

from __future__ import annotations

import numpy as np
from pydantic import BaseModel, Field

from rltrain.core import AlgorithmPlugin, Array, Env, Hardware, Metrics, State
from rltrain.experiment.settings import STRICT
from rltrain.policies import choosing, trials, whole_games
from rltrain.policies.adam import Adam
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


class OpenaiEsConfig(BaseModel):
    """How the gradient is felt for, and followed."""

    model_config = STRICT

    policy: choosing.Policy = None
    hidden: choosing.Hidden = (8,)
    activation: choosing.Act = "tanh"
    ranges: choosing.Ranges = {}
    population: int = Field(
        100, ge=2, le=100_000, multiple_of=2, description="samples in a generation: half of them, and their opposites"
    )
    sigma: float = Field(0.1, gt=0, le=10, description="standard deviation of the noise, in halves of the ranges")
    learning_rate: float = Field(0.03, gt=0, le=10, description="of Adam, in halves of the ranges")
    weight_decay: float = Field(0.0, ge=0, le=1, description="pull to the middle of the ranges, beside the gradient")
    games: int = Field(5, ge=1, le=10_000, description="whole games of each sample; its score is their mean")
    same_starts: bool = Field(False, description=trials.SAME_STARTS)
    recheck: int = Field(
        50,
        ge=1,
        le=100_000,
        description="fresh games in which the centre and the best must prove themselves",
    )


class OpenAIES:
    """A `Strategy`: a centre, which climbs, and noise around it."""

    counter, purpose, done = "generations", "generation", False

    def __init__(self, config: OpenaiEsConfig, parameters: Parameters, stream: np.random.Generator) -> None:
        self.config, self._parameters, self._stream = config, parameters, stream
        self.centre = np.zeros(len(parameters))  # [P], in halves of the ranges
        self.adam = Adam([self.centre])
        self.count = 0
        self._noise = np.zeros((0, len(parameters)))  # [n, P], of the candidates that were asked for last

    def start_from(self, candidate: Array) -> None:
        self.centre[:] = self._parameters.halves(candidate)

    def ask(self) -> Array:
        config, parameters = self.config, self._parameters
        noise = self._stream.standard_normal((config.population // 2, len(parameters)))
        self._noise = np.concatenate([noise, -noise])
        return parameters.inside(parameters.at(self.centre + config.sigma * self._noise))

    def tell(self, candidates: Array, scores: Array) -> tuple[Array, Metrics]:
        config, parameters = self.config, self._parameters
        slope = gradient(self._noise, scores, config.sigma) - config.weight_decay * self.centre
        self.adam.step([-slope], config.learning_rate)  # it moves the centre, and against what it is given
        self.centre[:] = np.where(parameters.bounded, np.clip(self.centre, -1, 1), self.centre)
        self.count += 1
        challengers = np.array([parameters.at(self.centre), candidates[scores.argmax()]])
        return challengers, {"gradient/norm": float(np.linalg.norm(slope))}

    def save(self) -> State:
        return {"centre": self.centre.copy(), "adam": self.adam.save(), "generations": self.count}

    def load(self, state: State) -> None:
        saved = Saved.of(state)
        saved.fill("centre", self.centre)
        self.adam.load(saved.part("adam"))
        self.count = saved.integer("generations")


def make(config: OpenaiEsConfig, env: Env, rng: Streams, hardware: Hardware) -> Generations:
    family = family_for(config, env.spec)
    strategy = OpenAIES(config, family.parameters, rng.numpy("noise"))
    return Generations(config, family, env, rng.seed, strategy)


def centred_ranks(scores: Array) -> Array:
    """Ranks [n] of scores [n], from -1/2 for the worst to 1/2 for the best; equal scores have the mean of theirs."""
    _, group, sizes = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = np.cumsum(sizes) - (sizes + 1) / 2  # of each distinct score: the mean of its places, from 0
    return ranks[group] / (len(scores) - 1) - 0.5


def gradient(noise: Array, scores: Array, sigma: float) -> Array:
    """Gradient of the score [P], from noise [n, P] in opposite pairs and the scores [n] that it led to."""
    return centred_ranks(scores) @ noise / (len(scores) * sigma)


PLUGIN = AlgorithmPlugin(
    config=OpenaiEsConfig,
    make=make,
    images=False,
    budget={"generations": 100},
    num_envs=100,
    actions=("discrete", "multi_discrete", "continuous"),
    cost=cost,
    doubts=whole_games.doubts,
    load_policy=load_policy,
    computation=computation,
    warm_start=warm_start,
    summary_lines=summary_lines,
)
