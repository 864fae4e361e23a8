"""Which runs are one line, and what it is called."""

from __future__ import annotations

from typing import Any

import pytest

from rltrain.errors import InputError
from rltrain.report import groups, reading

ROWS = [{"env_steps": 1, "return/mean": 1.0}]


@pytest.fixture
def record(run_folder: Any) -> Any:
    def make(folder: str, seed: int = 0, environment: str = "CartPole-v1", **algorithm: Any) -> reading.Record:
        return reading.load(run_folder(folder, ROWS, seed=seed, environment=environment, algorithm=algorithm))

    return make


def names(found: list[groups.PlotGroup]) -> list[tuple[str, list[str]]]:
    return [(group.label, [run.folder.name for run in group.runs]) for group in found]


def test_runs_that_differ_in_the_seed_alone_are_one_group(record: Any) -> None:
    found, left_out = groups.group([record("a", 1), record("b", 2), record("c", 3)])
    assert names(found) == [("dqn on CartPole-v1", ["a", "b", "c"])]
    assert found[0].seeds == [1, 2, 3]
    assert not left_out


def test_others_are_called_by_what_differs(record: Any) -> None:
    runs = [record("a", 1), record("b", 1, learning_rate=3e-4), record("c", 2), record("d", 2, learning_rate=3e-4)]
    found, _ = groups.group(runs)
    assert names(found) == [("learning rate 0.001", ["a", "c"]), ("learning rate 0.0003", ["b", "d"])]


def test_of_two_algorithms_the_names_are_enough(record: Any) -> None:
    found, _ = groups.group([record("a", double=True), record("b", name="reinforce", entropy=0.1)])
    assert [group.label for group in found] == ["dqn", "reinforce"]
    runs = [record("c"), record("d", double=True), record("e", name="reinforce", environment="Acrobot-v1")]
    found, _ = groups.group(runs)
    assert [group.label for group in found] == [
        "dqn, CartPole-v1",
        "dqn, CartPole-v1, double on",
        "reinforce, Acrobot-v1",
    ]


def test_a_model_is_called_by_its_name(record: Any) -> None:
    models = ("configs/mdp/book.yaml", "my/robot.npz", "my/maze.yaml.gz")
    runs = [record(str(number), environment=model) for number, model in enumerate(models)]
    assert [group.label for group in groups.group(runs)[0]] == ["book", "robot", "maze"]
    assert [run.environment for run in runs] == ["book", "robot", "maze"]


def test_the_same_seed_again_is_no_second_sample(record: Any) -> None:
    found, left_out = groups.group([record("a", 1), record("b", 1), record("c", 2)])
    assert names(found) == [("dqn on CartPole-v1", ["a", "c"])]
    assert len(left_out) == 1
    assert "b repeats" in left_out[0]


def test_what_changes_nothing_of_what_is_learned_makes_no_group(record: Any) -> None:
    one, other = record("a", 1), record("b", 2)
    other.config["run"]["threads"] = 8
    assert len(groups.group([one, other])[0]) == 1
    other.config["run"]["budget"]["env_steps"] = 8
    found, _ = groups.group([one, other])
    assert [group.label for group in found] == ["env steps 1,000", "env steps 8"]


def test_none_keeps_each_alone(record: Any) -> None:
    found, _ = groups.group([record("a", 1), record("b", 1)], "none")
    assert names(found) == [("a", ["a"]), ("b", ["b"])]


@pytest.mark.parametrize("key", ["double", "algorithm.double"])
def test_a_key_makes_groups_whatever_else_differs(key: str, record: Any) -> None:
    runs = [
        record("a", double=True),
        record("b", double=False, learning_rate=1.0),
        record("c", 4, double=True, n_step=3),
    ]
    found, _ = groups.group(runs, key)
    assert names(found) == [("double on", ["a", "c"]), ("double off", ["b"])]


def test_an_unknown_key_is_told_with_the_nearest(record: Any) -> None:
    with pytest.raises(InputError, match=r"--group learning_rat: .*did you mean 'algorithm\.learning_rate'"):
        groups.group([record("a")], "learning_rat")


def test_labels_that_say_the_same_give_way_to_names(record: Any) -> None:
    long = ["x" * 80 + end for end in "ab"]
    found, _ = groups.group([record("a", hidden=long[0]), record("b", hidden=long[1])])
    assert [group.label for group in found] == ["a", "b"]


def test_a_metric_that_a_run_does_not_report_is_a_column_of_nan(record: Any) -> None:
    run = record("a")
    assert run.column("return/mean") == [1.0]
    assert [value != value for value in run.column("loss/td")] == [True]


def test_a_run_that_began_with_weights_of_another_is_no_repeat_of_one_that_did_not(record: Any) -> None:
    cold, warm = record("cold", 1), record("warm", 1)
    (warm.folder / "run.json").write_text('{"started_from": {"run": "/elsewhere/teacher"}}')
    found, left_out = groups.group([cold, reading.load(warm.folder)])
    assert ([len(each.runs) for each in found], left_out) == ([1, 1], [])
    assert "teacher" in found[1].label
