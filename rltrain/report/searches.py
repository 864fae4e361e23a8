"""The picture of search for each move: the value of the root against the exact one, their distance, and the returns.

Of one search that goes on without end the values of the root's actions take the place of the returns.
"""

from __future__ import annotations

from typing import Any

from rltrain.report import canvas, returns
from rltrain.report.canvas import COLOURS, GREY
from rltrain.report.reading import Record, finite


def draw(run: Record) -> Any:
    """The matplotlib figure of a run whose roots' values are known: values, errors, and returns where games ended."""
    played = finite(run.training.get("return/mean", []))
    figure, panels = canvas.panels(3 if played else 2, 8 if played else 6)
    x, series = run.column(run.counter), run.training
    for name in sorted(series):
        if name.startswith("q/"):
            panels[0].plot(x, series[name], color=GREY, linewidth=0.8)
    canvas.line(panels[0], x, series["root/value"], COLOURS[0], "value of the root")
    panels[0].plot(x, series["root/exact"], color="black", linestyle="--", linewidth=1.2, label="exact")
    panels[0].set_ylabel("value of the root")
    canvas.line(panels[1], x, series["error/root"], COLOURS[4], "")
    panels[1].set_ylabel("mean |V(root) - V*|")
    if played:
        canvas.line(panels[2], x, series["return/mean"], COLOURS[0], "mean of the last 100 games")
        returns.evaluations(panels[2], run)
        returns.references(panels[2], run)
        panels[2].set_ylabel("return")
    else:
        canvas.logarithmic(panels[1], series["error/root"])
        panels[-1].set_xscale("log")
    canvas.label_counter(panels[-1], run.counter)
    canvas.finish(figure, panels, run.title)
    return figure
