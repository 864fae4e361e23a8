"""TD learns the value of a policy."""

import numpy as np
import pytest

from rltrain.algos import td
from rltrain.algos._td_plugin import load_policy
from rltrain.core import Hardware
from rltrain.envs.gym import numbered
from rltrain.envs.models import tabular
from rltrain.errors import InputError
from rltrain.experiment.settings import EnvironmentConfig
from rltrain.mdp import files
from rltrain.rng import Streams

BOOK = files.read(files.BOOK).model


def make(env, seed: int = 0, **settings):  # type: ignore[no-untyped-def]
    return td.make(td.TdConfig.model_validate(settings), env, Streams(seed), Hardware())


@pytest.mark.parametrize("trace", [0.0, 0.5])
def test_it_comes_near_the_exact_value(trace: float) -> None:
    count = {"learning_rate": 1.0, "learning_rate_schedule": "count", "learning_rate_power": 0.8}
    algorithm = make(tabular.Tabular(BOOK), gamma=0.9, learners=4, trace_decay=trace, **count)
    first = algorithm.step()
    while algorithm.counters["env_steps"] < 200_000:
        metrics = algorithm.step()
    assert metrics["error/max"] < 1.0 < first["error/max"]
    assert metrics["value/true"] == pytest.approx(-5375 / 1992)  # the three equations, solved in fractions


class Hidden:
    """A known model that keeps its table to itself."""

    model = None

    def __init__(self, known: tabular.Tabular) -> None:
        self.known, self.spec, self.num_states = known, known.spec, known.num_states

    def single(self):  # type: ignore[no-untyped-def]
        return self.known.single()


@pytest.mark.parametrize("trace", [0.0, 0.5])
def test_step_by_step_is_the_compiled_loop_bit_for_bit(trace: float) -> None:
    env = numbered.make(EnvironmentConfig(id="FrozenLake-v1"), 1)
    fast, slow = (make(one, learners=2, report_every=1000, trace_decay=trace) for one in (env, Hidden(env)))
    fast.step()
    slow.step()
    assert fast.agent.q.any()
    assert np.array_equal(fast.agent.q, slow.agent.q)


def test_saved_and_loaded_it_ends_the_same() -> None:
    whole, first, second = (make(tabular.Tabular(BOOK), learners=2, trace_decay=0.3) for _ in range(3))
    rows = [str(whole.step()) for _ in range(4)]
    for _ in range(2):
        first.step()
    second.load(first.save())
    assert [str(second.step()) for _ in range(2)] == rows[2:]
    policy = load_policy(second.config, tabular.Tabular(BOOK).spec, second.save(), Hardware())
    assert set(policy.act(np.ones((50, 1), int)).tolist()) == {0, 2}  # what is possible in s1


def test_a_policy_file_needs_a_model() -> None:
    with pytest.raises(InputError, match="Blackjack-v1 has no known model; write random"):
        make(numbered.make(EnvironmentConfig(id="Blackjack-v1"), 1), policy="mine.yaml")
