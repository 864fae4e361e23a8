"""The picture of a learner: the returns of its training games, its evaluations, and what there is to beat."""

from __future__ import annotations

import math
from typing import Any

from rltrain.report import canvas
from rltrain.report.canvas import COLOURS, GREY
from rltrain.report.reading import Record, finite

Lines = dict[str, float]  # a name and the return that it stands for


def draw(run: Record) -> Any:
    """Single games as dots, the mean of the last 100 as a line, evaluations with their intervals."""
    figure, (panel,) = canvas.panels()
    x = run.training[run.counter]
    means = run.training.get("return/mean", [])
    _games(panel, run)
    if finite(means):
        canvas.line(panel, x, means, COLOURS[0], "mean of the last 100 training games")
    evaluations(panel, run)
    if panel.has_data():
        references(panel, run)
    else:
        canvas.say_nothing_yet(panel, "no game has ended yet")
    panel.set_ylabel("return")
    canvas.counted(panel, run.counter)
    canvas.finish(figure, [panel], run.title, below=True)
    return figure


def _games(panel: Any, run: Record) -> None:
    """A dot for each row in which a game ended: the last that did."""
    last, ended = run.training.get("return/last", []), run.training.get("episodes", [])
    rows = zip(run.training[run.counter], last, ended, [0.0, *ended], strict=False)
    dots = [(x, y) for x, y, games, before in rows if math.isfinite(y) and games > before]
    if dots:
        size = min(14.0, max(3.0, 4_000 / len(dots)))
        panel.scatter(
            *zip(*dots, strict=True), s=size, color=GREY, alpha=0.3, linewidths=0, rasterized=True,
            label="single training games",
        )  # fmt: skip


def evaluations(panel: Any, run: Record) -> None:
    """The evaluations as points with the 95 % interval of their games."""
    found = run.evaluations
    if not finite(found.get("mean", [])) or run.counter not in found:
        return
    mean = found["mean"]
    ends = [found.get(name, [math.nan] * len(mean)) for name in ("ci95/low", "ci95/high")]
    reach = [[abs(value - end) for value, end in zip(mean, column, strict=True)] for column in ends]
    panel.errorbar(
        found[run.counter], mean, yerr=reach, color=COLOURS[1], marker="o", markersize=4, capsize=2.5,
        linewidth=1.2, label="evaluation, 95 % interval of its games", zorder=4,
    )  # fmt: skip


def references(panel: Any, run: Record) -> None:
    """What there is to beat, each with its name at the right end of a dashed line."""
    known: Lines = {f"{name} policy": mean for name, mean in run.baselines.items() if name != _played(run)}
    if run.threshold is not None:
        known["counts as solved"] = run.threshold
    dashed(panel, known)


def dashed(panel: Any, known: Lines) -> None:
    """Dashed lines across the panel with their names above; names that would touch share a place."""
    low, high = panel.get_ylim()
    ends = [*known.values(), low, high]
    margin = 0.03 * (max(ends) - min(ends))
    panel.set_ylim(min(ends), max([high, *(value + 2 * margin for value in known.values())]))
    closest = 0.05 * (panel.get_ylim()[1] - panel.get_ylim()[0])
    together: list[tuple[float, list[str]]] = []
    for name, value in sorted(known.items(), key=lambda item: item[1]):
        panel.axhline(value, color="black", linestyle=(0, (4, 3)), linewidth=0.9, alpha=0.7, zorder=1.5)
        words = f"{name} {value:,.4g}"
        if together and value - together[-1][0] < closest:
            together[-1] = (value, [*together[-1][1], words])
        else:
            together.append((value, [words]))
    for value, names in together:
        panel.annotate(
            ", ".join(names), (1, value), xycoords=panel.get_yaxis_transform(), xytext=(0, 2),
            textcoords="offset points", ha="right", va="bottom", fontsize=8, color="black", zorder=5,
        )  # fmt: skip


def _played(run: Record) -> str | None:
    """The hard-coded policy that this run itself is, if it is one."""
    return str(run.config["algorithm"].get("policy")) if run.algorithm == "basic" else None
