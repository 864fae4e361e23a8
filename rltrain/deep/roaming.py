"""Environments that are played far from the learner, by a copy of its network: what a process of Ape-X's actors does.

    epsilon_i = epsilon^(1 + alpha i / (N - 1)),   epsilon = 0.4, alpha = 7

Environment i of N explores by its own epsilon, so that some try much and others play well. Source: Horgan et al. 2018,
"Distributed prioritized experience replay", section 4 and appendix D. There each actor has an environment of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import torch

from rltrain.core import Array, Env, Step
from rltrain.deep.actor import Actor, Exploration, epsilon_greedy
from rltrain.deep.learner import set_arrays
from rltrain.deep.networks import NetworkShape, QNetwork
from rltrain.rng import Streams
from rltrain.steps import by_column

EPSILON, ALPHA = 0.4, 7.0


def ladder(num_envs: int) -> Array:
    """The chance of a random action in each environment, [N], from the largest to the smallest."""
    return EPSILON ** (1 + ALPHA * np.arange(num_envs) / max(1, num_envs - 1))


class Segment(NamedTuple):
    """T steps of n environments, one after the other."""

    action: Array  # [T, n] int64
    step: Step  # what followed each: columns [T, n, ...]; of stacked frames the newest alone, [T, n, 1, H, W]


class Roaming:
    """Environments, and a network that decides for them."""

    def __init__(self, env: Env, now: Step, shape: NetworkShape, epsilon: Array, seed: int) -> None:
        """`now`: what the environments said last. `epsilon` [n]: how often the action is random. Plays on the CPU."""
        self._spec, self._epsilon = env.spec, epsilon
        self._actor = Actor(env, torch.device("cpu"), epsilon_greedy)
        self._actor.now = now
        self._network = QNetwork(env.spec, shape)
        self._explore = Streams(seed).numpy("explore")

    def segment(self, steps: int, weights: Mapping[str, Array] | None) -> Segment:
        """So many steps, with these weights from now on; None: with those of before."""
        if weights is not None:
            set_arrays(self._network, {name: np.array(each) for name, each in weights.items()})
        self._actor.begin_round(self._network, Exploration.drawn(self._epsilon, steps, self._spec, self._explore))
        played = [self._actor.step() for _ in range(steps)]
        return Segment(
            np.stack([each.action for each in played]), by_column(np.stack, [each.next_step for each in played])
        )
