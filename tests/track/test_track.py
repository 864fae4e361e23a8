"""A run reaches a tracker whole: each row once, with its own step, whatever is killed, resumed or cut back."""

import json
import os
import shutil
from collections import Counter
from pathlib import Path

import pytest

import rltrain
from rltrain.errors import BusyError, CheckpointError, InputError, MissingError
from rltrain.experiment.config import differences, is_safe, load
from rltrain.run.lock import hold
from rltrain.track import follower as following
from rltrain.track import sent, targets
from rltrain.verbs import track as verb
from rltrain.verbs.track import TrackReport, send, track

SETTINGS = {
    "run.threads": 1,
    "run.budget": {"env_steps": 2_000},
    "run.evaluate.every": {"env_steps": 500},
    "run.evaluate.episodes": 2,
    "run.save.every": {"env_steps": 500},
    "run.save.keep": 4,
    "run.evaluate.until": None,
    "algorithm.hidden": [8],
}


class Killed(BaseException):
    """Where the process of a tracker is killed: nothing that it would do at its end is done."""


class Recorder:
    """A tracker that keeps its rows in a file, as soon as they are flushed."""

    again = "keeps both"
    whole = False

    def __init__(self, place: Path, run, known: str | None) -> None:
        self.id, self.where, self.run = known or "r1", str(place), run
        self._place, self._waiting, self.left = place, [], 10**9

    def last_steps(self):
        steps = {}
        for row in recorded(self._place):
            table = "eval" if any(key.startswith("eval/") for key in row["metrics"]) else "train"
            steps[table] = max(steps.get(table, -1), row["step"])
        return steps

    def log(self, step, metrics):
        if not self.left:
            raise Killed
        self.left -= 1
        self._waiting.append(json.dumps({"step": step, "metrics": metrics}) + "\n")

    def flush(self):
        with self._place.open("a") as file:
            file.writelines(self._waiting)
        self._waiting.clear()

    def file(self, path):
        with self._place.with_suffix(".files").open("a") as file:
            file.write(f"{path.name}\n")

    def finish(self, state, summary):
        self._place.with_suffix(".end").write_text(json.dumps({"state": state, **summary}))


def recorded(place: Path) -> list[dict]:
    return [json.loads(line) for line in place.read_text().splitlines()] if place.exists() else []


def expected(run: Path) -> list[dict]:
    """What a tracker should hold, read without rltrain."""
    found = []
    for name, prefix in (("metrics", ""), ("eval", "eval/")):
        for line in (run / f"{name}.jsonl").read_text().splitlines():
            row = json.loads(line)
            metrics = {prefix + key: value for key, value in row.items() if isinstance(value, float)}
            found.append({"step": row["env_steps"], "metrics": metrics})
    return found


def counted(rows: list[dict]) -> Counter:
    return Counter(json.dumps(row, sort_keys=True) for row in rows)


def to_file(run: Path, place: Path, **options) -> TrackReport:
    return send(run, "recorder", lambda about, known: Recorder(place, about, known), **options)


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    home = tmp_path_factory.mktemp("runs")
    return Path(rltrain.train("dqn_cartpole", SETTINGS, runs_dir=home, name="pole", seed=1))


@pytest.fixture
def run(trained, tmp_path) -> Path:
    return Path(shutil.copytree(trained, tmp_path / "runs" / "pole"))


def resumed(run: Path, **options) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(run.parent)
        rltrain.resume(run, {"run.budget": {"env_steps": 3_000}}, picture=False, **options)


def back_to(run: Path, step: int) -> None:
    """Leave the checkpoints up to this step alone, as if the newer ones were damaged: a resume cuts the logs back."""
    for path in (run / "checkpoints").iterdir():
        if int("".join(filter(str.isdigit, path.name)) or 0) > step:
            shutil.rmtree(path)


def test_every_row_goes_once_and_in_order_with_the_step_of_the_file(run, tmp_path):
    place = tmp_path / "sent"
    report = to_file(run, place)
    rows = recorded(place)
    assert counted(rows) == counted(expected(run))
    assert [row["step"] for row in rows] == sorted(row["step"] for row in rows)
    assert report.rows == {"train": len((run / "metrics.jsonl").read_text().splitlines()), "eval": 4}
    assert to_file(run, place).rows == {"train": 0, "eval": 0}
    assert recorded(place) == rows


def test_the_end_is_told_with_the_best_score_and_files_go_once(run, tmp_path):
    place = tmp_path / "sent"
    (run / "play.gif").write_bytes(b"GIF89a")
    assert to_file(run, place).files == ["curve.png", "play.gif"]
    end = json.loads(place.with_suffix(".end").read_text())
    status = json.loads((run / "status.json").read_text())
    assert end["state"] == "finished" and end["best"] == status["best"]["score"]
    assert end["env_steps"] == status["counters"]["env_steps"]
    (run / "play.gif").write_bytes(b"GIF87a")
    assert to_file(run, place).files == ["play.gif"]


def test_a_tracker_is_told_the_config_and_the_machine(run):
    about = verb.told_of(run, None)
    assert about.params["algorithm.hidden"] == "[8]" and about.params["run.seed"] == 1
    assert about.params["run.json/machine.python"]
    assert (about.tags, about.counter) == ({"algorithm": "dqn", "environment": "CartPole-v1"}, "env_steps")


def test_a_resumed_run_goes_on_in_the_same_run_of_the_tracker(run, tmp_path):
    place = tmp_path / "sent"
    to_file(run, place)
    before = recorded(place)
    resumed(run)
    report = to_file(run, place)
    rows, wanted = counted(recorded(place)), counted(expected(run))
    assert report.tracker_run == "r1" and report.notes == []
    assert not wanted - rows
    assert rows - wanted == counted([row for row in before if counted([row]) - wanted])  # the row that a budget had cut
    assert set(rows.values()) == {1}


@pytest.mark.parametrize("step", [500, 1_000])
def test_a_log_that_is_cut_back_and_written_anew_sends_nothing_twice(step, run, tmp_path):
    place = tmp_path / "sent"
    to_file(run, place)
    back_to(run, step)
    resumed(run)
    report = to_file(run, place)
    assert report.notes == []
    assert not counted(expected(run)) - counted(recorded(place))
    assert set(counted(recorded(place)).values()) == {1}


def test_rows_that_come_back_are_left_out_while_the_log_grows(run, tmp_path):
    """As `--follow` sees it: now cut back, then a few rows, then more than there were."""
    place, whole = tmp_path / "sent", {}
    to_file(run, place)
    for name in ("metrics.jsonl", "eval.jsonl"):
        whole[name] = (run / name).read_bytes()
    lines = whole["metrics.jsonl"].splitlines(keepends=True)
    before = recorded(place)
    about = verb.told_of(run, None)
    follower = following.Follower(run, "recorder", about, lambda run, known: Recorder(place, run, known))
    for kept in (3, 5, 6, len(lines) - 1, len(lines)):
        (run / "metrics.jsonl").write_bytes(b"".join(lines[:kept]) + lines[0][:20])  # the last is being written
        assert follower.send() == 0
    assert recorded(place) == before


def test_rows_with_other_numbers_are_sent_and_said_once(run, tmp_path):
    place = tmp_path / "sent"
    to_file(run, place)
    back_to(run, 500)
    resumed(run, new_episodes=True)
    report = to_file(run, place)
    told = [note for note in report.notes if "metrics.jsonl" in note]
    assert len(told) == 1 and "not exact" in told[0] and "keeps both" in told[0]
    assert not counted(expected(run)) - counted(recorded(place))
    assert to_file(run, place).notes == []


def test_a_log_that_is_another_one_sends_later_steps_alone(run, tmp_path, monkeypatch):
    monkeypatch.setattr(sent, "MOST_ROWS", 2)
    place = tmp_path / "sent"
    to_file(run, place)
    lines = (run / "metrics.jsonl").read_bytes().splitlines(keepends=True)
    last = json.loads(lines[-1])
    more = json.dumps(last | {"env_steps": last["env_steps"] + 50}).encode() + b"\n"
    (run / "metrics.jsonl").write_bytes(b"".join([lines[0][:-2] + b" }\n", *lines[1:], more]))
    report = to_file(run, place)
    assert report.rows["train"] == 1 and "not the file that was sent" in report.notes[0]
    assert recorded(place)[-1]["step"] == last["env_steps"] + 50


@pytest.mark.parametrize("most", [2, 1_000])
def test_killed_at_any_row_it_goes_on(most, run, tmp_path, monkeypatch):
    monkeypatch.setattr(sent, "MOST_ROWS", most)
    monkeypatch.setattr(following, "BATCH", 3)
    place = tmp_path / "sent"
    wanted = counted(expected(run))

    def killed_after(rows: int):
        def opened(about, known):
            tracker = Recorder(place, about, known)
            tracker.left = rows
            return tracker

        return opened

    for rows in range(4, sum(wanted.values())):
        with pytest.raises(Killed):
            send(run, "recorder", killed_after(rows))
        if len(recorded(place)) > sum(wanted.values()) - 6:
            break
    to_file(run, place)
    assert counted(recorded(place)) == wanted


@pytest.mark.parametrize("whole", [True, False])
def test_killed_before_it_could_remember_it_asks_the_tracker(whole, run, tmp_path, monkeypatch):
    monkeypatch.setattr(Recorder, "whole", whole)
    place = tmp_path / "sent"
    remember = following.memory.remember
    calls = []

    def killed(folder, tracked):
        calls.append(tracked)
        if len(calls) > 1:  # the first is of the new run
            raise Killed
        remember(folder, tracked)

    monkeypatch.setattr(following.memory, "remember", killed)
    with pytest.raises(Killed):
        to_file(run, place)
    monkeypatch.setattr(following.memory, "remember", remember)
    to_file(run, place)
    rows, wanted = counted(recorded(place)), counted(expected(run))
    assert rows.keys() == wanted.keys()
    doubled = sum(rows.values()) - sum(wanted.values())
    assert doubled == (0 if whole else 2)  # of each table the row at the last step, which may be there in part


def test_to_follow_ends_with_the_run(tmp_path, monkeypatch):
    """The tracker is called while the run trains, and once more when it is over."""
    monkeypatch.setattr(verb, "POLL_SECONDS", 0.0)
    place, seen = tmp_path / "sent", []
    events = rltrain.stream("dqn_cartpole", SETTINGS, runs_dir=tmp_path, name="pole", picture=False)
    saves = 0

    def opened(about, known):
        tracker = Recorder(place, about, known)
        log = tracker.log

        def advancing(step, metrics):
            log(step, metrics)
            seen.append((step, verb.state_of(tmp_path / "pole")))

        tracker.log = advancing
        return tracker

    def until_it_is_over(path):
        for _ in events:
            return False
        return True

    monkeypatch.setattr(verb, "_is_over", until_it_is_over)
    for event in events:
        saves += event.kind == "save"
        if saves == 2:
            break_at = event.counters["env_steps"]
            break
    else:
        raise AssertionError
    report = send(tmp_path / "pole", "recorder", opened, follow=True)
    assert report.state == "finished"
    assert {state for step, state in seen if step <= break_at} == {"running"}
    assert counted(recorded(place)) == counted(expected(tmp_path / "pole"))


def test_whether_a_run_is_over(run):
    assert verb._is_over(run)
    lock = hold(run / ".lock")
    try:
        assert not verb._is_over(run)
    finally:
        os.close(lock)


def test_one_process_at_a_time(run, tmp_path):
    (run / ".tracked-recorder.lock").touch()
    lock = hold(run / ".tracked-recorder.lock")
    try:
        with pytest.raises(BusyError, match="another process sends it"):
            to_file(run, tmp_path / "sent")
    finally:
        os.close(lock)


@pytest.mark.parametrize("text", ["{", "[]", '{"to": "recorder"}', '{"to": "recorder", "run": 3, "project": "p"}'])
def test_what_rltrain_did_not_write_is_refused(text, run, tmp_path):
    (run / "tracked-recorder.json").write_text(text)
    with pytest.raises(CheckpointError, match=r"tracked-recorder\.json: .*remove it"):
        to_file(run, tmp_path / "sent")


def test_a_run_stays_in_its_project(run, tmp_path):
    to_file(run, tmp_path / "sent", project="poles")
    assert to_file(run, tmp_path / "sent").project == "poles"
    with pytest.raises(InputError, match="is in poles at recorder already"):
        to_file(run, tmp_path / "sent", project="carts")


def test_wrong_names_are_refused(run):
    with pytest.raises(InputError, match="expected trackio, wandb, mlflow or tensorboard"):
        track(run, "neptune")


def test_tensorboard_is_there_already(run):
    before = sorted(path.name for path in run.iterdir())
    report = track(run, "tensorboard")
    assert report.where == f"tensorboard --logdir {run}" and "itself" in report.notes[0]
    assert sorted(path.name for path in run.iterdir()) == before


def test_a_missing_package_is_named_and_training_goes_on_without(tmp_path, monkeypatch):
    monkeypatch.setattr(targets.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingError, match=r'pip install "rltrain\[mlflow\]"'):
        targets.opener("mlflow")
    settings = SETTINGS | {"run.track": "mlflow", "run.budget": {"env_steps": 1_500}}
    with pytest.warns(UserWarning, match=r"run\.track: mlflow is not installed: pip install"):
        result = rltrain.train("dqn_cartpole", settings, runs_dir=tmp_path, picture=False)
    assert result.finished and sum("run.track" in text for text in result.warnings) == 1
    assert not (Path(result) / "track.log").exists()


def test_the_setting_changes_nothing_that_is_learned(tmp_path):
    plain = load("dqn_cartpole")
    asking = plain.replace("run.track=wandb")
    assert "track" not in plain.to_dict()["run"]
    assert asking.to_dict()["run"]["track"] == {"to": "wandb", "project": None}
    assert asking.replace() == asking
    assert all(is_safe(key) for key, _, _ in differences(plain, asking))
    assert plain.replace("run.track={to: mlflow, project: pole}").run.track.project == "pole"
    with pytest.raises(InputError, match=r"run\.track"):
        plain.replace("run.track=neptune")
    with pytest.raises(InputError, match="a project has"):
        plain.replace("run.track={to: mlflow, project: ../x}")
