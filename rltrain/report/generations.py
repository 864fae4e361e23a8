"""The picture of a population: its best, its median and its spread, generation by generation.

The best of a generation is partly luck; the champion is what it scores when it plays again, on fresh seeds.
"""

from __future__ import annotations

import math
from typing import Any

from rltrain.report import canvas, returns
from rltrain.report.canvas import COLOURS
from rltrain.report.reading import Record


def draw(run: Record) -> Any:
    figure, (panel,) = canvas.panels()
    series = run.training
    counter = "generations" if "generations" in series else run.counter
    x = series[counter]
    unknown = [math.nan] * len(x)
    median, spread = series.get("population/median", unknown), series.get("population/sd", unknown)
    low = [middle - sd for middle, sd in zip(median, spread, strict=True)]
    high = [middle + sd for middle, sd in zip(median, spread, strict=True)]
    panel.fill_between(x, low, high, color=COLOURS[0], alpha=0.15, linewidth=0, label="median ± sd of the population")
    canvas.line(panel, x, median, COLOURS[0], "median")
    canvas.line(panel, x, series["population/best"], COLOURS[2], "best")
    canvas.line(panel, x, series.get("return/mean", unknown), COLOURS[4], "the champion, played again", (0, (5, 2)))
    returns.evaluations(panel, run, counter)
    returns.references(panel, run)
    panel.set_ylabel("return")
    canvas.counted(panel, counter)
    canvas.finish(figure, [panel], run.title, below=True)
    return figure
