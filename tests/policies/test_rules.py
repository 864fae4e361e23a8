"""Hard-coded rules on single observations."""

import numpy as np
import pytest

from rltrain.core import EnvSpec
from rltrain.envs import describe
from rltrain.envs.vacuum import turn_actions
from rltrain.errors import InputError
from rltrain.experiment.settings import EnvironmentConfig
from rltrain.policies import rules
from rltrain.run.evaluation import evaluate
from rltrain.spaces import Continuous, Discrete, MultiDiscrete


def test_the_rules_on_single_observations():
    obs = np.array([[0, 0, 0.1, -0.3], [0, 0, -0.1, 0.3], [0, 0, 0.1, 0.1]])
    assert rules.RulePolicy(rules.angle, Discrete(3)).act(obs).tolist() == [1, 0, 1]
    assert rules.RulePolicy(rules.angle_velocity, Discrete(3)).act(obs).tolist() == [0, 1, 1]
    assert rules.RulePolicy(rules.along_motion, Discrete(3)).act(np.array([[0, 0.01], [0, -0.01]])).tolist() == [2, 0]
    assert rules.RulePolicy(rules.elbow_motion, Discrete(3)).act(
        np.array([[1, 0, 1, 0, 0, 2.0], [1, 0, 1, 0, 0, -2.0]])
    ).tolist() == [
        2,
        0,
    ]


def test_bounce_goes_straight_on_until_it_bumps_then_turns_as_the_vacuum_numbers_its_turns():
    bumped = np.tile([[0.0], [1.0]], (500, 1))  # [N, 1], the first number of an observation
    actions = rules.BouncePolicy(73, np.random.default_rng(5)).act(bumped)
    angles = np.random.default_rng(5).uniform(90, 270, len(bumped))
    assert (actions[::2] == 0).all()
    assert (actions[1::2] == turn_actions(angles)[1::2]).all()


@pytest.mark.parametrize("num_actions", [5, 37, 73, 74])
def test_the_probabilities_of_bounce_are_those_of_what_it_draws(num_actions):
    policy = rules.BouncePolicy(num_actions, np.random.default_rng(5))
    straight, turning = policy.scores(np.array([[0.0], [1.0]]))
    assert straight.tolist() == [1.0] + [0.0] * (num_actions - 1)
    drawn = np.bincount(policy.act(np.ones((200_000, 1))), minlength=num_actions) / 200_000
    assert turning.sum() == pytest.approx(1)
    assert (drawn[turning == 0] == 0).all()
    assert np.abs(drawn - turning).max() < 5 * np.sqrt(0.25 / 200_000)


def test_random_play_says_that_all_which_is_possible_is_as_probable():
    policy = rules.UniformPolicy(Discrete(4), np.random.default_rng(0))
    mask = np.array([[True, False, True, False], [False] * 4])
    assert policy.scores(np.zeros((1, 2))).tolist() == [[0.25] * 4]
    assert policy.scores(np.zeros((2, 2)), mask).tolist() == [[0.5, 0, 0.5, 0], [0.25] * 4]
    assert set(policy.act(np.zeros((50, 2)), np.repeat(mask[:1], 50, axis=0)).tolist()) == {0, 2}


@pytest.mark.parametrize(
    ("env_id", "random", "least"), [("Pendulum-v1", -900, -250), ("MountainCarContinuous-v0", 0, 88)]
)
def test_energy_masters_the_worlds_whose_actions_are_numbers(env_id, random, least):
    settings = EnvironmentConfig(id=env_id)
    played = {
        name: evaluate(rules.make(name, describe(settings), np.random.default_rng(0)), settings, None, 20, seed=3).mean
        for name in ("random", "energy")
    }
    assert played["random"] < random and played["energy"] > least


def spec(actions):
    return EnvSpec("Own-v0", (2,), "float32", 1, actions, 1, 1, 10, None)


@pytest.mark.parametrize(
    ("actions", "action", "expected"),
    [
        (Discrete(3), 2, [2, 2]),
        (MultiDiscrete((2, 3)), 1, [[1, 1]] * 2),
        (MultiDiscrete((2, 3)), (1, 2), [[1, 2]] * 2),
        (Continuous((-1.0, 0.0), (1.0, 9.0)), 0.5, [[0.5, 0.5]] * 2),
        (Continuous((-1.0, 0.0), (1.0, 9.0)), (-0.5, 8.0), [[-0.5, 8.0]] * 2),
    ],
    ids=str,
)
def test_a_constant_is_an_action_of_every_space(actions, action, expected):
    policy = rules.make("constant", spec(actions), np.random.default_rng(0), action)
    played = policy.act(np.zeros((2, 2)))
    assert played.tolist() == expected and played.dtype == actions.dtype
    assert actions.fault(played, 2) is None


def test_of_a_constant_that_is_impossible_the_first_possible_is_played_of_each_choice():
    policy = rules.make("constant", spec(MultiDiscrete((2, 3))), np.random.default_rng(0), (1, 2))
    mask = np.array([[1, 1, 1, 1, 1], [1, 0, 1, 1, 1], [0, 1, 0, 1, 0], [1, 0, 0, 0, 0]], np.bool_)
    assert policy.act(np.zeros((4, 2)), mask).tolist() == [[1, 2], [0, 2], [1, 1], [0, 2]]
    one = rules.make("constant", spec(Discrete(3)), np.random.default_rng(0), 2)
    assert one.act(np.zeros((3, 2)), np.array([[0, 1, 1], [0, 1, 0], [0, 0, 0]], np.bool_)).tolist() == [2, 1, 2]
    numbers = rules.make("constant", spec(Continuous((-1.0,), (1.0,))), np.random.default_rng(0), 0.5)
    assert numbers.act(np.zeros((1, 2)), np.zeros((1, 0), np.bool_)).tolist() == [[0.5]]


@pytest.mark.parametrize(
    ("actions", "action", "words"),
    [
        (Discrete(3), 3, "3 is too large; the actions of Own-v0 are 0 to 2"),
        (Discrete(3), 0.5, "0.5 is no action"),
        (Discrete(3), -1, "-1 is no action"),
        (MultiDiscrete((2, 3)), (0, 1, 2), r"\[0, 1, 2\] are 3"),
        (MultiDiscrete((2, 3)), 0.5, "0.5 cannot be"),
        (MultiDiscrete((2, 3)), 2, "2 choices at once among"),
        (Continuous((-1.0,), (1.0,)), 1.5, "1.5 cannot be.*1 number from -1 to 1"),
        (Continuous((-1.0,), (1.0,)), float("nan"), "nan cannot be"),
    ],
    ids=str,
)
def test_a_constant_that_is_none_is_refused(actions, action, words):
    with pytest.raises(InputError, match=words):
        rules.make("constant", spec(actions), np.random.default_rng(0), action)
