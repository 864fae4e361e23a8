"""Q-learning learns what is true, and does the same wherever it is played."""

import math
from pathlib import Path

import numpy as np
import pytest
import yaml
from pydantic import ValidationError

from rltrain.algos import qlearn
from rltrain.algos._qlearn_plugin import load_policy
from rltrain.core import Hardware
from rltrain.envs.gym import numbered
from rltrain.envs.models import tabular
from rltrain.experiment.settings import EnvironmentConfig
from rltrain.mdp import files
from rltrain.mdp.learn.table_policy import believed
from rltrain.rng import Streams

CONFIGS = Path(__file__).parents[2] / "configs"
BOOK = files.read(files.BOOK).model


def make(env, seed: int = 0, **settings):  # type: ignore[no-untyped-def]
    return qlearn.make(qlearn.QlearnConfig.model_validate(settings), env, Streams(seed), Hardware())


def q_of(learners):  # type: ignore[no-untyped-def]
    return believed(learners.agent.q, learners.agent.second)


def learn(algorithm, steps: int):  # type: ignore[no-untyped-def]
    while algorithm.counters["env_steps"] < steps:
        metrics = algorithm.step()
    assert algorithm.counters["env_steps"] == steps
    return metrics


class Hidden:
    """A known model that keeps its table to itself: what only can be sampled."""

    model = None

    def __init__(self, known: tabular.Tabular) -> None:
        self.known, self.spec, self.num_states = known, known.spec, known.num_states

    def single(self):  # type: ignore[no-untyped-def]
        return self.known.single()


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"learning_rate_schedule": "count"},
        {"exploration": "softmax", "temperature": 0.1},
        {"exploration": "bonus"},
        {"method": "double"},
        {"method": "sarsa"},
        {"method": "expected_sarsa"},
        {"trace_decay": 0.7},
    ],
    ids=str,
)
def test_step_by_step_is_the_compiled_loop_bit_for_bit(settings) -> None:  # type: ignore[no-untyped-def]
    env = numbered.make(EnvironmentConfig(id="FrozenLake-v1"), 1)
    same = {"learners": 2, "report_every": 1500, "exploration_steps": 1000, **settings}
    fast, slow = make(env, **same), make(Hidden(env), **same)
    fast.step()
    slow.step()
    assert fast.counters == slow.counters
    assert fast.counters["episodes"] > 10
    acting = ~env.model.terminal
    by_action = q_of(slow).reshape(2, 16, 4)[:, acting].reshape(2, -1)  # it does not know which states are terminal
    assert np.array_equal(q_of(fast), by_action)
    assert np.array_equal(fast.world.recent, slow.world.recent, equal_nan=True)
    choices = [algorithm.policy().act(np.arange(16)[:, None])[acting] for algorithm in (fast, slow)]
    assert np.array_equal(*choices)


def test_ten_learners_of_ten_come_within_a_half_on_the_book() -> None:
    settings = yaml.safe_load((CONFIGS / "qlearn_book.yaml").read_text())["algorithm"]
    del settings["name"]
    metrics = learn(make(tabular.Tabular(BOOK), **settings), 1_000_000)
    assert settings["learners"] == 10
    assert metrics["error/high"] < 0.5
    assert metrics["policy/right"] == 1.0
    assert metrics["regret"] == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_the_mended_listing_beats_the_chapters(seed: int) -> None:
    """20,000 steps at 0.95: with the chapter's schedule, its update mended, Q(s0, a0) is about 5 of 21.9."""
    same = {"gamma": 0.95, "exploration": "uniform", "learners": 10}
    ours = make(
        tabular.Tabular(BOOK), seed, **same,
        learning_rate=1.0, learning_rate_schedule="count", learning_rate_power=0.8,
    )  # fmt: skip
    its = make(
        tabular.Tabular(BOOK), seed, **same,
        learning_rate=0.05, learning_rate_schedule="decay", learning_rate_decay=0.1,
    )  # fmt: skip
    assert learn(its, 20_000)["error/low"] > 15
    assert q_of(its)[:, 0].mean() == pytest.approx(5, abs=1)
    assert learn(ours, 20_000)["error/max"] < 5
    assert q_of(ours)[:, 0].mean() == pytest.approx(21.9, abs=3)


@pytest.mark.parametrize(
    "settings",
    [
        {"method": "double"},
        {"trace_decay": 0.5},
        {"exploration": "softmax", "temperature": 5.0},
        {"exploration": "bonus", "exploration_bonus": 1000.0},
        {"method": "expected_sarsa", "exploration": "epsilon", "exploration_steps": 50_000},
        {"method": "sarsa", "exploration": "epsilon", "exploration_steps": 50_000},
        {"exploration": "epsilon", "start_value": 100.0, "exploration_initial_eps": 0.1, "exploration_final_eps": 0.1},
    ],
    ids=str,
)  # fmt: skip
def test_every_rule_finds_the_best_policy_of_the_book(settings) -> None:  # type: ignore[no-untyped-def]
    same = {"gamma": 0.9, "exploration": "uniform", "learners": 4, "learning_rate": 1.0}
    count = {"learning_rate_schedule": "count", "learning_rate_power": 0.7, "report_every": 200_000}
    metrics = learn(make(tabular.Tabular(BOOK), **{**same, **count, **settings}), 200_000)
    assert metrics["policy/right"] == 1.0


def test_frozen_lake_is_learned() -> None:
    env = numbered.make(EnvironmentConfig(id="FrozenLake-v1"), 1)
    algorithm = make(
        env, learners=2, learning_rate=1.0, learning_rate_schedule="count",
        exploration_steps=500_000, exploration_final_eps=0.1,
    )  # fmt: skip
    metrics = learn(algorithm, 1_000_000)
    assert metrics["regret"] < 0.01
    assert metrics["q/true"] == pytest.approx(0.542026, abs=1e-6)


@pytest.mark.parametrize("name", ["FrozenLake-v1", "Blackjack-v1"])
def test_saved_and_loaded_it_ends_the_same(name: str) -> None:
    settings = {"learners": 2, "learning_rate": (0.5, 0.1), "trace_decay": 0.3, "report_every": 200}
    env = numbered.make(EnvironmentConfig(id=name), 1)
    whole, first, second = (make(env, **settings) for _ in range(3))
    rows = [str(whole.step()) for _ in range(4)]
    for _ in range(2):
        first.step()
    second.load(first.save())
    assert [str(second.step()) for _ in range(2)] == rows[2:]
    assert np.array_equal(q_of(whole), q_of(second))
    obs = np.arange(16)[:, None]
    loaded = load_policy(second.config, env.spec, second.save(), Hardware())
    assert np.array_equal(loaded.act(obs), whole.policy().act(obs))


def test_each_learning_rate_has_its_own_columns() -> None:
    metrics = make(tabular.Tabular(BOOK), learners=2, learning_rate=(0.5, 0.05)).step()
    assert [key for key in metrics if key.startswith("q/")] == ["q/true", "q/0.5/0", "q/0.5/1", "q/0.05/0", "q/0.05/1"]
    both = (metrics["error/max/0.5"] + metrics["error/max/0.05"]) / 2
    assert metrics["error/max"] == pytest.approx(both)
    assert metrics["error/low"] <= metrics["error/max"] <= metrics["error/high"]


def test_without_a_truth_its_columns_are_there_and_empty() -> None:
    metrics = make(numbered.make(EnvironmentConfig(id="Blackjack-v1"), 1)).step()
    assert math.isnan(metrics["error/max"])
    assert -1 <= metrics["return/mean"] <= 1


def test_rounds_end_at_round_numbers() -> None:
    algorithm, seen = make(tabular.Tabular(BOOK)), set()
    while algorithm.counters["env_steps"] < 2_000_000:
        algorithm.step()
        seen.add(algorithm.counters["env_steps"])
    assert {100, 1_000, 5_000, 10_000, 20_000, 50_000, 100_000, 500_000, 1_000_000, 2_000_000} <= seen
    assert len(seen) < 250


def test_traces_are_for_two_methods() -> None:
    with pytest.raises(ValidationError, match="traces are for the methods q and sarsa"):
        qlearn.QlearnConfig.model_validate({"method": "double", "trace_decay": 0.5})
