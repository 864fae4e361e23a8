"""Trackers as their packages are: a run is sent, read back by the package's own reader, and gone on with."""

import json
import struct
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

import rltrain
from rltrain.verbs.track import track

SETTINGS = {
    "run.threads": 1,
    "run.budget": {"env_steps": 1_200},
    "run.evaluate.every": {"env_steps": 400},
    "run.evaluate.episodes": 2,
    "algorithm.hidden": [8],
}


@pytest.fixture
def run(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return Path(rltrain.train("dqn_cartpole", SETTINGS, runs_dir=tmp_path / "runs", name="pole", seed=1))


def steps_of(run: Path, name: str, metric: str) -> dict[int, float]:
    rows = [json.loads(line) for line in (run / name).read_text().splitlines()]
    return {row["env_steps"]: row[metric] for row in rows if row[metric] is not None}


def wandb_records(path: Path) -> Iterator[bytes]:
    """The records of a file of wandb: those of a log of LevelDB, in blocks of 32 KiB, after a header of 7 bytes."""
    data, place, parts = path.read_bytes(), 7, b""
    while place + 7 <= len(data):
        if 32_768 - place % 32_768 < 7:  # no room for a head
            place += 32_768 - place % 32_768
            continue
        _, size, kind = struct.unpack_from("<IHB", data, place)
        parts += data[place + 7 : place + 7 + size]
        place += 7 + size
        if kind in (1, 4):  # whole, or the last part
            yield parts
            parts = b""


def wandb_rows(folder: Path) -> list[dict]:
    """What wandb wrote offline, by its own protocol buffers."""
    from wandb.proto import wandb_internal_pb2 as records

    found = []
    for path in sorted(folder.glob("wandb/offline-run-*/run-*.wandb")):
        for data in wandb_records(path):
            record = records.Record.FromString(data)
            if record.WhichOneof("record_type") == "history":
                items = record.history.item
                found.append({item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in items})
    return found


@pytest.mark.slow
def test_wandb_offline(run, tmp_path, monkeypatch):
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    report = track(run, "wandb", project="poles")
    assert report.where.startswith("wandb sync ")
    rows = wandb_rows(tmp_path)
    for name, metric, prefix in (("metrics.jsonl", "return/mean", ""), ("eval.jsonl", "mean", "eval/")):
        got = {row["env_steps"]: row[prefix + metric] for row in rows if prefix + metric in row}
        assert got == steps_of(run, name, metric) and got
    assert any("curve" in key for row in rows for key in row)
    assert track(run, "wandb").rows == {"train": 0, "eval": 0}
    rltrain.resume(run, {"run.budget": {"env_steps": 1_600}}, picture=False)
    again = track(run, "wandb")
    assert again.tracker_run == report.tracker_run and again.rows["train"] > 0
    got = [row["env_steps"] for row in wandb_rows(tmp_path) if "eval/mean" in row]
    assert sorted(got) == sorted(steps_of(run, "eval.jsonl", "mean"))


@pytest.mark.slow
def test_mlflow_in_a_file(run, tmp_path, monkeypatch):
    mlflow = pytest.importorskip("mlflow")
    place = f"sqlite:///{tmp_path / 'mlflow.db'}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", place)
    mlflow.set_tracking_uri(place)
    report = track(run, "mlflow", project="poles")
    client = mlflow.MlflowClient()

    def history(metric: str) -> list[tuple[int, float]]:
        return sorted((row.step, row.value) for row in client.get_metric_history(report.tracker_run, metric))

    assert history("return/mean") == sorted(steps_of(run, "metrics.jsonl", "return/mean").items())
    assert history("eval/mean") == sorted(steps_of(run, "eval.jsonl", "mean").items())
    found = client.get_run(report.tracker_run)
    assert found.info.status == "FINISHED" and found.data.params["algorithm.hidden"] == "[8]"
    assert found.data.tags["environment"] == "CartPole-v1" and found.data.tags["summary.state"] == "finished"
    assert "curve.png" in [item.path for item in client.list_artifacts(report.tracker_run)]
    rltrain.resume(run, {"run.budget": {"env_steps": 1_600}}, picture=False)
    assert track(run, "mlflow").tracker_run == report.tracker_run
    assert history("eval/mean") == sorted(steps_of(run, "eval.jsonl", "mean").items())


@pytest.mark.slow
def test_trackio_on_this_machine(run, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "trackio"))  # read when it is imported
    pytest.importorskip("trackio")
    from trackio.sqlite_storage import SQLiteStorage

    report = track(run, "trackio", project="poles")
    assert capsys.readouterr().out == ""

    def history(metric: str) -> list[tuple[int, float]]:
        rows = SQLiteStorage.get_logs("poles", report.tracker_run)
        return sorted((row["step"], row[metric]) for row in rows if metric in row)

    assert history("return/mean") == sorted(steps_of(run, "metrics.jsonl", "return/mean").items())
    assert history("eval/mean") == sorted(steps_of(run, "eval.jsonl", "mean").items())
    assert history("curve") and history("summary/state") == [
        (max(step for step, _ in history("eval/mean")), "finished")
    ]
    rltrain.resume(run, {"run.budget": {"env_steps": 1_600}}, picture=False)
    assert track(run, "trackio").tracker_run == report.tracker_run
    assert history("eval/mean") == sorted(steps_of(run, "eval.jsonl", "mean").items())


@pytest.mark.slow
def test_a_config_that_asks_for_it_starts_it_beside_the_training(tmp_path, monkeypatch):
    """The child outlives the training, sends all of it with its picture, and ends."""
    pytest.importorskip("wandb")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    run = Path(rltrain.train("dqn_cartpole", SETTINGS | {"run.track": "wandb"}, runs_dir=tmp_path, name="pole"))
    children = [child for child in psutil.Process().children() if "track" in child.cmdline()]
    assert len(children) == 1 and children[0].cmdline()[0] == sys.executable
    while children[0].is_running() and children[0].status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.05)
    said = (run / "track.log").read_text()
    assert "(finished) to wandb" in said and "look at it: wandb sync" in said
    found = json.loads((run / "tracked-wandb.json").read_text())
    assert found["finished"] == "finished" and set(found["files"]) == {"curve.png"}
    got = {row["env_steps"]: row["eval/mean"] for row in wandb_rows(tmp_path) if "eval/mean" in row}
    assert got == steps_of(run, "eval.jsonl", "mean")
