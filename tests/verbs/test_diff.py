"""`rltrain diff` and `rltrain rerun`: what is different between two runs, and whether one comes to its bytes again."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from built import app

import rltrain
from rltrain.cli import diff as shown_diff
from rltrain.cli import rerun as shown
from rltrain.cli.errors import exit_code_of
from rltrain.errors import CheckpointError, InputError
from rltrain.verbs.diff import RunsApart, SettingApart, diff
from rltrain.verbs.rerun import Repeated, compared, prepare

SHORT = {
    "algorithm": {"name": "reinforce", "hidden": [8], "games_per_update": 4},
    "environment": {"id": "CartPole-v1", "num_envs": 4},
    "run": {"budget": {"updates": 3}, "evaluate": {"every": {"updates": 2}, "episodes": 2}, "threads": 1},
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """one and two of seeds 0 and 1; and "killed": what a longer "one" had written when its third row was half there."""
    home = tmp_path_factory.mktemp("trained")
    for seed, name in enumerate(("one", "two")):
        rltrain.train(SHORT, seed=seed, name=name, runs_dir=home, picture=False)
    for event in rltrain.stream(SHORT, {"run.budget.updates": 6}, name="live", runs_dir=home, picture=False):
        if event.kind == "step" and event.counters["updates"] == 2:
            shutil.copytree(home / "live", home / "killed")
    for name in ("metrics.jsonl", "metrics.csv"):
        lines = (home / "live" / name).read_bytes().splitlines(keepends=True)
        rows = 2 if name.endswith("l") else 3
        (home / "killed" / name).write_bytes(b"".join(lines[:rows]) + lines[rows][:20])
    shutil.rmtree(home / "live")
    return home


@pytest.fixture
def runs(trained: Path, tmp_path: Path) -> Path:
    """A copy of them."""
    return Path(shutil.copytree(trained, tmp_path / "runs"))


def edited(path: Path, before: str, after: str) -> None:
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after, 1))


def again(runs: Path, name: str) -> Repeated:
    old = prepare(name, runs)
    new = old.begin(runs, None, "a test")
    for _ in old.advance(new):
        pass
    new.close()
    return compared(old, new.folder)


def said(report: RunsApart | Repeated, capsys: pytest.CaptureFixture[str]) -> list[str]:
    if isinstance(report, Repeated):
        shown.show(report)
    else:
        shown_diff.show(report)
    return capsys.readouterr().out.splitlines()


# Two runs


def test_seeds_differ_in_the_seed_and_from_the_first_row(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = diff("one", "two", runs)
    assert report.settings == [SettingApart("run.seed", "0", "1", True, False)]
    assert (report.versions, report.machine, report.equal) == ([], [], False)
    assert report.tables["training"].same == 0 and report.tables["training"].metric == "env_steps"
    head, seed, training, *_ = said(report, capsys)
    assert (head.split(), seed.split()) == (["one", "two"], ["run.seed", "0", "(default)", "1"])
    assert training.startswith("training      at ") and " env_steps is " in training


def test_a_run_equals_itself(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = diff("one", str(runs / "one"), runs)
    assert report.equal and report.equal_numbers
    (line,) = said(report, capsys)
    assert line.endswith("are equal: settings, versions, machine, and every number")


def test_the_first_number_that_differs_is_named_with_all_its_digits(
    runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = (runs / "one" / "metrics.jsonl").read_text().splitlines()
    row = json.loads(lines[1])
    changed = {**row, "return/mean": row["return/mean"] + 1e-12}
    (runs / "two" / "metrics.jsonl").write_text("\n".join([lines[0], json.dumps(changed), lines[2]]) + "\n")
    table = diff("one", "two", runs).tables["training"]
    assert (table.same, table.rows, table.metric) == (1, (3, 3), "return/mean")
    assert table.values == (row["return/mean"], row["return/mean"] + 1e-12)
    assert f"return/mean is {row['return/mean']!r} and " in shown_diff.parting(table)


def test_rows_that_one_lacks_and_metrics_that_one_lacks_are_said(runs: Path) -> None:
    lines = (runs / "one" / "metrics.jsonl").read_text().splitlines()
    (runs / "two" / "metrics.jsonl").write_text("\n".join(lines[:2]) + "\n")
    (runs / "two" / "metrics.csv").unlink()  # of which the rest would be read
    table = diff("one", "two", runs).tables["training"]
    assert not table.equal and not table.parted
    assert shown_diff.parting(table).startswith("the first 2 rows are equal; one goes on from there, at ")
    row = {**json.loads(lines[0]), "more": None}
    (runs / "two" / "metrics.jsonl").write_text(json.dumps(row) + "\n")
    assert shown_diff.parting(diff("one", "two", runs).tables["training"]).endswith("only one has more")


def test_versions_and_machine_are_compared_and_what_is_unreadable_is_said(runs: Path) -> None:
    known = json.loads((runs / "two" / "run.json").read_text())
    known["machine"] |= {"numpy": "1.0", "threads": "99"}
    (runs / "two" / "run.json").write_text(json.dumps(known))
    report = diff("one", "two", runs)
    assert [(fact.name, fact.other) for fact in report.versions] == [("numpy", "1.0")]
    assert [(fact.name, fact.one, fact.other) for fact in report.machine] == [("threads", "1", "99")]
    (runs / "two" / "run.json").write_text("{")
    assert "run.json cannot be read" in diff("one", "two", runs).notes[0]


# The same run again


def test_a_run_comes_to_its_bytes_again(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = again(runs, "one")
    assert Path(report.again).name == "one-rerun"
    assert report.equal and report.arrays and set(report.files.values()) == {"equal"}
    assert said(report, capsys)[0].startswith(
        "equal to the byte: metrics.jsonl, metrics.csv, eval.jsonl, eval.csv, ckpt-"
    )
    assert Path(again(runs, "one").again).name == "one-rerun-2"


def test_a_run_that_was_given_more_is_made_again_in_one_piece(runs: Path) -> None:
    rltrain.resume("one", {"run.budget": {"updates": 5}}, runs_dir=runs, picture=False)
    report = again(runs, "one")
    assert report.equal and report.tables["training"].same == 5


@pytest.mark.parametrize("after", [("step", 1), ("eval", 1), ("step", 3)])
def test_a_run_that_was_stopped_is_made_again_to_where_it_stands(
    runs: Path, after: tuple[str, int], capsys: pytest.CaptureFixture[str]
) -> None:
    kind, left = after
    for event in rltrain.stream(SHORT, {"run.budget.updates": 6}, name="stopped", runs_dir=runs, picture=False):
        left -= event.kind == kind
        if left == 0:
            break
    report = again(runs, "stopped")
    assert report.equal and not report.partial and report.arrays
    assert report.end is not None and report.end.startswith("it was stopped at ")
    updates = {
        name: json.loads((runs / name / "status.json").read_text())["counters"] for name in ("stopped", "stopped-rerun")
    }
    assert updates["stopped"] == updates["stopped-rerun"]


def test_a_run_that_was_killed_is_compared_as_far_as_it_came(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = again(runs, "killed")
    assert report.equal and not report.partial and report.tables["training"].rows == (2, 2)
    steps = json.loads((runs / "killed" / "metrics.jsonl").read_text().splitlines()[1])["updates"]
    assert report.end == f"it was killed at about {steps} updates"
    first, second, _ = said(report, capsys)
    assert first.startswith("equal as far as it came: metrics.jsonl, metrics.csv")
    assert second.endswith(f"killed: {report.end}")


def test_how_far_a_killed_run_came_is_what_it_wrote_and_not_what_it_said(runs: Path) -> None:
    status = {"state": "running", "counters": {"updates": 6, "env_steps": 10**9}}
    (runs / "killed" / "status.json").write_text(json.dumps(status))
    report = again(runs, "killed")
    assert report.equal and report.end == "it was killed at about 2 updates"


@pytest.mark.parametrize("text", ["", "{", "[1]", None])
def test_a_damaged_status_is_said_and_the_run_is_made_again_by_what_it_wrote(runs: Path, text: str | None) -> None:
    for name in ("killed", "one"):
        (runs / name / "status.json").unlink()
        if text is not None:
            (runs / name / "status.json").write_text(text)
    report = again(runs, "killed")
    assert report.equal and report.notes[0].startswith("status.json: ")
    assert report.end == "how it ended is not known, and the last that it wrote is of 2 updates"
    report = again(runs, "one")  # its newest checkpoint shows that its budget was spent
    assert report.equal and report.end is None and report.notes


def test_a_byte_of_a_killed_run_that_differs_is_unequal(runs: Path) -> None:
    path = runs / "killed" / "metrics.jsonl"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    report = again(runs, "killed")
    assert report.equal is False and report.files["metrics.jsonl"] == "unequal"


def test_a_finished_run_whose_tail_was_cut_is_unequal(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = runs / "one" / "metrics.csv"
    path.write_bytes(path.read_bytes()[:-5])
    report = again(runs, "one")
    assert report.equal is False and report.files["metrics.csv"] == "equal as far as one goes"
    assert said(report, capsys)[0] == "not equal: metrics.csv"


def test_other_bytes_are_told_with_the_first_and_what_may_be_why(
    runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    edited(runs / "one" / "config.yaml", "episodes: 2", "episodes: 3")  # of an evaluation; the rest is not believed
    edited(runs / "one" / "run.json", '"threads": "1"', '"threads": "64"')
    report = again(runs, "one")
    assert not report.equal and report.arrays is False
    assert report.why == ["threads 64 -> 1"]
    first, evaluations, *_ = said(report, capsys)
    assert first.startswith("not equal: eval.jsonl, eval.csv, ckpt-")
    assert evaluations.startswith("evaluations   at ")


def test_a_rerun_with_other_bytes_exits_with_9(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edited(runs / "one" / "metrics.csv", "0", "1")
    call = ["rerun", "one", "-f", str(runs), "--json"]
    assert exit_code_of(lambda: app(call)) == 9
    found = json.loads(capsys.readouterr().out)
    files = found["files"]
    assert (found["equal"], files["metrics.csv"], files["metrics.jsonl"]) == (False, "unequal", "equal")
    assert exit_code_of(lambda: app(["rerun", "two", "-f", str(runs), "-q", "--name", "mine"])) == 0
    assert (runs / "mine" / "config.yaml").is_file()


def test_a_run_that_started_from_another_needs_that_checkpoint(runs: Path) -> None:
    rltrain.train(SHORT, start_from=runs / "one", name="warm", runs_dir=runs, picture=False)
    assert again(runs, "warm").equal
    known = json.loads((runs / "warm" / "run.json").read_text())
    known["started_from"]["sha256"] = "0" * 64
    (runs / "warm" / "run.json").write_text(json.dumps(known))
    with pytest.raises(CheckpointError, match="is another checkpoint than"):
        prepare("warm", runs)
    (runs / "one" / "checkpoints").rename(runs / "away")
    with pytest.raises(InputError, match="which is gone"):
        prepare("warm", runs)


def test_a_fork_and_a_run_that_did_not_begin_cannot_be_made_again(runs: Path) -> None:
    known = json.loads((runs / "two" / "run.json").read_text())
    (runs / "two" / "run.json").write_text(json.dumps({**known, "forked": {"run": "runs/one"}}))
    with pytest.raises(InputError, match="was forked from runs/one"):
        prepare("two", runs)
    for name in ("metrics.jsonl", "eval.jsonl", "status.json"):
        (runs / "one" / name).unlink()
    (runs / "one" / "checkpoints").rename(runs / "away")
    with pytest.raises(InputError, match=r"wrote no numbers yet, .*; status\.json: is missing"):
        prepare("one", runs)


def test_a_rerun_that_is_stopped_says_that_it_is_partial(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old = prepare("one", runs)
    new = old.begin(runs, None, "a test")
    for event in old.advance(new):
        if event.kind == "step":
            new.request_stop("SIGINT")
    new.close()
    report = compared(old, new.folder)
    assert report.partial and report.equal is None and json.loads(json.dumps(report.json()))["equal"] is None
    first, go_on, *_ = said(report, capsys)
    assert first.startswith("stopped before the new run came as far as the old one; equal as far as it came: metrics.")
    assert go_on == f"go on with: rltrain resume {new.folder}"
    rltrain.resume(new.folder, picture=False)
    assert diff("one", str(new.folder), runs).equal
