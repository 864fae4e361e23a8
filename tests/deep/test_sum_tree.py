"""The sum tree against cumulative sums."""

import numpy as np
import pytest

from rltrain.deep.sum_tree import SumTree


@pytest.mark.parametrize("num_leaves", [1, 2, 5, 64, 100])
def test_find_is_the_inverse_of_the_cumulative_sum(num_leaves: int) -> None:
    rng = np.random.default_rng(num_leaves)
    tree, priorities = SumTree(num_leaves), np.zeros(num_leaves)
    for _ in range(20):
        leaf = rng.integers(0, num_leaves, 7)
        value = rng.integers(0, 4, 7).astype(float)
        tree.write(leaf, value)
        for i, v in zip(leaf, value, strict=True):  # the last of equal leaves stays
            priorities[i] = v
    tree.write(np.array([num_leaves - 1]), np.array([2.0]))
    priorities[-1] = 2.0
    assert tree.total == priorities.sum()
    mass = np.arange(0, tree.total, 0.5)
    np.testing.assert_array_equal(tree.find(mass), np.searchsorted(np.cumsum(priorities), mass, side="right"))


def test_writing_all_at_once_gives_the_same_tree() -> None:
    values = np.random.default_rng(0).random(77)
    one, all_ = SumTree(77), SumTree(77)
    for i in np.random.default_rng(1).permutation(77):
        one.write(np.array([i]), values[i : i + 1])
    all_.write_all(values)
    np.testing.assert_array_equal(one._nodes, all_._nodes)


def test_rounding_never_finds_a_leaf_without_priority() -> None:
    tree = SumTree(8)
    tree.write(np.arange(3), np.array([0.1, 0.2, 0.3]))
    assert tree.find(np.array([np.nextafter(tree.total, 1), tree.total])).tolist() == [2, 2]
