"""Every algorithm in every form of action that it declares, masks among them: found by discovery."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from action_worlds import STEPS, WORLDS, registered
from out_of_tree import PLUGINS

from rltrain.core import Hardware
from rltrain.experiment import config
from rltrain.run import begin, build
from rltrain.run.evaluation import evaluate

OURS = [name for name in PLUGINS if PLUGINS[name].config.__module__.startswith("rltrain.")]
CASES = [(name, form) for name in OURS for form in PLUGINS[name].actions if PLUGINS[name].task == "env"]
BRED = {"cmaes", "openai_es", "search"}  # they act, save and load as genetic does
RESUMED = [pytest.param(*case, marks=pytest.mark.slow) if case[0] in BRED else case for case in CASES]
SMALL = {
    "population": 10,
    "survivors": 3,
    "batch": 10,
    "games": 2,
    "recheck": 3,
    "games_per_update": 6,
    "hidden": "[4]",
    "learning_starts": 40,
    "buffer_size": 400,
    "batch_size": 8,
    "rollout_steps": 8,
    "n_steps": 8,
    "n_epochs": 2,
    "convolutions": "[[2, 3, 1]]",
    "policy": "mlp",
}
BUDGETS = {"env_steps": 300, "episodes": 20, "generations": 4, "policies": 40}


@pytest.fixture(autouse=True)
def worlds() -> Iterator[None]:
    with registered():
        yield


def text_of(name: str, form: str, **more: Any) -> str:
    fields = PLUGINS[name].config.model_fields
    own = {key: value for key, value in SMALL.items() if key in fields and name != "basic"} | more
    settings = ", ".join([f"name: {name}", *(f"{key}: {value}" for key, value in own.items())])
    counter = next(iter(PLUGINS[name].budget))
    budget = BUDGETS[counter]
    run = f"{{budget: {{{counter}: {budget}}}, evaluate: {{every: {{{counter}: {budget // 2}}}, episodes: 4}}}}"
    return f"algorithm: {{{settings}}}\nenvironment: {{id: {WORLDS[form]}, num_envs: 3}}\nrun: {run}\n"


@pytest.mark.parametrize(("name", "form"), CASES)
def test_it_plays_what_is_possible_and_so_does_what_it_saved(name: str, form: str) -> None:
    """The environments raise for an action out of bounds, and for one that their mask excludes."""
    experiment = config.loads(text_of(name, form), "t.yaml")
    parts = build.build(experiment)
    algorithm, spec = parts.algorithm, parts.env.spec
    for _ in range(3):
        metrics = algorithm.step()
    assert all(not math.isinf(value) for value in metrics.values())
    loaded = PLUGINS[name].load_policy(experiment.algorithm, spec, algorithm.save(), Hardware("cpu", 1))  # type: ignore[misc]
    for policy in (algorithm.policy(), loaded):
        step = parts.env.reset(1)
        action = policy.act(step.obs, step.mask)
        assert spec.actions.fault(action, spec.num_envs) is None
        assert action.dtype == spec.actions.dtype
    if name != "basic":  # of which each draws from a stream of its own
        assert policy.act(step.obs, step.mask).tolist() == algorithm.policy().act(step.obs, step.mask).tolist()
    assert len(evaluate(loaded, experiment.environment, None, 4, seed=0, epsilon=0.5).returns) == 4


@pytest.mark.parametrize(("name", "form"), RESUMED)
def test_a_resumed_run_ends_as_one_that_never_stopped(name: str, form: str, tmp_path: Path) -> None:
    found = []
    counter = next(iter(PLUGINS[name].budget))
    for kind, budgets in {"whole": [BUDGETS[counter]], "stopped": [BUDGETS[counter] // 2, BUDGETS[counter]]}.items():
        experiment = config.loads(text_of(name, form), "t.yaml", [f"run.budget={{{counter}: {budgets[0]}}}"])
        run = begin.create(experiment, tmp_path, kind, "a test")
        list(run.advance())
        run.close()
        for budget in budgets[1:]:
            run = begin.resume(tmp_path / kind, [f"run.budget={{{counter}: {budget}}}"])
            list(run.advance())
            run.close()
        last = max((tmp_path / kind / "checkpoints").glob("ckpt-*"))
        files = [last / "state.json", last / "arrays.safetensors", *sorted((tmp_path / kind).glob("*.csv"))]
        found.append({path.name: path.read_bytes() for path in files if path.exists()})
    assert found[0].keys() == found[1].keys()
    assert [name for name in found[0] if found[0][name] != found[1][name]] == []


BEST = {  # settings under which each learns in a second; random play brings -2.5, -1 and -1 a step
    "reinforce": ("hidden: [16], games_per_update: 20, learning_rate: 0.03, gamma: 0, log_std_init: -1", 60),
    "cmaes": ("policy: mlp, hidden: [4], population: 16, games: 4, recheck: 10, sigma: 1", 25),
}


@pytest.mark.parametrize("form", WORLDS)
@pytest.mark.parametrize("name", ["reinforce", pytest.param("cmaes", marks=pytest.mark.slow)])
def test_it_learns_what_is_best(name: str, form: str) -> None:
    settings, steps = BEST[name]
    text = f"algorithm: {{name: {name}, {settings}}}\nenvironment: {{id: {WORLDS[form]}, num_envs: 20}}"
    experiment = config.loads(text, "t.yaml")
    algorithm = build.build(experiment).algorithm
    for _ in range(steps):
        algorithm.step()
    games = evaluate(algorithm.policy(), experiment.environment, None, 50, seed=7)
    assert games.mean / STEPS > -0.4, games.mean


def test_random_play_takes_all_that_is_possible_and_nothing_else() -> None:
    parts = build.build(config.loads("algorithm: basic\nenvironment: {id: Doors-v0, num_envs: 8}", "t.yaml"))
    step, seen = parts.env.reset(0), set()
    policy = parts.algorithm.policy()
    for _ in range(40):
        action = policy.act(step.obs, step.mask)
        assert step.mask[np.arange(8), action].all()  # type: ignore[index]
        seen |= set(action.tolist())
        step = parts.env.step(action)
    assert seen == {0, 1, 2, 3}
