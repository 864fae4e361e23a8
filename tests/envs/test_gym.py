"""Gymnasium ids: spaces as an algorithm sees them, time limits, exact resume."""

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

from rltrain import envs
from rltrain.errors import InputError
from rltrain.experiment.settings import EnvironmentConfig


class Probe(gymnasium.Env):
    """Shows a sample of whatever space it is given; actions count from `start`."""

    def __init__(self, observation_space, action_space=None):
        self.observation_space = observation_space
        self.action_space = action_space or spaces.Discrete(3, start=5)
        self.seen = []

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.observation_space.seed(seed)
        return self.observation_space.sample(), {}

    def step(self, action):
        self.seen.append(action)
        assert self.action_space.contains(action)
        return self.observation_space.sample(), 1.0, False, False, {}


@pytest.fixture
def probe():
    """Registers a Probe of a space and returns its settings."""
    names = []

    def register(space, action_space=None):
        name = f"Probe{len(names)}-v0"
        names.append(name)
        gymnasium.register(name, entry_point=lambda: Probe(space, action_space))
        return EnvironmentConfig(id=name)

    yield register
    for name in names:
        del gymnasium.registry[name]


@pytest.mark.parametrize(
    ("space", "shape", "dtype"),
    [
        (spaces.Box(0, 255, (12, 10, 3), np.uint8), (3, 12, 10), "uint8"),  # image, channels last
        (spaces.Box(0, 255, (4, 12, 10), np.uint8), (4, 12, 10), "uint8"),  # a stack of frames
        (spaces.Box(0, 255, (12, 10), np.uint8), (1, 12, 10), "uint8"),
        (spaces.Box(0, 255, (128,), np.uint8), (128,), "float32"),  # a RAM is no image
        (spaces.Box(-1, 1, (4,), np.float64), (4,), "float32"),
        (spaces.Box(-1, 1, (2, 3), np.float32), (6,), "float32"),
        (spaces.Discrete(7), (7,), "float32"),
        (spaces.MultiBinary(5), (5,), "float32"),
        (spaces.Tuple((spaces.Discrete(2), spaces.Box(-1, 1, (3,)))), (5,), "float32"),
    ],
)
def test_observations_become_images_or_vectors(probe, space, shape, dtype):
    settings = probe(space)
    env = envs.make(settings, num_envs=2)
    assert (env.spec.obs_shape, env.spec.obs_dtype) == (shape, dtype)
    assert env.spec == envs.describe(settings, num_envs=2)
    for step in (env.reset(0), env.step(np.array([0, 2]))):  # 5 and 7 to the Probe, which would complain
        assert step.obs.shape == (2, *shape)
        assert step.obs.dtype == dtype


def test_an_image_is_transposed_and_not_reshaped(probe):
    settings = probe(spaces.Box(0, 255, (12, 10, 3), np.uint8))
    env, raw = envs.make(settings), gymnasium.make(settings.id, disable_env_checker=True)
    step = env.reset(0)
    image, _ = raw.reset(seed=int(np.random.default_rng(0).integers(9)))
    assert image.shape == (12, 10, 3)
    # The same seed again: lane 0, episode 0.
    from rltrain.rng import derive

    image, _ = raw.reset(seed=derive(0, 0, 0))
    assert all(np.array_equal(step.obs[0, channel], image[:, :, channel]) for channel in range(3))


@pytest.mark.parametrize(
    ("space", "action_space", "word"),
    [
        (spaces.Box(-1, 1, (2,)), spaces.Tuple([spaces.Box(-1, 1, (1,)), spaces.Discrete(2)]), "choices alone"),
        (spaces.Sequence(spaces.Discrete(2)), None, "vector or an image"),
    ],
)
def test_spaces_that_are_not_for_us_are_refused(probe, space, action_space, word):
    with pytest.raises(InputError, match=word):
        envs.make(probe(space, action_space))


def test_arguments_go_through_and_wrong_ones_are_named():
    slippery = EnvironmentConfig(id="FrozenLake-v1", kwargs={"is_slippery": False})
    env = envs.make(slippery)
    env.reset(0)
    assert env.step(np.array([2])).obs[0].argmax() == 1  # right, for sure
    with pytest.raises(InputError, match=r"environment.kwargs: FrozenLake-v1 refuses .*slip_er_y"):
        envs.make(EnvironmentConfig(id="FrozenLake-v1", kwargs={"slip_er_y": 1}))


def test_a_death_ends_the_return_and_a_time_limit_does_not():
    env = envs.make(EnvironmentConfig(id="CartPole-v1", max_episode_steps=5), num_envs=1)
    env.reset(0)
    steps = [env.step(np.array([t % 2])) for t in range(5)]
    assert steps[-1].last[0] and steps[-1].discount[0] == 1
    assert env.spec.max_episode_steps == 5
    env = envs.make(EnvironmentConfig(id="CartPole-v1"), num_envs=1)
    env.reset(0)
    steps = [env.step(np.array([0])) for _ in range(12)]
    fallen = next(step for step in steps if step.last[0])
    assert fallen.discount[0] == 0
    assert (env.spec.max_episode_steps, env.spec.reward_threshold) == (500, 475.0)


@pytest.mark.parametrize(
    "name", ["CartPole-v1", "Acrobot-v1", "MountainCar-v0", "Taxi-v4", "FrozenLake-v1", "Blackjack-v1"]
)
def test_exact_resume(name):
    settings = EnvironmentConfig(id=name)
    env, other = envs.make(settings, num_envs=3), envs.make(settings, num_envs=3)
    moves = np.random.default_rng(1).integers(env.spec.num_actions, size=(150, 3))
    env.reset(2)
    for t, move in enumerate(moves):
        if t % 10 == 0:
            other.load(env.save())
        for a, b in zip(env.step(move), other.step(move), strict=True):
            assert np.array_equal(a, b)
