"""The journal is Optuna's own: its storage and its dashboard read what was asked and told, and ours reads it back."""

from __future__ import annotations

import json
import os
import threading
import urllib.request
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest

from rltrain.errors import CheckpointError
from rltrain.experiment.space import OneOf, Range
from rltrain.experiment.sweep import HalvingConfig, SweepConfig
from rltrain.verbs.sweep.journal import StudyJournal, Tell, ask_lines, end_line, labels, read, tell_lines

SPACE = {
    "algorithm.learning_rate": Range(1e-5, 1e-2, log=True),
    "algorithm.hidden": OneOf(([64, 64], [128, 128])),
    "algorithm.n_step": Range(1, 5),
    "algorithm.gamma": Range(0.1, 0.9, step=0.2),
    "algorithm.double": OneOf((True, False)),
}
POINTS = [
    dict(zip(SPACE, numbers, strict=True))
    for numbers in [
        (1e-3, 1, 3, 0.3, 0),
        (3.141592653589793e-05, 0, 1, 0.1, 1),
        (1e-5, 1, 5, 0.9, 1),
        (1e-2, 0, 2, 0.7, 0),
    ]
]


class Told:
    """What a journal is told of a sweep."""

    space = SPACE
    settings = SweepConfig(config="small.yaml", halving=HalvingConfig(**{"counter": "env_steps", "from": 10, "to": 90}))


def written(path):
    """Four trials in a halving: one is paused, one comes to its end, one diverges, one runs."""
    journal = StudyJournal(path, Told)
    journal.add(ask_lines(SPACE, POINTS))
    journal.add(
        [
            *tell_lines(0, Tell(1.5, (1.0, 2.0)), 10),
            *tell_lines(1, Tell(0.1, (0.1,)), 10),
            *tell_lines(2, Tell(0.1, (None,), True), 10),
        ]
    )
    journal.add([end_line(1, "pruned", 0.1), end_line(2, "pruned", 0.1)])
    journal.add([*tell_lines(0, Tell(2.5, (2.0, 3.0)), 30), end_line(0, "complete", 2.5)])
    journal.close()
    return journal.study


def test_optuna_reads_parameters_states_values_and_intermediate_values(tmp_path):
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    written(tmp_path / "study.journal")
    study = optuna.load_study(
        study_name=None, storage=JournalStorage(JournalFileBackend(str(tmp_path / "study.journal")))
    )
    assert study.direction == optuna.study.StudyDirection.MAXIMIZE
    assert study.metric_names == ["eval"]
    trials = study.trials
    assert [trial.state.name for trial in trials] == ["COMPLETE", "PRUNED", "PRUNED", "RUNNING"]
    assert [trial.value for trial in trials] == [2.5, 0.1, 0.1, None]
    assert trials[0].intermediate_values == {10: 1.5, 30: 2.5}
    assert trials[0].user_attrs == {"seeds": [2.0, 3.0]}
    assert trials[2].user_attrs == {"diverged": True}
    assert trials[1].params == {
        "algorithm.learning_rate": 3.141592653589793e-05,
        "algorithm.hidden": "[64, 64]",
        "algorithm.n_step": 1,
        "algorithm.gamma": 0.1,
        "algorithm.double": False,
    }
    kinds = optuna.distributions
    assert trials[0].distributions == {
        "algorithm.learning_rate": kinds.FloatDistribution(1e-5, 1e-2, log=True),
        "algorithm.hidden": kinds.CategoricalDistribution(["[64, 64]", "[128, 128]"]),
        "algorithm.n_step": kinds.IntDistribution(1, 5),
        "algorithm.gamma": kinds.FloatDistribution(0.1, 0.9, step=0.2),
        "algorithm.double": kinds.CategoricalDistribution([True, False]),
    }
    assert study.best_trial.number == 0


@pytest.mark.slow
def test_the_dashboard_of_optuna_shows_the_study(tmp_path):
    import optuna_dashboard
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    written(tmp_path / "study.journal")

    class Silent(WSGIRequestHandler):
        def log_message(self, *_):
            pass

    shown = optuna_dashboard.wsgi(JournalStorage(JournalFileBackend(str(tmp_path / "study.journal"))))
    server = make_server("127.0.0.1", 0, shown, handler_class=Silent)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:

        def get(path):
            with urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}{path}", timeout=60) as answer:
                return json.load(answer)

        (summary,) = get("/api/studies")["study_summaries"]
        assert summary["study_name"] == "sweep"
        detail = get(f"/api/studies/{summary['study_id']}?after=0")
        assert [trial["state"] for trial in detail["trials"]] == ["Complete", "Pruned", "Pruned", "Running"]
        assert detail["trials"][0]["values"] == [2.5]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_what_was_told_is_read_back(tmp_path):
    study = written(tmp_path / "j")
    again, whole = read(tmp_path / "j", SPACE)
    assert again == study
    assert whole == (tmp_path / "j").stat().st_size
    assert [trial.point for trial in again.trials] == POINTS
    assert again.trials[0].tells == [Tell(1.5, (1.0, 2.0)), Tell(2.5, (2.0, 3.0))]
    assert again.trials[2].tells == [Tell(0.1, (0.1,), True)]
    assert (again.order, again.brackets) == ([0, 1, 2], [4])


def test_two_journals_of_the_same_course_are_equal_to_the_byte(tmp_path):
    written(tmp_path / "a")
    written(tmp_path / "b")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_torn_line_and_a_tell_that_is_not_whole_are_cut_off(tmp_path):
    written(tmp_path / "j")
    data = (tmp_path / "j").read_bytes()
    ends = [index + 1 for index, byte in enumerate(data) if byte == 10]
    for cut in range(len(data)):
        (tmp_path / "k").write_bytes(data[:cut])
        if cut % 7 and cut not in ends:
            continue
        journal = StudyJournal(tmp_path / "k", Told)
        journal.close()
        left = (tmp_path / "k").read_bytes()
        assert data.startswith(left) and left.endswith(b"\n")
        assert len(left) <= max(cut, ends[1])
        assert b'"user_attr":' not in left.splitlines()[-1]


def test_lines_of_the_dashboard_are_left_alone(tmp_path):
    study = written(tmp_path / "j")
    note = {"op_code": 9, "worker_id": "dashboard", "trial_id": 0, "system_attr": {"dashboard:note": "good"}}
    with (tmp_path / "j").open("a") as file:
        file.write(json.dumps(note) + "\n")
    assert read(tmp_path / "j", SPACE)[0] == study


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("{", "JSON|Expecting"),
        ("[1]", ""),
        ('{"op_code": 6, "worker_id": "rltrain", "trial_id": 9, "state": 1, "values": [1.0]}', "9 was not"),
        ('{"op_code": 6, "worker_id": "rltrain", "trial_id": -1, "state": 1, "values": [1.0]}', "-1 was not"),
        ('{"op_code": 6, "worker_id": "rltrain", "trial_id": 3, "state": 9, "values": [1.0]}', "9"),
        ('{"op_code": 6, "worker_id": "rltrain", "trial_id": 3, "state": 1, "values": ["nan"]}', "found 'nan'"),
        ('{"op_code": 6, "worker_id": "rltrain", "trial_id": 3, "state": 1, "values": [1e999]}', "found inf"),
        ('{"op_code": 1, "worker_id": "rltrain", "trial_id": 0}', "operation 1"),
        ('{"op_code": 4, "worker_id": "rltrain", "params": {"algorithm.learning_rate": 5}}', "outside of the space"),
    ],
)
def test_a_line_that_is_none_of_ours_is_named(tmp_path, line, why):
    written(tmp_path / "j")
    with (tmp_path / "j").open("a") as file:
        file.write(line + "\n")
    with pytest.raises(CheckpointError, match=rf"j:\d+: no line of a sweep's journal: .*({why})"):
        read(tmp_path / "j", SPACE)


def test_a_line_without_an_end_is_refused_before_it_fills_the_memory_and_nothing_is_cut_off(tmp_path):
    written(tmp_path / "j")
    size = (tmp_path / "j").stat().st_size
    os.truncate(tmp_path / "j", size + (1 << 33))  # a hole, as a broken copy has
    with pytest.raises(CheckpointError, match=r"j:\d+: no line of a sweep's journal: longer than 67,108,864 bytes"):
        StudyJournal(tmp_path / "j", Told)
    assert (tmp_path / "j").stat().st_size == size + (1 << 33)


def test_choices_that_only_their_types_tell_apart_stay_apart():
    assert labels(OneOf((1, 1.0, True))) == ["1", "1.0", "true"]
    assert labels(OneOf(("a", None, 2, [1]))) == ["a", None, 2, "[1]"]
