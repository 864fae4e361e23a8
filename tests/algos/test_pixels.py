"""Images whose greatest value is not 255: a network sees that value as 1, whatever it is."""

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces

from rltrain import envs, registry
from rltrain.core import Hardware
from rltrain.experiment import config
from rltrain.rng import Streams
from rltrain.run import build

CPU = Hardware("cpu", 1)
SETTINGS = "convolutions: [[4, 3, 1]], hidden: [8]"


class Bits(gymnasium.Env):
    """A grid of zeros and ones."""

    observation_space = spaces.Box(0, 1, (6, 6, 4), np.uint8)
    action_space = spaces.Discrete(3)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return self.np_random.integers(0, 2, (6, 6, 4), dtype=np.uint8), {}

    def step(self, action):
        return self.np_random.integers(0, 2, (6, 6, 4), dtype=np.uint8), 1.0, False, self.np_random.random() < 0.1, {}


@pytest.fixture
def bits():
    gymnasium.register("Bits-v0", entry_point=Bits)
    yield "Bits-v0"
    del gymnasium.registry["Bits-v0"]


def make(algorithm, env_id, seed=0):
    text = f"algorithm: {{name: {algorithm}, {SETTINGS}}}\nenvironment: {{id: {env_id}, num_envs: 2}}"
    experiment = config.loads(text, "test.yaml")
    env = build.world(experiment)
    return experiment, build.algorithm(experiment, experiment.algorithm, env, Streams(seed), CPU)


@pytest.mark.parametrize(("high", "seen"), [(1, 1), (255, 255), (9, 9), (0, 255)])
def test_the_declared_high_is_told(high, seen):
    gymnasium.register(
        "High-v0", entry_point=type("High", (Bits,), {"observation_space": spaces.Box(0, high, (6, 6, 4), np.uint8)})
    )
    try:
        settings = config.loads("algorithm: dqn\nenvironment: High-v0", "test.yaml").environment
        assert envs.describe(settings).obs_high == envs.make(settings, num_envs=1).spec.obs_high == seen
    finally:
        del gymnasium.registry["High-v0"]


@pytest.mark.parametrize("algorithm", ["dqn", "pqn"])
def test_ones_are_learned_from_as_ones(algorithm, bits):
    _, learner = make(algorithm, bits)
    ones = torch.ones((1, 4, 6, 6), dtype=torch.uint8)
    weights = learner.learner.master
    first = weights.convolutions()[0]
    with torch.no_grad():
        first.weight.fill_(1.0)
        first.bias.fill_(0.0)
        seen = weights.trunk(weights.prepare(ones))
    assert seen.unique().tolist() == [3 * 3 * 4]


@pytest.mark.parametrize("algorithm", ["dqn", "pqn"])
def test_a_run_that_began_with_255ths_goes_on_with_them(algorithm, bits):
    experiment, ours = make(algorithm, bits)
    ours.step()
    obs = np.random.default_rng(0).integers(0, 2, (9, 4, 6, 6)).astype(np.uint8)
    saved = dict(ours.save())
    load = registry.plugin(algorithm).load_policy
    fresh = load(experiment.algorithm, ours.spec, saved, CPU)
    np.testing.assert_allclose(fresh.scores(obs), ours.policy().scores(obs), rtol=1e-5)
    assert saved.pop("obs_high") == 1
    _, old = make(algorithm, bits, seed=1)
    old.load(saved)
    assert "obs_high" not in old.save()
    faint = load(experiment.algorithm, ours.spec, saved, CPU).scores(obs)
    np.testing.assert_allclose(old.policy().scores(obs), faint, rtol=1e-5)
    assert np.ptp(faint, axis=0).max() < 0.1 * np.ptp(fresh.scores(obs), axis=0).max()
