"""Tabular Q-learning and its relatives, held against the truth.

    Q(s, a) <- Q(s, a) + alpha (r + gamma max_a' Q(s', a') - Q(s, a))          (Watkins 1989)

The update rules are compiled code, in `mdp.learn.q_learning` (this one) and `mdp.learn.rules` (double Q-learning,
SARSA, expected SARSA, traces, softmax, bonus). Many learners with tables of their own take their steps side by side:
see `_learners`. The policy is the greedy one of the first learner of the first learning rate.
"""

from __future__ import annotations

import math
from functools import partial

import numpy as np

from rltrain.algos._learners import CURVES, Learners, first_pair
from rltrain.algos._qlearn_config import QlearnConfig
from rltrain.core import Array, Hardware, Metrics
from rltrain.envs.models.tabular import TabularEnv
from rltrain.errors import InputError
from rltrain.mdp.learn import q_learning, rules, truth
from rltrain.mdp.learn.q_learning import LearnerOptions
from rltrain.mdp.learn.table_policy import TablePolicy, believed, greedy
from rltrain.rng import Streams
from rltrain.saved import ANY_INTEGER
from rltrain.warm_start import Taken, WarmSource

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


def options_of(config: QlearnConfig, limit: int | None) -> LearnerOptions:
    """The settings as numbers for compiled code; `limit`: the steps of an episode, None: no end."""
    uniform = config.exploration == "uniform"
    return LearnerOptions(
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


class QLearning:
    """A `TableRule`: the update of `config.method`, and how far the tables are from the truth."""

    def __init__(self, config: QlearnConfig, env: TabularEnv) -> None:
        self.config = config
        self.options = options_of(config, env.spec.max_episode_steps)
        plain = self.options.exploration == q_learning.EPSILON and self.options.method == q_learning.PLAIN
        self._plain = plain and self.options.trace == 0  # for which there is faster code
        self.table, self.columns = "Q", int(first_pair(env)[-1])
        self.affordable = 10_000 if env.model is None else 10_000_000 if self._plain else 1_000_000
        self.least = max(100, self.columns // 10)
        self.truth = None if env.model is None else truth.of_model(env.model, float(config.gamma))
        self.warnings = [truth.NO_VALUES] if env.model is not None and self.truth is None else []

    def learn(self, learners: Learners, count: int) -> None:
        options, agent = self.options, learners.agent
        if learners.model is None:
            pairs = learners.pairs
            learners.play(
                count,
                choose=partial(rules.choose, options, pairs, agent),
                observe=partial(rules.observe, options, pairs, agent),
                turn=partial(rules.turn, tuple(options), pairs, tuple(agent)),
            )
        else:
            learn = q_learning.learn_plain if self._plain else rules.learn
            learn(options, learners.sampler, agent, learners.world, learners.env_steps, count)

    def metrics(self, learners: Learners) -> Metrics:
        nan = math.nan
        exploring = self.options.exploration == q_learning.EPSILON
        metrics = {
            "return/mean": learners.mean_return,
            "error/max": nan,
            "error/low": nan,
            "error/high": nan,
            "policy/right": nan,
            "regret": nan,
            "epsilon": float(q_learning.epsilon_at(self.options, learners.env_steps)) if exploring else nan,
            "learning_rate": learners.learning_rate,
        }
        if self.truth is None:
            return metrics
        q = believed(learners.agent.q, learners.agent.second)
        found = self.truth.judge(q)
        metrics |= {
            **_spread("", found.error),
            "policy/right": float(found.right.mean()),
            "regret": float(found.regret[np.isfinite(found.regret)].mean()) if np.isfinite(found.regret[0]) else nan,
            "q/true": float(self.truth.solution.q[self.truth.watched]),
        }
        for rate, rows in learners.by_rate():
            if len(self.config.rates) > 1:
                metrics |= _spread(f"/{rate}", found.error[rows])
            for learner, value in enumerate(q[rows, self.truth.watched][:CURVES]):
                metrics[f"q/{rate}/{learner}"] = float(value)
        return metrics

    def policy(self, learners: Learners) -> TablePolicy:
        action = learners.model.action if learners.model else None
        q = believed(learners.agent.q, learners.agent.second)
        possible = None if learners.masked is None else learners.masked.possible[0]
        return greedy(learners.first_pair, action, q[0], learners.num_actions, possible)


def make(config: QlearnConfig, env: TabularEnv, rng: Streams, hardware: Hardware) -> Learners:
    """Learners of Q in worlds like `env`."""
    return Learners(config, env, rng, QLearning(config, env))


def warm_start(algorithm: Learners, source: WarmSource) -> Taken:
    """Take over the values of pairs of state and action that both worlds have, of which each has as many states.

    InputError for a world of other states or actions, CheckpointError.
    """
    source.check_made_by("qlearn")
    policy, states, most = source.state.part("policy"), len(algorithm.first_pair) - 1, algorithm.num_actions
    pairs = policy.array("pairs", ANY_INTEGER, (None,), 0)
    action = policy.array("action", ANY_INTEGER, (int(pairs.sum()),), 0)
    if len(pairs) != states or action.max(initial=0) >= most:
        there = f"{len(pairs):,} states and {max(action.max(initial=0) + 1, 1):,} actions"
        raise InputError(f"its table is of {there}, and here are {states:,} and {most:,}")
    entries, own = _numbered(pairs, action, most), algorithm.policy().save()
    if len(np.unique(entries)) < len(entries):
        policy.refuse("action", "an action twice in one state; must be different ones")
    return algorithm.start_from(source, entries, _numbered(own["pairs"], own["action"], most))


def _numbered(pairs: Array, action: Array, num_actions: int) -> Array:
    """int64 [P] a number for each pair of state and action, from how many each state has, [S], and their actions."""
    return np.repeat(np.arange(len(pairs)), pairs) * num_actions + action.astype(np.int64)


def _spread(suffix: str, error: Array) -> dict[str, float]:
    return {
        f"error/max{suffix}": float(error.mean()),
        f"error/low{suffix}": float(error.min()),
        f"error/high{suffix}": float(error.max()),
    }
