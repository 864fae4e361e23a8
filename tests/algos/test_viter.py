"""Value iteration: the fixed point, its proof, and what in-place sweeps change."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rltrain.algos import qiter, viter
from rltrain.algos._sweeps import TableSweeps
from rltrain.core import Hardware
from rltrain.errors import InputError
from rltrain.mdp import files
from rltrain.rng import Streams

BOOK = Path(__file__).parents[2] / "configs" / "mdp" / "book.yaml"
TRUTH = [21.89925005, 1.17982024, 53.87349498]  # at discount .95


def make(**settings: object) -> TableSweeps:
    config = viter.ViterConfig.model_validate(settings)
    return viter.make(config, files.read(BOOK).model, Streams(0), Hardware())


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


GRID = """discount: 1
start: [b, c]
states:
  end: terminal
  a: {left: end reward -1, right: b reward -1}
  b: {left: a reward -1, right: c reward -1}
  c: {left: b reward -1, right: c reward -1}
"""


@pytest.mark.parametrize("algorithm", [viter, qiter])
@pytest.mark.parametrize("sweep", ["sync", "inplace"])
@pytest.mark.parametrize(
    "dead", ["", "  x: {stay: x reward -1, try: {end: 0.9, x: 0.1, reward: -8}}\n  y: {stay: y reward -1}\n"]
)
def test_without_a_discount_every_bound_is_proven(tmp_path: Path, algorithm: Any, sweep: str, dead: str) -> None:
    """The way to the end, step by step; what loses for ever is known from the graph and holds nothing up."""
    (tmp_path / "grid.yaml").write_text(GRID + dead)
    model = files.read(tmp_path / "grid.yaml").model
    run = algorithm.make(algorithm.PLUGIN.config(sweep=sweep), model, Streams(0), Hardware())
    truth = np.array([0, -1, -2, -3] + ([-80 / 9, -np.inf] if dead else []))
    finite = np.isfinite(truth)
    while not run.done:
        metrics = run.step()
        off = np.abs(run.table.value[finite] - truth[finite]).max()
        assert off <= metrics["bound"] + 1e-9 and metrics["error/max"] <= metrics["bound"] + 1e-9
        assert algorithm is qiter or metrics["error/max"] == pytest.approx(off)
    assert metrics["bound"] <= 1e-6 and run.table.value == pytest.approx(truth, abs=1e-6)
    assert metrics["value/start"] == pytest.approx(-2.5) and metrics["policy/right"] == 1.0
    again = algorithm.make(algorithm.PLUGIN.config(sweep=sweep), model, Streams(0), Hardware())
    again.load(run.save())
    assert again.step()["bound"] <= 1e-6


def test_without_a_discount_a_circle_that_earns_is_refused(tmp_path: Path) -> None:
    (tmp_path / "loop.yaml").write_text("discount: 1\nstates:\n  a: {go: a reward 1, stop: b}\n  b: terminal\n")
    with pytest.raises(InputError, match="its value is infinite"):
        viter.make(viter.ViterConfig(), files.read(tmp_path / "loop.yaml").model, Streams(0), Hardware())
