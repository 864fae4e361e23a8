"""What every algorithm in the registry must do, found by discovery."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from out_of_tree import PLUGINS
from small_runs import PARTS, text_of

from rltrain import envs
from rltrain.core import Hardware
from rltrain.errors import InputError
from rltrain.experiment import config
from rltrain.rng import Streams
from rltrain.run import build, other_versions

CONFIGS = Path(__file__).parents[2] / "configs"


BOOK = CONFIGS / "mdp" / "book.yaml"
NO_CONFIGS = ("mdp", "sweeps")  # models, and what is tried of configs
EXPERIMENTS = [path for path in sorted(CONFIGS.rglob("*.yaml")) if path.parent.name not in NO_CONFIGS]
WORLDS = {"env": "CartPole-v1", "tabular": str(BOOK), "mdp": str(BOOK)}
DRAWING = [name for name in PLUGINS if PLUGINS[name].task != "mdp"]  # a sweep draws nothing


def world_of(name: str) -> str:
    return WORLDS[PLUGINS[name].task]


def build_it(name: str, seed: int = 0, small: bool = False):  # type: ignore[no-untyped-def]
    two_lines = f"algorithm: {name}\nenvironment: {world_of(name)}"
    experiment = config.loads(text_of(*PARTS[name]) if small else two_lines, "test.yaml")
    env = build.world(experiment)
    rng = Streams(seed)
    algorithm = build.algorithm(experiment, experiment.algorithm, env, rng, Hardware("cpu", 2))
    return algorithm, env, rng, PLUGINS[name]


@pytest.mark.parametrize("name", PLUGINS)
def test_it_builds_from_two_lines_and_keeps_its_promises(name: str) -> None:
    algorithm, env, _, plugin = build_it(name)
    assert plugin.budget.keys() <= algorithm.counters.keys()
    keys = None
    for _ in range(3):
        before = dict(algorithm.counters)
        metrics = algorithm.step()
        assert keys is None or list(metrics) == keys  # the same columns at every step
        keys = list(metrics)
        assert all(isinstance(value, float | int) and not math.isinf(value) for value in metrics.values())
        assert all(algorithm.counters[counter] >= before[counter] for counter in before)
        assert algorithm.counters != before
    action = algorithm.policy().act(np.zeros((5, *env.spec.obs_shape), env.spec.obs_dtype))
    assert action.shape == (5,)
    assert ((action >= 0) & (action < env.spec.num_actions)).all()


@pytest.mark.parametrize("name", PLUGINS)
def test_a_state_that_was_loaded_and_saved_again_has_the_keys_that_it_had(name: str) -> None:
    """So what a checkpoint of another version lacks, or holds in vain, can be told."""
    algorithm, _, rng, _ = build_it(name)
    other, _, others_rng, _ = build_it(name)
    for _ in range(2):
        algorithm.step()
    saved = {"algorithm": algorithm.save(), "rng": rng.save(), "sinks": {}}
    other.load(saved["algorithm"])
    others_rng.load(saved["rng"])
    again = {"algorithm": other.save(), "rng": others_rng.save(), "sinks": {}}
    assert other_versions.warnings("it", saved, again) == []
    older = {**saved, "algorithm": {key: saved["algorithm"][key] for key in list(saved["algorithm"])[1:]}}
    assert len(other_versions.warnings("it", older, again)) == 1


@pytest.mark.parametrize("name", PLUGINS)
def test_global_random_numbers_do_not_matter(name: str) -> None:
    rows = []
    for noise in (1, 2):
        np.random.seed(noise)  # the generators that nobody may use
        torch.manual_seed(noise)
        algorithm, _, _, _ = build_it(name, seed=3, small=True)
        rows.append([str(dict(algorithm.step())) for _ in range(3)])
    assert rows[0] == rows[1]


@pytest.mark.parametrize("name", DRAWING)
def test_another_seed_is_another_run(name: str) -> None:
    rows = []
    for seed in (3, 4):
        algorithm, _, _, _ = build_it(name, seed, small=True)
        rows.append([str(dict(algorithm.step())) for _ in range(3)])
    assert rows[0] != rows[1]


@pytest.mark.parametrize("name", PLUGINS)
def test_an_unknown_setting_is_refused(name: str) -> None:
    with pytest.raises(InputError, match=r"test.yaml:1: algorithm.no_such_setting: unknown key"):
        world = world_of(name)
        config.loads(f"algorithm: {{name: {name}, no_such_setting: 1}}\nenvironment: {world}", "test.yaml")


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: str(path.relative_to(CONFIGS)))
def test_every_config_is_valid_and_survives_being_written_out(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(CONFIGS.parent)  # where models are looked for
    experiment = config.load(path)
    assert config.loads(experiment.to_yaml(), "resolved") == experiment
    if path.parent.name == "worlds":  # of other packages, and of files that only a person may import: test_worlds
        return
    spec = envs.describe(experiment.environment, task=experiment.task)
    assert spec.num_envs == experiment.environment.num_envs
