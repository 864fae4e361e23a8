"""How DQN's settings change while it learns: pure functions of the environment steps so far."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rltrain.algos._dqn_config import DqnConfig
from rltrain.core import Array

STEP_ENV_STEPS = 256  # environment steps that one `step` of the algorithm spans, about a second of an Atari game
MOST_APART = 128  # steps of each environment that a round takes, at most, of those that have arrived from others


def rounds(config: DqnConfig, num_envs: int, overlap: bool, apart: bool = False) -> tuple[int, int]:
    """Steps of each environment in a round, and rounds in a `step` of the algorithm. `apart`: others play; at most."""
    if apart:
        return MOST_APART, 1
    default = (STEP_ENV_STEPS if overlap else config.train_freq) // num_envs
    collect_steps = config.collect_steps or max(1, default)
    return collect_steps, max(1, STEP_ENV_STEPS // (collect_steps * num_envs))


class UpdatePlan(NamedTuple):
    """The updates that a round makes."""

    updates: int
    n_step: int
    gamma: float
    learning_rate: float


def plan(config: DqnConfig, env_steps: int, learned_steps: int) -> UpdatePlan:
    """The updates that so many environment steps are due, but for those that `learned_steps` were."""
    return UpdatePlan(
        updates(config, env_steps) - updates(config, learned_steps),
        n_step(config, env_steps),
        gamma(config, env_steps),
        learning_rate(config, max(env_steps, learned_steps)),
    )


def epsilon(config: DqnConfig, env_steps: int) -> float:
    """The chance of a random action: 1 before learning starts, then along a straight line."""
    if env_steps < config.learning_starts:
        return 1.0
    share = min(1.0, env_steps / config.exploration_steps)
    return config.exploration_initial_eps + share * (config.exploration_final_eps - config.exploration_initial_eps)


def epsilons(config: DqnConfig, env_steps: int, num_envs: int) -> Array:
    """The chance of a random action in each environment, [N]: the last one's has a floor of its own."""
    chance = np.full(num_envs, epsilon(config, env_steps))
    chance[-1] = max(chance[-1], config.exploration_one_env_eps)
    return chance


def learning_rate(config: DqnConfig, env_steps: int) -> float:
    """Along a straight line."""
    if config.learning_rate_final is None:
        return config.learning_rate
    share = min(1.0, env_steps / config.learning_rate_steps)
    return config.learning_rate + share * (config.learning_rate_final - config.learning_rate)


def resets(config: DqnConfig, env_steps: int) -> int:
    """How often the network was to begin anew in so many steps."""
    if config.reset_every is None:
        return 0
    return min(env_steps, config.reset_until or env_steps) // config.reset_every


def horizon_share(config: DqnConfig, env_steps: int) -> float:
    """How far n_step and gamma have moved, 0 to 1. They start again where the network does."""
    since = env_steps - resets(config, env_steps) * (config.reset_every or 0)
    return min(1.0, since / config.horizon_steps)


def n_step(config: DqnConfig, env_steps: int) -> int:
    """Rewards summed before bootstrapping, by equal ratios in equal times, rounded.

    Long returns carry rewards back fast while bootstrapped values know nothing; short ones are exact later. Source:
    Schwarzer et al. 2023, "Bigger, Better, Faster", section 3.
    """
    if config.n_step_final is None:
        return config.n_step
    share = horizon_share(config, env_steps)
    n: float = config.n_step * (config.n_step_final / config.n_step) ** share
    return round(n)


def gamma(config: DqnConfig, env_steps: int) -> float:
    """Discount a step; 1 - gamma moves by equal ratios in equal times.

    Source: Francois-Lavet et al. 2015, "How to discount deep reinforcement learning".
    """
    if config.gamma_final is None:
        return config.gamma
    share = horizon_share(config, env_steps)
    distance: float = (1 - config.gamma) ** (1 - share) * (1 - config.gamma_final) ** share  # from 1
    return 1 - distance


def updates(config: DqnConfig, env_steps: int) -> int:
    """Updates that so many steps are due in all. Their number a step moves along a straight line."""
    if config.train_freq_final is None:
        return env_steps // config.train_freq * config.gradient_steps
    first, last, over = 1 / config.train_freq, 1 / config.train_freq_final, config.train_freq_steps
    moving = min(env_steps, over)
    due = first * moving + (last - first) * moving * moving / (2 * over) + last * (env_steps - moving)
    return int(due * config.gradient_steps)
