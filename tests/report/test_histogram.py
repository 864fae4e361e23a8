"""The histogram of a policy that learns nothing: every game, and the statistics that are printed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from rltrain.report import histogram, reading

KNOWN = {"baselines": {"random": 22.0, "angle": 42.0}, "reward_threshold": 475.0}


def rows(returns: list[float]) -> list[dict[str, Any]]:
    return [{"env_steps": n, "episodes": n, "return/last": value} for n, value in enumerate(returns, 1)]


def test_every_game_is_in_a_bar_and_the_statistics_stand_beside(run_folder: Any) -> None:
    returns = np.random.default_rng(0).integers(24, 69, size=9_000).astype(float)  # more than a line's points
    run = reading.load(
        run_folder("a", rows(returns.tolist()), algorithm={"name": "basic", "policy": "angle"}, baselines=KNOWN)
    )
    figure = histogram.draw(run)
    (panel,) = figure.axes
    assert sum(bar.get_height() for bar in panel.containers[0]) == 9_000
    said = [text.get_text() for text in panel.get_legend().get_texts()]
    assert said == [
        "9,000 games", f"mean {returns.mean():.4g}", f"± sd {returns.std():.4g}", "min 24, max 68", "random policy 22",
    ]  # fmt: skip
    assert panel.get_title(loc="left") == "angle on CartPole-v1"


def test_a_row_that_ended_no_game_is_no_game(run_folder: Any) -> None:
    table = [{"episodes": n, "return/last": last} for n, last in ((0, None), (1, 5.0), (1, 5.0), (3, 7.0))]
    path = run_folder("a", table) / "metrics.jsonl"
    returns, total = histogram.games_of(reading.read(path))
    assert (returns.tolist(), total) == ([5.0, 7.0], 3)


@pytest.mark.parametrize(
    ("returns", "least", "most"),
    [([3.0], 1, 1), ([2.0, 2.0, 2.0], 1, 1), ([0.5, 0.5], 1, 1), ([0.0, 1.0], 1, 2), ([1.5, 2.25, 9.0], 1, 80)],
)
def test_bins_hold_all_returns_however_few(returns: list[float], least: int, most: int) -> None:
    edges = histogram.bins(np.array(returns))
    assert np.histogram(returns, edges)[0].sum() == len(returns)
    assert least <= len(edges) - 1 <= most
    assert (np.diff(edges) > 0).all()


def test_bins_of_whole_returns_are_whole_and_not_too_many() -> None:
    stream = np.random.default_rng(1)
    whole = histogram.bins(stream.integers(0, 40, size=500).astype(float))
    assert set(np.diff(whole)) <= {float(round(w)) for w in np.diff(whole)}
    wild = histogram.bins(np.append(stream.normal(size=10_000), 1e6))
    assert len(wild) <= histogram.MOST_BINS + 2
