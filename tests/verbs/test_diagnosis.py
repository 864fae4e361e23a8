"""A fault of learning is found in the numbers of a run that has it, and in no run that has not."""

import math
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

import rltrain
from rltrain.experiment.config import load as load_config
from rltrain.report.reading import load
from rltrain.verbs import diagnosis
from rltrain.verbs.diagnosis import diagnose

EVALUATED = {
    "run.threads": 1,
    "run.evaluate.every": {"env_steps": 1_000},
    "run.evaluate.episodes": 10,
    "run.evaluate.until": None,
}
UNSTABLE = {
    "learning_rate": 0.1,
    "target_update_interval": 1,
    "loss": "mse",
    "double": False,
    "gamma": 1.0,
    "gradient_steps": 4,
    "max_grad_norm": None,
}
FAULTY = {  # rule -> config, what breaks it, steps, seed
    "one action": ("reinforce_cartpole", {"algorithm.learning_rate": 5.0}, 4_000, 2),
    "Q above returns": ("dqn_cartpole", {f"algorithm.{key}": value for key, value in UNSTABLE.items()}, 3_000, 1),
    "values cut off": ("dqn_cartpole", {"algorithm.loss": "c51", "algorithm.v_min": 0, "algorithm.v_max": 1}, 3_000, 1),
    "exploring still": ("dqn_cartpole", {"algorithm.exploration_steps": 1_000_000}, 1_000, 1),
    "one return": ("reinforce_cartpole", {"environment.id": "MountainCar-v0"}, 4_000, 1),
    "no update": ("dqn_cartpole", {"algorithm.learning_starts": 20_000}, 1_000, 1),
    "memory unfilled": ("dqn_cartpole", {"algorithm.buffer_size": 200_000}, 1_000, 1),
    "entropy collapsed": ("ppo_cartpole", {"algorithm.learning_rate": 1.0}, 20_000, 1),
    "gradients clipped": ("ppo_cartpole", {"algorithm.max_grad_norm": 1e-12}, 16_000, 3),
    "evaluation apart": ("reinforce_cartpole", {"algorithm.learning_rate": 1e-9}, 2_000, 2),
}


@pytest.mark.parametrize("rule", FAULTY)
@pytest.mark.filterwarnings("ignore::UserWarning")  # of settings that are meant to be bad
def test_a_run_that_has_the_fault_is_told_so(rule, tmp_path):
    config, broken, steps, seed = FAULTY[rule]
    overrides = EVALUATED | broken | {"run.budget": {"env_steps": steps}}
    run = rltrain.train(config, overrides, seed=seed, runs_dir=tmp_path, picture=False)
    found = {finding.rule: finding for finding in diagnose(Path(run))}
    assert rule in found
    assert any(sign.isdigit() for sign in found[rule].text) and found[rule].advice


def test_every_rule_has_a_run_with_its_fault():
    assert set(FAULTY) == set(diagnosis.RULES)


@pytest.fixture(scope="module")
def learned(tmp_path_factory):
    """The folder of a config's run, trained once."""
    place = tmp_path_factory.mktemp("runs")
    return cache(lambda config: Path(rltrain.train(config, {"run.threads": 1}, seed=1, runs_dir=place, picture=False)))


@pytest.mark.parametrize("config", ["reinforce_cartpole", "ppo_cartpole", "qlearn_book", "cmaes_cartpole", "td_book"])
def test_a_run_that_learned_is_told_nothing(config, learned):
    assert diagnose(learned(config)) == ()


@pytest.fixture(scope="module")
def healthy(learned):
    """What the rules look at of a run that learned."""
    run = learned("ppo_cartpole")
    return diagnosis.DiagnosedRun(load(run), load_config(run / "config.yaml"), True)


def changed(seen, training=(), evaluations=(), **settings):
    """Another run's numbers: the columns and settings given, the rest as they were."""
    record = seen.record
    config = {**record.config, "algorithm": {**record.config["algorithm"], **settings}}
    return seen._replace(
        record=replace(
            record,
            config=config,
            training={**record.training, **dict(training)},
            evaluations={**record.evaluations, **dict(evaluations)},
        )
    )


def rules(seen):
    return [name for name, rule in diagnosis.RULES.items() if rule(seen) is not None]


def test_exploration_counts_as_ended_once_three_quarters_of_the_way_are_done(healthy):
    rows = len(healthy.record.training["env_steps"])
    settings = {"exploration_initial_eps": 1.0, "exploration_final_eps": 0.0, "exploration_steps": 10**6}
    unsolved = healthy._replace(record=replace(healthy.record, threshold=None))
    for last, told in ((0.26, ["exploring still"]), (0.25, [])):
        seen = changed(unsolved, {"epsilon": [1.0] * (rows - 1) + [last]}, **settings)
        assert rules(seen) == told
        assert rules(seen._replace(finished=False)) == []  # it goes on


def test_q_values_are_held_against_the_best_game(healthy):
    rows, best = len(healthy.record.training["env_steps"]), max(healthy.record.training["return/max"])
    best = max(best, healthy.record.evaluations["max"][-1])
    assert rules(changed(healthy, {"q/mean": [1.49 * best] * rows})) == []
    assert rules(changed(healthy, {"q/mean": [1.51 * best] * rows})) == ["Q above returns"]
    assert rules(changed(healthy, {"q/mean": [1.51 * best] * rows}, reward_scale=10.0)) == []  # in other units


def test_values_are_held_against_the_nearer_end_of_their_histogram(healthy):
    rows = len(healthy.record.training["env_steps"])
    unsolved = healthy._replace(record=replace(healthy.record, threshold=None))
    cut = ["values cut off"]
    for loss, value, bounds, returns, told in (
        ("c51", 9.5, (-20, 10), (1, 50), cut),
        ("c51", 9.3, (-20, 10), (1, 50), []),
        ("c51", 9.5, (-20, 10), (1, 10), []),  # no return passes it
        ("hl_gauss", -19.5, (-20, 10), (-60, -1), cut),
        ("c51", 5e-7, (0, 100), (-500, -70), cut),  # Acrobot
        ("c51", 5e-7, (0, 100), (0, 50), []),
        ("c51", 10.0, (10, 100), (1, 50), cut),
        ("quantile", 9.9, (-20, 10), (1, 50), []),
    ):
        (low, high), (least, most) = bounds, returns
        columns = {"q/mean": [value] * rows, "return/min": [least] * rows, "return/max": [most] * rows}
        seen = changed(unsolved, columns, loss=loss, v_min=low, v_max=high)
        assert "values cut off" in rules(seen) if told else "values cut off" not in rules(seen), (loss, value, bounds)
    solved = changed(healthy, columns, {"mean": [500.0]}, loss="c51", v_min=10, v_max=100)
    assert "values cut off" in rules(solved)
    assert "values cut off" not in rules(solved._replace(record=replace(solved.record, threshold=475.0)))


def test_a_score_that_counts_as_solved_silences_what_only_may_be_wrong(healthy):
    rows = len(healthy.record.training["env_steps"])
    stuck = {"action/share": [1.0], "action/most": [0.0], "mean": [10.0], "max": [10.0]}
    assert "one action" in rules(changed(healthy, evaluations=stuck))
    assert "one action" not in rules(changed(healthy, evaluations=stuck | {"mean": [500.0], "max": [500.0]}))
    assert rules(changed(healthy, {"loss/grad_norm": [1e9] * rows})) == []


def test_numbers_that_are_missing_or_not_finite_say_nothing(healthy):
    rows = len(healthy.record.training["env_steps"])
    bare = healthy._replace(
        record=replace(
            healthy.record, training={"env_steps": healthy.record.training["env_steps"]}, evaluations={}, threshold=None
        )
    )
    assert rules(bare) == []
    unknown = {name: [math.nan] * rows for name in healthy.record.training if name != "env_steps"}
    assert rules(changed(bare, unknown)) == []
