"""The picture of a learner: the returns of its training games, its evaluations, and what there is to beat."""

from __future__ import annotations

import math
from typing import Any

from rltrain.report import canvas
from rltrain.report.canvas import COLOURS, GREY
from rltrain.report.reading import Record, finite

SOLVED = "counts as solved at"
FARTHEST = 10  # heights of the learner's own curve: a line farther from it than this is only named at the edge
Returns = dict[str, float]  # of what a run is compared with, by name


def draw(run: Record) -> Any:
    """The matplotlib figure of a run: games as dots, the mean of the last 100 as a line, evaluations with intervals."""
    figure, (panel,) = canvas.panels()
    _games(panel, run)
    canvas.line(
        panel, run.column(run.counter), run.column("return/mean"), COLOURS[0], "mean of the last 100 training games"
    )
    evaluations(panel, run)
    if panel.has_data():
        references(panel, run)
    else:
        canvas.placeholder(panel, "no game has ended yet")
    panel.set_ylabel("return")
    canvas.label_counter(panel, run.counter)
    canvas.finish(figure, [panel], run.title, below=True)
    return figure


def _games(panel: Any, run: Record) -> None:
    """The games behind the line: those of each update together, or a dot for the last that ended before each row."""
    batch = run.training.get("return/batch", [])
    if finite(batch):  # the last to end of games that begin together is the longest: it would speak for none
        panel.plot(
            run.training[run.counter], batch, color=GREY, linewidth=0.8, alpha=0.6, marker=".", markersize=3,
            label="mean of the games of an update",
        )  # fmt: skip
        return
    last, ended = run.training.get("return/last", []), run.training.get("episodes", [])
    rows = zip(run.training[run.counter], last, ended, [0.0, *ended], strict=False)
    dots = [(x, y) for x, y, games, before in rows if math.isfinite(y) and games > before]
    if dots:
        size = min(14.0, max(3.0, 4_000 / len(dots)))
        panel.scatter(
            *zip(*dots, strict=True), s=size, color=GREY, alpha=0.3, linewidths=0, rasterized=True,
            label="single training games",
        )  # fmt: skip


def evaluations(panel: Any, run: Record, counter: str | None = None) -> None:
    """Draw the evaluations as points with the 95 % interval of their games, over `counter` or that of the budget."""
    found, counter = run.evaluations, counter or run.counter
    if not finite(found.get("mean", [])) or counter not in found:
        return
    mean = found["mean"]
    ends = [found.get(name, [math.nan] * len(mean)) for name in ("ci95/low", "ci95/high")]
    reach = [[abs(value - end) for value, end in zip(mean, column, strict=True)] for column in ends]
    panel.errorbar(
        found[counter], mean, yerr=reach, color=COLOURS[1], marker="o", markersize=4, capsize=2.5,
        linewidth=1.2, label="evaluation, 95 % interval of its games", zorder=4,
    )  # fmt: skip


def references(panel: Any, run: Record) -> None:
    """Draw the baselines and the return that counts as solved as dashed lines with their names."""
    known: Returns = {f"{name} policy": mean for name, mean in run.baselines.items() if name != run.rule}
    if run.threshold is not None:
        known[SOLVED] = run.threshold
    dashed(panel, known)


def dashed(panel: Any, known: Returns) -> None:
    """Draw dashed lines across a panel, named at their right ends; names that would touch share a place.

    A line so far away that the curves would look flat beside it is not drawn: it is named at the edge beyond which
    it lies.
    """
    low, high = panel.get_ylim()
    widest = FARTHEST * (high - low)
    near = {name: value for name, value in known.items() if high - widest <= value <= low + widest}
    bottom, top = min([low, *near.values()]), max([high, *near.values()])
    room = 0.06 * (top - bottom)  # that a name takes
    panel.set_ylim(low if bottom == low else bottom - room / 3, max([high, *(value + room for value in near.values())]))
    together: list[tuple[float, list[str]]] = []
    for name, value in sorted(near.items(), key=lambda item: item[1]):
        panel.axhline(value, color="black", linestyle=(0, (4, 3)), linewidth=0.9, alpha=0.7, zorder=1.5)
        if together and value - together[-1][0] < room:
            together[-1] = (value, [*together[-1][1], f"{name} {short(value)}"])
        else:
            together.append((value, [f"{name} {short(value)}"]))
    for value, names in together:
        below = names[0].startswith(SOLVED) and high > value  # above it, whoever solved the task has their line
        _name(panel, ", ".join(names), (1, value), "right", below)
    limits = panel.get_ylim()
    for arrow, edge, far in (
        ("↓", limits[0], {name: value for name, value in known.items() if value < high - widest}),
        ("↑", limits[1], {name: value for name, value in known.items() if value > low + widest}),
    ):
        if far:
            text = ", ".join(f"{name} {short(value)}" for name, value in far.items())
            _name(panel, f"{arrow} {text}", (0.005, edge), "left", arrow == "↑")


def short(value: float) -> str:
    """A return in a few characters: 23.4, 475, 12,300."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _name(panel: Any, text: str, place: tuple[float, float], side: str, below: bool) -> None:
    """Words at (share of the width, return), above that place or below it."""
    panel.annotate(
        text, place, xycoords=panel.get_yaxis_transform(), xytext=(0, -2 if below else 1.5),
        textcoords="offset points", ha=side, va="top" if below else "bottom", fontsize=8, zorder=5,
        bbox={"facecolor": "white", "alpha": 0.7, "linewidth": 0, "pad": 1},
    )  # fmt: skip
