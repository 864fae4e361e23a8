"""Environments with numbered states."""

import numpy as np
import pytest

from rltrain.envs.gym import numbered
from rltrain.envs.models import tabular
from rltrain.errors import InputError
from rltrain.experiment.settings import EnvironmentConfig
from rltrain.mdp import files


@pytest.mark.parametrize(
    ("name", "states", "actions", "known"),
    [("FrozenLake-v1", 16, 4, True), ("Taxi-v4", 501, 6, True), ("Blackjack-v1", 32 * 11 * 2, 2, False)],
)
def test_what_is_made(name: str, states: int, actions: int, known: bool) -> None:
    settings = EnvironmentConfig(id=name)
    env = numbered.make(settings, 2)
    assert (env.num_states, env.spec.num_actions, env.model is not None) == (states, actions, known)
    assert env.spec == numbered.describe(settings, 2)
    step = env.reset(0)
    assert step.obs.shape == (2, 1)
    assert step.obs.dtype == np.int64
    assert step.first.all()
    env.close()


@pytest.mark.parametrize("name", ["FrozenLake-v1", "Blackjack-v1"])
def test_saved_and_loaded_it_goes_on_alike(name: str) -> None:
    env, other = (numbered.make(EnvironmentConfig(id=name), 3) for _ in range(2))
    stream = np.random.default_rng(0)
    env.reset(5)
    for _ in range(40):
        env.step(stream.integers(env.spec.num_actions, size=3))
    other.load(env.save())
    for _ in range(40):
        action = stream.integers(env.spec.num_actions, size=3)
        for one, two in zip(env.step(action), other.step(action), strict=True):
            assert np.array_equal(one, two)


def test_an_impossible_action_becomes_a_possible_one() -> None:
    """In s1 the book's a1 is impossible; half of it is a0, which stays, and half a2, which burns."""
    env = tabular.Tabular(files.read(files.BOOK).model, 4000)
    env.reset(0)
    env._walks.state[:] = 1
    after = env.step(np.full(4000, 1)).obs[:, 0]
    assert set(after.tolist()) == {1, 2}
    assert (after == 1).mean() == pytest.approx(0.5, abs=0.04)  # 5 sigma


def test_the_limit_ends_an_episode_and_keeps_the_discount() -> None:
    env = tabular.Tabular(files.read(files.BOOK).model, 1, max_episode_steps=3)
    steps = [env.reset(0)] + [env.step(np.zeros(1)) for _ in range(8)]
    assert [bool(step.last[0]) for step in steps] == [False, False, False, True] * 2 + [False]
    assert [bool(step.first[0]) for step in steps] == [True, False, False, False] * 2 + [True]
    assert all(step.discount[0] == 1 for step in steps)


def test_mixed_radix() -> None:
    assert [numbered.mixed_radix([a, b], [2, 3]) for a in range(2) for b in range(3)] == list(range(6))


def test_what_has_no_numbers_is_refused() -> None:
    with pytest.raises(InputError, match=r"CartPole-v1 has observations Box.*`dqn`"):
        numbered.make(EnvironmentConfig(id="CartPole-v1"), 1)
