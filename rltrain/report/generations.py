"""The picture of a population: its best, its median and its spread, generation by generation.

The best of a generation is partly luck; the champion is what it scores when it plays again, on fresh seeds.
"""

from __future__ import annotations

from typing import Any

from rltrain.report import canvas, returns
from rltrain.report.canvas import COLOURS
from rltrain.report.reading import Record


def draw(run: Record) -> Any:
    """A matplotlib figure of a run that reports `population/best`, over generations if it counts them."""
    figure, (panel,) = canvas.panels()
    counter = "generations" if "generations" in run.training else run.counter
    x, median, spread = run.training[counter], run.column("population/median"), run.column("population/sd")
    low = [middle - sd for middle, sd in zip(median, spread, strict=True)]
    high = [middle + sd for middle, sd in zip(median, spread, strict=True)]
    panel.fill_between(x, low, high, color=COLOURS[0], alpha=0.15, linewidth=0, label="median ± sd of the population")
    canvas.line(panel, x, median, COLOURS[0], "median")
    canvas.line(panel, x, run.column("population/best"), COLOURS[2], "best")
    canvas.line(panel, x, run.column("return/mean"), COLOURS[4], "the champion, played again", (0, (5, 2)))
    returns.evaluations(panel, run, counter)
    returns.references(panel, run)
    panel.set_ylabel("return")
    canvas.label_counter(panel, counter)
    canvas.finish(figure, [panel], run.title, below=True)
    return figure
