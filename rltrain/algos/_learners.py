"""Learners of tables, side by side: what Q-learning and TD share beside their update rules.

There are `learners` for each learning rate, each with a table, a stream of random numbers and a world of its own:
learner k of rate i is row i * learners + k. All take their steps together, and the counters are those of each:
`env_steps` that it has taken, `episodes` that every one has finished. A known model is sampled in compiled code; any
other environment whose states can be numbered is played step by step, by the same rule; what it says can be done in a
state holds for the learner until it comes there again.

A unit of steps ends with a row of metrics. It may be paused within, where a counter reaches its limit, and goes on as
if it had not been.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

import numpy as np

from rltrain.core import Array, Metrics, Policy, State
from rltrain.counters import reached
from rltrain.envs.models.tabular import TabularEnv
from rltrain.errors import DivergedError, InputError
from rltrain.mdp.learn import q_learning, sampling
from rltrain.mdp.learn.masks import MaskedPairs
from rltrain.mdp.learn.q_learning import LearnerOptions, round_below, steps_to_a_limit
from rltrain.mdp.learn.saved import check_pending, restore_agent, restore_world
from rltrain.mdp.learn.table_policy import believed
from rltrain.rng import Streams, derive
from rltrain.saved import Saved
from rltrain.warm_start import Taken, WarmSource

CURVES = 10  # learners of a rate whose value is a column of its own


class LearnerSettings(Protocol):
    """The settings of an algorithm whose learners keep tables."""

    @property
    def learners(self) -> int: ...  # of each learning rate
    @property
    def rates(self) -> tuple[float, ...]: ...  # learning rates
    @property
    def start_value(self) -> float: ...
    @property
    def report_every(self) -> int | None: ...  # steps of a unit; None: more and more


class SavedPolicy(Policy, Protocol):
    """A policy with a state, from which it is restored without its learners."""

    def save(self) -> State: ...


class TableRule(Protocol):
    """An update rule, what its tables are held against, and the policy that they come to."""

    options: LearnerOptions
    table: str  # what its learners keep: "Q" or "V"
    columns: int  # of a table
    affordable: int  # steps of all learners together that take about a second
    least: int  # steps of a learner in its first units
    warnings: list[str]  # what it found in its world that a person should know

    def learn(self, learners: Learners, count: int) -> None: ...  # so many steps of every learner
    def metrics(self, learners: Learners) -> Metrics: ...
    def policy(self, learners: Learners) -> SavedPolicy: ...


class Learners:
    """An algorithm: tables, worlds and counters of many learners, which follow one rule."""

    def __init__(self, config: LearnerSettings, env: TabularEnv, rng: Streams, rule: TableRule) -> None:
        self.config, self.rule, self.model, self.num_actions = config, rule, env.model, env.spec.num_actions
        self.first_pair = first_pair(env)
        self.masked: MaskedPairs | None = None  # where an environment that is played says what can be done
        rates = np.repeat(config.rates, config.learners)
        streams = sampling.streams(rng.seed, "agent", len(rates))
        self.agent = q_learning.make_agent(rule.options, rule.columns, rates, streams, float(config.start_value))
        self.env_steps = 0
        self._begun = 0  # environment steps at which the unit that is paused began; else as many as there are
        self._limits: Mapping[str, int] = {}

        seeds = [derive(rng.seed, "train", number) for number in range(len(rates))]
        starts = np.array([sampling.streams(seed, "world", 1)[0] for seed in seeds])
        if env.model is not None:
            self.sampler = sampling.make(env.model)
            self.world = q_learning.make_world(self.sampler, starts)
            self.games = []
        else:
            self.world = q_learning.make_blank_world(starts)
            self.games = [env.single() for _ in seeds]
            if env.spec.masked:
                self.masked = MaskedPairs(self.first_pair, np.ones((len(seeds), int(self.first_pair[-1])), bool))
            for number, (game, seed) in enumerate(zip(self.games, seeds, strict=True)):
                self.world.state[number] = game.begin(seed)
                self._see(number, int(self.world.state[number]))

    @property
    def pairs(self) -> Array | MaskedPairs:
        """The pairs of each state, as compiled rules take them."""
        return self.first_pair if self.masked is None else self.masked

    @property
    def counters(self) -> Mapping[str, int]:
        return {"env_steps": self.env_steps, "episodes": int(self.world.episodes.min())}

    @property
    def warnings(self) -> list[str]:
        return self.rule.warnings

    @property
    def done(self) -> bool:
        return False

    def pause_at(self, limits: Mapping[str, int]) -> None:
        self._limits = limits

    @property
    def paused(self) -> bool:
        return self._begun < self.env_steps

    def step(self) -> Metrics:
        end = self._begun + self._unit()
        while self.env_steps < end:
            count = steps_to_a_limit(self._limits, self.counters, end - self.env_steps)
            with np.errstate(over="ignore"):  # streams wrap around, in plain Python too
                self.rule.learn(self, count)
            self.env_steps += count
            if not np.isfinite(self.agent.q).all():
                raise DivergedError(
                    f"{self.rule.table} has values that are no numbers; lower algorithm.learning_rate or trace_decay"
                )
            if reached(self._limits, self.counters):
                break
        if self.env_steps == end:
            self._begun = end
        return self.so_far()

    def so_far(self) -> Metrics:
        return self.rule.metrics(self)

    def _unit(self) -> int:
        """How many steps a unit has: 1, 2 or 5 times a power of ten, a function of the steps before it alone."""
        most = max(100, self.rule.affordable // len(self.agent.q))
        return self.config.report_every or round_below(min(most, max(self.rule.least, self._begun // 20)))

    def play(
        self, count: int, choose: Callable[..., int], observe: Callable[..., None], turn: Callable[..., int]
    ) -> None:
        """Take so many steps of environments that can only be sampled, one learner after the other.

        `choose(learner, state, t)` gives a pair; `observe(learner, t, state, pair, reward, after, terminal, last)`
        learns from a step; `turn(..., following)` does so, and gives the next pair, in the state `following`.
        """
        width, end, masked = int(self.first_pair[1]), self.env_steps + count, self.masked is not None
        for learner, game in enumerate(self.games):
            state, total = int(self.world.state[learner]), float(self.world.running[learner])
            pair = int(choose(learner, state, self.env_steps))
            for t in range(self.env_steps, end):
                after, reward, terminal, last = game.play(pair - state * width)
                total += reward
                seen = (learner, t, state, pair, reward, after, terminal, last)
                if masked:  # before the next episode says what is possible there
                    self._see(learner, after)
                    observe(*seen)
                following = after
                if last:
                    q_learning.count_episode(self.world, learner, total)
                    following, total = game.again(), 0.0
                    if masked:
                        self._see(learner, following)
                if t + 1 < end:
                    pair = int(choose(learner, following, t + 1)) if masked else turn(*seen, following)
                elif not masked:  # what comes next is drawn when it does
                    observe(*seen)
                state = following
            self.world.state[learner], self.world.running[learner] = state, total

    def _see(self, learner: int, state: int) -> None:
        """Take in what the learner's game says can be done in the state where it stands."""
        if self.masked is not None:
            self.masked.see(learner, state, self.games[learner].mask)

    def start_from(self, source: WarmSource, there: Array, here: Array) -> Taken:
        """Take over the tables of another run, where the entries mean the same. InputError if none do, CheckpointError.

        there, here   int64 [columns] what the entries of its tables and of these mean, each once

        Of as many learners each takes its own; else all take the first one's. Of two tables, as double Q-learning keeps
        them, the mean goes to one, and one goes to both.
        """
        agent = source.state.part("agent")
        q = agent.array("q", "float64", (None, len(there)))
        second = agent.array("second", "float64", (len(q), None))
        if not len(q) or second.shape[1] not in (0, len(there)):
            agent.refuse("second", f"{list(second.shape)}; must be as q is, {list(q.shape)}, or empty")
        both = second.size and self.agent.second.size
        common, own, other = np.intersect1d(here, there, assume_unique=True, return_indices=True)
        if not len(common):
            raise InputError(f"no entry of its table {self.rule.table} is one here")
        rows, alike = len(self.agent.q), len(q) == len(self.agent.q)
        for table, values in zip(self.agent[:2], (q, second) if both else [believed(q, second)] * 2, strict=True):
            if table.size:
                table[:, own] = values[:, other] if alike else values[0, other]
        whose = "" if rows == 1 else f" of all {rows} learners" if alike else f" of its first learner, for all {rows}"
        left = len(here) - len(common)
        return Taken(
            [f"the table {self.rule.table}{whose}, {len(common):,} entries"],
            [f"{left:,} entries of the table, which it has not"] if left else [],
        )

    # What is seen from outside

    @property
    def mean_return(self) -> float:
        """Mean return of each learner's last 100 episodes; NaN before there is one."""
        returns = self.world.recent[np.isfinite(self.world.recent)]
        return float(returns.mean()) if len(returns) else math.nan

    @property
    def learning_rate(self) -> float:
        """The first learning rate, as its schedule has made it; NaN where it depends on what was visited."""
        options = self.rule.options
        return float(self.config.rates[0] / (1 + options.decay * self.env_steps)) if not options.omega else math.nan

    def by_rate(self) -> Iterator[tuple[str, slice]]:
        """(name, rows) of each learning rate: the rows of its learners in a table [L, columns]."""
        for number, rate in enumerate(self.config.rates):
            yield f"{rate:g}", slice(number * self.config.learners, (number + 1) * self.config.learners)

    def policy(self) -> SavedPolicy:
        return self.rule.policy(self)

    def save(self) -> State:
        agent = self.agent._asdict().items()
        return {
            "env_steps": self.env_steps,
            "agent": {name: array.copy() for name, array in agent if name not in q_learning.FIXED},
            "world": {name: array.copy() for name, array in self.world._asdict().items()},
            "games": [game.save() for game in self.games],
            "policy": self.policy().save(),
            **({} if self.masked is None else {"possible": self.masked.possible.copy()}),
            **({"begun": self._begun} if self.paused else {}),
        }

    def load(self, state: State) -> None:
        saved = Saved.of(state)
        self.env_steps = saved.integer("env_steps")
        self._begun = saved.integer("begun", 0, self.env_steps) if "begun" in saved else self.env_steps
        if self.env_steps >= self._begun + self._unit():
            saved.refuse("begun", f"{self._begun}; what began there was over before step {self.env_steps}")
        restore_agent(saved.part("agent"), self.agent, sarsa=self.rule.options.method == q_learning.SARSA)
        restore_world(saved.part("world"), self.world, self.first_pair, self.rule.options.limit)
        check_pending(saved.part("agent"), self.agent, self.world, self.first_pair)
        if self.masked is not None:
            saved.fill("possible", self.masked.possible)
        games = saved.listed("games", len(self.games))
        for number, game in enumerate(self.games):
            game.load(games.part(str(number)))
            if game.over:  # nothing that belongs to the running episode goes on
                self.world.state[number], self.world.running[number] = game.again(), 0.0
                self.agent.pending[number], self.agent.traces[number] = -1, 0
                self._see(number, int(self.world.state[number]))


def first_pair(env: TabularEnv) -> Array:
    """[S + 1] int64: where each state's actions stand in a table of pairs."""
    if env.model is not None:
        return np.ascontiguousarray(env.model.first_pair, np.int64)
    return np.arange(env.num_states + 1, dtype=np.int64) * env.spec.num_actions
