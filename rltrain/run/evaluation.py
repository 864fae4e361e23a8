"""How good a policy is: whole games, raw scores, under rules that are named and printed.

    nature   at most 30 no-ops, epsilon .05, no sticky actions, 18,000 frames   (Mnih et al. 2015)
    sticky   no no-ops, sticky actions .25, epsilon .001, 18,000 frames         (Machado et al. 2018)
    training the config's own environment, epsilon 0 (Atari: .05)

In all of them a lost life ends nothing, and the action set, frame skip and frame stack are those that the policy was
trained with. Every lane plays a number of games that is fixed beforehand: the first to end would mostly be short ones.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from rltrain import envs
from rltrain.algos import basic
from rltrain.core import Array, Env, Policy
from rltrain.errors import InputError
from rltrain.rng import derive
from rltrain.settings import EnvironmentConfig

RESAMPLES = 10_000  # of the bootstrap
ATARI_FRAMES = 18_000
UNLIMITED_STEPS = 10_000  # cut for an environment without a time limit: a bad policy might never end a game there


class Rules(NamedTuple):
    """What a protocol lays down. None: as the config has it."""

    noop_max: int | None
    repeat_action_probability: float | None
    max_frames: int | None
    epsilon: float | None


PROTOCOLS = {
    "nature": Rules(noop_max=30, repeat_action_probability=0.0, max_frames=ATARI_FRAMES, epsilon=0.05),
    "sticky": Rules(noop_max=0, repeat_action_probability=0.25, max_frames=ATARI_FRAMES, epsilon=0.001),
    "training": Rules(noop_max=None, repeat_action_probability=None, max_frames=None, epsilon=None),
}


@dataclass(frozen=True)
class Evaluation:
    """The games, and what they say. One entry a game, in an order that does not depend on which ended first."""

    protocol: dict[str, Any]  # nine fields; None where the environment has no such thing
    seed: int
    returns: tuple[float, ...]
    lengths: tuple[int, ...]  # agent steps
    truncated: tuple[bool, ...]  # stopped by the time limit

    @property
    def mean(self) -> float:
        return float(np.mean(self.returns))

    @property
    def sd(self) -> float:
        """Of these games (divided by their number), as numpy and the literature print it."""
        return float(np.std(self.returns))

    @property
    def median(self) -> float:
        return float(np.median(self.returns))

    @property
    def min(self) -> float:
        return min(self.returns)

    @property
    def max(self) -> float:
        return max(self.returns)

    @property
    def truncated_share(self) -> float:
        return float(np.mean(self.truncated))

    @cached_property
    def ci95(self) -> tuple[float, float]:
        """The 95 % percentile-bootstrap interval of the mean. It speaks of games, not of training runs."""
        return bootstrap(np.array(self.returns), derive(self.seed, "bootstrap"))

    def json(self) -> dict[str, Any]:
        """All of it as JSON has it."""
        return {
            "protocol": self.protocol,
            "seed": self.seed,
            "episodes": len(self.returns),
            "returns": list(self.returns),
            "lengths": list(self.lengths),
            "truncated": list(self.truncated),
            "mean": self.mean,
            "sd": self.sd,
            "median": self.median,
            "min": self.min,
            "max": self.max,
            "ci95": list(self.ci95),
            "truncated_share": self.truncated_share,
        }


def default_protocol(settings: EnvironmentConfig) -> str:
    """nature for Atari as Mnih et al. 2015 prepare it, the config's own environment for all else."""
    return "nature" if settings.is_atari and settings.preprocessing == "nature" else "training"


def evaluate(
    policy: Policy,
    settings: EnvironmentConfig,
    protocol: str | None,
    episodes: int,
    seed: int,
    epsilon: float | None = None,
    threads: int = 1,
    task: str = "env",
    keep_going: Callable[[], bool] | None = None,
) -> Evaluation | None:
    """Play whole games. The result does not depend on `threads`. None if `keep_going` became false meanwhile.

    `task` is the algorithm's: its policy sees what it saw.
    `protocol` None is `default_protocol`; `epsilon` None is the protocol's. InputError for what does not fit.
    """
    if episodes < 1:
        raise InputError(f"episodes: {episodes} is not a number of games; at least 1")
    protocol, played, epsilon = conditions(settings, protocol, epsilon, task)
    lanes = min(episodes, envs.side_by_side(played))
    quota = np.full(lanes, episodes // lanes)
    quota[: episodes % lanes] += 1

    env = envs.make(played, task=task, num_envs=lanes, threads=threads, training=False)
    try:
        games = _play(policy, env, quota, epsilon, seed, keep_going)
    finally:
        env.close()
    if games is None:
        return None
    atari = played.is_atari
    book = played.preprocessing == "book"
    limit = env.spec.max_episode_steps
    fields = {
        "name": protocol,
        "noop_max": played.noop_max if atari and not book else None,
        "repeat_action_probability": played.repeat_action_probability if atari else None,
        "lives": "whole games" if atari else None,
        "actions": env.spec.num_actions,
        "frame_skip": env.spec.frames_per_step,
        "max_frames": None if limit is None else limit * env.spec.frames_per_step,
        "epsilon": epsilon,
        "episodes": episodes,
    }
    returns, lengths, truncated = zip(*games, strict=True)
    return Evaluation(fields, seed, returns, lengths, truncated)


def conditions(
    settings: EnvironmentConfig, protocol: str | None, epsilon: float | None, task: str = "env"
) -> tuple[str, EnvironmentConfig, float]:
    """The protocol's name, the environment in which its games are played, and epsilon. InputError as `evaluate`."""
    if epsilon is not None and not 0 <= epsilon <= 1:
        raise InputError(f"epsilon: {epsilon} is not a chance; from 0 to 1")
    protocol = protocol or default_protocol(settings)
    rules = _rules(protocol, settings)
    if epsilon is None:
        epsilon = rules.epsilon if rules.epsilon is not None else (0.05 if settings.is_atari else 0.0)
    return protocol, _environment(settings, rules, task), epsilon


def baselines(
    settings: EnvironmentConfig, protocol: str | None, episodes: int, seed: int, threads: int = 1, task: str = "env"
) -> dict[str, float]:
    """Mean scores of random play, and of the hard-coded rule where there is one, from the same seed."""
    means = {}
    spec = envs.describe(settings, task=task)
    for name in ["random", *basic.rules_for(settings.id)[:1]]:
        config = basic.Config.model_validate({"policy": name})
        policy = basic.make_policy(config, spec, np.random.default_rng(derive(seed, "baseline")))
        result = evaluate(policy, settings, protocol, episodes, seed, epsilon=0.0, threads=threads, task=task)
        assert result is not None
        means[name] = result.mean
    return means


def bootstrap(returns: Array, seed: int) -> tuple[float, float]:
    """The 2.5 % and 97.5 % points of the means of 10,000 resamples of returns [n]."""
    stream = np.random.default_rng(seed)
    block = max(1, 1_000_000 // len(returns))  # resamples at a time, to bound memory
    means = [
        returns[stream.integers(len(returns), size=(min(block, RESAMPLES - done), len(returns)))].mean(axis=1)
        for done in range(0, RESAMPLES, block)
    ]
    low, high = np.quantile(np.concatenate(means), [0.025, 0.975])
    return float(low), float(high)


def _rules(protocol: str, settings: EnvironmentConfig) -> Rules:
    if protocol not in PROTOCOLS:
        raise InputError(f"protocol: '{protocol}' is unknown; one of {', '.join(PROTOCOLS)}")
    if protocol != "training":
        if not settings.is_atari:
            raise InputError(f"protocol: '{protocol}' is for Atari (ALE/…); for {settings.id} write training")
        if settings.preprocessing == "book":
            raise InputError(f"protocol: '{protocol}' does not go with `preprocessing: book`; write training")
    return PROTOCOLS[protocol]


def _environment(settings: EnvironmentConfig, rules: Rules, task: str) -> EnvironmentConfig:
    """The environment in which the games are played."""
    changes: dict[str, Any] = {"terminal_on_life_loss": False}
    if rules.noop_max is not None:
        changes["noop_max"] = rules.noop_max
    if rules.repeat_action_probability is not None:
        changes["repeat_action_probability"] = rules.repeat_action_probability
    if rules.max_frames is not None:
        changes["max_episode_steps"] = max(1, rules.max_frames // settings.frame_skip)
    elif not settings.is_atari and envs.describe(settings, task=task).max_episode_steps is None:
        changes["max_episode_steps"] = UNLIMITED_STEPS
    return settings.model_copy(update=changes)


def _play(
    policy: Policy, env: Env, quota: Array, epsilon: float, seed: int, keep_going: Callable[[], bool] | None
) -> list[tuple[float, int, bool]] | None:
    """(return, length, truncated) of quota [N] games a lane, lane by lane. Play beyond the quota is ignored."""
    lanes = env.spec.num_envs
    stream = np.random.default_rng(derive(seed, "explore"))
    games: list[list[tuple[float, int, bool]]] = [[] for _ in range(lanes)]
    total, length = np.zeros(lanes), np.zeros(lanes, dtype=np.int64)
    step = env.reset(derive(seed, "games"))
    due = quota.copy()
    while due.any():
        if keep_going is not None and not keep_going():
            return None
        action = policy.act(step.obs)
        if epsilon > 0:
            random = stream.random(lanes) < epsilon
            action = np.where(random, stream.integers(env.spec.num_actions, size=lanes), action)
        step = env.step(action)
        total = np.where(step.first, 0.0, total + step.reward)
        length = np.where(step.first, 0, length + 1)
        for lane in np.flatnonzero(step.last & (due > 0)):
            games[lane].append((float(total[lane]), int(length[lane]), bool(step.discount[lane] > 0)))
            due[lane] -= 1
    return [game for own in games for game in own]
