"""The evolution strategy: ranks, the gradient on functions whose own is known, and that it learns."""

import numpy as np
import pytest

from rltrain import envs
from rltrain.algos import openai_es
from rltrain.core import Hardware
from rltrain.experiment.settings import EnvironmentConfig
from rltrain.rng import Streams


def test_ranks_are_centred_and_equal_scores_share_theirs():
    assert openai_es.centred_ranks(np.array([10.0, -3.0, 5.0])).tolist() == [0.5, -0.5, 0.0]
    assert openai_es.centred_ranks(np.array([1.0, 1.0, 7.0, 1.0, 7.0])).tolist() == [-0.25, -0.25, 0.375, -0.25, 0.375]
    assert openai_es.centred_ranks(np.full(6, 500.0)).tolist() == [0.0] * 6


def test_the_gradient_points_up_the_slope():
    stream = np.random.default_rng(0)
    noise = stream.standard_normal((20_000, 3))
    noise = np.concatenate([noise, -noise])
    slope = np.array([1.0, -2.0, 0.0])
    found = openai_es.gradient(noise, noise @ slope, sigma=0.1)
    # Of ranks of normal scores: E[(Phi(z) - 1/2) z] = 1 / (2 sqrt(pi)), along the unit slope.
    expected = slope / np.linalg.norm(slope) / (2 * np.sqrt(np.pi)) / 0.1
    assert found == pytest.approx(expected, abs=0.03)


def test_where_all_score_the_same_nothing_moves():
    noise = np.random.default_rng(0).standard_normal((10, 3))
    assert openai_es.gradient(noise, np.full(10, 7.0), 0.1) == pytest.approx(np.zeros(3))


def make(rng, num_envs=16, **settings):
    env = envs.make(EnvironmentConfig(id="CartPole-v1"), num_envs=num_envs)
    return openai_es.make(openai_es.OpenaiEsConfig(**settings), env, rng, Hardware())


def test_the_first_step_of_adam_is_the_learning_rate_in_every_direction():
    algorithm = make(Streams(0), population=10, games=1, recheck=1, learning_rate=0.25)
    algorithm.step()
    assert np.abs(algorithm.strategy.centre) == pytest.approx(np.full(5, 0.25), abs=1e-4)


def test_a_loaded_algorithm_goes_on_exactly():
    streams = [Streams(3), Streams(3)]
    one, other = (make(rng, population=10, games=1, recheck=2, weight_decay=0.01) for rng in streams)
    for _ in range(3):
        one.step()
    other.load(one.save())
    streams[1].load(streams[0].save())
    for _ in range(3):
        assert one.step() == other.step()
    assert (one.strategy.centre == other.strategy.centre).all()


def test_it_learns_cartpole():
    algorithm = make(Streams(0), num_envs=20, population=40, games=2, recheck=20)
    for _ in range(15):
        metrics = algorithm.step()
        if metrics["return/mean"] > 400:
            break
    assert metrics["return/mean"] > 200  # random play: 22


def test_an_odd_population_has_no_pairs():
    with pytest.raises(ValueError, match="multiple of 2"):
        openai_es.OpenaiEsConfig(population=11)
