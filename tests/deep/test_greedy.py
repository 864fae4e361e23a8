"""The greedy policy of a network: the same for a row of observations, in whichever blocks it is asked."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from rltrain.core import EnvSpec, RowByRow
from rltrain.deep.greedy import Greedy
from rltrain.deep.networks import Conv, NetworkShape, QNetwork, initialise
from rltrain.spaces import Discrete

IMAGES = EnvSpec("images", (4, 84, 84), "uint8", 4, Discrete(9, tuple("abcdefghi")), 32, 4, None, None)
VECTORS = EnvSpec("vectors", (4,), "float32", 1, Discrete(2, ("a", "b")), 32, 1, None, None)
KINDS = {
    "tiles": (IMAGES, [(16, 4, 4), (64, 3, 3)], [512], True),
    "nature": (IMAGES, [(32, 8, 4), (64, 4, 2), (64, 3, 1)], [512], False),
    "vectors": (VECTORS, [], [64, 64], False),
    "wide": (VECTORS, [], [256, 256], True),
    "linear": (VECTORS, [], [], False),
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_values_do_not_depend_on_the_other_rows(kind: str, dtype: torch.dtype) -> None:
    spec, convolutions, hidden, dueling = KINDS[kind]
    network = QNetwork(
        spec, NetworkShape([Conv(*conv) for conv in convolutions], "valid", hidden, dueling, dueling), dtype
    )
    initialise(network, torch.Generator().manual_seed(1))
    policy = Greedy(network, torch.device("cpu"))
    assert isinstance(policy, RowByRow)
    rng = np.random.default_rng(0)
    for number in (30, 32):
        obs = rng.integers(0, 255, (number, *spec.obs_shape)).astype(spec.obs_dtype)
        values = policy.scores(obs)
        whole = number - number % policy.row_block
        for blocks in range(1, number // policy.row_block + 1):
            chosen = rng.permutation(whole)[: blocks * policy.row_block]
            rows = np.concatenate([np.sort(chosen), np.arange(whole, number)])
            assert np.array_equal(policy.scores(obs[rows]), values[rows])
