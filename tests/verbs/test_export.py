"""`rltrain export`: a file that acts as its checkpoint does, runs without rltrain, and says what it is, or no file."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from built import app
from small_runs import run_to

import rltrain
from rltrain import computation as ops
from rltrain.algos import genetic, reinforce
from rltrain.computation import Computation
from rltrain.core import AlgorithmPlugin
from rltrain.errors import InputError, MissingError
from rltrain.verbs.export import export

CARTPOLE = (
    "algorithm: {name: reinforce, hidden: [4], games_per_update: 2}\nenvironment: {id: CartPole-v1, num_envs: 2}\n"
)
GENETIC = (
    "algorithm: {name: genetic, population: 6, survivors: 2, games: 1}\nenvironment: {id: CartPole-v1, num_envs: 2}\n"
)
LAKE = "algorithm: qlearn\nenvironment: FrozenLake-v1\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small runs."""
    place = tmp_path_factory.mktemp("runs")
    run_to(place / "cart", CARTPOLE, {"env_steps": 200})
    run_to(place / "born", GENETIC, {"generations": 2})
    run_to(place / "lake", LAKE, {"env_steps": 2_000})
    return place


def alone(*words: str) -> subprocess.CompletedProcess[str]:
    """A Python that finds nothing but what is installed."""
    return subprocess.run([sys.executable, "-I", "-B", *words], capture_output=True, text=True)


# What is written


def test_an_onnx_model_says_what_it_is_and_takes_batches_of_any_size(folder: Path, tmp_path: Path) -> None:
    found = export(folder / "cart", tmp_path / "policy.onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "policy.onnx"))
    obs = np.random.default_rng(0).normal(size=(7, 4)).astype(np.float32)
    policy = rltrain.load(folder / "cart")
    for rows in (obs[:1], obs):
        action, scores = session.run(["action", "scores"], {"obs": rows})
        assert action.tolist() == policy.act(rows).tolist()
        np.testing.assert_allclose(scores, policy.scores(rows), atol=1e-6)
    assert found.inputs == {"obs": "float32 [N, 4]"}
    assert found.outputs == {"action": "int64 [N]", "scores": "float32 [N, 2]"}
    said = session.get_modelmeta().custom_metadata_map
    manifest = Path(found.checkpoint) / "MANIFEST.json"
    assert said["rltrain.checkpoint_sha256"] == hashlib.sha256(manifest.read_bytes()).hexdigest()
    assert (said["rltrain.algorithm"], said["rltrain.environment"]) == ("reinforce", "CartPole-v1")
    assert json.loads(said["rltrain.observation"]) == {"shape": [4], "dtype": "float32"}
    assert json.loads(said["rltrain.actions"]) == {"form": "discrete", "names": ["left", "right"]}
    assert said["rltrain.scores"] == "probability"
    assert "rltrain.drawn" not in said
    model = onnx.load(tmp_path / "policy.onnx")
    assert [opset.version for opset in model.opset_import] == [17]
    assert model.producer_version == rltrain.__version__


def test_a_python_file_needs_python_alone_and_tests_itself(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "policy.py"
    assert export(folder / "cart", path).run_by.endswith("with nothing else")
    text = path.read_text()
    assert "import numpy" not in text and "rltrain." not in text.replace("rltrain 0", "")
    done = alone(str(path))
    assert done.returncode == 0, done.stderr
    assert "20 of 20 recorded observations lead to the action that was taken" in done.stdout
    asked = "import runpy; own = runpy.run_path('policy.py'); print(own['act']((0, 0, 0.1, 0)), own['scores']([0] * 4))"
    done = subprocess.run([sys.executable, "-I", "-c", asked], capture_output=True, text=True, cwd=tmp_path)
    policy = rltrain.load(folder / "cart")
    action, _, scores = done.stdout.strip().partition(" ")
    assert int(action) == policy.act([0, 0, 0.1, 0])
    assert json.loads(scores) == pytest.approx(policy.scores(np.zeros(4, np.float32)).tolist())


def test_a_python_file_that_was_changed_fails_its_own_test(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "policy.py"
    export(folder / "lake", path)
    text = path.read_text()
    table = next(line for line in text.splitlines() if line.startswith("TABLE_1 = [") and "." not in line)
    path.write_text(text.replace(table, f"TABLE_1 = {[3 - int(own) for own in json.loads(table[10:])]}"))
    done = alone(str(path))
    assert done.returncode == 1
    assert "0 of 20 recorded" in done.stdout


def test_a_state_may_be_given_as_its_number(folder: Path, tmp_path: Path) -> None:
    found = export(folder / "lake", tmp_path / "policy.py")
    assert found.observations == 1_016  # 1,000 that were played, and each state
    asked = "import runpy; own = runpy.run_path('policy.py'); print([own['act'](state) for state in range(16)])"
    done = subprocess.run([sys.executable, "-I", "-c", asked], capture_output=True, text=True, cwd=tmp_path)
    policy = rltrain.load(folder / "lake")
    assert json.loads(done.stdout) == [policy.act(state) for state in range(16)]
    export(folder / "lake", tmp_path / "policy.onnx")
    said = onnxruntime.InferenceSession(str(tmp_path / "policy.onnx")).get_modelmeta().custom_metadata_map
    assert json.loads(said["rltrain.observation"])["states"][:5] == ["0,0", "0,1", "0,2", "0,3", "1,0"]


def test_a_policy_that_draws_says_so_and_gives_probabilities_and_the_most_probable_action(tmp_path: Path) -> None:
    run_to(tmp_path / "run", CARTPOLE.replace("hidden", "act: sample, hidden"), {"env_steps": 100})
    found = export(tmp_path / "run", tmp_path / "policy.onnx")
    assert list(found.outputs) == ["most_probable_action", "scores"]
    assert found.drawn == "an action is drawn, each with its probability"
    said = onnxruntime.InferenceSession(str(tmp_path / "policy.onnx")).get_modelmeta().custom_metadata_map
    assert said["rltrain.drawn"] == found.drawn
    export(tmp_path / "run", tmp_path / "policy.py")
    asked = "own = __import__('runpy').run_path('policy.py'); print(len({own['act']([0] * 4) for _ in range(99)}))"
    done = subprocess.run([sys.executable, "-I", "-c", asked], capture_output=True, text=True, cwd=tmp_path)
    assert done.stdout.strip() == "2"
    assert alone(str(tmp_path / "policy.py")).returncode == 0


def test_observations_are_normalised_within(tmp_path: Path) -> None:
    wrapped = CARTPOLE.replace("num_envs: 2", "num_envs: 2, wrappers: [{name: NormalizeObservation, clip: 1.5}]")
    run_to(tmp_path / "run", wrapped, {"env_steps": 300})
    found = export(tmp_path / "run", tmp_path / "policy.onnx")
    assert found.equal == 1_000
    kinds = [node.op_type for node in onnx.load(tmp_path / "policy.onnx").graph.node]
    assert kinds[:5] == ["Cast", "Sub", "Sub", "Mul", "Clip"]


def test_the_python_door_and_the_command_do_the_same(folder: Path, tmp_path: Path, capsys: Any) -> None:
    found = rltrain.export(folder / "cart", tmp_path / "a.onnx", last=True)
    app(["export", str(folder / "cart"), "-o", str(tmp_path / "b.onnx"), "--last", "--json"], standalone_mode=False)
    printed = json.loads(capsys.readouterr().out)
    assert printed | {"file": found.file} == json.loads(json.dumps(found.json()))
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()


# What is refused


def wrong(plugin: AlgorithmPlugin, change: Callable[[Any], Any]) -> AlgorithmPlugin:
    """An algorithm that says something else of its policy than it does: of the first layer other weights."""

    def computation(*given: Any) -> Computation:
        assert plugin.computation is not None
        said: Computation = plugin.computation(*given)
        first = next(value for value in ops.in_order([said.action]) if isinstance(value, ops.Dense))
        first.weight[:] = change(first.weight)
        return said

    return replace(plugin, computation=computation)


@pytest.mark.parametrize("ending", ["onnx", "py"])
@pytest.mark.parametrize(
    ("name", "module", "change", "said"),
    [
        ("cart", reinforce, lambda weight: weight * 1.01, "observation [0-9]+ of 1,000: score [01] is"),
        ("cart", reinforce, lambda weight: weight * np.nan, "observation 0 of 1,000: score 0 is nan"),
        ("born", genetic, lambda weight: -weight, r"observation [0-9]+ of 1,000: the exported policy does [01], the"),
        ("born", genetic, lambda weight: weight * 0, "are others|the exported policy does"),
    ],
)
def test_damaged_weights_leave_no_file(
    ending: str,
    name: str,
    module: Any,
    change: Callable[[Any], Any],
    said: str,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "PLUGIN", wrong(module.PLUGIN, change))
    with pytest.raises(InputError, match=said):
        export(folder / name, tmp_path / f"policy.{ending}")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / f"policy.{ending}").write_text("what was there")
    with pytest.raises(InputError, match=said):
        export(folder / name, tmp_path / f"policy.{ending}", overwrite=True)
    assert [path.read_text() for path in tmp_path.iterdir()] == ["what was there"]


def test_an_algorithm_that_does_not_say_what_its_policy_computes_is_refused(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reinforce, "PLUGIN", replace(reinforce.PLUGIN, computation=None))
    with pytest.raises(InputError, match=r"reinforce cannot be exported: .*AlgorithmPlugin.computation"):
        export(folder / "cart", tmp_path / "policy.py")
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_not_replaced_unasked(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "policy.py").write_text("mine")
    with pytest.raises(InputError, match=r"policy.py: exists; --overwrite replaces it"):
        export(folder / "lake", tmp_path / "policy.py")
    assert (tmp_path / "policy.py").read_text() == "mine"
    assert export(folder / "lake", tmp_path / "policy.py", overwrite=True).equal == 1_016


def test_another_ending_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"policy.pt: the name of an exported policy ends in .onnx or .py"):
        export(folder / "lake", tmp_path / "policy.pt")


@pytest.mark.parametrize("package", ["onnx", "onnxruntime"])
def test_without_its_packages_it_says_how_to_install_them(
    package: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingError, match=r'pip install "rltrain\[onnx\]"'):
        export(folder / "lake", tmp_path / "policy.onnx")
    assert export(folder / "lake", tmp_path / "policy.py").equal == 1_016
