"""The picture of a table of values: against the truth where that is known, and what its policy scores.

Of learners one line each, coloured by learning rate, and the exact value as a dashed line, as the book draws it; below
it the greatest error. Of sweeps the value of the start, the error and its proven bound.
"""

from __future__ import annotations

from typing import Any

from rltrain.report import canvas, returns
from rltrain.report.canvas import COLOURS
from rltrain.report.reading import Record, finite


def draw(run: Record) -> Any:
    """The matplotlib figure of a tabular algorithm: values, errors, and returns where its policy was played."""
    evaluated = finite(run.evaluations.get("mean", []))
    figure, panels = canvas.panels(3 if evaluated else 2, 8 if evaluated else 6)
    if "bound" in run.training:
        _sweeps(panels, run)
    else:
        _learners(panels, run)
    if evaluated:
        returns.evaluations(panels[2], run)
        returns.references(panels[2], run)
        panels[2].set_ylabel("return")
    canvas.label_counter(panels[-1], run.counter)
    if "bound" not in run.training and run.counter == "env_steps":
        panels[-1].set_xlabel("steps of each learner")
    canvas.finish(figure, panels, run.title)
    return figure


def _learners(panels: list[Any], run: Record) -> None:
    """Q of the start's best pair, or V of the start, of each learner; below it the error of each learning rate."""
    x, series = run.column(run.counter), run.training
    kind = "q" if "q/true" in series else "value"
    curves = [name for name in series if name.startswith(f"{kind}/") and name.count("/") == 2]
    for number, rate in enumerate(dict.fromkeys(name.split("/")[1] for name in curves)):
        colour, _ = canvas.colour(number)
        lines = [series[name] for name in curves if name.split("/")[1] == rate]
        if len(lines) > 1:
            for line in lines:
                panels[0].plot(x, line, color=colour, alpha=0.35, linewidth=0.8)
        mean = [sum(values) / len(values) for values in zip(*lines, strict=True)]
        canvas.line(panels[0], x, mean, colour, f"learning rate {rate}")
        suffix = f"/{rate}" if f"error/max/{rate}" in series else ""
        canvas.line(panels[1], x, run.column(f"error/max{suffix}"), colour, "")
        if f"error/low{suffix}" in series:
            low, high = series[f"error/low{suffix}"], series[f"error/high{suffix}"]
            panels[1].fill_between(x, low, high, color=colour, alpha=0.2, linewidth=0)
    if finite(series.get(f"{kind}/true", [])):
        panels[0].axhline(series[f"{kind}/true"][-1], color="black", linestyle="--", linewidth=1.2, label="exact")
    panels[0].set_ylabel("Q of the start's best action" if kind == "q" else "V of the start")
    panels[1].set_ylabel("max |Q - Q*|" if kind == "q" else "max |V - V(policy)|")
    canvas.logarithmic(panels[1], series["error/max"])


def _sweeps(panels: list[Any], run: Record) -> None:
    """V of the start; below it the greatest error and its proven bound, sweep by sweep."""
    x, series = run.column(run.counter), run.training
    canvas.line(panels[0], x, series["value/start"], COLOURS[0], "V of the start")
    panels[0].set_ylabel("V of the start")
    canvas.line(panels[1], x, series["error/max"], COLOURS[4], "error")
    canvas.line(panels[1], x, series["bound"], "black", "proven bound", (0, (2, 3)))
    panels[1].set_ylabel("greatest error")
    canvas.logarithmic(panels[1], series["bound"])
