"""CMA-ES against what its author's tutorial prints, and on functions whose optimum is known."""

import numpy as np
import pytest

from rltrain import envs
from rltrain.algos import cmaes
from rltrain.core import Hardware
from rltrain.errors import InputError
from rltrain.experiment.settings import EnvironmentConfig
from rltrain.rng import Streams


def sphere(x):
    return (x**2).sum(axis=1)


def ellipsoid(x):
    return (10 ** (6 * np.arange(x.shape[1]) / (x.shape[1] - 1)) * x**2).sum(axis=1)


def rosenbrock(x):
    return (100 * (x[:, 1:] - x[:, :-1] ** 2) ** 2 + (1 - x[:, :-1]) ** 2).sum(axis=1)


def minimise(function, size, start, most, seed):
    """Evaluations until the mean's value is below 1e-10."""
    population = cmaes.default_population(size)
    rates = cmaes.rates(size, population)
    search = cmaes.Search(np.full(size, start), 0.5, np.eye(size), np.zeros(size), np.zeros(size))
    stream = np.random.default_rng(seed)
    for generation in range(1, most // population):
        samples = cmaes.sample(search, stream.standard_normal((population, size)))
        search = cmaes.update(search, rates, samples, -function(samples), generation)
        if function(search.mean[None])[0] < 1e-10:
            return generation * population
    raise AssertionError(f"not found within {most} evaluations: {function(search.mean[None])[0]}")


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("function", "start", "most"), [(sphere, 1.0, 2_500), (ellipsoid, 1.0, 6_500), (rosenbrock, 0.0, 8_000)]
)
def test_it_finds_optima_in_ten_dimensions_in_as_many_evaluations_as_are_usual(function, start, most, seed):
    minimise(function, 10, start, most, seed)


@pytest.mark.parametrize(("size", "population"), [(1, 4), (2, 6), (10, 10), (40, 15), (10, 1000)])
def test_the_rates_keep_what_the_tutorial_promises(size, population):
    rates = cmaes.rates(size, population)
    assert (np.diff(rates.weights) <= 0).all()
    assert rates.weights[rates.weights > 0].sum() == pytest.approx(1)
    assert 1 <= rates.mu_eff <= population
    assert 1 - rates.c_1 - rates.c_mu >= -1e-12
    assert 1 - rates.c_1 - rates.c_mu * rates.weights.sum() > -1e-12  # what stays of the old covariance
    assert 0 < rates.c_sigma < 1 and 0 < rates.c_c < 1.0001


def test_the_rates_of_ten_dimensions_as_worked_out_from_table_1():
    rates = cmaes.rates(10, 10)
    raw = np.log(5.5) - np.log(np.arange(1, 6))
    mu_eff = raw.sum() ** 2 / (raw**2).sum()
    assert rates.mu_eff == pytest.approx(mu_eff) == pytest.approx(3.1673, abs=1e-4)
    assert rates.weights[:5] == pytest.approx(raw / raw.sum())
    assert rates.c_sigma == pytest.approx((mu_eff + 2) / (15 + mu_eff))
    assert rates.c_1 == pytest.approx(2 / (11.3**2 + mu_eff))
    assert rates.chi == pytest.approx(3.0847, abs=1e-4)


def test_the_covariance_stays_one_whatever_the_scores():
    size, stream = 6, np.random.default_rng(0)
    rates = cmaes.rates(size, 30)
    search = cmaes.Search(np.zeros(size), 0.5, np.eye(size), np.zeros(size), np.zeros(size))
    for generation in range(1, 300):
        samples = cmaes.sample(search, stream.standard_normal((30, size)))
        search = cmaes.update(search, rates, samples, stream.integers(0, 4, 30).astype(float), generation)
        assert np.linalg.eigvalsh(search.covariance).min() > 0
        assert (search.covariance == search.covariance.T).all()


def test_equal_scores_share_their_weight_and_no_difference_is_no_step():
    weights = np.array([0.5, 0.3, 0.2, -0.4])
    assert cmaes._tied(weights, np.array([1.0, 9.0, 9.0, 5.0])).tolist() == pytest.approx([-0.4, 0.4, 0.4, 0.2])
    search = cmaes.Search(np.zeros(2), 0.5, np.eye(2), np.zeros(2), np.zeros(2))
    assert cmaes.update(search, cmaes.rates(2, 4), np.ones((4, 2)), np.full(4, 500.0), 1) is search


def make(rng, num_envs=16, **settings):
    env = envs.make(EnvironmentConfig(id="CartPole-v1"), num_envs=num_envs)
    return cmaes.make(cmaes.CmaesConfig(**settings), env, rng, Hardware())


def test_a_loaded_algorithm_goes_on_exactly():
    streams = [Streams(3), Streams(3)]
    one, other = (make(rng, games=1, recheck=2) for rng in streams)
    for _ in range(3):
        one.step()
    other.load(one.save())
    streams[1].load(streams[0].save())
    for _ in range(3):
        assert one.step() == other.step()
    assert all(
        np.array_equal(mine, theirs) for mine, theirs in zip(one.strategy.search, other.strategy.search, strict=True)
    )


def test_it_learns_cartpole():
    algorithm = make(Streams(0), num_envs=16, population=24, games=2, recheck=20)
    for _ in range(10):
        metrics = algorithm.step()
        if metrics["return/mean"] > 400:
            break
    assert metrics["return/mean"] > 200  # random play: 22


def test_too_many_parameters_are_refused():
    with pytest.raises(InputError, match="too many for a matrix of their covariances"):
        make(Streams(0), policy="mlp", hidden=(512,))
