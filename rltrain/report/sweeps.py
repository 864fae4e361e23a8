"""The picture of a sweep: the score against each setting that is varied, and below the best so far.

Colours tell the order in which trials were tried, or with halving the rung that each came to. A trial that diverged is
a cross at the foot of each panel.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rltrain.core import Array
from rltrain.report import canvas
from rltrain.report.canvas import COLOURS, GREY

COLOUR_MAP = "viridis"  # even to the eye, in grey and for the colour-blind
MOST_PANELS = 12  # settings that have one each
ACROSS = 3  # panels side by side
BELOW = 36  # characters below a panel, of all choices together


@dataclass(frozen=True)
class VariedSetting:
    """A setting that was varied, and where on its axis each trial lies."""

    name: str
    at: Array  # [n] values; of a choice the index
    log: bool = False
    choices: tuple[str, ...] = ()  # their texts, if it is one


@dataclass(frozen=True)
class SweepPoints:
    """The n trials of a sweep, in their order."""

    number: Array  # [n]
    score: Array  # [n], NaN where there is none
    rung: Array  # [n] int; -1 without halving or where none was reached
    diverged: Array  # [n] bool
    settings: Sequence[VariedSetting]
    best: int | None  # which of the n is ranked first


def draw(points: SweepPoints, title: str, rungs: Sequence[str] = ()) -> Any:
    """The matplotlib figure. `rungs`: what each rung is called in the legend; none without halving. MissingError."""
    if points.best is None:
        figure, (panel,) = canvas.panels()
        canvas.placeholder(panel, "no trial has a score yet")
        canvas.finish(figure, [panel], title)
        return figure
    settings = list(points.settings)[:MOST_PANELS]
    across = 2 if len(settings) == 4 else ACROSS
    figure, drawn, below = canvas.small_panels(len(settings), across)
    colours = _colours(points, len(rungs))
    for place, (panel, setting) in enumerate(zip(drawn, settings, strict=True)):
        _against(panel, points, setting, colours)
        if place % across:
            panel.tick_params(labelleft=False)
        else:
            panel.set_ylabel("score")
    _so_far(below, points, colours, rungs)
    limits = below.get_ylim()
    for panel in drawn:  # one scale for all, so that heights compare
        panel.set_ylim(limits)
    canvas.finish(figure, [*drawn, below], "", below=True)
    figure.suptitle(title, x=0.01, ha="left", fontweight="bold", fontsize=12)
    return figure


def _colours(points: SweepPoints, rungs: int) -> Array:
    """A colour [n, 4] for each trial: of its rung, or of its place in the order."""
    import matplotlib

    scale = matplotlib.colormaps[COLOUR_MAP]
    if rungs:
        return np.asarray(scale(_shade(points.rung, rungs)))
    return np.asarray(scale(np.linspace(0, 0.9, len(points.number))))


def _shade(rung: Array | int, rungs: int) -> Any:
    """From 0, the first rung, to 0.9: the brightest yellow is lost on white."""
    return 0.9 * np.clip(rung, 0, None) / max(1, rungs - 1)


def _against(panel: Any, points: SweepPoints, setting: VariedSetting, colours: Array) -> None:
    scored = np.isfinite(points.score) & ~points.diverged
    at = setting.at.astype(float)
    if setting.choices:  # those of one value side by side, in the order in which they were tried
        spread = (points.number - points.number.mean()) / max(1, np.ptp(points.number))
        at = at + 0.5 * spread
    panel.scatter(at[scored], points.score[scored], c=colours[scored], s=_size(points), linewidths=0, rasterized=True)
    panel.scatter(
        at[points.diverged], np.full(points.diverged.sum(), 0.03), marker="x", s=22, color=COLOURS[1],
        transform=panel.get_xaxis_transform(), clip_on=False, zorder=4,
    )  # fmt: skip
    best = points.best
    panel.plot(at[best], points.score[best], **_STAR)
    panel.set_xlabel(setting.name)
    if setting.choices:
        most = max(3, BELOW // len(setting.choices) - 1)
        texts = [text if len(text) <= most else f"{text[: most - 1]}…" for text in setting.choices]
        panel.set_xticks(range(len(texts)), texts, fontsize=8)
        panel.set_xlim(-0.5, len(setting.choices) - 0.5)
    elif setting.log:
        _logarithmic(panel, at)


def _logarithmic(panel: Any, at: Array) -> None:
    """A logarithmic x axis whose numbers are written out: powers of ten; of less than two decades 1, 2, 5 as well."""
    from matplotlib.ticker import LogLocator, NullFormatter

    panel.set_xscale("log")
    narrow = at.max() < 100 * at.min()
    panel.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if narrow else (1,)))
    panel.xaxis.set_major_formatter(lambda value, _: f"{value:,.10g}" if value >= 1e-4 else f"{value:g}")
    panel.xaxis.set_minor_formatter(NullFormatter())


_STAR = {
    "marker": "*",
    "markersize": 14,
    "color": COLOURS[1],
    "markeredgecolor": "white",
    "linestyle": "none",
    "zorder": 5,
}


def _so_far(panel: Any, points: SweepPoints, colours: Array, rungs: Sequence[str]) -> None:
    """Each trial in the order in which they were tried, and the best so far of those that came as far as the best."""
    assert points.best is not None
    scored = np.isfinite(points.score) & ~points.diverged
    panel.scatter(
        points.number[scored], points.score[scored], c=colours[scored], s=_size(points), linewidths=0, rasterized=True
    )
    level = scored & (points.rung == points.rung[points.best])
    at, best = points.number[level], np.maximum.accumulate(points.score[level])
    end = points.number[-1]
    label = f"best so far, {rungs[points.rung[points.best]]}" if rungs else "best so far"
    panel.step([*at, end], [*best, best[-1]], where="post", color=GREY, linewidth=1.4, label=label)
    panel.plot(points.number[points.best], points.score[points.best], **_STAR, label=_called(points))
    for number, name in enumerate(rungs):
        if (points.rung[scored] == number).any():
            shade = _colour_of(number, len(rungs))
            panel.scatter([], [], color=shade, s=28, label=f"scored {name}")
    if points.diverged.any():
        panel.scatter(
            points.number[points.diverged], np.full(points.diverged.sum(), 0.03), marker="x", s=22, color=COLOURS[1],
            transform=panel.get_xaxis_transform(), clip_on=False, zorder=4, label=f"diverged ({points.diverged.sum()})",
        )  # fmt: skip
    panel.set_ylabel("score")
    panel.set_xlabel("trial" if rungs else "trial, the later the brighter")
    panel.xaxis.get_major_locator().set_params(integer=True)


def _colour_of(rung: int, rungs: int) -> Any:
    """The colour of a rung."""
    import matplotlib

    return matplotlib.colormaps[COLOUR_MAP](float(_shade(rung, rungs)))


def _called(points: SweepPoints) -> str:
    best = points.best
    assert best is not None
    return f"the best, t{points.number[best]:04d}: {points.score[best]:,.4g}"


def _size(points: SweepPoints) -> float:
    """Of a dot, in square points: many are small."""
    return float(np.clip(3_000 / len(points.number), 5, 30))
