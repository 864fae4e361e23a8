"""Several runs in one picture: a line for each group, and a band where it has several seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rltrain.report import canvas, measures, returns, spread
from rltrain.report.canvas import GREY
from rltrain.report.groups import PlotGroup
from rltrain.report.measures import Curve

FAINT_LINES = 10  # seeds of a group that are also drawn one by one
MOST_DOTS = 60  # evaluations of a line that are also shown as points
Curves = Mapping[Path, Curve]


def draw(groups: Sequence[PlotGroup], curves: Curves, x: str, y: str, smooth: int = 1) -> Any:
    """The matplotlib figure of metric `y` over counter `x`; `curves` maps each run's folder to its points.

    smooth   over how many points each y is the mean, for the label
    """
    figure, (panel,) = canvas.panels(height=4.6)
    bands: dict[str, None] = {}
    evaluated = y.startswith("eval")
    for number, group in enumerate(groups):
        colour, dashes = canvas.colour(number)
        found = [curves[run.folder] for run in group.runs]
        if len(found) == 1:
            _line(panel, found[0], colour, dashes, group.label, evaluated)
            continue
        for curve in found if len(found) <= FAINT_LINES else []:
            panel.plot(*curve, color=colour, linewidth=0.7, alpha=0.3, zorder=1.8)
        band = spread.band(found)
        if band is None:  # nowhere known of all: each seed for itself, under one name
            panel.plot([], [], color=colour, linestyle=dashes, label=f"{group.label} ({_count(group)}, apart)")
            continue
        panel.fill_between(band.x, band.low, band.high, color=colour, alpha=0.18, linewidth=0)
        bands[spread.interval_name(len(found))] = None
        _line(
            panel,
            Curve(band.x, band.mean),
            colour,
            dashes,
            f"{group.label} ({_count(group)})",
            evaluated and band.measured,
        )
    for text in bands:
        panel.fill([], [], color=GREY, alpha=0.25, linewidth=0, label=f"band: {text}")
    if y.split("/")[0] in measures.DECREASING:
        canvas.logarithmic(panel, [value for curve in curves.values() for value in curve.y])
    _references(panel, groups, y)
    panel.set_ylabel(measures.described(y, smooth))
    canvas.label_counter(panel, x)
    canvas.finish(figure, [panel], title(groups), below=True)
    return figure


def title(groups: Sequence[PlotGroup]) -> str:
    """`dqn on CartPole-v1`: the algorithm and the environment, each if all runs share it."""
    algorithms = {run.algorithm for group in groups for run in group.runs}
    environments = {run.environment for group in groups for run in group.runs}
    one = algorithms.pop() if len(algorithms) == 1 else ""
    other = environments.pop() if len(environments) == 1 else ""
    return " on ".join(part for part in (one, other) if part)


def _line(panel: Any, curve: Curve, colour: str, dashes: Any, label: str, dotted: bool) -> None:
    dotted = len(curve.x) == 1 or (dotted and len(curve.x) <= MOST_DOTS)
    marker = {"marker": "o", "markersize": 4} if dotted else {}
    panel.plot(*curve, color=colour, linestyle=dashes, linewidth=1.8, label=label, **marker)


def _count(group: PlotGroup) -> str:
    count, seeds = len(group.runs), set(group.seeds)
    return f"{count} seeds" if len(seeds) == count else f"{count} runs"


def _references(panel: Any, groups: Sequence[PlotGroup], y: str) -> None:
    """Baselines and threshold, where returns of one environment are drawn."""
    runs = [run for group in groups for run in group.runs]
    if y not in measures.SCORES or len({run.environment for run in runs}) > 1:
        return
    known = next((run for run in runs if run.baselines), None)
    if known is not None:
        returns.references(panel, known)
