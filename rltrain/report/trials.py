"""The picture of a search: the score over the plane of two parameters, or against each of several.

points.csv has a row for each point that was tried: its parameters, its `score` and the `games` that it was scored on.
"""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import Any

import numpy as np

from rltrain.cells import table_of
from rltrain.core import Array
from rltrain.errors import InputError
from rltrain.plain_files import read_plain, reason
from rltrain.report import canvas, returns
from rltrain.report.canvas import COLOURS, GREY
from rltrain.report.reading import Record
from rltrain.spelling import shown

POINTS = "points.csv"
MAX_BYTES = 1 << 27  # of it: two million points
MEASURED = ("score", "games")  # all other columns are parameters
TRIED = "policies"  # the counter of points tried
COLOUR_MAP = "viridis"  # even to the eye, in grey and for the colour-blind
MOST_PANELS = 12  # parameters that have one each; of more, only the best so far is drawn


def draw(run: Record) -> Any:
    """A matplotlib figure of points.csv: a map for two parameters, a panel each for up to 12, else the best so far.

    InputError where the file cannot be read.
    """
    names, points, score = read(run.folder / POINTS)
    if not len(score):
        figure, (panel,) = canvas.panels()
        canvas.placeholder(panel, "nothing has been tried yet")
        canvas.finish(figure, [panel], run.title)
    elif len(names) == 2:
        figure = _plane(run, names, points, score)
    elif 0 < len(names) <= MOST_PANELS:
        figure = _each(run, names, points, score)
    else:
        figure = _so_far(run, score)
    return figure


def read(path: Path) -> tuple[list[str], Array, Array]:
    """The names of P parameters, their values [n, P] and the scores [n] of points.csv. InputError.

    A row that is not one of numbers, as a kill may leave the last, is left out.
    """
    try:
        head, rows = table_of(read_plain(path, MAX_BYTES).decode())
    except (OSError, ValueError, csv.Error) as error:
        raise InputError(f"{shown(str(path))}: cannot be read: {shown(reason(error))}") from error
    if "score" not in head:
        raise InputError(f"{shown(str(path))}: its first line names no column `score`")
    table = np.array([_numbers(row, len(head)) for row in rows]).reshape(-1, len(head))
    table = table[np.isfinite(table[:, head.index("score")])]
    columns = [place for place, name in enumerate(head) if name not in MEASURED]
    return [head[place] for place in columns], table[:, columns], table[:, head.index("score")]


def grid_of(x: Array, y: Array, score: Array) -> tuple[Array, Array, Array] | None:
    """x [n], y [n], score [n] as axes [X], [Y] and scores [Y, X]; None unless they are a full grid, each point once."""
    across, column = np.unique(x, return_inverse=True)
    up, row = np.unique(y, return_inverse=True)
    if len(across) * len(up) != len(x) or min(len(across), len(up)) < 2:
        return None
    filled = np.full((len(up), len(across)), math.nan)
    filled[row, column] = score
    return None if np.isnan(filled).any() else (across, up, filled)


def _numbers(row: list[str], length: int) -> list[float]:
    try:
        numbers = [float(cell) for cell in row]
    except ValueError:
        numbers = []
    return numbers if len(numbers) == length else [math.nan] * length


def _plane(run: Record, names: list[str], points: Array, score: Array) -> Any:
    """A map of a grid; else a dot for each point, the best on top."""
    figure, (panel,) = canvas.panels(height=5.2)
    x, y = points.T
    grid = grid_of(x, y, score)
    if grid is not None:
        drawn = panel.pcolormesh(*grid, cmap=COLOUR_MAP, shading="nearest", rasterized=True)
    else:
        order = np.argsort(score, kind="stable")
        size = float(np.clip(20_000 / len(score), 6, 60))
        drawn = panel.scatter(x[order], y[order], c=score[order], s=size, cmap=COLOUR_MAP, linewidths=0)
    best, value, how = best_of(run, names, points, score)
    where = ", ".join(f"{name} {place:.4g}" for name, place in zip(names, best, strict=True))
    panel.plot(
        *best, marker="*", markersize=16, color=COLOURS[1], markeredgecolor="white", linestyle="none",
        label=f"{how}: {value:,.4g} at {where}", clip_on=False, zorder=5,
    )  # fmt: skip
    bar = figure.colorbar(drawn, ax=panel, label="mean return", pad=0.01)
    for name, mean in run.baselines.items():  # on the scale of the colours, if it reaches so far
        panel.plot([], [], color="black", linestyle=(0, (2, 1)), label=f"{name} policy {returns.short(mean)}")
        if score.min() <= mean <= score.max():
            bar.ax.axhline(mean, color="black", linestyle=(0, (2, 1)), linewidth=1.5)
            bar.ax.axhline(mean, color="white", linestyle=(2, (1, 2)), linewidth=1.5)  # seen on dark colours too
    panel.set_xlabel(names[0])
    panel.set_ylabel(names[1])
    canvas.finish(figure, [panel], f"{run.title}: {_tried(score)}", below=True)
    panel.grid(visible=False)
    return figure


def best_of(run: Record, names: list[str], points: Array, score: Array) -> tuple[Array, float, str]:
    """The best point [P], its score, and what that is: of the champion in new games, else of the best trial."""
    champion = np.array([run.column(f"champion/{name}")[-1] for name in names])
    value = run.column("return/mean")[-1]
    if np.isfinite(champion).all() and math.isfinite(value):
        return champion, value, "the best, played again"
    place = int(np.argmax(score))
    return points[place], float(score[place]), "the best"


def _each(run: Record, names: list[str], points: Array, score: Array) -> Any:
    """The score against each parameter, and the best so far below."""
    figure, drawn, below = canvas.small_panels(len(names))
    best, value, how = best_of(run, names, points, score)
    for place, (panel, name) in enumerate(zip(drawn, names, strict=True)):
        panel.scatter(points[:, place], score, s=6, color=COLOURS[0], alpha=0.4, linewidths=0, rasterized=True)
        panel.plot(best[place], value, marker="*", markersize=13, color=COLOURS[1], linestyle="none", zorder=5)
        panel.set_xlabel(f"{name} (best {best[place]:.3g})")
        if place % 3:
            panel.tick_params(labelleft=False)
        else:
            panel.set_ylabel("mean return")
    _best_so_far(below, run, score)
    below.plot([], [], marker="*", markersize=11, color=COLOURS[1], linestyle="none", label=f"{how}: {value:,.4g}")
    canvas.finish(figure, [*drawn, below], "", below=True)
    figure.suptitle(f"{run.title}: {_tried(score)}", x=0.01, ha="left", fontweight="bold", fontsize=12)
    return figure


def _so_far(run: Record, score: Array) -> Any:
    figure, (panel,) = canvas.panels()
    _best_so_far(panel, run, score)
    canvas.finish(figure, [panel], f"{run.title}: {_tried(score)}", below=True)
    return figure


def _best_so_far(panel: Any, run: Record, score: Array) -> None:
    """Each point in the order in which they were tried, the best so far, and what there is to beat."""
    tried = np.arange(1, len(score) + 1)
    panel.scatter(tried, score, s=5, color=GREY, alpha=0.3, linewidths=0, rasterized=True, label="a point")
    panel.step(tried, np.maximum.accumulate(score), where="post", color=COLOURS[0], linewidth=1.8, label="best so far")
    if run.counter == TRIED:
        again = run.column("return/mean")
        canvas.line(panel, run.column(TRIED), again, COLOURS[4], "the best, played again", (0, (5, 2)))
    returns.evaluations(panel, run, TRIED)
    returns.references(panel, run)
    panel.set_ylabel("mean return")
    canvas.label_counter(panel, "points tried")


def _tried(score: Array) -> str:
    return f"{len(score):,} points tried"
