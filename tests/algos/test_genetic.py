"""The genetic algorithm: who lives, what children are, and that it learns."""

import numpy as np
import pytest
from pydantic import ValidationError

from rltrain import envs
from rltrain.algos import genetic
from rltrain.core import Hardware
from rltrain.errors import InputError
from rltrain.experiment import config
from rltrain.experiment.settings import EnvironmentConfig
from rltrain.policies.parameters import Parameters
from rltrain.rng import Streams

PARAMETERS = Parameters(("p", "w"), np.array([0.0, -10.0]), np.array([1.0, 10.0]), np.array([True, False]))


def make(seed=0, num_envs=16, **settings):
    env = envs.make(EnvironmentConfig(id="CartPole-v1"), num_envs=num_envs)
    return genetic.make(genetic.GeneticConfig(**settings), env, Streams(seed), Hardware())


def test_the_defaults_are_the_chapters():
    config = genetic.GeneticConfig(children=4)
    assert (config.population, config.survivors, config.children) == (100, 20, 4)


def test_the_best_survive_and_of_equals_the_oldest():
    assert genetic.best(np.array([3.0, 9.0, 9.0, 1.0, 9.0]), 2).tolist() == [1, 2]
    assert genetic.best(np.array([3.0, 9.0, 9.0, 1.0, 10.0]), 4).tolist() == [4, 1, 2, 0]


def test_each_survivor_lives_and_has_its_children():
    survivors = np.arange(40.0).reshape(20, 2)
    wide = Parameters(("a", "b"), np.zeros(2), np.full(2, 1000.0), np.zeros(2, bool))
    bred = genetic.breed(survivors, 100, 1e-9, True, wide, np.random.default_rng(0))
    assert (bred[:20] == survivors).all()
    children = np.round(bred[20:]).astype(int)
    parents, counts = np.unique(children, axis=0, return_counts=True)
    assert (parents == survivors).all() and (counts == 4).all()
    assert (bred[20:] != survivors[np.arange(80) % 20]).all()


def test_without_elitism_all_are_children():
    survivors = np.zeros((5, 2))
    bred = genetic.breed(survivors, 20, 0.1, False, PARAMETERS, np.random.default_rng(0))
    assert len(bred) == 20 and (bred[:, 1] != 0).all()


def test_children_vary_by_sigma_of_each_range_and_stay_where_something_is():
    survivors = np.array([[0.5, 0.0]])
    bred = genetic.breed(survivors, 20_001, 0.05, True, PARAMETERS, np.random.default_rng(0))
    assert bred[1:].std(axis=0) == pytest.approx([0.05, 1.0], rel=0.03)
    wide = genetic.breed(survivors, 2_001, 2.0, True, PARAMETERS, np.random.default_rng(0))
    assert wide[:, 0].min() == 0 and wide[:, 0].max() == 1  # a probability
    assert np.abs(wide[:, 1]).max() > 10  # a weight


def test_sigma_decays_with_the_generations():
    algorithm = make(population=10, survivors=5, games=1, recheck=1, sigma=0.2, sigma_decay=0.5, sigma_min=0.04)
    assert [algorithm.step()["sigma"] for _ in range(4)] == [0.2, 0.1, 0.05, 0.04]


def test_generations_games_and_steps_are_counted():
    algorithm = make(population=10, survivors=5, games=2, recheck=3)
    metrics = algorithm.step()
    assert algorithm.counters["generations"] == 1
    assert algorithm.counters["episodes"] == 10 * 2 + 3
    assert algorithm.counters["env_steps"] >= 10 * 2 * 8  # no game of CartPole is shorter
    assert metrics["population/best"] >= metrics["population/median"]
    algorithm.step()
    assert algorithm.counters["episodes"] in (46, 49)  # the champion plays too, unless it is the best again


def test_the_survivors_are_the_best_of_those_who_played():
    algorithm = make(population=10, survivors=2, games=1, recheck=1)
    before = algorithm.strategy.population.copy()
    algorithm.step()
    rows = [np.flatnonzero((before == row).all(axis=1)) for row in algorithm.strategy.population]
    assert [len(found) for found in rows] == [1, 1] + [0] * 8


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"survivors": 100}, "fewer than the population, 100"),
        ({"children": 3}, "20 survivors and 3 children of each are 80, and the population is 100"),
        ({"sigma": 0}, "greater than 0"),
    ],
)
def test_numbers_that_do_not_fit_are_refused(settings, words):
    with pytest.raises(ValidationError, match=words):
        genetic.GeneticConfig(**settings)


def test_a_loaded_algorithm_goes_on_exactly():
    streams = [Streams(3), Streams(3)]
    one, other = (
        genetic.make(
            genetic.GeneticConfig(population=10, survivors=3, games=1, recheck=2, sigma_decay=0.9),
            envs.make(EnvironmentConfig(id="CartPole-v1"), num_envs=16),
            rng,
            Hardware(),
        )
        for rng in streams
    )
    one.step()
    other.load(one.save())
    streams[1].load(streams[0].save())
    for _ in range(3):
        assert one.step() == other.step()
    assert (one.strategy.population == other.strategy.population).all()


def test_it_learns_cartpole_within_few_generations():
    """Random play scores 22, and the angle alone 42."""
    algorithm = make(seed=1, num_envs=16, population=50, survivors=10, games=2, recheck=20)
    for _ in range(5):
        metrics = algorithm.step()
        if metrics["return/mean"] > 400:
            break
    assert metrics["return/mean"] > 200


def test_a_population_that_its_survivors_fill_is_refused():
    with pytest.raises(InputError, match="survivors must be fewer than the population, 10, got 20"):
        config.loads("algorithm: {name: genetic, population: 10}\nenvironment: CartPole-v1", "t.yaml")
