"""Rewards as they are learned from: clipped, then scaled."""

import numpy as np
import pytest

from rltrain.deep.rewards import RewardScale
from rltrain.saved import Saved


def test_rewards_are_clipped_then_scaled() -> None:
    rewards = RewardScale(clip=1.0, scale=3.0)
    reward = np.array([-5.0, 0.5, 2.0], np.float32)
    np.testing.assert_array_equal(rewards(reward), np.array([-3.0, 1.5, 3.0], np.float32))
    assert rewards.scaled(reward, lambda: pytest.fail("asked")) is reward
    assert rewards.metrics() == {}


def test_an_automatic_scale_makes_the_first_rewards_ones_and_leaves_zeros_out() -> None:
    rewards = RewardScale(clip=None, scale="auto")
    reward = np.array([60.0], np.float32)
    assert rewards(reward) is reward
    assert rewards.scaled(reward, lambda: np.zeros(9)) == 60.0 and rewards.auto is None
    assert rewards.scaled(reward, lambda: np.array([0.0, -10.0, 50.0, 30.0])) == 2.0
    assert rewards.scaled(reward, lambda: np.array([1.0])) == 2.0  # it stays
    assert rewards.metrics() == {"reward/scale": 1 / 30}
    other = RewardScale(clip=None, scale="auto")
    other.load(Saved.of({"auto_scale": rewards.auto}))
    assert other.auto == rewards.auto
