"""OpenAI's evolution strategy: the slope of a score under noise.

    gradient = 1/(n sigma) sum_k F_k e_k,    e_k ~ N(0, I) in pairs of opposite sign      (Salimans et al. 2017)

F_k are the centred ranks of the scores, from 1/2 for the best to -1/2 for the worst; equal scores share theirs. Adam
climbs (Kingma and Ba 2015), and weight decay pulls to the middle of the ranges. Space is measured by each parameter's
half range, from the middle: there the search begins.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from pydantic import BaseModel, Field

from rltrain.core import AlgorithmPlugin, Array, Env, EnvSpec, Hardware, Metrics, Policy, State
from rltrain.experiment.settings import STRICT
from rltrain.policies import choosing, trials
from rltrain.policies.adam import Adam
from rltrain.policies.champion import Champion, champion_of, spread, told
from rltrain.rng import Streams, derive
from rltrain.saved import Saved


class Config(BaseModel):
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


class Algorithm:
    """One generation a step."""

    def __init__(self, config: Config, env: Env, rng: Streams, hardware: Hardware) -> None:
        trials.check(env.spec, config.games, config.same_starts)
        self.config, self.env, self._seed = config, env, rng.seed
        self._stream = rng.numpy("noise")
        self.family = choosing.make(config, env.spec)
        self.champion = Champion(self.family, env, config.recheck, rng.seed)
        self.centre = np.zeros(len(self.family.parameters))  # [P], in halves of the ranges
        self.adam = Adam([self.centre])
        self.generations = self.env_steps = self.episodes = 0

    @property
    def counters(self) -> Mapping[str, int]:
        return {"generations": self.generations, "env_steps": self.env_steps, "episodes": self.episodes}

    @property
    def done(self) -> bool:
        return False

    def step(self) -> Metrics:
        """Sample, play, climb, replay."""
        config, parameters = self.config, self.family.parameters
        noise = self._stream.standard_normal((config.population // 2, len(parameters)))
        noise = np.concatenate([noise, -noise])
        samples = parameters.inside(self._place(self.centre + config.sigma * noise))
        seed = derive(self._seed, "generation", self.generations)
        played = trials.play(self.family, samples, self.env, config.games, seed, config.same_starts)
        slope = gradient(noise, played.scores, config.sigma) - config.weight_decay * self.centre
        self.adam.step([-slope], config.learning_rate)  # it moves the centre, and against what it is given
        self.centre[:] = np.where(parameters.bounded, np.clip(self.centre, -1, 1), self.centre)
        challengers = np.array([self._place(self.centre), samples[played.scores.argmax()]])
        replayed = self.champion.challenge(challengers, self.generations)
        self.generations += 1
        self.env_steps += int(played.lengths.sum() + replayed.lengths.sum())
        self.episodes += played.lengths.size + replayed.lengths.size
        return {
            **spread(played.scores),
            **self.champion.metrics(),
            "gradient/norm": float(np.linalg.norm(slope)),
        }

    def _place(self, centre: Array) -> Array:
        """Halves of the ranges [..., P] as parameters."""
        return self.family.parameters.middle + self.family.parameters.width / 2 * centre

    def policy(self) -> Policy:
        return self.champion.policy()

    def save(self) -> State:
        return {
            "centre": self.centre.copy(),
            "adam": self.adam.save(),
            "champion": self.champion.save(),
            "generations": self.generations,
            "env_steps": self.env_steps,
            "episodes": self.episodes,
        }

    def load(self, state: State) -> None:
        saved = Saved.of(state)
        saved.fill("centre", self.centre)
        self.adam.load(saved.part("adam"))
        self.champion.load(saved.part("champion"))
        self.generations = saved.integer("generations")
        self.env_steps, self.episodes = saved.integer("env_steps"), saved.integer("episodes")


def centred_ranks(scores: Array) -> Array:
    """[n] from -1/2 for the worst to 1/2 for the best; equal scores have the mean of their ranks."""
    _, group, sizes = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = np.cumsum(sizes) - (sizes + 1) / 2  # of each distinct score: the mean of its places, from 0
    return ranks[group] / (len(scores) - 1) - 0.5


def gradient(noise: Array, scores: Array, sigma: float) -> Array:
    """[P] of noise [n, P] in opposite pairs and the scores [n] that it led to."""
    return centred_ranks(scores) @ noise / (len(scores) * sigma)


def load_policy(config: Config, spec: EnvSpec, state: Mapping[str, Any], hardware: Hardware) -> Policy:
    """The policy of a saved state."""
    return champion_of(choosing.make(config, spec), state)


def summary_lines(config: Config, spec: EnvSpec, state: Mapping[str, Any]) -> list[str]:
    """What is told at the end of a run."""
    return told(choosing.make(config, spec), state["champion"])


def cost(config: Config, spec: EnvSpec) -> dict[str, int]:
    """What a run needs."""
    return {"parameters": len(choosing.make(config, spec).parameters)}


PLUGIN = AlgorithmPlugin(
    config=Config,
    make=Algorithm,
    budget={"generations": 100},
    num_envs=100,
    cost=cost,
    load_policy=load_policy,
    summary_lines=summary_lines,
)
