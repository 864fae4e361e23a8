"""One explained game over its steps: what a state is worth beside what came, the TD errors, and the gaps."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from rltrain.core import Array
from rltrain.report import canvas

MOST_LINES = 1_000  # of a panel: a page of a long game would be megabytes of lines upon lines
TALL, FLAT = 2.0, 1.5  # inches of the first panel, and of each below


def figure(
    step: Array, returns: Array, value: Array, td: Array, gap: Array, marked: Sequence[int] = (), learned: str = ""
) -> Any:
    """A matplotlib figure of columns [T]; those that are not known anywhere are left out. `marked` steps get a line.

    learned   what was done to rewards before values were learned, "times 0.1": values are on that scale, returns not

    MissingError without matplotlib.
    """
    drawn = [name for name, column in (("td", td), ("gap", gap)) if np.isfinite(column).any()]
    figure, panels = canvas.panels(1 + len(drawn), TALL + FLAT * len(drawn))
    from matplotlib.ticker import MaxNLocator

    at = step.tolist()
    canvas.line(panels[0], at, returns.tolist(), canvas.COLOURS[0], "return to go")
    canvas.line(
        panels[0],
        at,
        value.tolist(),
        canvas.COLOURS[1],
        "value" + (f", of rewards {learned}" if learned else ""),
        canvas.DASHES[1],
    )
    panels[0].set_ylabel("discounted")
    for panel, name in zip(panels[1:], drawn, strict=True):
        column, colour = (td, canvas.COLOURS[2]) if name == "td" else (gap, canvas.COLOURS[3])
        shown = farthest(column)
        panel.vlines(step[shown], 0, np.nan_to_num(column[shown]), color=colour, linewidth=1.0)
        panel.axhline(0, color=canvas.GREY, linewidth=0.6)
        panel.set_ylabel("TD error" if name == "td" else "gap")
    for panel in panels:
        for number in marked:
            panel.axvline(number, color=canvas.GREY, linewidth=0.8, linestyle=(0, (1, 1.5)), zorder=0)
    canvas.label_counter(panels[-1], "step")
    panels[-1].xaxis.set_major_locator(MaxNLocator(5, integer=True))
    canvas.finish(figure, panels, "")
    return figure


def farthest(column: Array) -> Array:
    """Places of a column [T] that are drawn: all, or of a long one the farthest from 0 in each of equal stretches."""
    if len(column) <= MOST_LINES:
        return np.arange(len(column))
    far = np.abs(np.nan_to_num(column))
    ends = np.linspace(0, len(column), MOST_LINES + 1).astype(np.int64)
    return np.array([begin + int(far[begin:end].argmax()) for begin, end in pairwise(ends.tolist())])
