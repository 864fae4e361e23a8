"""A config.yaml that was edited: every verb that reads a run believes the checkpoint, and says so."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from in_process import Command, command

import rltrain as library
from rltrain.errors import InputError
from rltrain.run import believed, unverified
from rltrain.run.lock import Lock
from rltrain.verbs import saved_policy

CONFIG = {
    "algorithm": {"name": "reinforce", "hidden": [8], "games_per_update": 4, "learning_rate": 0.05},
    "environment": {"id": "CartPole-v1", "num_envs": 4, "kwargs": {"sutton_barto_reward": False}},
    "run": {"budget": {"updates": 2}, "evaluate": {"every": {"updates": 1}, "episodes": 2}, "threads": 1},
}
EDITS = (("learning_rate: 0.05", "learning_rate: 0.5"), ("hidden: [8]", "hidden: [16]"), ("seed: 0", "seed: 7"))
READERS = {
    "eval": ("eval", "edited", "-n", "1"),
    "explain": ("explain", "edited", "--step", "0"),
    "watch": ("watch", "edited", "--steps", "2", "-o", "x.gif"),
    "export": ("export", "edited", "-o", "x.py"),
    "plot": ("plot", "edited", "-o", "x.png"),
    "compare": ("compare", "edite*", "whol*"),
    "diff": ("diff", "edited", "whole"),
    "rerun": ("rerun", "edited", "-q"),
    "report": ("report", "edited", "--no-film", "-o", "x.html"),
    "check": ("check", "edited"),
    "list": ("list", "runs"),
    "train": ("train", "c.yaml", "--from", "edited", "-q", "algorithm.hidden=[8]"),
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("edited")
    library.train(CONFIG, name="whole", runs_dir=home, picture=False)
    return home


@pytest.fixture
def runs(trained: Path, tmp_path: Path) -> Path:
    """whole, and edited: a copy of which three settings are others now."""
    runs = Path(shutil.copytree(trained, tmp_path / "runs"))
    shutil.copytree(runs / "whole", runs / "edited")
    for before, now in EDITS:
        edit(runs / "edited", before, now)
    return runs


def edit(run: Path, before: str, now: str) -> None:
    text = (run / "config.yaml").read_text()
    assert before in text
    (run / "config.yaml").write_text(text.replace(before, now))


@pytest.mark.parametrize("verb", READERS)
def test_every_verb_that_reads_a_run_tells_each_edit(
    verb: str, runs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(runs.parent)
    (runs.parent / "c.yaml").write_text(json.dumps(CONFIG))
    rltrain: Command = command(capsys)
    code, out, err = rltrain(*READERS[verb])
    for key in ("algorithm.learning_rate: 0.05 -> 0.5", "algorithm.hidden: [8] -> [16]", "run.seed: 0 -> 7"):
        assert any("config.yaml was edited since ckpt-" in line and key in line for line in (out + err).splitlines())
    assert code == (3 if verb == "check" else 0), (out, err)


def test_the_checkpoint_is_believed(runs: Path) -> None:
    found = unverified.config(runs / "edited")
    assert found.value is not None and found.seed == 0 and found.value["algorithm"]["learning_rate"] == 0.05
    experiment, told = believed.experiment(runs / "edited")
    assert experiment == believed.experiment(runs / "whole")[0] and len(told) == 3
    assert set(library.read(runs / "edited")["seed"]) == {0}


def test_what_a_resume_may_change_is_believed_as_it_stands(runs: Path) -> None:
    edit(runs / "edited", "updates: 2", "updates: 9")
    experiment, told = believed.experiment(runs / "edited")
    assert experiment.run.budget == {"updates": 9} and len(told) == 3
    assert unverified.config(runs / "edited").budget == {"updates": 9}
    edit(runs / "whole", "updates: 2", "updates: 9")
    assert believed.experiment(runs / "whole")[1] == [] and unverified.config(runs / "whole").edits == ()


def test_an_edit_that_is_no_config_any_more_is_one_too(runs: Path) -> None:
    edit(runs / "edited", "learning_rate: 0.5", "learning_rate: fast")
    experiment, told = believed.experiment(runs / "edited")
    assert experiment == believed.experiment(runs / "whole")[0]
    assert any("learning_rate: 0.05 -> 'fast'" in line for line in told)
    (runs / "edited" / "config.yaml").write_text("algorithm: [")
    with pytest.raises(InputError):
        believed.experiment(runs / "edited")


def test_without_a_checkpoint_config_yaml_is_all_there_is(runs: Path) -> None:
    shutil.rmtree(runs / "edited" / "checkpoints")
    experiment, told = believed.experiment(runs / "edited")
    assert experiment.run.seed == 7 and told == [] and unverified.config(runs / "edited").seed == 7


def test_a_setting_that_was_written_otherwise_is_no_edit(runs: Path) -> None:
    edit(runs / "whole", "learning_rate: 0.05", "learning_rate: 5.0e-2")
    assert unverified.config(runs / "whole").edits == () and believed.experiment(runs / "whole")[1] == []


def test_arguments_and_wrappers_of_the_environment_are_put_back(runs: Path) -> None:
    edit(runs / "whole", "sutton_barto_reward: false", "sutton_barto_reward: true")
    found = unverified.config(runs / "whole")
    assert found.value is not None and found.value["environment"]["kwargs"] == {"sutton_barto_reward": False}
    assert len(found.edits) == 1
    assert believed.experiment(runs / "whole")[0].environment.kwargs == {"sutton_barto_reward": False}


@pytest.mark.parametrize("verb", ["eval", "explain", "watch", "export", "train"])
def test_a_run_without_a_checkpoint_has_no_policy_and_every_verb_says_what_to_do(
    verb: str, runs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(runs.parent)
    (runs.parent / "c.yaml").write_text(json.dumps(CONFIG))
    shutil.rmtree(runs / "edited" / "checkpoints")
    rltrain: Command = command(capsys)
    begin = "runs/edited: has no checkpoint yet, and so no policy: "
    code, _, err = rltrain(*READERS[verb])
    assert (code, err) == (3, f"{begin}it ended before its first save; rltrain resume runs/edited begins it anew\n")
    with Lock(runs / "edited"):
        code, _, err = rltrain(*READERS[verb])
    assert (code, err) == (3, f"{begin}it is training, and its first save is still to come; ask again then\n")


def test_the_best_checkpoint_is_known_without_status_json(runs: Path) -> None:
    known = saved_policy.read("whole", runs)
    (runs / "whole" / "status.json").write_text("{")
    found = saved_policy.read("whole", runs)
    assert (found.path, found.chosen) == (known.path, known.chosen) and known.chosen == saved_policy.BEST
