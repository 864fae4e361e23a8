"""Sinks: what a row looks like, and that a resumed log equals one that was never stopped."""

import csv
import io
import json
import math
import resource
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tensorboardX.crc32c import crc32c as reference_crc32c
from tensorboardX.proto.event_pb2 import Event, SessionLog

from rltrain.cells import unguarded
from rltrain.errors import CheckpointError, DiskError
from rltrain.run import events
from rltrain.run.sinks import Csv, JsonLines, TensorBoard

TEXT_FILES = {JsonLines: ("metrics.jsonl", "eval.jsonl"), Csv: ("metrics.csv", "eval.csv")}


def write_rows(sink, start, stop):
    """Rows start to stop of a small run; every third is evaluated."""
    for i in range(start, stop):
        counters = {"env_steps": 10 * i, "episodes": i // 2}
        sink.write("train", counters, {"loss/td": 1 / (i + 1), "return/mean": math.nan if i < 2 else float(i)})
        if i % 3 == 2:
            sink.write("eval", counters, {"mean": 0.1 * i, "episodes": 5.0})


def contents(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}


def events_in(path):
    """The events of a file, its checksums proven by tensorboardX."""
    data, found = path.read_bytes(), []
    while data:
        (length,) = struct.unpack("<Q", data[:8])
        record = data[12 : 12 + length]
        for part, stored in ((data[:8], data[8:12]), (record, data[12 + length : 16 + length])):
            crc = reference_crc32c(part)
            assert struct.unpack("<I", stored)[0] == ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
        found.append(Event.FromString(record))
        data = data[16 + length :]
    return found


def test_a_json_line_has_counters_then_metrics_and_null_for_what_is_no_number(tmp_path):
    sink = JsonLines(tmp_path)
    sink.write("train", {"env_steps": 7, "episodes": 1}, {"q/mean": 0.1, "loss/td": math.nan, "episodes": 9.0})
    sink.write("train", {"env_steps": np.int64(8), "episodes": 1}, {"q/mean": np.float32(0.5), "loss/td": math.inf})
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert lines[0] == '{"env_steps":7,"episodes":1,"q/mean":0.1,"loss/td":null}'
    assert json.loads(lines[1]) == {"env_steps": 8, "episodes": 1, "q/mean": 0.5, "loss/td": None}


def test_csv_columns_are_those_of_the_first_row(tmp_path):
    sink = Csv(tmp_path)
    sink.write("train", {"env_steps": 1}, {"a": math.nan, 'b,"': 0.1})
    sink.write("train", {"env_steps": 2}, {'b,"': 1e-20, "new": 3.0, "a": 2.0})
    with (tmp_path / "metrics.csv").open() as file:
        assert list(csv.reader(file)) == [["env_steps", "a", 'b,"'], ["1", "", "0.1"], ["2", "2.0", "1e-20"]]


def test_every_row_is_on_the_disk_at_once(tmp_path):
    sink = JsonLines(tmp_path)
    for i in range(3):
        sink.write("train", {"env_steps": i}, {})
        assert len((tmp_path / "metrics.jsonl").read_text().splitlines()) == i + 1


@pytest.mark.parametrize("kind", [JsonLines, Csv])
@settings(max_examples=20)
@given(saved=st.integers(0, 8), lost=st.integers(0, 4), after=st.integers(0, 4))
def test_a_resumed_log_equals_an_uninterrupted_one(tmp_path_factory, kind, saved, lost, after):
    whole, resumed = (tmp_path_factory.mktemp(name) for name in ("whole", "resumed"))
    write_rows(kind(whole), 0, saved + after)
    first = kind(resumed)
    write_rows(first, 0, saved)
    first.flush()
    state = json.loads(json.dumps(first.save()))
    write_rows(first, saved, saved + lost)  # then it is killed
    second = kind(resumed)
    second.load(state)
    write_rows(second, saved, saved + after)
    second.close()
    empty = {name for name, data in contents(resumed).items() if not data}  # cut to nothing, and nothing followed
    assert {name: data for name, data in contents(resumed).items() if name not in empty} == contents(whole)


@pytest.mark.parametrize("kind", [JsonLines, Csv])
def test_a_run_killed_before_its_first_save_starts_its_log_anew(tmp_path, kind):
    write_rows(kind(tmp_path), 0, 6)
    sink = kind(tmp_path)
    write_rows(sink, 0, 4)
    other = tmp_path / "other"
    other.mkdir()
    write_rows(kind(other), 0, 4)
    assert contents(tmp_path) == contents(other)


@pytest.mark.parametrize("kind", [JsonLines, Csv])
def test_a_log_shorter_than_the_checkpoint_says_is_refused_by_name(tmp_path, kind):
    sink = kind(tmp_path)
    write_rows(sink, 0, 4)
    state = sink.save()
    path = tmp_path / TEXT_FILES[kind][0]
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(CheckpointError, match=path.name):
        kind(tmp_path).load(state)


@pytest.mark.parametrize("kind", [JsonLines, Csv])
def test_rows_that_a_full_disk_refuses_are_written_when_there_is_room(tmp_path, kind):
    whole, full = tmp_path / "whole", tmp_path / "full"
    whole.mkdir()
    full.mkdir()
    write_rows(kind(whole), 0, 5)
    sink = kind(full)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (30, before[1]))  # the system refuses bytes beyond this
    try:
        for i in range(5):
            with pytest.raises(DiskError, match=full.name):
                write_rows(sink, i, i + 1)
                sink.save()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    sink.flush()
    written = contents(full)["metrics" + Path(TEXT_FILES[kind][0]).suffix]
    assert written == contents(whole)["metrics" + Path(TEXT_FILES[kind][0]).suffix]


def test_a_log_that_is_a_symbolic_link_is_not_followed(tmp_path):
    (tmp_path / "target").write_text("precious")
    (tmp_path / "metrics.jsonl").symlink_to(tmp_path / "target")
    with pytest.raises(DiskError):
        JsonLines(tmp_path).write("train", {"env_steps": 1}, {})
    assert (tmp_path / "target").read_text() == "precious"


def test_crc32c_gives_the_answer_of_the_standard():
    assert events.crc32c(b"123456789") == 0xE3069283
    assert events.crc32c(b"\0" * 32) == 0x8A9136AA  # RFC 3720 B.4


def test_tensorboard_reads_what_is_written(tmp_path):
    sink = TensorBoard(tmp_path)
    sink.write("train", {"env_steps": 300, "updates": 4}, {"loss/td": 0.25, "q/mean": math.nan, "big": 1e300})
    sink.write("eval", {"env_steps": 300, "updates": 4}, {"mean": -2.5})
    sink.flush()
    (path,) = (tmp_path / "events").iterdir()
    version, start, train, evaluation = events_in(path)
    assert version.file_version == "brain.Event:2"
    assert start.session_log.status == SessionLog.START and start.step == 0
    values = {value.tag: value.simple_value for value in train.summary.value}
    assert values == {"loss/td": 0.25, "big": math.inf} and train.step == 300
    assert [(value.tag, value.simple_value) for value in evaluation.summary.value] == [("eval/mean", -2.5)]


def test_a_resumed_tensorboard_forgets_what_came_after_the_checkpoint(tmp_path):
    first = TensorBoard(tmp_path)
    write_rows(first, 0, 4)
    state = first.save()
    write_rows(first, 4, 6)  # lost
    second = TensorBoard(tmp_path)
    second.load(state)
    write_rows(second, 4, 5)
    old, new = sorted((tmp_path / "events").iterdir())
    assert events_in(old)[-1].step == 50
    start = events_in(new)[1]
    assert start.session_log.status == SessionLog.START and start.step == 31  # of all after step 30
    assert events_in(new)[2].step == 40


@pytest.mark.parametrize("kind", [JsonLines, Csv, TensorBoard])
def test_a_sink_without_rows_leaves_no_file(tmp_path, kind):
    sink = kind(tmp_path)
    sink.flush()
    kind(tmp_path).load(sink.save())
    sink.close()
    assert list(tmp_path.rglob("*")) == []


def test_a_column_that_a_spreadsheet_would_run_is_written_so_that_it_does_not(tmp_path):
    names = ["=1+1", "+x", "-y", "@z", "\tt", "\rr", "'=a", "plain", "'b"]
    sink = Csv(tmp_path)
    sink.write("train", {"env_steps": 1}, dict.fromkeys(names, -1.5))
    sink.close()
    head, row = csv.reader(io.StringIO((tmp_path / "metrics.csv").read_bytes().decode(), newline=""))
    assert not [cell for cell in head if cell[0] in "=+-@\t\r"]
    assert [unguarded(cell) for cell in head] == ["env_steps", *names]
    assert row == ["1", *["-1.5"] * len(names)]  # a number is no formula
