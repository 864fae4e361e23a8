"""Edits between two sessions: of settings, of the model, of logs. None is taken in silence, none ends a run."""

import json
import shutil
from pathlib import Path

import pytest

from rltrain.cli.check import run_lines
from rltrain.cli.evaluate import eval_command
from rltrain.cli.resume import fork_run
from rltrain.errors import InputError
from rltrain.experiment import config
from rltrain.run import begin, edits, state_codec
from rltrain.run.reading import load_path
from rltrain.verbs.check import check_run

CARTPOLE = """
algorithm: {name: reinforce, games_per_update: 2}
environment: CartPole-v1
run: {budget: {episodes: 40}, evaluate: {every: {episodes: 10}, episodes: 2}, save: {every: {episodes: 10}}}
"""
MODEL = "discount: 0.9\nstates:\n  s0: {go: s1, stay: s0}\n  s1: {go: s0 reward 1}\n"
TABLE = """
algorithm: qlearn
environment: model.yaml
run: {budget: {env_steps: 4000}, save: {every: {env_steps: 1000}}}
"""


def begun(folder: Path, text: str, steps: int) -> Path:
    """A run of so many steps of improvement, stopped and saved."""
    (folder / "model.yaml").write_text(MODEL)
    run = begin.create(config.loads(text, str(folder / "test.yaml")), folder, "x", "a test")
    for event in run.advance():
        steps -= event.kind == "step"
        if not steps:
            run.request_stop("SIGTERM")
    run.close()
    return run.folder


def end(folder: Path) -> list[str]:
    """Resume to the end. Returns the warnings."""
    run = begin.resume(folder)
    try:
        return [event.text for event in run.advance() if event.kind == "warning"]
    finally:
        run.close()


def edit(path: Path, before: str, after: str) -> None:
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))


def test_settings_that_another_version_added_or_took_away_are_named() -> None:
    """A checkpoint of before one was added is of a run with its default; one that is gone is in no config.yaml."""
    experiment = config.loads(CARTPOLE, "test.yaml")
    kept = edits.recorded(experiment)["config"]
    older = kept.replace("  games_per_update: 2\n", "  batch: 7\n")
    assert older != kept
    assert edits.check(Path("x"), {"config": kept}, experiment) == []
    assert edits.check(Path("x"), {}, experiment) == []  # one that keeps no settings
    assert edits.check(Path("x"), {"config": older}, experiment) == [
        "settings that were added since the checkpoint: algorithm.games_per_update: 2",
        "settings that were taken away since the checkpoint: algorithm.batch: 7",
    ]


@pytest.fixture(scope="module")
def half(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return begun(tmp_path_factory.mktemp("half"), CARTPOLE, 10)


@pytest.fixture(scope="module")
def whole(half: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole") / "x"
    shutil.copytree(half, folder)
    assert end(folder) == []
    return folder


@pytest.fixture
def run(half: Path, tmp_path: Path) -> Path:
    shutil.copytree(half, tmp_path / "x")
    return tmp_path / "x"


def test_an_edited_setting_is_refused_with_both_values(run):
    edit(run / "config.yaml", "gamma: 0.99", "gamma: 0.5")
    with pytest.raises(InputError, match=r"edited since[^$]*algorithm\.gamma: 0\.99 -> 0\.5[^$]*--fork NAME"):
        begin.resume(run)
    edit(run / "config.yaml", "gamma: 0.5", "gamma: 0.99")
    assert end(run) == []


def test_check_and_eval_tell_an_edit(run, capsys):
    edit(run / "config.yaml", "gamma: 0.99", "gamma: 0.5")
    report = check_run(str(run), run.parent)
    assert not report.ok and report.edits[0].endswith("algorithm.gamma: 0.99 -> 0.5")
    assert any("every hash holds" in line for line in run_lines(report))
    eval_command(str(run), episodes=1)
    assert "was edited since" in capsys.readouterr().err


def test_eval_of_a_checkpoint_from_before_a_larger_budget_tells_no_edit(run, capsys):
    edit(run / "config.yaml", "    episodes: 40", "    episodes: 50")
    eval_command(str(run), episodes=1)
    assert capsys.readouterr().err == ""


def test_an_edit_of_what_may_change_is_told(run):
    edit(run / "config.yaml", "    episodes: 40", "    episodes: 50")
    assert end(run) == ["config.yaml was edited: run.budget.episodes: 40 -> 50"]


def test_a_removed_setting_is_an_edit_to_its_default(tmp_path):
    folder = begun(tmp_path, CARTPOLE, 2)
    edit(folder / "config.yaml", "  games_per_update: 2\n", "")
    with pytest.raises(InputError, match=r"algorithm\.games_per_update: 2 -> "):
        begin.resume(folder)


def test_a_checkpoint_that_keeps_no_settings_is_resumed(run):
    """As those of before 2026-12 are."""
    from rltrain.run.checkpoint import Checkpoints

    loaded = load_path(run)
    meta = {name: value for name, value in loaded.meta.items() if name not in ("config", "model")}
    shutil.rmtree(run / "checkpoints")
    Checkpoints(run).save(loaded.step, loaded.state, meta)
    assert end(run) == []


def test_an_argument_of_any_name_is_kept_and_an_edit_of_it_is_seen():
    text = 'algorithm: reinforce\nenvironment: {id: FrozenLake-v1, kwargs: {x: {"$blob": 1, "é": [.nan, null]}}}\n'
    experiment = config.loads(text, "test.yaml")
    meta = state_codec.decode(json.loads(state_codec.dump_json(state_codec.encode(edits.recorded(experiment)))))
    assert edits.since(meta, experiment) == []
    (edit,) = edits.since(meta, experiment.replace('environment.kwargs.x={"$blob": 2}'))
    assert edit.key == "environment.kwargs" and edit.refused


def test_an_edited_model_is_refused(tmp_path):
    folder = begun(tmp_path, TABLE, 2)
    edit(folder / "model" / "model.yaml", "reward 1", "reward 2")
    with pytest.raises(InputError, match="the model's sha256"):
        begin.resume(folder)


def test_a_run_that_was_moved_has_the_same_model(tmp_path):
    folder = begun(tmp_path, TABLE, 2)
    folder.rename(tmp_path / "moved")
    assert end(tmp_path / "moved") == []


def test_a_fork_goes_on_with_other_settings_and_leaves_the_run_as_it_was(run, tmp_path):
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    code = fork_run(str(run), "y", ["algorithm.gamma=0.5"], runs_dir=tmp_path, quiet=True)
    assert code == 0
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before
    facts = json.loads((tmp_path / "y" / "run.json").read_text())
    assert facts["forked"]["changed"] == ["algorithm.gamma: 0.99 -> 0.5"]
    assert facts["exact"] is False and facts["exact_until"]["episodes"] >= 20
    assert json.loads((tmp_path / "y" / "status.json").read_text())["state"] == "finished"
    assert config.load(tmp_path / "y" / "config.yaml").algorithm.gamma == 0.5
    old, new = ((folder / "metrics.jsonl").read_text() for folder in (run, tmp_path / "y"))
    assert new.startswith(old) and len(new) > len(old)


def test_a_fork_without_changes_learns_what_the_run_learns(run, whole, tmp_path):
    assert fork_run(str(run), "y", [], runs_dir=tmp_path, quiet=True) == 0
    assert (tmp_path / "y" / "metrics.jsonl").read_bytes() == (whole / "metrics.jsonl").read_bytes()


def test_a_fork_needs_a_name_that_a_run_may_have(run, tmp_path):
    with pytest.raises(InputError, match=r"--fork '\.\./y': a run's name is letters"):
        fork_run(str(run), "../y", [], runs_dir=tmp_path / "runs", quiet=True)
    assert not (tmp_path / "y").exists()


def test_a_fork_that_fails_leaves_nothing(run, tmp_path):
    with pytest.raises(InputError):
        fork_run(str(run), "y", ["algorithm.gamma=2"], runs_dir=tmp_path, quiet=True)
    assert not (tmp_path / "y").exists()


# Logs


def windows(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))


def shorter(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-3])


def other_number(path: Path) -> None:
    data = path.read_bytes()
    place = data.index(b"1")
    path.write_bytes(data[:place] + b"2" + data[place + 1 :])


DAMAGE = {"saved with other line ends": windows, "cut": shorter, "edited": other_number, "deleted": Path.unlink}
LOGS = ["metrics.csv", "metrics.jsonl", "eval.csv", "eval.jsonl"]


@pytest.mark.parametrize(
    ("name", "how"),  # each damage to a log of each kind
    [
        pytest.param(name, how, marks=() if name in ("metrics.csv", "eval.jsonl") else pytest.mark.slow)
        for name in LOGS
        for how in DAMAGE
    ],
)
def test_a_log_is_written_anew_from_its_twin(run, whole, name, how):
    DAMAGE[how](run / name)
    changed = (run / name).read_bytes() if (run / name).exists() else None
    (warning,) = end(run)
    assert warning.startswith(f"{name} ") and "written anew from" in warning
    assert (run / name).read_bytes() == (whole / name).read_bytes()
    aside = run / f"{Path(name).stem}-edited-1{Path(name).suffix}"
    assert (aside.read_bytes() if aside.exists() else None) == changed


def test_where_both_were_changed_the_run_goes_on_and_both_are_kept(run, whole):
    windows(run / "metrics.csv")
    windows(run / "metrics.jsonl")
    warnings = end(run)
    assert len(warnings) == 2 and all("without the numbers of before" in text for text in warnings)
    assert (run / "metrics-edited-1.csv").exists() and (run / "metrics-edited-1.jsonl").exists()
    rest = (run / "metrics.jsonl").read_bytes()
    assert rest and (whole / "metrics.jsonl").read_bytes().endswith(rest)
    head, *rows = (run / "metrics.csv").read_text().splitlines()
    assert head.startswith("env_steps,") and len(rows) == rest.count(b"\n")


def test_what_a_kill_left_beyond_the_checkpoint_is_no_edit(run, whole):
    for name in LOGS:
        with open(run / name, "ab") as file:
            file.write(b"torn")
    assert end(run) == []
    assert all((run / name).read_bytes() == (whole / name).read_bytes() for name in LOGS)


# Machines


def test_another_machine_is_recorded_from_the_step_on_that_it_made(run):
    facts = json.loads((run / "run.json").read_text())
    assert facts["exact"] is True
    facts["machine"]["torch"] = "0.0.1"
    (run / "run.json").write_text(json.dumps(facts))
    warnings = end(run)
    assert "resumed on another machine" in warnings[0]
    found = json.loads((run / "run.json").read_text())
    assert found["exact"] is False and "torch 0.0.1 -> " in found["why"]
    assert 20 <= found["exact_until"]["episodes"] < 40
    found["machine"] = json.loads((run / "run.json").read_text())["machine"]
    assert end(run)[0] == warnings[0]  # finished: nothing is done, and it stays as it is
    assert json.loads((run / "run.json").read_text()) == found


def test_a_run_that_is_only_looked_at_elsewhere_stays_exact(whole, tmp_path):
    shutil.copytree(whole, tmp_path / "x")
    facts = json.loads((tmp_path / "x" / "run.json").read_text())
    facts["machine"]["threads"] = "77"
    (tmp_path / "x" / "run.json").write_text(json.dumps(facts))
    assert "threads 77 -> " in end(tmp_path / "x")[0]
    assert json.loads((tmp_path / "x" / "run.json").read_text())["exact"] is True
