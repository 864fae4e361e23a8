"""A batch of whole games for a learner: N environments play side by side, each its fixed share of them.

Shares are fixed beforehand, since of games that race for their places the first to end would mostly be short ones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from rltrain.core import Array, Env, EnvSpec
from rltrain.policies.inputs import Read
from rltrain.steps import reward_to_learn

Draw = Callable[[Array, Array | None], Array]  # inputs [N, in] float64 and mask -> what is chosen, [N, *action]


class WholeGames(NamedTuple):
    """Games as they were played, [T, N]: of each environment one after the other. Not `played`: counts for nothing."""

    obs: Array  # [T + 1, N, in] float64
    drawn: Array  # [T, N, *action], what was chosen
    reward: Array  # [T, N] float64, raw
    reward_to_learn: Array  # [T, N] float64
    discount: Array  # [T, N] float64, 0 where the task ended
    last: Array  # [T, N] bool
    played: Array  # [T, N] bool
    mask: Array | None  # [T, N, width] bool, what could be done; None: everything


def play(env: Env, read: Read, draw: Draw, taken: Callable[[Array], Array], games: int, seed: int) -> WholeGames:
    """So many whole games from a reset with this seed.

    `read` makes of obs [N, *obs] what is chosen by; `taken` of what `draw` chose the environment's actions.
    """
    due = np.full(env.spec.num_envs, games // env.spec.num_envs)  # [N] games that are still to be ended
    due[: games % env.spec.num_envs] += 1
    step = env.reset(seed)
    obs, drawn, masks, steps, played = [read(step.obs)], [], [], [], []
    while due.any():
        drawn.append(draw(obs[-1], step.mask))
        masks.append(step.mask)
        step = env.step(taken(drawn[-1]))
        played.append(~step.first & (due > 0))
        due -= step.last & (due > 0)
        steps.append(step)
        obs.append(read(step.obs))
    return WholeGames(
        obs=np.array(obs),
        drawn=np.array(drawn),
        reward=np.array([step.reward for step in steps], np.float64),
        reward_to_learn=np.array([reward_to_learn(step) for step in steps], np.float64),
        discount=np.array([step.discount for step in steps], np.float64),
        last=np.array([step.last for step in steps]),
        played=np.array(played),
        mask=np.array(masks) if env.spec.masked else None,
    )


def doubts(settings: object, spec: EnvSpec, budget: Mapping[str, int]) -> list[str]:
    """A line where only the bound of all episodes ends a game that does not end by itself."""
    if spec.max_episode_steps is not None or spec.longest is None:
        return []
    steps = budget.get("env_steps", spec.longest)
    more = f": one alone may be more than the budget of {steps:,}" if steps < spec.longest else ""
    return [
        f"environment.max_episode_steps: {spec.id} has none of its own; a game that does not end is cut off after "
        f"{spec.longest:,} steps (environment.reseed_every){more}"
    ]
