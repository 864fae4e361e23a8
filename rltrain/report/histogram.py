"""The picture of a policy that learns nothing: the histogram of its returns, with mean, sd, min and max.

A bin is as wide as Freedman and Diaconis 1981 have it, 2 IQR / n^(1/3), and a whole number wide for whole returns.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from rltrain.core import Array
from rltrain.report import canvas, reading
from rltrain.report.canvas import COLOURS, GREY
from rltrain.report.reading import Record

MOST_BINS = 80


def draw(run: Record) -> Any:
    """The matplotlib figure of the returns of all games of a run, however many there were."""
    figure, (panel,) = canvas.panels()
    rows = reading.read(run.folder / "metrics.jsonl", ("episodes", "return/last"), most=None)
    returns, total = games_of(rows)
    panel.set_xlabel("return")
    panel.set_ylabel("games")
    if len(returns):
        _bars(panel, returns, total)
        for name, mean in run.baselines.items():
            if name != run.rule:
                panel.axvline(
                    mean, color="black", linestyle=(0, (4, 3)), linewidth=1, label=f"{name} policy {mean:,.4g}"
                )
        if run.threshold is not None and run.threshold <= returns.max():
            panel.axvline(run.threshold, color=GREY, linestyle=":", label=f"counts as solved {run.threshold:,.4g}")
    else:
        canvas.placeholder(panel, "no game has ended yet")
    canvas.finish(figure, [panel], f"{run.rule} on {run.environment}" if run.rule else run.title)
    panel.grid(visible=False, axis="x")
    return figure


def games_of(rows: reading.Series) -> tuple[Array, int]:
    """Returns [n] of the games that ended, and the count of all games, of the columns `episodes` and `return/last`.

    A row is a training step, which may end no game, or several of which it holds the last.
    """
    episodes = np.array(rows.get("episodes", []))
    last = np.array(rows.get("return/last", [math.nan] * len(episodes)))
    ended = np.diff(episodes, prepend=0) > 0
    returns = last[ended & np.isfinite(last)]
    counted = episodes[np.isfinite(episodes)]
    return returns, int(counted[-1]) if len(counted) else len(returns)


def bins(returns: Array) -> Array:
    """The edges [k + 1] of the k bins of returns [n], n >= 1; of whole returns they lie halfway between."""
    low, high = float(returns.min()), float(returns.max())
    quarters = np.quantile(returns, [0.25, 0.75])
    width = 2 * float(quarters[1] - quarters[0]) / len(returns) ** (1 / 3)
    width = max(width, (high - low) / MOST_BINS)
    if (returns == np.round(returns)).all():
        width = max(1.0, float(round(width)))
        count = math.floor((high - low) / width) + 1
        return low - 0.5 + width * np.arange(count + 1)
    if width == 0:
        return np.array([low - 0.5, low + 0.5])
    return np.linspace(low, high, math.ceil((high - low) / width) + 1)


def _bars(panel: Any, returns: Array, total: int) -> None:
    mean, sd = float(returns.mean()), float(returns.std())
    games = f"{total:,} games" if len(returns) == total else f"{len(returns):,} of {total:,} games"
    panel.hist(returns, bins=bins(returns), color=COLOURS[0], edgecolor="white", linewidth=0.5, label=games)
    panel.axvline(mean, color=COLOURS[1], linewidth=2, label=f"mean {mean:,.4g}")
    panel.axvspan(mean - sd, mean + sd, color=COLOURS[4], alpha=0.18, linewidth=0, zorder=0, label=f"± sd {sd:,.4g}")
    low, high = returns.min(), returns.max()
    panel.plot([low, high], [0, 0], linestyle="none", marker="^", markersize=8, color=COLOURS[1], clip_on=False,
               label=f"min {low:,.4g}, max {high:,.4g}", zorder=5)  # fmt: skip
