"""What came of a sweep: the order of its trials, importances, luck, and files that are not what they should be."""

import math
import os

import numpy as np
import pytest
from swept import ROWS, swept

from rltrain.errors import CheckpointError, InputError, RltrainError
from rltrain.experiment import config
from rltrain.experiment.space import OneOf, Range
from rltrain.run.across_seeds import across
from rltrain.run.lock import Lock
from rltrain.verbs.sweep import ranking, study
from rltrain.verbs.sweep.best import best
from rltrain.verbs.sweep.importance import importances


def order(report):
    return [(row.rank, row.trial) for row in report.ranking]


# The order


def test_more_is_better_ties_go_to_the_lower_number_and_what_diverged_is_last(tmp_path):
    swept(tmp_path)
    report = ranking.show("lr", tmp_path)
    assert order(report) == [(1, "t0001"), (2, "t0003"), (3, "t0000"), (None, "t0004"), (None, "t0002")]
    assert (report.state, report.ended, report.trials, report.diverged, report.failed) == ("interrupted", 4, 5, 1, 0)
    assert report.ranking[0].settings == {"algorithm.learning_rate": 0.01, "algorithm.hidden": [128, 128]}
    assert (report.algorithm, report.environment) == ("reinforce", "CartPole-v1")


def test_who_came_to_a_later_rung_goes_before_who_scored_more(tmp_path):
    halving = ", halving: {counter: env_steps, from: 1000, to: 9000}"
    rows = [
        (0, "paused", 0, 1000, 300.0, 1, "", "", 0.001, "[64]"),
        (1, "finished", 2, 9000, 100.0, 1, "", "", 0.001, "[64]"),
        (2, "paused", 1, 3000, 200.0, 1, "", "", 0.001, "[64]"),
        (3, "diverged", 1, 3000, 900.0, 1, "", "", 0.001, "[64]"),
    ]
    swept(tmp_path, rows=rows, settings=halving)
    assert order(ranking.show("lr", tmp_path)) == [(1, "t0001"), (2, "t0002"), (3, "t0000"), (None, "t0003")]


def test_a_sweep_is_ranked_before_its_first_batch_ends_and_while_it_runs(tmp_path):
    home = swept(tmp_path, rows=None)
    with Lock(home):
        report = ranking.show("lr", tmp_path)
    assert (report.state, report.ended, report.ranking, report.luck) == ("running", 0, [], None)


# Luck


def test_the_expected_maximum_of_normals_is_that_of_the_tables():
    known = {1: 0, 2: 1 / math.sqrt(math.pi), 3: 1.5 / math.sqrt(math.pi), 10: 1.538753, 100: 2.507594}
    for n, value in known.items():  # Harter 1961
        assert ranking.expected_maximum(n) == pytest.approx(value, abs=2e-6)


def test_luck_is_what_equal_trials_show(tmp_path):
    """Of trials whose seeds are all drawn alike, the best mean is on average as much too good as is said."""
    draw = np.random.default_rng(0)
    scores = draw.normal(100, 12, (4000, 16, 3))  # [sweeps, trials, seeds]
    excess = (scores.mean(axis=2).max(axis=1) - 100).mean()
    rows = []
    for number, seeds in enumerate(scores[0]):
        found = across(seeds.tolist())
        low, high = found.ci95
        rows.append((number, "finished", "", 1, found.mean, 3, low, high, 0.001, "[64]"))
    swept(tmp_path, rows=rows)
    luck = ranking.show("lr", tmp_path).luck
    pooled = math.sqrt(scores[0].var(axis=1, ddof=1).mean())
    assert (luck.candidates, luck.seeds, luck.sd) == (16, 3, pytest.approx(pooled))
    assert luck.excess * 12 / luck.sd == pytest.approx(excess, rel=0.03)


def test_one_seed_a_trial_tells_nothing_of_luck(tmp_path):
    swept(tmp_path, rows=[(0, "finished", "", 1, 3.0, 1, "", "", 0.001, "[64]")])
    assert ranking.show("lr", tmp_path).luck is None


# Importances


def test_importances_are_those_of_optuna():
    optuna = pytest.importorskip("optuna")
    kinds = optuna.distributions
    space = {
        "rate": (Range(1e-5, 1e-2, log=True), kinds.FloatDistribution(1e-5, 1e-2, log=True)),
        "steps": (Range(1, 8), kinds.IntDistribution(1, 8)),
        "kind": (OneOf(("a", "b", "c")), kinds.CategoricalDistribution(range(3))),
        "size": (Range(1, 1000, log=True), kinds.IntDistribution(1, 1000, log=True)),
        "share": (Range(0.0, 1.0), kinds.FloatDistribution(0, 1)),
        "stepped": (Range(0.1, 0.5, step=0.1), kinds.FloatDistribution(0.1, 0.5, step=0.1)),
    }
    for seed, n in enumerate((10, 33, 64, 200)):
        draw = np.random.default_rng(seed)
        values = {
            "rate": np.exp(draw.uniform(math.log(1e-5), math.log(1e-2), n)),
            "steps": draw.integers(1, 9, n),
            "kind": draw.integers(0, 3, n),
            "size": draw.integers(1, 1001, n),
            "share": draw.uniform(0, 1, n),
            "stepped": draw.integers(1, 6, n) / 10,
        }
        best_first = np.argsort(np.log(values["rate"]) + 0.3 * values["steps"] + draw.normal(0, 0.5, n))
        ranked = {key: column[best_first].tolist() for key, column in values.items()}
        of_optuna = optuna.create_study()
        for place in range(n):
            params = {key: column[place] for key, column in ranked.items()}
            made = optuna.trial.create_trial(
                params=params, distributions={key: kind for key, (_, kind) in space.items()}, value=float(place)
            )
            of_optuna.add_trial(made)
        best_share = max(math.ceil(0.1 * n), 5) / n
        evaluator = optuna.importance.PedAnovaImportanceEvaluator(target_quantile=best_share)
        expected = optuna.importance.get_param_importances(of_optuna, evaluator=evaluator)
        found = importances({key: varied for key, (varied, _) in space.items()}, ranked)
        assert list(found) == list(expected) and found == pytest.approx(expected, abs=1e-12)


def test_the_setting_that_the_score_depends_on_is_the_important_one(tmp_path):
    rates = np.geomspace(1e-4, 1e-1, 40)
    rows = [
        (i, "finished", "", 1, float(-i), 1, "", "", r, "[64]" if i % 2 else "[128, 128]") for i, r in enumerate(rates)
    ]
    swept(tmp_path, rows=rows)
    found = ranking.show("lr", tmp_path).importances
    assert next(iter(found)) == "algorithm.learning_rate" and found["algorithm.learning_rate"] > 0.9


def test_few_trials_have_no_importances_and_it_is_said_why(tmp_path):
    swept(tmp_path)
    report = ranking.show("lr", tmp_path)
    assert (report.importances, report.no_importances) == (None, "they need 10 trials with a score")


# The config of the best


def test_the_config_of_a_trial_is_the_base_with_its_settings(tmp_path):
    home = swept(tmp_path)
    found = best("lr", tmp_path)
    base = config.load(home / "base.yaml")
    assert (found.trial, found.rank, found.score) == ("t0001", 1, 120.5)
    made = config.loads(found.text, "best.yaml")
    assert made == base.replace("algorithm.learning_rate=0.01", "algorithm.hidden=[128, 128]")
    assert (made.run.seed, made.run.budget) == (7, base.run.budget)
    assert best("lr", tmp_path, 3).trial == "t0000"
    with pytest.raises(InputError, match=r"--rank 4: only 3 trials of lr have a score"):
        best("lr", tmp_path, 4)
    swept(tmp_path, "new", rows=None)
    with pytest.raises(InputError, match=r"new: no trial has a score yet"):
        best("new", tmp_path)


# Files that are not what they should be


def test_a_name_that_is_no_sweep_gets_the_nearest_or_what_it_is(tmp_path):
    swept(tmp_path, "lr-cartpole")
    with pytest.raises(InputError, match=r"no sweep 'lr-cartpol' in .*; did you mean lr-cartpole\?"):
        ranking.show("lr-cartpol", tmp_path)
    for name in ("a", "b", "c"):
        swept(tmp_path, name)
    with pytest.raises(InputError, match=r"no sweep 'taxi' in .*; it has b, c, lr-cartpole and 1 more$"):
        ranking.show("taxi", tmp_path)
    (tmp_path / "dqn").mkdir()
    (tmp_path / "dqn/config.yaml").write_text("")
    with pytest.raises(InputError, match=r"dqn is a run, no sweep"):
        ranking.show("dqn", tmp_path)
    for name in ("", "\0", "x" * 5000, "../" * 2000, "\ud800"):
        with pytest.raises(InputError) as caught:
            ranking.show(name, tmp_path)
        assert len(str(caught.value).encode()) < 1000


@pytest.mark.parametrize(
    ("column", "cell", "said"),
    [
        (0, "x", r"trials.csv:2: trial: expected a whole number, found 'x'"),
        (0, "9", r"trials.csv:3: trial 1 comes after trial 9"),
        (1, "done", r"trials.csv:2: state: expected one of running, .*, found 'done'"),
        (2, "-1", r"trials.csv:2: rung: expected a whole number"),
        (4, "nan", r"trials.csv:2: score: expected a number, found 'nan'"),
        (4, "1e300", r"trials.csv:2: score: expected a number"),
        (5, "\x1b[2J", r"trials.csv:2: seeds: expected a whole number, found '\\x1b\[2J'"),
    ],
)
def test_a_cell_that_is_not_what_it_should_be_is_one_error_with_its_line(tmp_path, column, cell, said):
    first = [*ROWS[0]]
    first[column] = cell
    swept(tmp_path, rows=[first, *ROWS[1:]])
    with pytest.raises(CheckpointError, match=said):
        ranking.show("lr", tmp_path)


def test_a_value_outside_of_the_space_is_no_value_of_the_sweep(tmp_path):
    swept(tmp_path, rows=[(*ROWS[0][:8], 5.0, "[64]")])
    with pytest.raises(
        CheckpointError, match=r"trial 0: algorithm.learning_rate: expected a number from 0.0001 to 0.1"
    ):
        best("lr", tmp_path)
    swept(tmp_path, "other", rows=[(*ROWS[0][:8], 0.01, "__import__('os')")])
    with pytest.raises(CheckpointError, match=r"trial 0: algorithm.hidden: .* is none of the values in sweep.yaml"):
        best("other", tmp_path)


@pytest.mark.parametrize("file", ["trials.csv", "sweep.yaml"])
@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"\0" * 100, b"a,b\n1", b'"', b"[" * 5000, None])
def test_a_damaged_file_is_one_error_that_names_it(tmp_path, file, content):
    home = swept(tmp_path)
    (home / file).unlink()
    if content is None:
        (home / file).mkdir()
    else:
        (home / file).write_bytes(content)
    with pytest.raises(RltrainError, match=file):
        ranking.show("lr", tmp_path)


def test_a_fifo_in_place_of_the_trials_is_refused_at_once(tmp_path):
    home = swept(tmp_path, rows=None)
    os.mkfifo(home / study.TRIALS)
    with pytest.raises(CheckpointError, match=r"trials.csv: cannot be read"):
        ranking.show("lr", tmp_path)
