"""The hard-coded policies: their rules on single observations, and the chapter's statistics."""

import math

import numpy as np
import pytest

from rltrain import envs
from rltrain.algos import basic
from rltrain.core import Hardware
from rltrain.errors import InputError
from rltrain.experiment.settings import EnvironmentConfig
from rltrain.policies import rules
from rltrain.rng import Streams


def make(
    policy: str, env_id: str = "CartPole-v1", seed: int = 0, num_envs: int = 1, action: int = 0
) -> basic.HardCoded:
    env = envs.make(EnvironmentConfig(id=env_id), num_envs=num_envs)
    return basic.HardCoded(basic.BasicConfig(policy=policy, action=action), env, Streams(seed), Hardware())


def play(algorithm: basic.HardCoded, episodes: int) -> dict[str, float]:
    metrics = {}
    while algorithm.counters["episodes"] < episodes:
        metrics = dict(algorithm.step())
    return metrics


def test_the_chapters_angle_policy_over_500_episodes():
    metrics = play(make("angle"), 500)
    assert metrics["episodes"] == 500
    assert abs(metrics["return/mean"] - 41.7) <= 1
    assert 7.5 < metrics["return/sd"] < 10
    assert 22 <= metrics["return/min"] <= 26
    assert 58 <= metrics["return/max"] <= 72


def test_the_statistics_are_of_all_games_and_exact():
    algorithm = make("random", num_envs=3)
    returns = []
    for game in range(1, 151):  # more than the window of Episodes
        metrics = algorithm.step()
        assert algorithm.counters["episodes"] == metrics["episodes"] == game
        returns.append(metrics["return/last"])
        assert metrics["return/min"] == min(returns)
    assert math.isclose(metrics["return/mean"], np.mean(returns), rel_tol=1e-12)
    assert math.isclose(metrics["return/sd"], np.std(returns), rel_tol=1e-9)
    assert metrics["return/max"] == max(returns)


def test_games_that_end_side_by_side_are_counted_one_by_one_and_none_is_lost():
    algorithm = make("constant", num_envs=16, action=1)  # games of 8 to 10 steps: many end in the same step
    counted = [algorithm.step()["return/last"] for _ in range(64)]
    ended = list(algorithm.episodes.returns)
    assert counted + algorithm.save()["waiting"] == ended


def test_a_game_of_cartpole_counts_one_environment_step_a_point():
    algorithm = make("angle")
    play(algorithm, 5)
    assert algorithm.counters["env_steps"] == sum(algorithm.episodes.returns)


@pytest.mark.parametrize(
    ("policy", "env_id", "at_least"),
    [("angle_velocity", "CartPole-v1", 490), ("energy", "MountainCar-v0", -125), ("energy", "Acrobot-v1", -110)],
)
def test_the_better_rules_play_well(policy, env_id, at_least):
    assert play(make(policy, env_id), 20)["return/mean"] >= at_least


def test_a_constant_action_is_what_it_says():
    assert play(make("constant", action=1), 20)["return/mean"] < 11
    assert make("constant", action=1).policy().act(np.zeros((3, 4))).tolist() == [1, 1, 1]


def test_every_rule_in_the_table_has_a_name_in_the_config_and_an_environment():
    for name, env_id in rules.RULES:
        assert play(make(name, env_id), 1)["episodes"] == 1
        assert name in rules.names_for(env_id)
    assert rules.names_for("ALE/MsPacman-v5") == []


def test_random_play_is_uniform_and_repeats_with_its_seed():
    first, again = make("random", "Acrobot-v1").policy(), make("random", "Acrobot-v1").policy()
    actions = first.act(np.zeros((3000, 6)))
    assert np.array_equal(actions, again.act(np.zeros((3000, 6))))
    counts = np.bincount(actions, minlength=3)
    assert abs(counts - 1000).max() < 110  # 4 standard deviations
    assert play(make("random", seed=1), 5) != play(make("random", seed=2), 5)


@pytest.mark.parametrize(
    ("policy", "env_id", "action", "word"),
    [
        (
            "angle",
            "Acrobot-v1",
            0,
            "rule for CartPole-v0, CartPole-v1; Acrobot-v1 can be played by energy, constant, random",
        ),
        ("energy", "CartPole-v1", 0, "MountainCar-v0, MountainCarContinuous-v0, Acrobot-v1, Pendulum-v1"),
        ("constant", "CartPole-v1", 2, "are 0 to 1"),
    ],
)
def test_a_rule_that_is_not_for_this_environment_is_refused(policy, env_id, action, word):
    with pytest.raises(InputError, match=word):
        make(policy, env_id, action=action)


def test_metrics_have_the_same_keys_from_the_first_step_and_a_long_game_is_cut_in_parts():
    algorithm = make("constant", "CliffWalking-v1")  # walks into the wall for ever; no time limit
    first = algorithm.step()
    assert algorithm.counters == {"env_steps": 1000, "episodes": 0}
    assert math.isnan(first["return/mean"]) and math.isnan(first["return/sd"])
    assert first.keys() == make("angle").step().keys()


@pytest.mark.parametrize("policy", ["angle", "random"])
def test_a_loaded_algorithm_goes_on_exactly(policy):
    one, other = make(policy, num_envs=2), make(policy, num_envs=2)
    one_rng, other_rng = Streams(3), Streams(3)
    one = basic.HardCoded(one.config, one.env, one_rng, Hardware())
    other = basic.HardCoded(other.config, other.env, other_rng, Hardware())
    play(one, 7)
    other.load(one.save())
    other_rng.load(one_rng.save())
    for _ in range(20):
        assert one.step() == other.step()
    assert one.counters == other.counters


def test_the_vacuum_that_turns_at_walls_alone_cleans_most_of_the_room():
    means = {
        name: dict(play(make(name, "RobotVacuum-v0", num_envs=20), 20))["return/mean"] for name in ("bounce", "random")
    }
    assert means["bounce"] > 80 and means["random"] < 5
