"""The picture of a comparison: above how many runs reach a score, below where each of them lies.

above   of each side the share of its runs that score more than x (Agarwal et al. 2021, performance profile)
below   its runs as dots, the mean of the side with its interval, the IQM as a diamond
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from rltrain.report import canvas, inference
from rltrain.report.inference import Strata

POINTS = 401  # of a profile, besides the scores themselves
ROW = 0.34  # inches that a side takes below
APART = 0.18  # of a row: between the dots of several environments


def draw(sides: Sequence[tuple[str, Strata]], title: str, axis: str, shares: bool) -> Any:
    """The matplotlib figure of sides, each a label and the scores of its runs. MissingError without matplotlib.

    axis     what the scores are
    shares   they are normalised: 0 and 1 are marked
    """
    figure, (above, below) = canvas.panels(2, height=4.4 + ROW * len(sides))
    every = np.concatenate([scores for _, side in sides for scores in side])
    low, high = float(every.min()), float(every.max())
    edge = 0.04 * (high - low) or 0.5
    # Just before and at each score: there a profile has its steps.
    steps = np.concatenate([np.nextafter(every, -np.inf), every])
    places = np.unique(np.concatenate([np.linspace(low - edge, high + edge, POINTS), steps]))
    for number, (label, side) in enumerate(sides):
        colour, dashes = canvas.colour(number)
        band = inference.profile_band(side, places)
        if band is not None:
            above.fill_between(places, *band, color=colour, alpha=0.16, linewidth=0)
        above.plot(places, inference.profile(side, places), color=colour, linestyle=dashes, linewidth=1.8, label=label)
        _row(below, side, len(sides) - 1 - number, colour)
    if inference.has_interval(*(side for _, side in sides)):
        above.fill([], [], color=canvas.GREY, alpha=0.25, linewidth=0, label="band, bar: 95 % interval over seeds")
    below.plot([], [], "D", color=canvas.GREY, markersize=6, markerfacecolor="white", label="IQM")
    for place in (0.0, 1.0) if shares else ():
        for panel in (above, below):
            panel.axvline(place, color=canvas.GREY, linewidth=0.8, linestyle=":", zorder=1)
    above.set_ylim(-0.03, 1.03)
    above.set_ylabel("share of runs with a higher score")
    below.set_yticks([])
    below.set_ylim(-0.6, len(sides) - 0.4)
    below.set_xlabel(axis)
    figure.get_layout_engine().set(hspace=0.04)
    above.get_subplotspec().get_gridspec().set_height_ratios([3.4, ROW * len(sides) + 0.5])
    canvas.finish(figure, [above, below], title, below=True)
    return figure


def _row(panel: Any, side: Strata, row: int, colour: str) -> None:
    """The runs of a side, a line of dots for each environment, and what they come to."""
    for number, scores in enumerate(side):
        lift = APART * (number / (len(side) - 1) - 0.5) if len(side) > 1 else 0.0
        panel.plot(scores, np.full(len(scores), row + lift), "o", color=colour, markersize=4, alpha=0.45)
    mean = inference.mean(side)
    if mean.low == mean.low:
        panel.plot([mean.low, mean.high], [row, row], color=colour, linewidth=5, alpha=0.35, solid_capstyle="butt")
    panel.plot([mean.value] * 2, [row - 0.24, row + 0.24], color=colour, linewidth=2)
    panel.plot([inference.iqm(side)], [row], "D", color=colour, markersize=6, markerfacecolor="white", zorder=4)
