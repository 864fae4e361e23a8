"""Models that are made: their sizes, their numbers, and some known answers."""

import numpy as np
import pytest

from rltrain.errors import InputError
from rltrain.mdp import problems
from rltrain.mdp.solvers.solve import solve


def test_garnet_is_what_its_seed_says():
    model = problems.garnet(50, 3, 4, seed=7)
    assert (model.num_states, model.num_pairs) == (50, 150) and not model.terminal.any()
    rng = np.random.default_rng(7)
    following = np.sort(rng.integers(0, 50, (150, 4), dtype=np.int32), axis=1)
    prob = rng.exponential(size=(150, 4))
    prob /= prob.sum(1, keepdims=True)
    dense = np.zeros((150, 50))
    np.add.at(dense, (np.repeat(np.arange(150), 4), following.ravel()), prob.ravel())
    mine = np.zeros((150, 50))
    mine[np.repeat(np.arange(150), np.diff(model.first_next)), model.next] = model.prob
    assert np.allclose(mine, dense, atol=1e-15)
    assert (model.reward == rng.random(150)).all()
    assert model.num_next == np.count_nonzero(dense) < 600  # some were drawn twice


def test_a_grid_without_slip_costs_the_way_to_the_goal():
    model = problems.grid(4, slip=0.0)
    value = solve(model, 0.999999, epsilon=1e-3).value.reshape(4, 4)
    way = np.add.outer(np.arange(3, -1, -1), np.arange(3, -1, -1))
    assert np.allclose(value, -way, atol=1e-2)
    assert model.terminal.tolist() == [False] * 15 + [True]


def test_a_grid_slips_to_both_sides():
    model = problems.grid(3, slip=0.2)
    pair = model.pair_of(4, 0)  # up from the middle
    span = model.successors(pair)
    assert model.next[span].tolist() == [1, 3, 5] and model.prob[span].tolist() == [0.8, 0.1, 0.1]


def test_the_chain_goes_forward_and_the_young_forest_waits():
    chain = problems.chain(5, 0.2)
    first = chain.pair_of(0, 0)
    assert chain.prob[chain.successors(first)].tolist() == [0.2, 0.8] and chain.reward[first] == 0.2 * 2
    forest = problems.forest(3, 0.1)
    solution = solve(forest, 0.9)
    assert np.allclose(solution.value, [26.244, 29.484, 33.484], atol=1e-3)  # MDPtoolbox's documentation
    assert solution.policy == ["wait", "wait", "wait"]


def test_the_gambler_of_sutton_and_barto():
    model = problems.gambler(101, 0.4)
    value = solve(model, 0.9999999, epsilon=1e-6).value
    assert value[50] == pytest.approx(0.4, abs=1e-5)
    assert value[25] == pytest.approx(0.16, abs=1e-5)
    assert value[75] == pytest.approx(0.64, abs=1e-5)
    assert model.terminal[[0, 100]].all() and model.terminal.sum() == 2


@pytest.mark.parametrize(
    "make",
    [
        lambda: problems.garnet(0),
        lambda: problems.grid(1),
        lambda: problems.grid(3, slip=1.5),
        lambda: problems.garnet(10**9, 100),
    ],
)
def test_impossible_sizes_are_refused(make):
    with pytest.raises(InputError):
        make()
