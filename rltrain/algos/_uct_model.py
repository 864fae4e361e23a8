"""UCT where a model is known: simulations draw from it in compiled code, and a policy searches anew for every move."""

from __future__ import annotations

import numpy as np

from rltrain.algos._uct_config import UctConfig
from rltrain.algos._uct_games import Found, best
from rltrain.core import Array, Env, Step
from rltrain.envs.models.tabular import Tabular
from rltrain.mdp.learn import sampling, tree_search
from rltrain.mdp.model import Model
from rltrain.rng import derive
from rltrain.saved import MAX_COUNT, Saved


class ModelSearch:
    """Searches in a known model, one after the other, which share the memory of one tree."""

    def __init__(self, config: UctConfig, env: Tabular) -> None:
        self.model: Model = env.model
        self._config, self._sampler = config, env.sampler
        self.options = tree_search.SearchOptions(
            exploration=float(config.exploration),
            by_range=config.exploration_scale == "range",
            gamma=float(config.gamma),
            depth=config.depth,
            rollout=config.rollout == "random",
        )
        self.tree = self.empty(config.capacity if config.play else 1)

    def empty(self, capacity: int) -> tree_search.Tree:
        most = int(np.diff(self.model.first_pair).max(initial=1))
        return tree_search.make(capacity, most, self._config.depth, np.zeros(1, np.uint64))

    def plan(self, states: Array, streams: Array) -> Found:
        """Search from states [N]; of streams [N] uint64, one each, what was drawn is gone. Nothing from a terminal."""
        q = np.full((len(states), self.model.num_actions), np.nan)
        nodes, deepest = np.zeros((2, len(states)), np.int64)
        for row, state in enumerate(states.tolist()):
            tree_search.clear(self.tree)
            self.tree.stream[0] = streams[row]
            self.grow(state, self._config.simulations)
            streams[row] = self.tree.stream[0]
            q[row], (nodes[row], deepest[row]) = self.root(state), self.tree.size
        return Found(best(q), q, nodes, deepest)

    def grow(self, state: int, count: int) -> None:
        """So many more simulations from a state, the root of all that the tree holds."""
        tree_search.search(self.options, self._sampler, self.tree, state, count)

    def restore(self, saved: Saved, root: int, stream: Array) -> None:
        """Take over the saved nodes of a tree whose root is this state, and its stream [1]."""
        state = saved.array("state", "int32", (None,), 0, self.model.num_states - 1)
        if len(state) > self._config.max_nodes:
            saved.refuse("state", f"{len(state):,} nodes; must be at most {self._config.max_nodes:,}")
        tree, each = self.empty(max(1, len(state))), (len(state),)
        columns = {
            "state": state,
            "depth": saved.array("depth", "int32", each, 0, self._config.depth - 1),
            "visits": saved.array("visits", "int64", (*each, tree.q.shape[1]), 0, MAX_COUNT),
            "q": saved.array("q", "float64", (*each, tree.q.shape[1])),
            "low": saved.array("low", "float64", each),
            "high": saved.array("high", "float64", each),
        }
        if len(state) and (state[0] != root or columns["depth"][0] != 0):
            saved.refuse("state", f"{state[0]} at [0]; must be the root, {root}, at depth 0")
        tree_search.fill(tree, columns)
        tree.stream[:] = stream
        self.tree = tree

    def root(self, state: int) -> Array:
        """[A] mean returns of the root's actions; NaN: never tried, or impossible."""
        q, pairs = np.full(self.model.num_actions, np.nan), self.model.pairs(state)
        q[self.model.action[pairs.start : pairs.stop]] = tree_search.at_root(self.tree, len(pairs))[1]
        return q


class ModelPolicy:
    """A `Planning` policy: it searches anew for every move, in the model. `scores` says what it thinks of the next."""

    score_name = "Q"

    def __init__(self, config: UctConfig, env: Tabular, seed: int) -> None:
        self._search = ModelSearch(config.model_copy(update={"play": True}), env)
        self._seed, self._searches = derive(seed, "policy"), 0
        self._states, self._q, self._acted = np.zeros(0, np.int64), np.zeros(0), True  # of the last search

    def plan(self, env: Env, step: Step) -> Array:
        action, rows = np.zeros(len(step.last), np.int64), np.flatnonzero(~step.last)
        if len(rows):
            action[rows] = self.act(step.obs[rows], None if step.mask is None else step.mask[rows])
        return action

    def act(self, obs: Array, mask: Array | None = None) -> Array:
        states = np.asarray(obs, np.int64)[:, 0]
        if self._acted or not np.array_equal(states, self._states):
            self._think(states)
        self._acted = True
        return best(self._q if mask is None else np.where(mask | ~mask.any(axis=1, keepdims=True), self._q, np.nan))

    def scores(self, obs: Array, mask: Array | None = None) -> Array:
        """Q [N, A] of obs [N, 1], whatever the mask; NaN: impossible, or never tried."""
        states = np.asarray(obs, np.int64)[:, 0]
        if not np.array_equal(states, self._states):
            self._think(states)
            self._acted = False
        return self._q.copy()

    def _think(self, states: Array) -> None:
        streams = sampling.streams(derive(self._seed, self._searches), "search", len(states))
        self._searches += 1
        self._states, self._q = states, self._search.plan(states, streams).q
