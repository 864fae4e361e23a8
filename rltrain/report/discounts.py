"""V of each state against the discount, and where the best policy turns: the picture of `rltrain mdp discounts`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rltrain import lettering
from rltrain.errors import MissingError
from rltrain.mdp.exact.discount_curves import curves
from rltrain.outputs import check_output
from rltrain.spelling import brief
from rltrain.whole_files import replacing

if TYPE_CHECKING:
    from rltrain.core import Array
    from rltrain.mdp.exact.discounts import Discounts

SUFFIXES = (".png", ".svg")

NAMED = 8  # states that have a colour and a name; of larger models, those that change, and the start
NAME = 24  # characters of a name
COLOURS = ("#3b6fb6", "#d1495b", "#2e8b57", "#b7791f", "#7b52ab", "#0f8b8d", "#8c564b", "#555555")
BANDS = ("#f4f6fa", "#ffffff")


def check_target(path: Path) -> None:
    """InputError or DiskError unless `draw` may make this file."""
    check_output(path, "a picture", SUFFIXES)


def draw(found: Discounts, path: Path) -> None:
    """The picture in a file, whole or not at all. MissingError without matplotlib, DiskError when the disk refuses."""
    try:
        import matplotlib
    except ImportError as error:
        raise MissingError("the picture needs matplotlib: pip install 'rltrain[plot]'") from error
    matplotlib.use("Agg")
    from matplotlib import pyplot

    with matplotlib.rc_context({"svg.hashsalt": "rltrain", "font.size": 10.0}):
        figure, axes = pyplot.subplots(figsize=(9, 5.4), layout="constrained")
        try:
            _fill(found, axes)
            suffix = path.suffix.lower().removeprefix(".")
            metadata = {"Date": None} if suffix == "svg" else None
            with replacing(path) as file, lettering.as_it_stands(figure):
                figure.savefig(file, format=suffix, dpi=160, metadata=metadata)
        finally:
            pyplot.close(figure)


def policy_text(found: Discounts, choice: Array) -> str:
    """The action of each state, s0 a0, s1 a2, of a choice of pairs [S]; terminal states are left out."""
    model = found.model
    return ", ".join(
        f"{brief(model.states[state], NAME)} {brief(model.actions[int(model.action[pair])], NAME)}"
        for state, pair in enumerate(choice)
        if pair >= 0
    )


def _fill(found: Discounts, axes: Any) -> None:
    model = found.model
    points, values = curves(found)
    turning = sorted({point.state for point in found.breakpoints})
    shown = [s for s in range(model.num_states) if not model.terminal[s]]
    if len(shown) > NAMED:
        start = int(np.argmax(model.start_distribution()))
        shown = sorted({start, *turning[: NAMED - 1]})
        axes.plot(points, values, color="#c9ced6", linewidth=0.6, zorder=1)
    for place, state in enumerate(shown):
        colour = COLOURS[place % len(COLOURS)]
        axes.plot(points, values[:, state], color=colour, linewidth=2, label=brief(model.states[state], NAME), zorder=3)
        for point in found.breakpoints:
            if point.state == state:
                height = float(np.interp(point.discount, points, values[:, state]))
                axes.plot(point.discount, height, "o", color="white", markeredgecolor=colour, markersize=7, zorder=4)
    axes.set_xscale("function", functions=(_stretched, _shrunk))
    size = float(np.abs(values).max())
    typical = float(np.median(np.abs(values[:, shown])))
    if size > 20 * max(typical, 1e-12):
        axes.set_yscale("asinh", linear_width=max(typical, 1e-9))
        least = float(values.min()) - 1e-9
        axes.set_ylim(axes.get_ylim())
        axes.set_yticks([tick for tick in axes.get_yticks() if tick >= least])
    for place, piece in enumerate(found.intervals):
        axes.axvspan(piece.low, piece.high, color=BANDS[place % 2], zorder=0)
    top = axes.get_xaxis_transform()
    few = model.num_states <= NAMED and len(found.intervals) <= 4
    for place, piece in enumerate(found.intervals):
        if few:
            centre = _shrunk((_stretched(piece.low) + _stretched(piece.high)) / 2)
            text = policy_text(found, piece.choice).replace(", ", "\n")
            axes.text(centre, 0.97, text, transform=top, ha="center", va="top", fontsize=9, color="#333333", zorder=5)
        if place:
            axes.axvline(
                piece.low,
                color="#555555",
                linewidth=1 if len(found.intervals) <= 6 else 0.5,
                linestyle=(0, (4, 3)),
                zorder=2,
            )
            if len(found.intervals) <= 6:
                axes.text(piece.low, 1.01, f"{piece.low:.6f}", transform=top, ha="center", va="bottom", fontsize=9)
    low, high = found.intervals[0].low, found.intervals[-1].high
    ticks = [t for t in (0, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9999) if low <= t <= high]
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
    axes.set_xlim(low, high)
    axes.set_xlabel("discount")
    axes.set_ylabel("value of the optimal policy")
    axes.set_title(model.name or "the model", loc="left", fontweight="bold", pad=18)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#e3e6eb", linewidth=0.7, zorder=0.5)
    axes.legend(edgecolor="none", facecolor="white", framealpha=0.8, loc="upper left" if not few else "center left")


def _stretched(discount: Any) -> Any:
    """The place of a discount on an axis that is even in log(1 - discount): near 1 little changes do much."""
    return -np.log(np.maximum(1 - np.asarray(discount, dtype=float), 1e-12))


def _shrunk(place: Any) -> Any:
    return 1 - np.exp(-np.asarray(place, dtype=float))
