"""Gymnasium's vectorised CartPole behind our protocol: the same physics as single games, and exact saves."""

import numpy as np
import pytest

from rltrain import envs
from rltrain.core import Step
from rltrain.envs.gym.cartpole import LEAST_ENVS, Vector
from rltrain.envs.serial import Serial
from rltrain.errors import CheckpointError, InputError
from rltrain.experiment.settings import EnvironmentConfig


def make(num_envs: int = LEAST_ENVS, env_id: str = "CartPole-v1", **settings: object) -> Vector:
    env = envs.make(EnvironmentConfig(id=env_id, **settings), num_envs=num_envs)  # type: ignore[arg-type]
    assert isinstance(env, Vector)
    return env


def play(env: Vector, steps: int, seed: int = 0) -> list[Step]:
    stream = np.random.default_rng(seed)
    return [env.step(stream.integers(0, 2, env.spec.num_envs)) for _ in range(steps)]


def equal(one: list[Step], other: list[Step]) -> bool:
    return all(np.array_equal(a, b) for x, y in zip(one, other, strict=True) for a, b in zip(x, y, strict=True))


def test_few_lanes_are_single_games_and_many_are_one_step() -> None:
    assert isinstance(envs.make(EnvironmentConfig(id="CartPole-v1"), num_envs=LEAST_ENVS - 1), Serial)
    assert isinstance(envs.make(EnvironmentConfig(id="MountainCar-v0"), num_envs=LEAST_ENVS), Serial)
    assert make().spec.num_envs == LEAST_ENVS


def test_a_game_is_the_game_of_the_single_environment() -> None:
    import gymnasium

    env = make()
    single = gymnasium.make("CartPole-v1").unwrapped
    now = env.reset(3)
    single.reset(seed=0)
    single.state = env._env.state[:, 5].copy()
    stream = np.random.default_rng(1)
    while not now.last[5]:
        action = stream.integers(0, 2, LEAST_ENVS)
        now = env.step(action)
        obs, reward, terminated, _, _ = single.step(int(action[5]))
        np.testing.assert_allclose(now.obs[5], obs, rtol=1e-6)
        assert (now.reward[5], now.discount[5]) == (reward, 0.0 if terminated else 1.0)


def test_first_follows_last_and_pays_nothing() -> None:
    env = make()
    env.reset(0)
    before = None
    for step in play(env, 200):
        if before is not None:
            assert np.array_equal(step.first, before.last)
        assert not step.reward[step.first].any() and (step.reward[~step.first] == 1).all()
        assert (np.abs(step.obs[step.first]) <= 0.05).all()
        before = step


def test_a_time_limit_keeps_the_discount() -> None:
    env = make(max_episode_steps=5)
    env.reset(0)
    steps = play(env, 5)
    assert steps[-1].last.all() and (steps[-1].discount == 1).all()
    assert make(env_id="CartPole-v0").spec.max_episode_steps == 200


def test_saved_in_the_middle_it_goes_on_to_the_bit() -> None:
    env = make()
    env.reset(7)
    play(env, 60)
    state = env.save()
    on = play(env, 200, seed=1)
    other = make()
    other.load(state)
    assert equal(play(other, 200, seed=1), on)
    assert sum(step.last.sum() for step in on) > LEAST_ENVS  # the starts after the save came from the saved stream


def test_the_seed_is_the_game() -> None:
    one, other, third = make(), make(), make()
    assert np.array_equal(one.reset(1).obs, other.reset(1).obs)
    assert not np.array_equal(one.reset(1).obs, third.reset(2).obs)
    assert equal(play(one, 50), play(other, 50))


def test_arguments_reach_it_and_wrong_ones_are_named() -> None:
    env = make(kwargs={"sutton_barto_reward": True})
    env.reset(0)
    assert min(step.reward.min() for step in play(env, 60)) == -1
    with pytest.raises(InputError, match=r"environment\.kwargs"):
        make(kwargs={"no_such_thing": 1})


def test_another_number_of_lanes_is_refused() -> None:
    env = make()
    env.reset(0)
    with pytest.raises(CheckpointError, match="saved with 16"):
        make(num_envs=20).load(env.save())
