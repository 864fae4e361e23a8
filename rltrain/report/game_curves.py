"""One explained game over its steps: what a state is worth beside what came, the TD errors, and the gaps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from rltrain.core import Array
from rltrain.report import canvas

TALL, FLAT = 2.0, 1.5  # inches of the first panel, and of each below


def figure(step: Array, returns: Array, value: Array, td: Array, gap: Array, marked: Sequence[int] = ()) -> Any:
    """A matplotlib figure of columns [T]; those that are not known anywhere are left out. `marked` steps get a line.

    MissingError without matplotlib.
    """
    drawn = [name for name, column in (("td", td), ("gap", gap)) if np.isfinite(column).any()]
    figure, panels = canvas.panels(1 + len(drawn), TALL + FLAT * len(drawn))
    at = step.tolist()
    canvas.line(panels[0], at, returns.tolist(), canvas.COLOURS[0], "return to go")
    canvas.line(panels[0], at, value.tolist(), canvas.COLOURS[1], "value", canvas.DASHES[1])
    panels[0].set_ylabel("discounted")
    for panel, name in zip(panels[1:], drawn, strict=True):
        column, colour = (td, canvas.COLOURS[2]) if name == "td" else (gap, canvas.COLOURS[3])
        panel.vlines(step, 0, np.where(np.isfinite(column), column, 0), color=colour, linewidth=1.0)
        panel.axhline(0, color=canvas.GREY, linewidth=0.6)
        panel.set_ylabel("TD error" if name == "td" else "gap")
    for panel in panels:
        for number in marked:
            panel.axvline(number, color=canvas.GREY, linewidth=0.8, linestyle=(0, (1, 1.5)), zorder=0)
    canvas.label_counter(panels[-1], "step")
    canvas.finish(figure, panels, "")
    return figure
