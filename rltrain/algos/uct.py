"""UCT: Monte Carlo tree search for each move, beside the truth.

    choose    argmax_a  Q(s, a) + c w sqrt(ln N(s) / N(s, a))          (Kocsis and Szepesvari 2006)

A simulation goes down the tree by this rule, adds one node, plays on at random, and what it brought becomes a part of
the mean Q(s, a) of all that it came through (Coulom 2006). The move is the best at the root. Nothing is kept from one
move to the next, and nothing is learned: the search is the policy. AlphaGo's is this one, with networks for the random
play and for what is tried first (Silver et al. 2016).

Where a model is known, simulations draw from it in compiled code (`mdp.learn.tree_search`), and the root's value is
held against the exact one at every move. Any other environment that repeats itself is played and set back: see
`_uct_games`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from rltrain.algos import _uct_games
from rltrain.algos._uct_config import UctConfig
from rltrain.algos._uct_games import Found, best
from rltrain.core import Array, Env, Hardware, Metrics, Policy, State, Step
from rltrain.envs.episodes import Episodes
from rltrain.envs.models.tabular import Tabular
from rltrain.errors import InputError
from rltrain.mdp.learn import sampling, tree_search, truth
from rltrain.mdp.learn.q_learning import round_below
from rltrain.mdp.learn.table_policy import by_action
from rltrain.mdp.learn.truth import Truth
from rltrain.mdp.model import Model
from rltrain.rng import Streams, derive
from rltrain.saved import MAX_COUNT, Saved, resumed, step_state

MODEL_STEPS, GAME_STEPS = 5_000_000, 20_000  # of simulations, which take about half a second
CURVES = 10  # actions of the root whose values are columns, where nothing is played


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


class GamePolicy:
    """A `Planning` policy: it searches by the environments themselves."""

    def __init__(self, config: UctConfig, name: str, seed: int) -> None:
        self._config, self._name = config, name
        self._stream = np.random.default_rng(derive(seed, "policy"))

    def plan(self, env: Env, step: Step) -> Array:
        return _uct_games.plan(self._config, env, step, self._stream).action

    def act(self, obs: Array, mask: Array | None = None) -> Array:
        raise InputError(
            f"uct plays {self._name} by setting it back, and cannot tell from an observation alone what to do; it can"
            " where a model is known"
        )


class UCT:
    """An algorithm that plays games by search, or searches from one state without end."""

    def __init__(self, config: UctConfig, env: Env, rng: Streams, hardware: Hardware) -> None:
        """InputError for an environment that cannot be set back, and to search without end where no model is known."""
        self.config, self.env, self._seed = config, env, rng.seed
        self._search = ModelSearch(config, env) if isinstance(env, Tabular) else None
        self._truth: Truth | None = None
        if self._search is not None:
            self._truth = truth.of_model(self._search.model, float(config.gamma))
        self._now = env.reset(derive(rng.seed, "train"))
        if self._search is None:
            self._stream = rng.numpy("search")
            _uct_games.root_of(env)
        count = env.spec.num_envs
        self._streams = sampling.streams(rng.seed, "search", count)  # of searches in a model
        if not config.play and (self._search is None or count > 1):
            rule = "is one search in a known model; " + ("write num_envs: 1" if self._search else f"not {env.spec.id}")
            raise InputError(f"algorithm.play: false {rule}")
        if not config.play:
            assert self._search is not None
            self._search.tree.stream[0] = self._streams[0]
        self.episodes = Episodes(count)
        self.env_steps = self.simulations = 0

    @property
    def counters(self) -> Mapping[str, int]:
        played = {"env_steps": self.env_steps, "episodes": self.episodes.total} if self.config.play else {}
        return {"simulations": self.simulations, **played}

    @property
    def warnings(self) -> list[str]:
        return [truth.NO_VALUES] if self._search is not None and self._truth is None else []

    @property
    def done(self) -> bool:
        return False

    def step(self) -> Metrics:
        if not self.config.play:
            return self._search_on()
        rows = [self._move() for _ in range(self._moves())]
        means = {name: _mean([row[name] for row in rows]) for name in rows[0]}
        return {**self.episodes.metrics(), **means}

    def _moves(self) -> int:
        """Of every game, between two rows: a function of the settings alone."""
        steps = self.config.simulations * self.config.depth
        steps, most = (steps, GAME_STEPS) if self._search is None else (steps * self.env.spec.num_envs, MODEL_STEPS)
        return self.config.report_every or round_below(max(1, most // steps))

    def _move(self) -> dict[str, float]:
        """A search and a move in every game; one that is over begins anew. What the searches found, in the mean."""
        now, playing = self._now, ~self._now.last
        states = now.obs[playing, 0].astype(np.int64) if self._search else np.zeros(0, np.int64)
        if self._search is not None:
            streams = self._streams[playing]
            found = self._search.plan(states, streams)
            self._streams[playing] = streams
            action = np.zeros(len(playing), np.int64)
            action[playing] = found.action
        else:
            found = _uct_games.plan(self.config, self.env, now, self._stream)
            action = found.action
            found = Found(*(column[playing] for column in found))
        self._now = self.env.step(action)
        self.episodes.add(self._now)
        self.env_steps += int(playing.sum())
        self.simulations += int(playing.sum()) * self.config.simulations
        return self._judged(states, found)

    def _search_on(self) -> Metrics:
        """More simulations from the first state; of each size of the tree about ten rows."""
        assert self._search is not None
        state, tree = int(self._now.obs[0, 0]), self._search.tree
        most = max(100, MODEL_STEPS // self.config.depth)
        count = self.config.report_every or round_below(min(most, max(100, self.simulations // 10)))
        nodes = min(int(tree.size[tree_search.NODES]) + count, self.config.max_nodes)
        if nodes > len(tree.state):
            self._search.tree = tree = tree_search.with_room(tree, min(2 * nodes, self.config.max_nodes))
        self._search.grow(state, count)
        self.simulations += count
        q = self._search.root(state)[None]
        metrics = self._judged(np.array([state]), Found(best(q), q, *tree.size[:, None]))
        return metrics | {f"q/{action}": float(q[0, action]) for action in range(min(CURVES, q.shape[1]))}

    def _judged(self, states: Array, found: Found) -> dict[str, float]:
        """What searches from these states [N] found, against the truth, in the mean."""
        metrics = {"root/value": _mean(found.value)}
        if self._truth is not None and self._search is not None:
            solution, model = self._truth.solution, self._search.model
            exact = solution.value[states]
            optimal = by_action(model.first_pair, model.action, solution.tied, states, model.num_actions)
            metrics |= {
                "root/exact": _mean(exact),
                "error/root": _mean(np.abs(found.value - exact)),
                "policy/right": _mean(optimal[np.arange(len(states)), found.action]),
            }
        return metrics | {"tree/depth": _mean(found.deepest), "tree/nodes": _mean(found.nodes)}

    def policy(self) -> Policy:
        if isinstance(self.env, Tabular):
            return ModelPolicy(self.config, self.env, self._seed)
        return GamePolicy(self.config, self.env.spec.id, self._seed)

    def save(self) -> State:
        return {
            "simulations": self.simulations,
            "env_steps": self.env_steps,
            "streams": self._streams.copy()
            if self.config.play or not self._search
            else self._search.tree.stream.copy(),
            **({} if self.config.play or not self._search else {"tree": tree_search.saved_nodes(self._search.tree)}),
            "now": step_state(self._now),
            "episodes": self.episodes.save(),
            "env": self.env.save(),
        }

    def load(self, state: State) -> None:
        saved = Saved.of(state)
        self.simulations, self.env_steps = saved.integer("simulations"), saved.integer("env_steps")
        saved.fill("streams", self._streams)
        self._now = resumed(self.env, saved)
        if isinstance(self.env, Tabular):
            saved.part("now").like("obs", self._now.obs, 0, self.env.num_states - 1)
        self.episodes.load(saved.part("episodes"))
        if self._search is not None and not self.config.play:
            self._search.restore(saved.part("tree"), int(self._now.obs[0, 0]), self._streams)


def _mean(values: Array | list[float]) -> float:
    """Of the finite values; NaN if there are none."""
    known = np.asarray(values, np.float64)
    known = known[np.isfinite(known)]
    return float(known.mean()) if len(known) else math.nan
