"""Actions of environments that Gymnasium numbers have names, which are the same wherever they are asked for."""

from __future__ import annotations

import pytest

from rltrain import envs
from rltrain.envs.gym.action_names import ACTIONS, named
from rltrain.experiment.settings import EnvironmentConfig
from rltrain.spaces import Discrete

HERE = ("CartPole-v1", "MountainCar-v0", "Acrobot-v1", "FrozenLake-v1", "FrozenLake8x8-v1", "Taxi-v4", "Blackjack-v1")
TABLES = ("FrozenLake-v1", "CliffWalking-v1", "Taxi-v4")


@pytest.mark.parametrize("name", HERE)
def test_a_spec_has_the_names(name: str) -> None:
    wanted = ACTIONS[name.split("-")[0].rstrip("8x")]
    assert envs.describe(EnvironmentConfig(id=name)).action_names == wanted
    if name in TABLES:
        assert envs.describe(EnvironmentConfig(id=name), task="tabular").action_names == wanted


@pytest.mark.parametrize("name", TABLES)
def test_a_table_that_is_solved_has_the_same_names(name: str) -> None:
    model = envs.model_named(name)
    assert model is not None
    assert list(model.actions) == list(ACTIONS[name.split("-")[0]])


def test_names_of_an_environments_own_and_other_numbers_of_actions_stay() -> None:
    assert named("my/CartPole-v3", Discrete(2)) == Discrete(2, ("left", "right"))
    assert named("CartPole-v1", Discrete(2, ("a", "b"))) == Discrete(2, ("a", "b"))
    assert named("CartPole-v1", Discrete(3)) == Discrete(3)
