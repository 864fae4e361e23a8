"""Alias tables give the probabilities that they were made of; the stream is SplitMix64."""

import itertools

import numpy as np
import pytest

from rltrain.errors import InputError
from rltrain.mdp import build, files, splitmix
from rltrain.mdp.learn import sampling


def chances(threshold, alias, bits):
    """What a table gives: the exact probability of each of its columns."""
    one = 2.0 ** float(bits)
    inside = threshold.astype(float) / one / len(alias)
    return inside + np.bincount(alias, weights=(1 / len(alias)) - inside, minlength=len(alias))


def test_the_stream_is_splitmix64() -> None:
    # The first three outputs of the reference implementation for the seed 1234567.
    state, found = 1234567, []
    for _ in range(3):
        state = (state + int(splitmix.GOLDEN)) % 2**64
        found.append(int(sampling.mix(np.uint64(state))))
    assert found == [6457827717110365317, 3203168211198807973, 9817491932198370423]


@pytest.mark.parametrize("seed", range(20))
def test_tables_hold_the_probabilities(seed: int) -> None:
    stream = np.random.default_rng(seed)
    sizes = stream.integers(1, 40, size=30)
    first = np.concatenate([[0], np.cumsum(sizes)])
    prob = np.concatenate([stream.dirichlet(np.full(size, 0.3)) for size in sizes])
    threshold, alias = np.empty(len(prob), np.uint64), np.empty(len(prob), np.int32)
    sampling.vose(first, prob, 53, threshold, alias)
    for begin, end in itertools.pairwise(first):
        own = slice(begin, end)
        assert chances(threshold[own], alias[own], 53) == pytest.approx(prob[own], abs=1e-12)


def test_draws_come_as_often_as_they_should() -> None:
    model = files.read(files.BOOK).model
    sampler = sampling.make(model)
    pair = model.pair_of(2, 1)  # .8, .1, .1
    state, counts = 99, np.zeros(model.num_next)
    for _ in range(20_000):
        state = (state + int(splitmix.GOLDEN)) % 2**64
        counts[int(sampling.successor(np.uint64(sampling.mix(np.uint64(state))), pair, sampler))] += 1
    assert counts[model.successors(pair)] / 20_000 == pytest.approx([0.8, 0.1, 0.1], abs=0.015)  # 5 sigma
    assert counts.sum() == counts[model.successors(pair)].sum()


def test_streams_differ_by_seed_and_purpose() -> None:
    numbers = [*sampling.streams(0, "agent", 8), *sampling.streams(0, "world", 8), *sampling.streams(1, "agent", 8)]
    assert len(set(numbers)) == 24
    assert (sampling.streams(0, "agent", 4) == sampling.streams(0, "agent", 8)[:4]).all()


def test_a_start_that_is_over_is_refused() -> None:
    model = build.from_transitions(
        ("a", "end"), ("go",), *map(np.array, ([0], [0], [1], [1.0], [1.0])),
        start=np.array([0.0, 1.0]), terminal=np.array([False, True]),
    )  # fmt: skip
    with pytest.raises(InputError, match="every start is terminal"):
        sampling.make(model)
