"""Hard-coded rules on single observations."""

import numpy as np

from rltrain.envs.vacuum import turn_actions
from rltrain.policies import rules


def test_the_rules_on_single_observations():
    obs = np.array([[0, 0, 0.1, -0.3], [0, 0, -0.1, 0.3], [0, 0, 0.1, 0.1]])
    assert rules.RulePolicy(rules.angle).act(obs).tolist() == [1, 0, 1]
    assert rules.RulePolicy(rules.angle_velocity).act(obs).tolist() == [0, 1, 1]
    assert rules.RulePolicy(rules.along_motion).act(np.array([[0, 0.01], [0, -0.01]])).tolist() == [2, 0]
    assert rules.RulePolicy(rules.elbow_motion).act(
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
