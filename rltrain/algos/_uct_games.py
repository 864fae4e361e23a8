"""UCT in environments that are played and set back: what simulations are where no model is known.

What an environment saves brings it back to the root, as its journal or its state says; from there it plays a simulation
and is set back again. So all randomness that is to come is the environment's own, a function of its seed and of the
actions: nodes are sequences of actions, and chance has one outcome for each. N environments side by side have N trees.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rltrain.algos._uct_config import UctConfig
from rltrain.core import Array, Env, State, Step
from rltrain.envs.left_behind import leaves_behind
from rltrain.errors import InputError
from rltrain.steps import Normalizing


class Found(NamedTuple):
    """What a search came to at N roots."""

    action: Array  # [N] int64, the one of the greatest mean return, the first of equals; 0 where there is none
    q: Array  # [N, A] float64, mean returns; NaN: never tried, or impossible
    nodes: Array  # [N] int64
    deepest: Array  # [N] int64, depth of the deepest node

    @property
    def value(self) -> Array:
        """[N] the mean return of the best action; NaN where nothing was tried."""
        return np.asarray(self.q[np.arange(len(self.q)), self.action])


def best(q: Array) -> Array:
    """[N] int64 the first greatest of each row of q [N, A], NaN: none; 0 in a row of none."""
    return np.asarray(np.where(np.isnan(q), -np.inf, q).argmax(axis=1))


def root_of(env: Env) -> State:
    """What sets environments back to where they stand, after a reset. InputError for those of which nothing does."""
    if isinstance(env, Normalizing):  # simulations would be counted among what was seen
        raise InputError(
            "environment.wrappers: uct sees no observations, and raw rewards; leave out NormalizeObservation and"
            " NormalizeReward"
        )
    root = env.save()
    if leaves_behind(root):
        raise InputError(
            f"environment.id: {env.spec.id} does not repeat itself, and uct plays on from the same state again and"
            " again"
        )
    return root


class GameTrees:
    """N trees of sequences of actions, with room for C nodes each; node 0 is the root."""

    def __init__(self, config: UctConfig, able: Array, stream: np.random.Generator) -> None:
        """`able` [N, A] bool: what can be done at the roots."""
        self._config, self._stream = config, stream
        (count, actions), nodes = able.shape, config.capacity
        self.visits = np.zeros((count, nodes, actions), np.int64)
        self.q = np.zeros((count, nodes, actions))
        self._child = np.full((count, nodes, actions), -1, np.int32)
        self._able = np.ones((count, nodes, actions), bool)
        self._able[:, 0] = able
        self._low, self._high = np.full((count, nodes), np.inf), np.full((count, nodes), -np.inf)
        self.nodes, self.deepest = np.ones(count, np.int64), np.zeros(count, np.int64)

    def choose(self, rows: Array, node: Array) -> Array:
        """The action [R] at these nodes [R] of trees [R]: an untried one, drawn, or the best by UCB1."""
        visits, able = self.visits[rows, node], self._able[rows, node]  # [R, A]
        untried = able & (visits == 0)
        width = self._high[rows, node] - self._low[rows, node]
        by_range = self._config.exploration_scale == "range"
        scale = self._config.exploration * np.where((width > 0) & by_range, width, 1.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            bonus = np.sqrt(np.log(visits.sum(axis=1))[:, None] / visits)
            bound = np.where(able, self.q[rows, node] + scale[:, None] * bonus, -np.inf)
        drawn = np.where(untried, self._stream.random(untried.shape), -1.0).argmax(axis=1)
        return np.asarray(np.where(untried.any(axis=1), drawn, bound.argmax(axis=1)))

    def follow(self, rows: Array, node: Array, action: Array, mask: Array | None, depth: int) -> tuple[Array, Array]:
        """Where an action leads [R], and which of these nodes are new [R] bool; -1 where the tree is full.

        mask   [N, A] what can be done there; None: everything
        """
        after = self._child[rows, node, action]
        new = (after < 0) & (self.nodes[rows] < self.visits.shape[1])
        grown = rows[new]
        after[new] = self.nodes[grown]
        self._child[grown, node[new], action[new]] = after[new]
        if mask is not None:
            self._able[grown, after[new]] = mask[grown]
        self.nodes[grown] += 1
        self.deepest[grown] = np.maximum(self.deepest[grown], depth)
        return after.astype(np.int64), new

    def back_up(self, path: list[tuple[Array, Array, Array]], rewards: list[Array]) -> None:
        """Take in a simulation: trees, nodes and actions [R] of each step, and rewards [N], 0 after an end."""
        total = np.zeros(len(self.nodes))
        for t in range(len(rewards) - 1, -1, -1):
            total = rewards[t] + self._config.gamma * total
            if t < len(path):
                rows, node, action = path[t]
                self.visits[rows, node, action] += 1
                error = total[rows] - self.q[rows, node, action]
                self.q[rows, node, action] += error / self.visits[rows, node, action]
                self._low[rows, node] = np.minimum(self._low[rows, node], total[rows])
                self._high[rows, node] = np.maximum(self._high[rows, node], total[rows])


def plan(config: UctConfig, env: Env, step: Step, stream: np.random.Generator) -> Found:
    """Search from where environments stand, at this `step` of theirs, and set them back. Errors as of `root_of`."""
    root, count, actions = root_of(env), env.spec.num_envs, env.spec.num_actions
    able = np.ones((count, actions), bool) if step.mask is None else step.mask
    trees = GameTrees(config, able, stream)
    for number in range(config.simulations):
        if number > 0:
            env.load(root)
        _simulate(config, env, step, trees, stream)
    env.load(root)
    q = np.where((trees.visits[:, 0] > 0) & ~step.last[:, None], trees.q[:, 0], np.nan)
    return Found(best(q), q, trees.nodes, trees.deepest)


def _simulate(config: UctConfig, env: Env, step: Step, trees: GameTrees, stream: np.random.Generator) -> None:
    """One simulation of every game that is not over at the root."""
    playing = ~step.last  # [N]
    node, rows = np.zeros(len(playing), np.int64), np.flatnonzero(playing)  # in the tree are those of `rows`
    fresh = trees.visits[:, 0].sum(axis=1) == 0  # [N] stands in the node that this simulation adds; first, the root
    path: list[tuple[Array, Array, Array]] = []
    rewards: list[Array] = []
    while playing.any() and len(rewards) < config.depth and (len(rows) or config.rollout == "random"):
        action = env.spec.actions.sample(stream, len(playing), step.mask)
        if len(rows):
            action[rows] = trees.choose(rows, node[rows])
            path.append((rows, node[rows], action[rows]))
        step = env.step(action)
        rewards.append(np.where(playing, step.reward, 0.0))
        playing = playing & ~step.last
        rows = rows[playing[rows] & ~fresh[rows]]  # an added node is the last of the simulation
        if len(rows):
            node[rows], fresh[rows] = trees.follow(rows, node[rows], action[rows], step.mask, len(rewards))
            rows = rows[node[rows] >= 0]
    trees.back_up(path, rewards)
