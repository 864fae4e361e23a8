"""A model whose states are the cells of a grid, drawn as that grid: colour and number are the value, arrows the policy.

Pale arrows are actions as good as the one that is taken. Ends are framed: green where the best reward comes in, dark
elsewhere. Cells that no start leads to are hatched.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from rltrain.core import Array
from rltrain.mdp.files import dot
from rltrain.mdp.model import Model

WAYS = {  # action -> columns to the right, rows down
    "left": (-1, 0),
    "west": (-1, 0),
    "right": (1, 0),
    "east": (1, 0),
    "up": (0, -1),
    "north": (0, -1),
    "down": (0, 1),
    "south": (0, 1),
}
CELL = 0.78  # inches
SMALL = 0.34  # inches, of a large grid
LARGE = 24  # rows or columns from which numbers are left out
COLOURS = "YlGnBu"
GOAL, HOLE, INK, START, WRONG = "#3c9d5d", "#3d4450", "#1a1a1a", "#c2540a", "#e0392b"


class _Cell:
    """One cell of a grid on paper: what is written and drawn in it, in its own coordinates from 0 to 1, y downwards."""

    def __init__(self, axes: Any, column: int, row: int, small: bool) -> None:
        self.axes, self.column, self.row, self.small = axes, column, row, small
        self.ink = INK

    def box(self, inset: float = 0.0, **look: Any) -> None:
        """A square; `look` are matplotlib's settings of a patch."""
        from matplotlib.patches import Rectangle

        corner, side = (self.column + inset, self.row + inset), 1 - 2 * inset
        self.axes.add_patch(Rectangle(corner, side, side, **{"facecolor": "none", **look}))

    def text(self, x: float, y: float, text: str, size: float, **look: Any) -> None:
        """A text around a point, unless `look` aligns it otherwise."""
        middle = {"ha": "center", "va": "center", "color": self.ink}
        self.axes.text(self.column + x, self.row + y, text, size=size, zorder=5, **{**middle, **look})

    def arrow(self, way: tuple[int, int], share: float, only: bool) -> None:
        """From the middle; through it for the `only` one. `share` is its probability, 0: as good, and not taken."""
        from matplotlib.patches import FancyArrowPatch

        x, y = self.column + 0.5, self.row + (0.5 if self.small else 0.46)
        reach = 0.38 if self.small else 0.19 if only else 0.27
        begin = -reach if only else 0.0 if share else 0.06
        head = "head_length=2,head_width=1.2" if self.small else "head_length=4.5,head_width=2.6"
        self.axes.add_patch(
            FancyArrowPatch(
                (x + begin * way[0], y + begin * way[1]),
                (x + reach * way[0], y + reach * way[1]),
                arrowstyle=f"-|>,{head}",
                color=self.ink,
                alpha=0.4 + 0.6 * share if share else 0.28,
                linewidth=(2.2 if share else 1.6) * (0.45 if self.small else 1),
                shrinkA=0,
                shrinkB=0,
                zorder=4 if share else 3,
            )
        )


def draw(
    axes: Any,
    model: Model,
    cells: Array,
    policy: Array | None,
    value: Array | None,
    tied: Array | None,
    wrong: Array | None = None,
) -> None:
    """`cells` [S, 2] row and column; `policy` [P], `value` [S], `tied` [P] bool, each None where it is not known.

    `wrong` [S] bool: cells that are red, since what is taken there is not the best.
    """
    from matplotlib import colormaps

    small = is_small(cells)
    seen, best = reached(model), goals(model)
    low, high = value_range(value, seen & ~model.terminal)
    places = decimals(low, high)
    for state, (row, column) in enumerate(cells.tolist()):
        cell = _Cell(axes, column, row, small)
        end, shade = bool(model.terminal[state]), 0.0
        colour: Any = "white"
        if end:
            colour = GOAL if best[state] else HOLE
        elif value is not None and seen[state]:
            shade = 0.05 + 0.62 * float(np.clip((value[state] - low) / (high - low), 0, 1))
            colour = colormaps[COLOURS](shade)
        if wrong is not None and wrong[state] and seen[state] and not end:
            colour, shade = WRONG, 1.0
        cell.box(facecolor=colour, edgecolor="white", linewidth=1.5)
        cell.box(edgecolor="#c8ccd0", linewidth=0.6)
        cell.ink = "white" if end or shade > 0.52 else INK
        if not seen[state]:
            cell.box(edgecolor="#d5d9dd", linewidth=0, hatch="////")
        elif end:
            cell.text(0.5, 0.5, "goal" if best[state] else "end", 5 if small else 10, weight="bold")
        else:
            begins = model.start is not None and model.start[state] > 0
            if begins:
                cell.box(0.04, edgecolor=START, linewidth=1.8)
            if not small:
                cell.text(0.08, 0.08, model.states[state], 5.5, ha="left", va="top")
                if value is not None:
                    cell.text(0.5, 0.84, written(float(value[state]), places), 7.5)
                if begins:
                    cell.text(0.92, 0.08, "start", 5.5, ha="right", va="top", color=START, weight="bold")
            if policy is not None:
                _actions(cell, model, state, policy, tied)


def _actions(cell: _Cell, model: Model, state: int, policy: Array, tied: Array | None) -> None:
    """Arrows where the names of the actions are directions, else the name of what is taken."""
    pairs = list(model.pairs(state))
    as_good = [pair for pair in pairs if tied is not None and tied[pair] and policy[pair] == 0]
    taken = [pair for pair in pairs if policy[pair] > 0]
    for pair in [*as_good, *taken]:
        name = model.actions[int(model.action[pair])]
        if name in WAYS:
            cell.arrow(WAYS[name], float(policy[pair]), only=len(as_good) + len(taken) == 1)
        elif policy[pair] > 0 and not cell.small:
            cell.text(0.5, 0.46, name if len(name) <= 9 else name[:8] + "…", 8, weight="bold")


def is_small(cells: Array) -> bool:
    """Whether a grid has so many cells [S, 2] in a row or column that only colours and arrows fit in one."""
    return int(cells.max()) + 1 > LARGE


def decimals(low: float, high: float) -> int:
    """How many decimals show values between these in three digits, 0 to 4."""
    return int(np.clip(3 - np.ceil(np.log10(max(abs(low), abs(high), 1e-9) * 0.9999)), 0, 4))


def written(value: float, decimals: int) -> str:
    """With a true minus sign, and none on a zero."""
    text = f"{value:.{decimals}f}"
    return text.replace("-", dot.MINUS if float(text) else "")


def value_range(value: Array | None, counted: Array) -> tuple[float, float]:
    """The least and the greatest value [S] of the states that are `counted` [S], which are never equal."""
    if value is None or not counted.any():
        return 0.0, 1.0
    low, high = float(value[counted].min()), float(value[counted].max())
    return low, high if high > low else low + 1


def reached(model: Model) -> Array:
    """[S] bool: some start leads there."""
    if model.start is None:
        return np.ones(model.num_states, dtype=bool)
    found = np.asarray(model.start > 0)
    source = np.repeat(model.pair_state, np.diff(model.first_next))
    while True:
        grown = found.copy()
        grown[model.next[found[source]]] = True
        if (grown == found).all():
            return found
        found = grown


def goals(model: Model) -> Array:
    """[S] bool: terminal states whose entry pays best."""
    rewards = np.repeat(model.reward, np.diff(model.first_next)) if model.next_reward is None else model.next_reward
    entry = np.full(model.num_states, -np.inf)
    np.maximum.at(entry, model.next, rewards)
    entry[~model.terminal] = -np.inf
    return np.asarray((entry == entry.max()) & (entry > -np.inf))
