"""Temporal-difference evaluation of a policy, against the truth.

    V(s) <- V(s) + alpha (r + gamma V(s') - V(s))                                         (Sutton 1988)

with `trace_decay` TD(lambda). A known model is sampled in compiled code (`mdp.learning_td`), any other environment
whose states can be numbered is played step by step. Counters as in `qlearn`. The policy is the one that is valued.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from rltrain.algos._td_config import Config
from rltrain.core import Array, EnvSpec, Hardware, Metrics, Policy, State, reached
from rltrain.envs.models.tabular import TabularEnv
from rltrain.errors import DivergedError, InputError
from rltrain.mdp import graph, pairs
from rltrain.mdp.files import policy_files
from rltrain.mdp.learn import q_learning, sampling, td, truth
from rltrain.mdp.learn.q_learning import Options, round_below, steps_to_a_limit
from rltrain.mdp.learn.saved import restore_agent, restore_world
from rltrain.mdp.learn.table_policy import by_action
from rltrain.rng import Streams, derive
from rltrain.saved import ANY_INTEGER, Saved

CURVES = 10  # learners of a rate whose value is a column of its own


def options_of(config: Config, limit: int | None) -> Options:
    """The settings as numbers; those of choosing actions mean nothing here."""
    return Options(
        exploration=q_learning.EPSILON,
        method=q_learning.PLAIN,
        gamma=float(config.gamma),
        epsilon=1.0,
        epsilon_final=1.0,
        epsilon_steps=1.0,
        temperature=1.0,
        bonus=0.0,
        decay=float(config.learning_rate_decay) if config.learning_rate_schedule == "decay" else 0.0,
        omega=float(config.learning_rate_power) if config.learning_rate_schedule == "count" else 0.0,
        trace=float(config.trace_decay),
        accumulate=True,
        limit=limit or 0,
    )


class Algorithm:
    """Steps all learners by the same number of steps."""

    def __init__(self, config: Config, env: TabularEnv, rng: Streams, hardware: Hardware) -> None:
        self.config, self.spec, self.model = config, env.spec, env.model
        self.options = options_of(config, env.spec.max_episode_steps)
        rates = np.repeat(config.rates, config.learners)
        if env.model is None:
            if config.policy != "random":
                raise InputError(f"algorithm.policy: {config.policy}: {env.spec.id} has no known model; write random")
            self.first_pair = np.arange(env.num_states + 1, dtype=np.int64) * env.spec.num_actions
            self.taken = np.full(int(self.first_pair[-1]), 1 / env.spec.num_actions)  # [P] the policy
        else:
            self.first_pair = np.ascontiguousarray(env.model.first_pair, np.int64)
            random = config.policy == "random"
            self.taken = pairs.uniform(env.model) if random else policy_files.read(Path(config.policy), env.model)
        self.chooser = sampling.chooser(self.first_pair, self.taken)
        streams = sampling.streams(rng.seed, "agent", len(rates))
        num_states = len(self.first_pair) - 1
        self.agent = q_learning.make_agent(self.options, num_states, rates, streams, float(config.start_value))
        self.env_steps = 0
        self._begun = 0  # environment steps at which the unit that is paused began; else as many as there are
        self._limits: Mapping[str, int] = {}

        seeds = [derive(rng.seed, "train", lane) for lane in range(len(rates))]
        starts = np.array([sampling.streams(seed, "world", 1)[0] for seed in seeds])
        self.truth: Array | None = None  # [S]
        self.games = []
        if env.model is not None:
            self.agent.q[:, env.model.terminal] = 0.0
            self.sampler = sampling.make(env.model)
            self.world = q_learning.make_world(self.sampler, starts)
            self.truth = truth.of_policy(env.model, self.taken, float(config.gamma))
            self.states = np.flatnonzero(graph.reachable(env.model) & ~env.model.terminal)
            if self.truth is not None:
                self.states = self.states[np.isfinite(self.truth[self.states])]
                self.truth = self.truth if len(self.states) else None
            self.watched = int(self.sampler.start[0])
        else:
            self.world = q_learning.make_blank_world(starts)
            self.games = [env.single() for _ in seeds]
            for lane, (game, seed) in enumerate(zip(self.games, seeds, strict=True)):
                self.world.state[lane] = game.begin(seed)

    @property
    def counters(self) -> Mapping[str, int]:
        return {"env_steps": self.env_steps, "episodes": int(self.world.episodes.min())}

    @property
    def warnings(self) -> list[str]:
        return [truth.NO_VALUES_OF_POLICY] if self.model is not None and self.truth is None else []

    @property
    def done(self) -> bool:
        return False

    def pause_at(self, limits: Mapping[str, int]) -> None:
        self._limits = limits

    @property
    def paused(self) -> bool:
        return self._begun < self.env_steps

    def so_far(self) -> Metrics:
        return self._metrics()

    def step(self) -> Metrics:
        end = self._begun + self._round()
        while self.env_steps < end:
            self._learn(steps_to_a_limit(self._limits, self.counters, end - self.env_steps))
            if reached(self._limits, self.counters):
                break
        if self.env_steps == end:
            self._begun = end
        return self._metrics()

    def _round(self) -> int:
        """How many steps a unit has, a function of the steps before it alone."""
        affordable = 10_000 if self.model is None else 2_000_000
        most = max(100, affordable // len(self.agent.q))
        return self.config.report_every or round_below(min(most, max(100, self._begun // 20)))

    def _learn(self, count: int) -> None:
        """So many steps of every learner."""
        with np.errstate(over="ignore"):  # streams wrap around, in plain Python too
            if self.model is None:
                self._play(count)
            else:
                td.learn(self.options, self.sampler, self.chooser, self.agent, self.world, self.env_steps, count)
        self.env_steps += count
        if not np.isfinite(self.agent.q).all():
            raise DivergedError("V has values that are no numbers; lower algorithm.learning_rate or trace_decay")

    def _play(self, count: int) -> None:
        """Steps of an environment that can only be sampled, learner by learner."""
        options, chooser, agent = tuple(self.options), tuple(self.chooser), tuple(self.agent)
        width, end = self.spec.num_actions, self.env_steps + count
        for lane, game in enumerate(self.games):
            state, total = int(self.world.state[lane]), float(self.world.running[lane])
            pair = int(td.follow(self.chooser, self.agent, lane, state))
            for t in range(self.env_steps, end):
                after, reward, terminal, last = game.play(pair - state * width)
                total += reward
                following = after
                if last:
                    q_learning.count_episode(self.world, lane, total)
                    following, total = game.again(), 0.0
                seen = (lane, t, state, reward, after, terminal, last)
                if t + 1 < end:
                    pair = td.turn(options, chooser, agent, *seen, following)
                else:  # what comes next is drawn when it does
                    td.observe(self.options, self.agent, *seen)
                state = following
            self.world.state[lane], self.world.running[lane] = state, total

    def _metrics(self) -> Metrics:
        nan, config = math.nan, self.config
        returns = self.world.recent[np.isfinite(self.world.recent)]
        rate = config.rates[0] / (1 + self.options.decay * self.env_steps) if not self.options.omega else nan
        metrics = {
            "return/mean": float(returns.mean()) if len(returns) else nan,  # of each learner's last 100 episodes
            "error/max": nan,  # max |V - V_pi| over the states that can be reached, mean over the learners
            "error/rms": nan,
            "learning_rate": float(rate),
        }
        if self.truth is None:
            return metrics
        error = np.abs(self.agent.q[:, self.states] - self.truth[self.states])
        metrics |= {
            "error/max": float(error.max(axis=1).mean()),
            "error/rms": float(np.sqrt((error**2).mean(axis=1)).mean()),
            "value/true": float(self.truth[self.watched]),
        }
        for number, value in enumerate(config.rates):
            rows = slice(number * config.learners, (number + 1) * config.learners)
            if len(config.rates) > 1:
                metrics[f"error/max/{value:g}"] = float(error[rows].max(axis=1).mean())
            for learner, table in enumerate(self.agent.q[rows][:CURVES]):
                metrics[f"value/{value:g}/{learner}"] = float(table[self.watched])
        return metrics

    def policy(self) -> Policy:
        return self._follower()

    def _follower(self) -> Follower:
        action = self.model.action if self.model else None
        return Follower(self.first_pair, action, self.taken, self.spec.num_actions)

    def save(self) -> State:
        return {
            "env_steps": self.env_steps,
            "agent": {
                name: array.copy() for name, array in self.agent._asdict().items() if name not in q_learning.FIXED
            },
            "world": {name: array.copy() for name, array in self.world._asdict().items()},
            "games": [game.save() for game in self.games],
            "policy": self._follower().save(),
            **({"begun": self._begun} if self.paused else {}),
        }

    def load(self, state: State) -> None:
        saved = Saved.of(state)
        self.env_steps = saved.integer("env_steps")
        self._begun = saved.integer("begun", 0, self.env_steps) if "begun" in saved else self.env_steps
        if self.env_steps >= self._begun + self._round():
            saved.refuse("begun", f"{self._begun}; what began there was over before step {self.env_steps}")
        restore_agent(saved.part("agent"), self.agent)
        restore_world(saved.part("world"), self.world, self.first_pair, self.options.limit)
        games = saved.listed("games", len(self.games))
        for number, game in enumerate(self.games):
            game.load(games.part(str(number)))


class Follower:
    """Draws actions as the policy says; obs [N, 1] are the states' numbers. Every copy draws the same."""

    score_name = "probability"

    def __init__(self, first_pair: Array, action: Array | None, taken: Array, num_actions: int) -> None:
        owner = np.repeat(np.arange(len(first_pair) - 1), np.diff(first_pair))
        self.first_pair = first_pair
        self.action = np.arange(len(taken)) - first_pair[owner] if action is None else action.astype(np.int64)
        self.taken, self.num_actions = taken, num_actions
        self._sum = np.concatenate([[0.0], np.cumsum(taken)])
        self._stream = np.random.default_rng(0)

    def act(self, obs: Array) -> Array:
        state = np.asarray(obs, np.int64)[:, 0]
        first, end = self.first_pair[state], self.first_pair[state + 1]
        low, high = self._sum[first], self._sum[end]
        drawn = low + self._stream.random(len(state)) * (high - low)
        pair = np.searchsorted(self._sum, drawn, side="right") - 1
        found = self.action[np.clip(pair, first, np.maximum(first, end - 1)).clip(max=len(self.action) - 1)]
        return np.where(end > first, found, 0)

    def scores(self, obs: Array) -> Array:
        states = np.asarray(obs, np.int64)[:, 0]
        return by_action(self.first_pair, self.action, self.taken, states, self.num_actions)

    def save(self) -> State:
        return {"first_pair": self.first_pair.copy(), "action": self.action.copy(), "taken": self.taken.copy()}


def load_policy(config: Config, spec: EnvSpec, state: Mapping[str, Any], hardware: Hardware) -> Policy:
    """The policy of a saved state."""
    saved, most = Saved.of(state).part("policy"), spec.num_actions
    taken = saved.array("taken", "float64", (None,), 0, 1)
    action = saved.array("action", ANY_INTEGER, (len(taken),), 0, most - 1)
    states = None if spec.num_states is None else spec.num_states + 1
    first_pair = saved.array("first_pair", "int64", (states,), 0, len(taken))
    if first_pair[0] != 0 or first_pair[-1] != len(taken) or (np.diff(first_pair) < 0).any():
        saved.refuse("first_pair", f"must ascend from 0 to {len(taken)}")
    return Follower(first_pair, action, taken, most)
