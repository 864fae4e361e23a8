"""Q-value iteration: the book's tables to all printed digits, synchronous and in place."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rltrain.algos import qiter
from rltrain.algos._sweeps import TableSweeps
from rltrain.core import Hardware
from rltrain.errors import InputError
from rltrain.mdp import files, problems
from rltrain.rng import Streams

BOOK = Path(__file__).parents[2] / "configs" / "mdp" / "book.yaml"


def after(sweeps: int, **settings: object) -> TableSweeps:
    config = qiter.QiterConfig.model_validate({"epsilon": None, **settings})
    algorithm = qiter.make(config, files.read(BOOK).model, Streams(0), Hardware())
    for _ in range(sweeps):
        algorithm.step()
    return algorithm


@pytest.mark.parametrize(
    ("gamma", "sweeps", "sweep", "expected"),
    [
        (0.95, 50, "sync", "21.73304188 20.63807938 16.70138772 0.95462106 1.01361207 53.70728682"),
        (0.95, 100, "sync", "21.88646117 20.79149867 16.85480700 1.10804034 1.16703135 53.86070610"),
        (0.95, 100, "inplace", "21.89498982 20.80024033 16.86353093 1.11669335 1.17573546 53.86946068"),
        (0.90, 100, "sync", "18.91891892 17.02702703 13.62162162 0.00000000 -4.87971488 50.13365013"),
    ],
)
def test_the_numbers_that_the_book_prints(gamma: float, sweeps: int, sweep: str, expected: str) -> None:
    table = after(sweeps, gamma=gamma, sweep=sweep).table
    assert " ".join(f"{value:.8f}" for value in table.q) == expected


@pytest.mark.parametrize("sweep", ["sync", "inplace"])
def test_it_ends_where_the_bound_is_proven(sweep: str) -> None:
    algorithm = after(0, gamma=0.95, sweep=sweep, epsilon=1e-6)
    while not algorithm.done:
        metrics = algorithm.step()
    assert metrics["bound"] <= 1e-6
    assert metrics["error/max"] <= metrics["bound"]
    assert metrics["policy/right"] == 1.0
    expected = [21.89925005, 20.80428755, 16.86759588, 1.12082922, 1.17982024, 53.87349498]
    assert algorithm.table.q == pytest.approx(expected, abs=1e-6)


def test_in_place_needs_fewer_sweeps() -> None:
    counts = {}
    for sweep in ("sync", "inplace"):
        algorithm = after(0, sweep=sweep, epsilon=1e-6)
        while not algorithm.done:
            algorithm.step()
        counts[sweep] = algorithm.counters["sweeps"]
    assert counts["inplace"] < counts["sync"]


def test_every_bound_holds_on_the_way() -> None:
    algorithm = after(0, gamma=0.9)
    for _ in range(60):
        metrics = algorithm.step()
        assert metrics["error/max"] <= metrics["bound"] + 1e-8  # the truth is known to 1e-9


def test_the_policy_plays_action_numbers_not_pairs() -> None:
    policy = after(100, gamma=0.95).policy()
    assert policy.act(np.array([[0], [1], [2]])).tolist() == [0, 2, 1]


def test_a_discount_is_needed() -> None:
    config = qiter.QiterConfig.model_validate({})
    with pytest.raises(InputError, match=r"algorithm.gamma: this model has no discount"):
        qiter.make(config, problems.garnet(20), Streams(0), Hardware())


def test_a_state_restores_it_to_the_bit() -> None:
    whole, stopped = after(40, sweep="inplace"), after(25, sweep="inplace")
    other = after(0, sweep="inplace")
    other.load(stopped.save())
    for _ in range(15):
        other.step()
    assert other.table.q.tobytes() == whole.table.q.tobytes()
    assert other.save()["table"]["bound"] == whole.save()["table"]["bound"]
