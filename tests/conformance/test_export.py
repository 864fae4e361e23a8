"""What every algorithm learns can be taken along: ONNX and Python files act alike, or it is said why there are none.

Found by discovery: every algorithm of the registry in small runs, and in every form of action that it declares.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from action_worlds import WORLDS, registered
from out_of_tree import PLUGINS
from small_runs import PARTS, run_to, text_of

from rltrain.errors import InputError
from rltrain.verbs.export import export

STEPS = {"env_steps": 60, "generations": 1, "policies": 10, "episodes": 2, "sweeps": 3, "trials": 2, "simulations": 40}
WHY_NOT = {  # what is said of those that have no file
    "uct": "plans while it plays",
    "basic": "draws its actions and says no probabilities",
}
PIXELS = "convolutions: [[2, 3, 1]], hidden: [4]"
SMALL = {"dqn": PIXELS, "pqn": PIXELS, "ppo": f"{PIXELS}, n_steps: 8", "reinforce": "hidden: [4]"}
MORE = {  # networks and distributions that the others do not meet
    "dqn, dueling histograms": ("dqn", "dueling: true, loss: hl_gauss, num_bins: 7, layer_norm: true", "CartPole-v1"),
    "dqn, atoms": ("dqn", "loss: c51, num_bins: 7", "CartPole-v1"),
    "dqn, dueling quantiles": ("dqn", "dueling: true, loss: quantile, n_quantiles: 5", "CartPole-v1"),
    "dqn, dueling implicit quantiles": ("dqn", "dueling: true, loss: iqn, n_quantiles: 5, noisy: true", "CartPole-v1"),
    "dqn, dueling picture": ("dqn", "dueling: true, padding: same, convolutions: [[4, 3, 2]]", "{id: Doors-v0}"),
    "dqn, no hidden layer": ("dqn", "dueling: true, hidden: []", "{id: Choices-v0}"),
    "ppo, squashed": ("ppo", "squash: true, n_steps: 8", "{id: Numbers-v0}"),
    "ppo, drawn": ("ppo", "act: sample, n_steps: 8, activation: elu", "{id: Numbers-v0}"),
    "ppo, drawn choices": ("ppo", "act: sample, n_steps: 8", "{id: Choices-v0}"),
    "ppo, wide": ("ppo", "n_steps: 8, hidden: [160, 160]", "CartPole-v1"),
    "reinforce, drawn": ("reinforce", "act: sample, output: sigmoid, hidden: []", "{id: CartPole-v1}"),
    "reinforce, elu": ("reinforce", "activation: elu, hidden: [8, 8]", "{id: CartPole-v1}"),
    "genetic, the chapter's vacuum": ("genetic", "", "{id: RobotVacuum-v0}"),
    "basic, bounce": ("basic", "policy: bounce", "{id: RobotVacuum-v0}"),
    "basic, any number": ("basic", "", "{id: Numbers-v0}"),
    "basic, any open door": ("basic", "", "{id: Doors-v0}"),
    "basic, a rule": ("basic", "policy: angle_velocity", "{id: CartPole-v1}"),
    "basic, energy of Pendulum": ("basic", "policy: energy", "{id: Pendulum-v1}"),
    "basic, energy of Acrobot": ("basic", "policy: energy", "{id: Acrobot-v1}"),
    "basic, energy of MountainCar": ("basic", "policy: energy", "{id: MountainCar-v0}"),
    "basic, energy of numbers": ("basic", "policy: energy", "{id: MountainCarContinuous-v0}"),
    "basic, constant with a mask": ("basic", "policy: constant, action: 2", "{id: Doors-v0}"),
}
FORMS = {
    f"{name}, {form}": (name, SMALL.get(name, "policy: mlp"), f"{{id: {WORLDS[form]}}}")
    for name, plugin in PLUGINS.items()
    if plugin.task == "env" and name not in WHY_NOT and plugin.config.__module__.startswith("rltrain.")
    for form in plugin.actions
}
BESIDE = ("pqn, normalised", "dqn, masked", "pqn, masked", "qlearn, double", "qlearn, sampled", "dqn, images")
BESIDE += ("dqn, colours",)
CASES = {name: case for name, case in PARTS.items() if name in PLUGINS or name in BESIDE} | MORE | FORMS
SLOW = {"dqn, images", "dqn, colours", "dqn, masked", "pqn, masked", "pqn, normalised", "qlearn, double"}
SLOW |= {"qlearn, sampled", "ppo, drawn choices", "basic, energy of MountainCar", "basic, energy of numbers"}
SLOW |= {case for case, (name, *_) in FORMS.items() if name in ("cmaes", "openai_es", "search")}  # genetic has theirs


@pytest.fixture(autouse=True)
def worlds() -> Iterator[None]:
    with registered():
        yield


def exported(folder: Path, name: str) -> None:
    """Both files of the run in this folder, or why there are none."""
    for ending in ("onnx", "py"):
        path = folder.parent / f"policy.{ending}"
        try:
            found = export(folder, path)
        except InputError as error:
            assert name in WHY_NOT and WHY_NOT[name] in str(error), str(error)
            assert not path.exists()
            assert name == "uct" or "Numbers-v0" in (folder / "config.yaml").read_text()
        else:
            assert found.observations >= 1_000 and found.equal + found.ties == found.observations
            assert found.ties <= 5
            assert path.stat().st_size == found.bytes
    assert not list(folder.parent.glob(".*"))


@pytest.mark.parametrize(
    "case", [pytest.param(case, marks=pytest.mark.slow) if case in SLOW else case for case in CASES]
)
def test_what_was_learned_is_exported_or_it_is_said_why_not(case: str, tmp_path: Path) -> None:
    name, settings, environment = CASES[case]
    counter = next(iter(PLUGINS[name].budget))
    run_to(tmp_path / "run", text_of(name, settings, environment), {counter: STEPS[counter]})
    exported(tmp_path / "run", name)
