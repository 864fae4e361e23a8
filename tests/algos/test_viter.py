"""Value iteration: the fixed point, its proof, and what in-place sweeps change."""

from __future__ import annotations

from pathlib import Path

import pytest

from rltrain.algos import viter
from rltrain.core import Hardware
from rltrain.mdp import files
from rltrain.rng import Streams

BOOK = Path(__file__).parents[2] / "configs" / "mdp" / "book.yaml"
TRUTH = [21.89925005, 1.17982024, 53.87349498]  # at discount .95


def make(**settings: object) -> viter.Algorithm:
    config = viter.Config.model_validate(settings)
    return viter.Algorithm(config, files.read(BOOK).model, Streams(0), Hardware())


@pytest.mark.parametrize("sweep", ["sync", "inplace"])
def test_it_comes_within_epsilon_and_says_so(sweep: str) -> None:
    algorithm = make(sweep=sweep)
    while not algorithm.done:
        metrics = algorithm.step()
        assert metrics["error/max"] <= metrics["bound"] + 1e-8  # the truth is known to 1e-9
    assert algorithm.table.value == pytest.approx(TRUTH, abs=1e-6)
    assert metrics["value/start"] == pytest.approx(TRUTH[0], abs=1e-6)


def test_the_first_sweeps_by_hand() -> None:
    algorithm = make(gamma=0.5)
    algorithm.step()
    assert algorithm.table.value.tolist() == [7.0, 0.0, 32.0]  # .7 x 10; stay; .8 x 40
    algorithm.step()
    assert algorithm.table.value.tolist() == pytest.approx([7 + 0.5 * 0.7 * 7, 0.0, 32 + 0.5 * (0.8 * 7 + 0.1 * 32)])


def test_in_place_uses_what_stands() -> None:
    algorithm = make(gamma=0.5, sweep="inplace")
    algorithm.step()
    assert algorithm.table.value.tolist() == pytest.approx([7.0, 0.0, 32 + 0.5 * 0.8 * 7])


def test_the_last_sweep_of_a_discount_of_nothing_changes_nothing() -> None:
    algorithm = make(gamma=0.0, epsilon=1e-300)
    algorithm.step()
    assert not algorithm.done
    algorithm.step()
    assert algorithm.done
