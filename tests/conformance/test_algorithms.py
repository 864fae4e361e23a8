"""What every algorithm in the registry must do, found by discovery."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from rltrain import config, envs, registry
from rltrain.core import Hardware
from rltrain.errors import InputError
from rltrain.rng import Streams

CONFIGS = Path(__file__).parents[2] / "configs"


def build(name: str, seed: int = 0):  # type: ignore[no-untyped-def]
    experiment = config.loads(f"algorithm: {name}\nenvironment: CartPole-v1", "test.yaml")
    env = envs.make(experiment.environment)
    members = vars(registry.load(name))
    rng = Streams(seed)
    return members["Algorithm"](experiment.algorithm, env, rng, Hardware("cpu", 2)), env, rng, members


@pytest.mark.parametrize("name", registry.names())
def test_it_builds_from_two_lines_and_keeps_its_promises(name: str) -> None:
    algorithm, env, _, members = build(name)
    assert members["DEFAULT_BUDGET"].keys() <= algorithm.counters.keys()
    keys = None
    for _ in range(3):
        before = dict(algorithm.counters)
        metrics = algorithm.step()
        assert keys is None or list(metrics) == keys  # the same columns at every step
        keys = list(metrics)
        assert all(isinstance(value, float | int) and not math.isinf(value) for value in metrics.values())
        assert all(algorithm.counters[counter] >= before[counter] for counter in before)
        assert algorithm.counters != before
    action = algorithm.policy().act(np.zeros((5, *env.spec.obs_shape), np.float32))
    assert action.shape == (5,)
    assert ((action >= 0) & (action < env.spec.num_actions)).all()


@pytest.mark.parametrize("name", registry.names())
def test_global_random_numbers_do_not_matter(name: str) -> None:
    rows = []
    for noise in (1, 2):
        np.random.seed(noise)  # the generators that nobody may use
        torch.manual_seed(noise)
        algorithm, _, _, _ = build(name, seed=3)
        rows.append([str(dict(algorithm.step())) for _ in range(3)])
    assert rows[0] == rows[1]


@pytest.mark.parametrize("name", registry.names())
def test_another_seed_is_another_run(name: str) -> None:
    rows = []
    for seed in (3, 4):
        algorithm, _, _, _ = build(name, seed)
        rows.append([str(dict(algorithm.step())) for _ in range(3)])
    assert rows[0] != rows[1]


@pytest.mark.parametrize("name", registry.names())
def test_an_unknown_setting_is_refused(name: str) -> None:
    with pytest.raises(InputError, match=r"test.yaml:1: algorithm.no_such_setting: unknown key"):
        config.loads(f"algorithm: {{name: {name}, no_such_setting: 1}}\nenvironment: CartPole-v1", "test.yaml")


@pytest.mark.parametrize("path", sorted(CONFIGS.rglob("*.yaml")), ids=lambda path: str(path.relative_to(CONFIGS)))
def test_every_config_is_valid_and_survives_being_written_out(path: Path) -> None:
    experiment = config.load(path)
    assert config.loads(experiment.to_yaml(), "resolved") == experiment
    spec = envs.describe(experiment.environment)
    assert spec.num_envs == experiment.environment.num_envs
