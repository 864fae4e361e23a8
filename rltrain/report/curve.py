"""The picture of a run: what was learned against the steps or sweeps that it took, and against the truth where known.

Of a learner that keeps a table the upper panel has one line for each learner, coloured by learning rate, and the exact
value as a dashed line, as the book draws it; the lower one the greatest error. Of sweeps it has the error and its
proven bound. Of all others it has the return of training games and the evaluations with their intervals.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rltrain import yaml_subset
from rltrain.errors import DiskError, InputError, MissingError

MOST_POINTS = 2_000  # of a line: more than a picture shows
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")  # Okabe and Ito 2008: for all eyes
GREY = "#555555"
Series = dict[str, list[float]]


def draw(folder: Path) -> Path:
    """Draw runs/X/curve.png from the run's files. MissingError without matplotlib, InputError without numbers."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingError('pictures need matplotlib: pip install "rltrain[plot]"') from error
    config = yaml_subset.read((folder / "config.yaml").read_text(encoding="utf-8")).value
    counter = next(iter(config["run"]["budget"]))
    series = read(folder / "metrics.jsonl")
    if not series.get(counter):
        raise InputError(f"{folder}: no numbers yet")
    tabular = "error/max" in series
    figure = Figure(figsize=(8, 6 if tabular else 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(2 if tabular else 1, 1, sharex=True, squeeze=False)[:, 0]
    x = series[counter]
    if "bound" in series:
        _sweeps(panels, x, series)
    elif tabular:
        _learners(panels, x, series)
    else:
        _returns(panels[0], x, series, read(folder / "eval.jsonl"), counter)
    for panel in panels:
        panel.spines[["top", "right"]].set_visible(False)
        panel.grid(alpha=0.25)
        if panel.get_legend_handles_labels()[0]:
            panel.legend(frameon=False, fontsize=9)
    panels[-1].set_xlabel({"env_steps": "steps of each learner" if tabular else "steps"}.get(counter, counter))
    panels[-1].xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    gamma = config["algorithm"].get("gamma")
    name = str(config["environment"]["id"])
    name = Path(name).stem if Path(name).suffix in (".yaml", ".yml", ".npz", ".csv", ".mdp", ".pomdp") else name
    title = f"{config['algorithm']['name']} on {name}" + (f", discount {gamma:g}" if gamma is not None else "")
    panels[0].set_title(title, loc="left", fontweight="bold")
    target = folder / "curve.png"
    part = folder / ".curve.png.part"
    try:
        figure.savefig(part, dpi=120, format="png")
        os.replace(part, target)
    except OSError as error:
        raise DiskError(f"{target}: cannot be written: {error.strerror or error}") from error
    return target


def read(path: Path) -> Series:
    """Every column of a file of JSON lines, NaN where a row lacks it; thinned evenly. A torn last line is left out."""
    rows: list[dict[str, Any]] = []
    stride = 1
    for number, row in enumerate(_rows(path)):
        if number % stride == 0:
            rows.append(row)
        if len(rows) > 2 * MOST_POINTS:
            rows, stride = rows[::2], 2 * stride
        last = row
    if rows and rows[-1] is not last:
        rows.append(last)
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [_number(row.get(name)) for row in rows] for name in names}


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    try:
        with path.open(encoding="utf-8") as file:
            for line in file:
                try:
                    row = json.loads(line)
                except ValueError:
                    continue
                if isinstance(row, dict):
                    yield row
    except FileNotFoundError:
        return


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else math.nan


def _learners(panels: Any, x: list[float], series: Series) -> None:
    """Q of the start's best pair, or V of the start, of each learner; below it the error of each learning rate."""
    kind = "q" if "q/true" in series else "value"
    rates = list(
        dict.fromkeys(name.split("/")[1] for name in series if name.startswith(f"{kind}/") and name.count("/") == 2)
    )
    for colour, rate in zip(COLOURS, rates, strict=False):
        lines = [series[name] for name in series if name.startswith(f"{kind}/{rate}/")]
        for line in lines:
            panels[0].plot(x, line, color=colour, alpha=0.35 if len(lines) > 1 else 1, linewidth=0.8)
        mean = [sum(values) / len(values) for values in zip(*lines, strict=True)]
        panels[0].plot(x, mean, color=colour, linewidth=2, label=f"learning rate {rate}")
        suffix = f"/{rate}" if len(rates) > 1 else ""
        if f"error/max{suffix}" in series:
            panels[1].plot(x, series[f"error/max{suffix}"], color=colour, linewidth=2)
        if f"error/low{suffix}" in series:
            low, high = series[f"error/low{suffix}"], series[f"error/high{suffix}"]
            panels[1].fill_between(x, low, high, color=colour, alpha=0.2, linewidth=0)
    if f"{kind}/true" in series:
        panels[0].axhline(series[f"{kind}/true"][-1], color="black", linestyle="--", linewidth=1.2, label="exact")
    panels[0].set_ylabel("Q of the start's best action" if kind == "q" else "V of the start")
    panels[1].set_ylabel("max |Q - Q*|" if kind == "q" else "max |V - V(policy)|")
    _logarithmic(panels[1], series["error/max"])


def _sweeps(panels: Any, x: list[float], series: Series) -> None:
    panels[0].plot(x, series["value/start"], color=COLOURS[0], linewidth=2, label="V of the start")
    panels[0].set_ylabel("V of the start")
    panels[1].plot(x, series["bound"], color=GREY, linestyle="--", label="proven bound")
    panels[1].plot(x, series["error/max"], color=COLOURS[1], linewidth=2, label="error")
    panels[1].set_ylabel("greatest error")
    _logarithmic(panels[1], series["bound"])


def _returns(panel: Any, x: list[float], series: Series, evaluations: Series, counter: str) -> None:
    mean = series.get("return/mean", [])
    if any(map(math.isfinite, mean)):
        panel.plot(x, mean, color=COLOURS[0], linewidth=1.5, label="training games, mean of the last 100")
    if evaluations.get(counter):
        score = evaluations["mean"]
        low = [value - end for value, end in zip(score, evaluations["ci95/low"], strict=True)]
        high = [end - value for value, end in zip(score, evaluations["ci95/high"], strict=True)]
        panel.errorbar(
            evaluations[counter], score, yerr=[low, high], color=COLOURS[1], marker="o", markersize=4, capsize=3,
            linewidth=1.2, label="evaluation, 95 % interval of its games",
        )  # fmt: skip
    panel.set_ylabel("return")


def _logarithmic(panel: Any, values: list[float]) -> None:
    if any(value > 0 for value in values):
        panel.set_yscale("log")
