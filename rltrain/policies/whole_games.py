"""A batch of whole games for a learner: N environments play side by side, each its fixed share of them.

Shares are fixed beforehand, since of games that race for their places the first to end would mostly be short ones.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from rltrain.core import Array, Env
from rltrain.policies.policy_gradient import flat


class WholeGames(NamedTuple):
    """Games as they were played, [T, N]: of each environment one after the other. Not `played`: counts for nothing."""

    obs: Array  # [T + 1, N, in] float64
    action: Array  # [T, N] int64
    reward: Array  # [T, N] float64, raw
    discount: Array  # [T, N] float64, 0 where the task ended
    last: Array  # [T, N] bool
    played: Array  # [T, N] bool


def play(env: Env, act: Callable[[Array], Array], games: int, seed: int) -> WholeGames:
    """So many whole games from a reset with this seed; `act` gives actions [N] int64 at obs [N, in] float64."""
    due = np.full(env.spec.num_envs, games // env.spec.num_envs)  # [N] games that are still to be ended
    due[: games % env.spec.num_envs] += 1
    step = env.reset(seed)
    obs, actions, steps, played = [flat(step.obs)], [], [], []
    while due.any():
        actions.append(act(obs[-1]))
        step = env.step(actions[-1])
        played.append(~step.first & (due > 0))
        due -= step.last & (due > 0)
        steps.append(step)
        obs.append(flat(step.obs))
    return WholeGames(
        obs=np.array(obs),
        action=np.array(actions),
        reward=np.array([step.reward for step in steps], np.float64),
        discount=np.array([step.discount for step in steps], np.float64),
        last=np.array([step.last for step in steps]),
        played=np.array(played),
    )
