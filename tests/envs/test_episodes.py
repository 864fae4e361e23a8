"""Returns and lengths of whole games, by hand."""

import math

import numpy as np

from rltrain.core import Step
from rltrain.envs.episodes import Episodes


def step(reward, first=(0, 0), last=(0, 0), discount=(1, 1)) -> Step:
    row = np.array(reward, dtype=np.float32)
    return Step(row, row, np.array(discount, dtype=np.float32), np.array(first, bool), np.array(last, bool))


def test_returns_lengths_and_metrics_by_hand():
    episodes = Episodes(2)
    assert all(math.isnan(value) for key, value in episodes.metrics().items() if key != "episodes")
    assert episodes.add(step([0, 0], first=(1, 1))) == []
    assert episodes.add(step([1, 10], discount=(0, 1))) == []  # a lost life ends no game
    assert episodes.add(step([2, 20], last=(1, 0), discount=(0, 1))) == [3.0]
    assert episodes.add(step([0, 30], first=(1, 0), last=(0, 1))) == [60.0]  # cut off by a time limit
    assert episodes.add(step([5, 0], first=(0, 1), last=(1, 0))) == [5.0]
    assert list(episodes.returns) == [3.0, 60.0, 5.0]
    assert list(episodes.lengths) == [2, 3, 1]
    assert episodes.metrics() == {
        "episodes": 3.0,
        "return/mean": 68 / 3,
        "return/min": 3.0,
        "return/max": 60.0,
        "return/last": 5.0,
        "length/mean": 2.0,
    }


def test_only_the_last_hundred_count():
    episodes = Episodes(1)
    for score in range(150):
        episodes.add(Step(*(np.array([x]) for x in (0.0, np.float32(score), 1.0, False, True))))
        episodes.add(Step(*(np.array([x]) for x in (0.0, np.float32(0), 1.0, True, False))))
    assert episodes.total == 150
    assert (episodes.metrics()["return/min"], episodes.metrics()["return/max"]) == (50.0, 149.0)


def test_save_and_load_in_the_middle_of_a_game():
    episodes, other = Episodes(2), Episodes(2)
    for event in (step([0, 0], first=(1, 1)), step([1, 2], last=(1, 0)), step([0, 4], first=(1, 0))):
        episodes.add(event)
    other.load(episodes.save())
    for one in (episodes, other):
        assert one.add(step([7, 8], last=(1, 1))) == [7.0, 14.0]
    assert other.metrics() == episodes.metrics()
