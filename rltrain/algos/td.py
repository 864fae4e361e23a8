"""Temporal-difference evaluation of a policy, against the truth.

    V(s) <- V(s) + alpha (r + gamma V(s') - V(s))                                         (Sutton 1988)

with `trace_decay` TD(lambda). The update rule is compiled code, in `mdp.learn.td`. Many learners with tables of their
own take their steps side by side: see `_learners`. The policy is the one that is valued.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from rltrain.algos._learners import CURVES, Learners, first_pair
from rltrain.algos._td_config import TdConfig
from rltrain.core import Array, Hardware, Metrics
from rltrain.envs.models.tabular import TabularEnv
from rltrain.errors import InputError
from rltrain.mdp import graph, pairs
from rltrain.mdp.files import policy_files
from rltrain.mdp.learn import q_learning, sampling, td, truth
from rltrain.mdp.learn.q_learning import LearnerOptions
from rltrain.mdp.learn.stochastic_policy import StochasticPolicy
from rltrain.rng import Streams
from rltrain.warm_start import Taken, WarmSource


def options_of(config: TdConfig, limit: int | None) -> LearnerOptions:
    """The settings as numbers for compiled code; those of choosing actions mean nothing here."""
    return LearnerOptions(
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


class TemporalDifferences:
    """A `TableRule`: TD(lambda), and how far the tables are from the policy's true values."""

    def __init__(self, config: TdConfig, env: TabularEnv) -> None:
        self.config = config
        self.options = options_of(config, env.spec.max_episode_steps)
        self.table, self.columns = "V", env.num_states
        self.affordable, self.least = 10_000 if env.model is None else 2_000_000, 100
        self.taken = taken_by(config.policy, env)  # [P] the policy
        self.chooser = sampling.chooser(first_pair(env), self.taken)
        self.truth: Array | None = None  # [S]
        if env.model is not None:
            self.truth = truth.of_policy(env.model, self.taken, float(config.gamma))
            self.states = np.flatnonzero(graph.reachable(env.model) & ~env.model.terminal)
            if self.truth is not None:
                self.states = self.states[np.isfinite(self.truth[self.states])]
                self.truth = self.truth if len(self.states) else None
        self.warnings = [truth.NO_VALUES_OF_POLICY] if env.model is not None and self.truth is None else []

    def learn(self, learners: Learners, count: int) -> None:
        options, chooser, agent = self.options, self.chooser, learners.agent
        if learners.model is None:
            plain, masked = (tuple(options), tuple(chooser), tuple(agent)), learners.masked
            learners.play(
                count,
                choose=lambda learner, state, t: (
                    td.follow(chooser, agent, learner, state)
                    if masked is None
                    else td.follow_possible(masked, agent, learner, state)
                ),
                observe=lambda learner, t, state, pair, *seen: td.observe(options, agent, learner, t, state, *seen),
                turn=lambda learner, t, state, pair, *seen: td.turn(*plain, learner, t, state, *seen),
            )
        else:
            td.learn(options, learners.sampler, chooser, agent, learners.world, learners.env_steps, count)

    def metrics(self, learners: Learners) -> Metrics:
        metrics = {
            "return/mean": learners.mean_return,
            "error/max": math.nan,  # max |V - V_pi| over the states that can be reached, mean over the learners
            "error/rms": math.nan,
            "learning_rate": learners.learning_rate,
        }
        if self.truth is None:
            return metrics
        value, watched = learners.agent.q, int(learners.sampler.start[0])  # [L, S]
        error = np.abs(value[:, self.states] - self.truth[self.states])
        metrics |= {
            "error/max": float(error.max(axis=1).mean()),
            "error/rms": float(np.sqrt((error**2).mean(axis=1)).mean()),
            "value/true": float(self.truth[watched]),
        }
        for rate, rows in learners.by_rate():
            if len(self.config.rates) > 1:
                metrics[f"error/max/{rate}"] = float(error[rows].max(axis=1).mean())
            for learner, own in enumerate(value[rows, watched][:CURVES]):
                metrics[f"value/{rate}/{learner}"] = float(own)
        return metrics

    def policy(self, learners: Learners) -> StochasticPolicy:
        action = learners.model.action if learners.model else None
        return StochasticPolicy(learners.first_pair, action, self.taken, learners.num_actions)


def make(config: TdConfig, env: TabularEnv, rng: Streams, hardware: Hardware) -> Learners:
    """Learners of V in worlds like `env`; where nothing follows they know that V is 0."""
    learners = Learners(config, env, rng, TemporalDifferences(config, env))
    if env.model is not None:
        learners.agent.q[:, env.model.terminal] = 0.0
    return learners


def warm_start(algorithm: Learners, source: WarmSource) -> Taken:
    """Take over the values of states, of a world that has as many; that of a terminal state is known to be 0.

    InputError for a world of another number of states, CheckpointError.
    """
    source.check_made_by("td")
    there = len(source.state.part("policy").array("first_pair", "int64", (None,))) - 1
    if there != algorithm.rule.columns:
        raise InputError(f"its table is of {there:,} states, and here are {algorithm.rule.columns:,}")
    own = np.arange(there)
    return algorithm.start_from(source, own, own if algorithm.model is None else own[~algorithm.model.terminal])


def taken_by(name: str, env: TabularEnv) -> Array:
    """[P] the probability of each pair in its state under the policy of this name, random or a file's. InputError."""
    if env.model is not None:
        return pairs.uniform(env.model) if name == "random" else policy_files.read(Path(name), env.model)
    if name != "random":
        raise InputError(f"algorithm.policy: {name}: {env.spec.id} has no known model; write random")
    return np.full(int(first_pair(env)[-1]), 1 / env.spec.num_actions)
