"""Tabular Q-learning and its relatives, held against the truth.

    Q(s, a) <- Q(s, a) + alpha (r + gamma max_a' Q(s', a') - Q(s, a))          (Watkins 1989)

A known model is sampled in compiled code (`mdp.learning`, `mdp.learning_rules`); any other environment whose states
can be numbered is played step by step, by the same rules. There are `learners` for each learning rate. The counters
are those of each learner: `env_steps` that it has taken, `episodes` that every one has finished. `policy` is the greedy
one of the first learner of the first learning rate.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from rltrain.algos._qlearn_config import Config
from rltrain.core import Array, EnvSpec, Hardware, Metrics, Policy, State, reached
from rltrain.envs.models.tabular import TabularEnv
from rltrain.errors import DivergedError
from rltrain.mdp.learn import q_learning, rules, sampling, truth
from rltrain.mdp.learn.q_learning import Options, round_below, steps_to_a_limit
from rltrain.mdp.learn.saved import check_pending, restore_agent, restore_world
from rltrain.mdp.learn.table_policy import TablePolicy, restored
from rltrain.mdp.learn.truth import Truth
from rltrain.rng import Streams, derive
from rltrain.saved import Saved

CURVES = 10  # learners of a rate whose value is a column of its own
METHODS = {
    "q": q_learning.PLAIN,
    "double": q_learning.DOUBLE,
    "sarsa": q_learning.SARSA,
    "expected_sarsa": q_learning.EXPECTED,
}
EXPLORATIONS = {
    "epsilon": q_learning.EPSILON,
    "uniform": q_learning.EPSILON,
    "softmax": q_learning.SOFTMAX,
    "bonus": q_learning.BONUS,
}


def options_of(config: Config, limit: int | None) -> Options:
    """The settings as numbers."""
    uniform = config.exploration == "uniform"
    return Options(
        exploration=EXPLORATIONS[config.exploration],
        method=METHODS[config.method],
        gamma=float(config.gamma),
        epsilon=1.0 if uniform else float(config.exploration_initial_eps),
        epsilon_final=1.0 if uniform else float(config.exploration_final_eps),
        epsilon_steps=float(config.exploration_steps),
        temperature=float(config.temperature),
        bonus=float(config.exploration_bonus),
        decay=float(config.learning_rate_decay) if config.learning_rate_schedule == "decay" else 0.0,
        omega=float(config.learning_rate_power) if config.learning_rate_schedule == "count" else 0.0,
        trace=float(config.trace_decay),
        accumulate=config.traces == "accumulating",
        limit=limit or 0,
    )


class Algorithm:
    """Steps all learners by the same number of steps."""

    def __init__(self, config: Config, env: TabularEnv, rng: Streams, hardware: Hardware) -> None:
        self.config, self.spec, self.model = config, env.spec, env.model
        self.options = options_of(config, env.spec.max_episode_steps)
        rates = np.repeat(config.rates, config.learners)
        self.first_pair = _first_pair(env)
        self.num_pairs = int(self.first_pair[-1])
        streams = sampling.streams(rng.seed, "agent", len(rates))
        self.agent = q_learning.make_agent(self.options, self.num_pairs, rates, streams, float(config.start_value))
        self.env_steps = 0
        self._begun = 0  # environment steps at which the unit that is paused began; else as many as there are
        self._limits: Mapping[str, int] = {}

        seeds = [derive(rng.seed, "train", lane) for lane in range(len(rates))]
        starts = np.array([sampling.streams(seed, "world", 1)[0] for seed in seeds])
        self.truth: Truth | None = None
        if env.model is not None:
            self.sampler = sampling.make(env.model)
            self.world = q_learning.make_world(self.sampler, starts)
            self.games = []
            self.truth = truth.of_model(env.model, float(config.gamma))
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
        return [truth.NO_VALUES] if self.model is not None and self.truth is None else []

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

    def _learn(self, count: int) -> None:
        """So many steps of every learner."""
        with np.errstate(over="ignore"):  # streams wrap around, in plain Python too
            if self.model is None:
                self._play(count)
            else:
                plain = self.options.exploration == q_learning.EPSILON and self.options.method == q_learning.PLAIN
                learn = q_learning.learn_plain if plain and self.options.trace == 0 else rules.learn
                learn(self.options, self.sampler, self.agent, self.world, self.env_steps, count)
        self.env_steps += count
        if not np.isfinite(self.agent.q).all():
            raise DivergedError("Q has values that are no numbers; lower algorithm.learning_rate or trace_decay")

    def _round(self) -> int:
        """How many steps a unit has: 1, 2 or 5 times a power of ten, a function of the steps before it alone."""
        if self.config.report_every:
            return self.config.report_every
        plain = self.options.exploration == q_learning.EPSILON and self.options.method == q_learning.PLAIN
        affordable = 10_000 if self.model is None else 10_000_000 if plain and self.options.trace == 0 else 1_000_000
        most = max(100, affordable // len(self.agent.q))
        return round_below(min(most, max(100, self.num_pairs // 10, self._begun // 20)))

    def _play(self, count: int) -> None:
        """Steps of an environment that can only be sampled, learner by learner."""
        options, agent, width = tuple(self.options), tuple(self.agent), self.spec.num_actions
        end = self.env_steps + count
        for lane, game in enumerate(self.games):
            state, total = int(self.world.state[lane]), float(self.world.running[lane])
            pair = int(rules.choose(self.options, self.first_pair, self.agent, lane, state, self.env_steps))
            for t in range(self.env_steps, end):
                after, reward, terminal, last = game.play(pair - state * width)
                total += reward
                following = after
                if last:
                    q_learning.count_episode(self.world, lane, total)
                    following, total = game.again(), 0.0
                seen = (lane, t, state, pair, reward, after, terminal, last)
                if t + 1 < end:
                    pair = rules.turn(options, self.first_pair, agent, *seen, following)
                else:  # what comes next is drawn when it does
                    rules.observe(self.options, self.first_pair, self.agent, *seen)
                state = following
            self.world.state[lane], self.world.running[lane] = state, total

    # What is seen from outside

    @property
    def q(self) -> Array:
        """[L, P] what each learner thinks; learner k of rate i is row i x learners + k."""
        return _believed(self.agent.q, self.agent.second)

    def _metrics(self) -> Metrics:
        nan, config = math.nan, self.config
        returns = self.world.recent[np.isfinite(self.world.recent)]
        exploring = self.options.exploration == q_learning.EPSILON
        rate = config.rates[0] / (1 + self.options.decay * self.env_steps) if not self.options.omega else nan
        metrics = {
            "return/mean": float(returns.mean()) if len(returns) else nan,  # of each learner's last 100 episodes
            "error/max": nan,
            "error/low": nan,
            "error/high": nan,
            "policy/right": nan,
            "regret": nan,
            "epsilon": float(q_learning.epsilon_at(self.options, self.env_steps)) if exploring else nan,
            "learning_rate": float(rate),
        }
        if self.truth is None:
            return metrics
        q = self.q
        found = self.truth.judge(q)
        metrics |= {
            **_spread("", found.error),
            "policy/right": float(found.right.mean()),
            "regret": float(found.regret[np.isfinite(found.regret)].mean()) if np.isfinite(found.regret[0]) else nan,
            "q/true": float(self.truth.solution.q[self.truth.watched]),
        }
        for number, value in enumerate(config.rates):
            rows = slice(number * config.learners, (number + 1) * config.learners)
            if len(config.rates) > 1:
                metrics |= _spread(f"/{value:g}", found.error[rows])
            for learner, table in enumerate(q[rows][:CURVES]):
                metrics[f"q/{value:g}/{learner}"] = float(table[self.truth.watched])
        return metrics

    def policy(self) -> Policy:
        return self._greedy()

    def _greedy(self) -> TablePolicy:
        return greedy(self.first_pair, self.model.action if self.model else None, self.q[0], self.spec.num_actions)

    def save(self) -> State:
        return {
            "env_steps": self.env_steps,
            "agent": {
                name: array.copy() for name, array in self.agent._asdict().items() if name not in q_learning.FIXED
            },
            "world": {name: array.copy() for name, array in self.world._asdict().items()},
            "games": [game.save() for game in self.games],
            "policy": self._greedy().save(),
            **({"begun": self._begun} if self.paused else {}),
        }

    def load(self, state: State) -> None:
        saved = Saved.of(state)
        self.env_steps = saved.integer("env_steps")
        self._begun = saved.integer("begun", 0, self.env_steps) if "begun" in saved else self.env_steps
        if self.env_steps >= self._begun + self._round():
            saved.refuse("begun", f"{self._begun}; what began there was over before step {self.env_steps}")
        restore_agent(saved.part("agent"), self.agent, sarsa=self.options.method == q_learning.SARSA)
        restore_world(saved.part("world"), self.world, self.first_pair, self.options.limit)
        check_pending(saved.part("agent"), self.agent, self.world, self.first_pair)
        games = saved.listed("games", len(self.games))
        for number, game in enumerate(self.games):
            game.load(games.part(str(number)))


def greedy(first_pair: Array, action: Array | None, q: Array, num_actions: int) -> TablePolicy:
    """The first best action of each state, 0 where it is terminal; q [P], action [P] or numbered within each state."""
    choice = np.zeros(len(first_pair) - 1, np.int64)
    owner = np.repeat(np.arange(len(choice)), np.diff(first_pair))
    acting = np.flatnonzero(np.diff(first_pair))
    best = np.zeros(len(choice))
    best[acting] = np.maximum.reduceat(q, first_pair[:-1][acting])
    pairs = np.flatnonzero(q == best[owner])
    states, place = np.unique(owner[pairs], return_index=True)
    chosen = pairs[place]
    if action is None:
        action = np.arange(len(q)) - first_pair[owner]
    choice[states] = action[chosen]
    return TablePolicy(choice, first_pair, action, q.copy(), num_actions)


def load_policy(config: Config, spec: EnvSpec, state: Mapping[str, Any], hardware: Hardware) -> Policy:
    """The policy of a saved state."""
    saved = Saved.of(state)
    agent, learners = saved.part("agent"), len(config.rates) * config.learners
    q = agent.array("q", "float64", (learners, None))
    second = agent.array("second", "float64", (learners, q.shape[1] if config.method == "double" else 0))
    return restored(saved.part("policy"), _believed(q, second)[0], spec)


def _believed(q: Array, second: Array) -> Array:
    """[L, P] what the learners think: one table, or the mean of two."""
    return (q + second) / 2 if second.size else q


def _first_pair(env: TabularEnv) -> Array:
    """[S + 1] int64: where each state's actions stand in a table."""
    if env.model is not None:
        return np.ascontiguousarray(env.model.first_pair, np.int64)
    return np.arange(env.num_states + 1, dtype=np.int64) * env.spec.num_actions


def _spread(suffix: str, error: Array) -> dict[str, float]:
    return {
        f"error/max{suffix}": float(error.mean()),
        f"error/low{suffix}": float(error.min()),
        f"error/high{suffix}": float(error.max()),
    }
