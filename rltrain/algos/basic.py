"""Hard-coded policies: what a learner has to beat.

The rules are those of `policies.rules`. Nothing is learned: a step counts one game, and the metrics are the statistics
over all games so far. Of games that end side by side the others wait for the next steps, so a budget of 500 games is
met to the game, and each has its row.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from pydantic import BaseModel, Field

from rltrain.core import AlgorithmPlugin, Env, EnvSpec, Hardware, Metrics, Policy, State
from rltrain.counters import reached
from rltrain.envs.episodes import Episodes
from rltrain.experiment.settings import STRICT
from rltrain.policies import rule_computations, rules
from rltrain.rng import Streams, derive
from rltrain.saved import Saved, resumed, step_state

MAX_STEPS = 1_000  # of every environment, in one `step`: games may be long


class BasicConfig(BaseModel):
    """Which rule plays."""

    model_config = STRICT

    policy: rules.Name = Field(
        default="random",
        description="the rule: angle and angle_velocity for CartPole, energy for MountainCar, Acrobot and Pendulum,"
        " bounce for RobotVacuum",
    )
    action: rules.Constant = Field(
        default=0, description="the action of the rule `constant`; of several choices or numbers a list, or one for all"
    )


class HardCoded:
    """An algorithm that plays games by its rule and counts."""

    def __init__(self, config: BasicConfig, env: Env, rng: Streams, hardware: Hardware) -> None:
        self.config, self.env, self._seed = config, env, rng.seed
        self._policy = rules.make(config.policy, env.spec, rng.numpy("act"), config.action)
        self.episodes = Episodes(env.spec.num_envs)
        self._waiting: list[float] = []  # returns of games that have ended and are not yet counted
        self.env_steps = self._games = 0
        self._played = 0  # steps of every environment in the `step` that is paused
        self._limits: Mapping[str, int] = {}
        self._mean = self._squares = math.nan  # of all returns: their mean, and the sum of squared distances from it
        self._min = self._max = math.nan
        self._now = env.reset(derive(rng.seed, "train"))

    @property
    def counters(self) -> Mapping[str, int]:
        return {"env_steps": self.env_steps, "episodes": self._games}

    @property
    def done(self) -> bool:
        return False

    def pause_at(self, limits: Mapping[str, int]) -> None:
        self._limits = limits

    @property
    def paused(self) -> bool:
        return self._played > 0

    def step(self) -> Metrics:
        while self._played < MAX_STEPS and not self._waiting:
            now = self._now
            self._now = self.env.step(self._policy.act(now.obs, now.mask))
            self._played += 1
            self.env_steps += int((~now.last).sum())  # the step after `last` opens a game and plays nothing
            self._waiting = self.episodes.add(self._now)
            over = self._waiting or self._played == MAX_STEPS
            if self._limits and not over and reached(self._limits, self.counters):
                return self.so_far()
        self._played = 0
        last = math.nan
        if self._waiting:
            last = self._waiting.pop(0)
            self._count(last)
        return {**self.so_far(), "return/last": last}

    def so_far(self) -> Metrics:
        return {
            **self.episodes.metrics(),  # of the last 100 games; the six below are of all that are counted
            "episodes": float(self._games),
            "return/last": math.nan,  # of the game that this row counts
            "return/mean": self._mean,
            "return/sd": math.sqrt(self._squares / self._games) if self._games else math.nan,
            "return/min": self._min,
            "return/max": self._max,
        }

    def _count(self, score: float) -> None:
        """Take in the return of one more game (Welford 1962)."""
        self._games += 1
        if self._games == 1:
            self._mean, self._squares, self._min, self._max = score, 0.0, score, score
            return
        distance = score - self._mean
        self._mean += distance / self._games
        self._squares += distance * (score - self._mean)
        self._min, self._max = min(self._min, score), max(self._max, score)

    def policy(self) -> Policy:
        stream = np.random.default_rng(derive(self._seed, "policy"))
        return rules.make(self.config.policy, self.env.spec, stream, self.config.action)

    def save(self) -> State:
        return {
            "env_steps": self.env_steps,
            "games": self._games,
            "waiting": list(self._waiting),
            "returns": [self._mean, self._squares, self._min, self._max],
            "now": step_state(self._now),
            "episodes": self.episodes.save(),
            "env": self.env.save(),
            **({"played": self._played} if self.paused else {}),
        }

    def load(self, state: State) -> None:
        saved = Saved.of(state)
        self.env_steps, self._games = saved.integer("env_steps"), saved.integer("games")
        waiting, returns = saved.listed("waiting"), saved.listed("returns", 4)
        self._waiting = [waiting.number(key) for key in waiting]
        counted = self._games > 0  # before the first game they are NaN
        self._mean, self._min, self._max = (returns.number(key, finite=counted) for key in "023")
        self._squares = returns.number("1", 0.0) if counted else math.nan
        self._now = resumed(self.env, saved)
        self.episodes.load(saved.part("episodes"))
        self._played = saved.integer("played", 1, MAX_STEPS) if "played" in saved else 0


def load_policy(config: BasicConfig, spec: EnvSpec, state: Mapping[str, Any], hardware: Hardware) -> Policy:
    """The configured rule. Nothing was learned, so no state is read."""
    return rules.make(config.policy, spec, np.random.default_rng(0), config.action)


PLUGIN = AlgorithmPlugin(
    config=BasicConfig,
    make=HardCoded,
    budget={"episodes": 500},
    actions=("discrete", "multi_discrete", "continuous"),
    load_policy=load_policy,
    computation=lambda config, spec, _, seen: rule_computations.of_rule(config.policy, spec, seen, config.action),
)
