"""Simulated episodes: the same by every way, with the right frequencies, and near the exact expectation."""

import numpy as np
import pytest

from rltrain.mdp import files, pairs, problems, splitmix
from rltrain.mdp.chains import chain, simulate
from rltrain.mdp.model import Model, Numbered
from rltrain.mdp.solvers import bellman

FIRE, SAFE = np.array([1.0, 0, 0, 0, 1, 1]), np.array([1.0, 0, 0, 1, 0, 1])  # s1 walks through the fire, or stays


@pytest.fixture(scope="module")
def book():
    return files.read(files.BOOK).model


@pytest.fixture(scope="module")
def lake():
    """Four cells in a row; the last two are terminal. A step slips back, and its reward depends on where it ends."""
    return Model(
        states=Numbered(4),
        actions=("on", "back"),
        first_pair=np.array([0, 1, 3, 3, 3]),
        action=np.array([0, 0, 1], dtype=np.int32),
        first_next=np.array([0, 2, 5, 6]),
        next=np.array([0, 1, 0, 2, 3, 0], dtype=np.int32),
        prob=np.array([0.25, 0.75, 0.5, 0.25, 0.25, 1.0]),
        reward=np.array([-1.0, 2.0, 0.0]),
        next_reward=np.array([-1.0, -1.0, 0.0, 9.0, -1.0, 0.0]),
        start=np.array([0.5, 0.25, 0.25, 0.0]),
    )


def same(one, other):
    for name in ("total", "discounted", "length", "ended", "pair_visits", "state_visits"):
        assert np.array_equal(getattr(one, name), getattr(other, name)), name
    assert len(one.first) == len(other.first)
    for mine, yours in zip(one.first, other.first, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(mine, yours, strict=True))


def test_the_stream_is_splitmix64():
    """The reference's first numbers for seed 1234567."""
    found = splitmix.mix(np.array([1234567], dtype=np.uint64) + np.arange(1, 4, dtype=np.uint64) * splitmix.GOLDEN)
    assert found.tolist() == [6457827717110365317, 3203168211198807973, 9817491932198370423]


@pytest.mark.parametrize("name", ["book", "lake"])
def test_the_compiled_way_is_the_same_to_the_bit(name, request):
    model = request.getfixturevalue(name)
    for taken in (pairs.uniform(model), pairs.of_choice(model, bellman.greedy(model, pairs.uniform(model)))):
        plain, compiled = (
            simulate.simulate(model, taken, 500, 40, seed=3, discount=0.9, keep=5, compiled=way)
            for way in (False, True)
        )
        same(plain, compiled)


def test_portions_change_nothing(book, monkeypatch):
    whole = simulate.simulate(book, pairs.uniform(book), 50, 30, seed=1, discount=0.9, keep=50)
    monkeypatch.setattr(simulate, "PORTION", 7)
    monkeypatch.setattr(simulate, "RECORDED", 100)
    same(whole, simulate.simulate(book, pairs.uniform(book), 50, 30, seed=1, discount=0.9, keep=50))


def test_fewer_episodes_and_steps_are_the_first_ones_of_more(book):
    more = simulate.simulate(book, pairs.uniform(book), 20, 30, seed=1, keep=20)
    fewer = simulate.simulate(book, pairs.uniform(book), 5, 10, seed=1, keep=5)
    for few, many in zip(fewer.first, more.first, strict=False):
        assert np.array_equal(few.states, many.states[:11])


def test_the_seed_matters(book):
    one, other = (simulate.simulate(book, FIRE, 100, 30, seed=seed).total for seed in (0, 1))
    assert not np.array_equal(one, other)
    keys = np.concatenate([simulate.keys(seed, 0, 1000) for seed in range(10)])
    assert len(np.unique(keys)) == len(keys)


@pytest.mark.parametrize(
    ("taken", "mean", "sd"), [(FIRE, 121.1, 129), (SAFE, 22.3, 26), (None, -22.1, 88)], ids=["fire", "safe", "random"]
)
def test_the_books_returns(book, taken, mean, sd):
    """science.md 4.2, 1,000 games of 100 steps each: both samples have an error of sd / sqrt(1000)."""
    taken = pairs.uniform(book) if taken is None else taken
    found = simulate.spread(simulate.simulate(book, taken, 1000, 100).total)
    assert abs(found.mean - mean) < 3 * 2**0.5 * sd / 1000**0.5
    assert found.sd == pytest.approx(sd, rel=0.1)
    exact = chain.within(chain.of_policy(book, taken), book.start_distribution(), 100).total
    assert abs(found.mean - exact) < 3.5 * found.error


def test_every_draw_has_its_probability(lake):
    """Pairs, successors, starts: each frequency within 4 standard deviations."""
    count = 40_000
    found = simulate.simulate(lake, np.array([1.0, 0.3, 0.7]), count, 1, seed=5, keep=count)
    first = np.array([one.states[0] for one in found.first])
    for state, share in enumerate([0.5, 0.25, 0.25, 0]):
        assert abs((first == state).sum() - count * share) <= 4 * (count * share * (1 - share)) ** 0.5
    at_1 = [one for one in found.first if one.states[0] == 1]
    on = [one for one in at_1 if one.pairs[0] == 1]
    assert abs(len(on) - 0.3 * len(at_1)) < 4 * (len(at_1) * 0.21) ** 0.5
    for state, share, reward in ((0, 0.5, 0), (2, 0.25, 9), (3, 0.25, -1)):
        hits = [one for one in on if one.states[1] == state]
        assert abs(len(hits) - share * len(on)) < 4 * (len(on) * share * (1 - share)) ** 0.5
        assert {float(one.rewards[0]) for one in hits} == {reward}


def test_an_episode_ends_where_the_model_does(lake):
    found = simulate.simulate(lake, np.array([1.0, 1.0, 0.0]), 300, 50, seed=2, discount=0.5, keep=300)
    assert found.ended.any() and (found.length == 0).any()  # a quarter begins at the end
    for episode, one in enumerate(found.first):
        assert one.ended == found.ended[episode] == (one.states[-1] >= 2)
        assert len(one.pairs) == len(one.rewards) == len(one.states) - 1 == found.length[episode]
        assert found.total[episode] == one.rewards.sum()
        assert found.discounted[episode] == pytest.approx((one.rewards * 0.5 ** np.arange(len(one.rewards))).sum())
        assert (one.states[:-1] < 2).all()
    assert found.pair_visits.sum() == found.length.sum() and found.pair_visits[2] == 0
    assert found.state_visits.sum() == found.length.sum() + found.ended.sum()
    exact = chain.within(chain.of_policy(lake, np.array([1.0, 1.0, 0.0])), lake.start_distribution(), 50)
    assert np.abs(found.state_visits / 300 - exact.visits).max() < 0.3


def test_a_start_is_kept_to(book):
    found = simulate.simulate(book, FIRE, 10, 3, start=np.array([0.0, 0, 1]), keep=10)
    assert {int(one.states[0]) for one in found.first} == {2}
    assert {int(one.pairs[0]) for one in found.first} == {5}


def test_a_model_that_is_all_terminal_has_empty_episodes():
    model = Model(
        states=Numbered(2),
        actions=("go",),
        first_pair=np.zeros(3, dtype=np.int64),
        action=np.zeros(0, dtype=np.int32),
        first_next=np.zeros(1, dtype=np.int64),
        next=np.zeros(0, dtype=np.int32),
        prob=np.zeros(0),
        reward=np.zeros(0),
    )
    found = simulate.simulate(model, np.zeros(0), 4, 10, keep=1)
    assert found.total.tolist() == [0] * 4 and found.ended.all() and found.state_visits.tolist() == [4, 0]


def test_many_successors_are_found_in_their_rows():
    generator = np.random.default_rng(0)
    length = generator.integers(1, 40, 200)
    first = np.concatenate(([0], np.cumsum(length)))
    prob = np.concatenate([generator.dirichlet(np.ones(size)) for size in length])
    sums = simulate.running_sums(prob, first)
    u = generator.random(200)
    found = simulate.find(sums, first[:-1], first[1:], u)
    for row in range(200):
        mine = np.cumsum(prob[first[row] : first[row + 1]])
        mine[-1] = 2
        assert found[row] - first[row] == np.searchsorted(mine, u[row], side="right")


def test_a_generated_model_keeps_its_expectation():
    model = problems.garnet(2_000, seed=1)
    taken = pairs.uniform(model)
    found = simulate.spread(simulate.simulate(model, taken, 2_000, 20, discount=0.9).discounted)
    exact = chain.within(chain.of_policy(model, taken), model.start_distribution(), 20, 0.9).discounted
    assert abs(found.mean - exact) < 4 * found.error


@pytest.mark.parametrize(
    ("count", "quantile"), [(2, 12.706205), (11, 2.228139), (12, 2.200985), (31, 2.042272), (1001, 1.962339)]
)
def test_the_interval_is_students(count, quantile):
    values = np.arange(count, dtype=float)
    found = simulate.spread(values)
    assert found.mean == values.mean() and found.error == pytest.approx(values.std(ddof=1) / count**0.5)
    assert (found.high - found.mean) / found.error == pytest.approx(quantile, abs=1e-6)
    assert found.mean - found.low == pytest.approx(found.high - found.mean)


def test_one_episode_has_no_interval():
    found = simulate.spread(np.array([3.0]))
    assert found.mean == 3 and np.isnan([found.sd, found.error, found.low, found.high]).all()
