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
import time
from collections.abc import Mapping

import numpy as np

from rltrain.algos import _uct_games
from rltrain.algos._uct_config import UctConfig
from rltrain.algos._uct_games import Found, best
from rltrain.algos._uct_model import ModelPolicy, ModelSearch
from rltrain.core import Array, Env, Hardware, Metrics, Policy, State, Step
from rltrain.counters import reached
from rltrain.envs.episodes import Episodes
from rltrain.envs.models.tabular import Tabular
from rltrain.errors import InputError
from rltrain.mdp.learn import sampling, tree_search, truth
from rltrain.mdp.learn.q_learning import round_below
from rltrain.mdp.learn.table_policy import by_action
from rltrain.mdp.learn.truth import Truth
from rltrain.rng import Streams, derive
from rltrain.saved import MAX_COUNT, Saved, resumed, step_state

MODEL_STEPS, GAME_STEPS = 5_000_000, 20_000  # of simulations, which take about half a second
LONGEST = 0.5  # seconds that games are played before others are heard: where they are slow, the row comes later
CURVES = 10  # actions of the root whose values are columns, where nothing is played


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
        self._rows: list[list[float]] = []  # of the moves of a unit that is paused: what was found, by `_found`
        self._begun = 0  # simulations of one search at which the unit that is paused began
        self._limits: Mapping[str, int] = {}

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

    def pause_at(self, limits: Mapping[str, int]) -> None:
        self._limits = limits

    @property
    def paused(self) -> bool:
        return bool(self._rows) if self.config.play else self._begun < self.simulations

    def step(self) -> Metrics:
        if not self.config.play:
            return self._search_on()
        until = time.monotonic() + LONGEST
        while len(self._rows) < self._moves():
            self._rows.append(list(self._move().values()))
            if reached(self._limits, self.counters) or time.monotonic() > until:
                break
        metrics = self.so_far()
        if len(self._rows) == self._moves():
            self._rows = []
        return metrics

    def so_far(self) -> Metrics:
        if not self.config.play:
            return self._of_one_search()
        means = [_mean(list(column)) for column in zip(*self._rows, strict=True)]
        return {**self.episodes.metrics(), **dict(zip(self._found, means, strict=True))}

    @property
    def _found(self) -> tuple[str, ...]:
        """The names of what searches found, as `_judged` has them."""
        truths = () if self._truth is None else ("root/exact", "error/root", "policy/right")
        return ("root/value", *truths, "tree/depth", "tree/nodes")

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
        left = self._begun + self._unit() - self.simulations
        count = min(left, self._limits.get("simulations", MAX_COUNT) - self.simulations)
        nodes = min(int(tree.size[tree_search.NODES]) + count, self.config.max_nodes)
        if nodes > len(tree.state):
            self._search.tree = tree = tree_search.with_room(tree, min(2 * nodes, self.config.max_nodes))
        self._search.grow(state, count)
        self.simulations += count
        if count == left:
            self._begun = self.simulations
        return self._of_one_search()

    def _unit(self) -> int:
        """Simulations of one search between two rows: a function of those before them alone."""
        most = max(100, MODEL_STEPS // self.config.depth)
        return self.config.report_every or round_below(min(most, max(100, self._begun // 10)))

    def _of_one_search(self) -> Metrics:
        assert self._search is not None
        state, size = int(self._now.obs[0, 0]), self._search.tree.size
        q = self._search.root(state)[None]
        metrics = self._judged(np.array([state]), Found(best(q), q, *size[:, None]))
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
            **({} if not self.paused else {"rows": np.array(self._rows)} if self._rows else {"begun": self._begun}),
        }

    def load(self, state: State) -> None:
        saved = Saved.of(state)
        self.simulations, self.env_steps = saved.integer("simulations"), saved.integer("env_steps")
        saved.fill("streams", self._streams)
        self._now = resumed(self.env, saved)
        if isinstance(self.env, Tabular):
            saved.part("now").like("obs", self._now.obs, 0, self.env.num_states - 1)
        self.episodes.load(saved.part("episodes"))
        self._begun = saved.integer("begun", 0, self.simulations) if "begun" in saved else self.simulations
        if not self.config.play and self.simulations >= self._begun + self._unit():
            saved.refuse("begun", f"{self._begun}; what began there was over before simulation {self.simulations}")
        if "rows" in saved:
            self._rows = saved.array("rows", "float64", (None, len(self._found)), finite=False).tolist()
            if len(self._rows) >= self._moves():
                saved.refuse("rows", f"{len(self._rows)}; must be fewer than {self._moves()}, a unit's")
        if self._search is not None and not self.config.play:
            self._search.restore(saved.part("tree"), int(self._now.obs[0, 0]), self._streams)


def _mean(values: Array | list[float]) -> float:
    """Of the finite values; NaN if there are none."""
    known = np.asarray(values, np.float64)
    known = known[np.isfinite(known)]
    return float(known.mean()) if len(known) else math.nan
