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
GOAL, HOLE, INK, START = "#3c9d5d", "#3d4450", "#1a1a1a", "#c2540a"


def figure(
    figure_module: Any, model: Model, cells: Array, policy: Array | None, value: Array | None, tied: Array | None
) -> Any:
    """`cells` [S, 2] row and column; `policy` [P], `value` [S], `tied` [P] bool, each None where it is not known."""
    from matplotlib import colormaps
    from matplotlib.patches import Rectangle

    rows, columns = (cells.max(axis=0) + 1).tolist()
    small = max(rows, columns) > LARGE
    side = SMALL if small else CELL
    result = figure_module.Figure(figsize=(columns * side, rows * side))
    axes = result.add_axes((0, 0, 1, 1))
    axes.set_xlim(-0.03, columns + 0.03)
    axes.set_ylim(rows + 0.03, -0.03)
    axes.set_aspect("equal")
    axes.axis("off")
    reached = _reached(model)
    goals = _goals(model)
    low, high = _range(value, reached & ~model.terminal)
    decimals = int(np.clip(3 - np.ceil(np.log10(max(abs(low), abs(high), 1e-9) * 0.9999)), 0, 4))
    for state, (row, column) in enumerate(cells.tolist()):
        shade = 0.0
        if model.terminal[state]:
            colour: Any = GOAL if goals[state] else HOLE
        elif value is None or not reached[state]:
            colour = "white"
        else:
            shade = 0.05 + 0.62 * float(np.clip((value[state] - low) / (high - low), 0, 1))
            colour = colormaps[COLOURS](shade)
        axes.add_patch(Rectangle((column, row), 1, 1, facecolor=colour, edgecolor="white", linewidth=1.5))
        axes.add_patch(Rectangle((column, row), 1, 1, facecolor="none", edgecolor="#c8ccd0", linewidth=0.6))
        if not reached[state]:
            axes.add_patch(
                Rectangle((column, row), 1, 1, facecolor="none", edgecolor="#d5d9dd", linewidth=0, hatch="////")
            )
            continue
        ink = "white" if model.terminal[state] or shade > 0.52 else INK
        if model.terminal[state]:
            _text(axes, column + 0.5, row + 0.5, "goal" if goals[state] else "end", 10 if not small else 5, ink, True)
            continue
        if not small:
            _text(axes, column + 0.08, row + 0.08, model.states[state], 5.5, ink, False, corner=True)
            if value is not None:
                _text(axes, column + 0.5, row + 0.84, _written(float(value[state]), decimals), 7.5, ink, False)
        if model.start is not None and model.start[state] > 0:
            axes.add_patch(
                Rectangle((column + 0.04, row + 0.04), 0.92, 0.92, facecolor="none", edgecolor=START, linewidth=1.8)
            )
            if not small:
                _text(axes, column + 0.92, row + 0.08, "start", 5.5, START, True, corner=True, right=True)
        _actions(axes, model, state, column + 0.5, row + (0.46 if not small else 0.5), policy, tied, small, ink)
    return result


def _actions(
    axes: Any,
    model: Model,
    state: int,
    x: float,
    y: float,
    policy: Array | None,
    tied: Array | None,
    small: bool,
    ink: str,
) -> None:
    """Arrows where the names of the actions are directions, else the name of what is taken."""
    if policy is None:
        return
    pairs = list(model.pairs(state))
    as_good = [pair for pair in pairs if tied is not None and tied[pair] and policy[pair] == 0]
    taken = [pair for pair in pairs if policy[pair] > 0]
    for pair in [*as_good, *taken]:
        name = model.actions[int(model.action[pair])]
        best = policy[pair] > 0
        if name in WAYS:
            _arrow(axes, x, y, WAYS[name], float(policy[pair]), len(as_good) + len(taken) == 1, small, ink)
        elif best and not small:
            _text(axes, x, y, name if len(name) <= 9 else name[:8] + "…", 8, ink, True)


def _arrow(
    axes: Any, x: float, y: float, way: tuple[int, int], share: float, alone: bool, small: bool, ink: str
) -> None:
    """From the middle of the cell; through it where there is no other. A share of 0: as good, and not taken."""
    from matplotlib.patches import FancyArrowPatch

    reach = (0.19 if alone else 0.27) if not small else 0.38
    begin = -reach if alone else 0.0 if share else 0.06
    axes.add_patch(
        FancyArrowPatch(
            (x + begin * way[0], y + begin * way[1]),
            (x + reach * way[0], y + reach * way[1]),
            arrowstyle="-|>,head_length=4.5,head_width=2.6" if not small else "-|>,head_length=2,head_width=1.2",
            color=ink,
            alpha=0.4 + 0.6 * share if share else 0.28,
            linewidth=(2.2 if share else 1.6) * (0.45 if small else 1),
            shrinkA=0,
            shrinkB=0,
            zorder=4 if share else 3,
        )
    )


def _text(
    axes: Any,
    x: float,
    y: float,
    text: str,
    size: float,
    colour: str,
    bold: bool,
    corner: bool = False,
    right: bool = False,
) -> None:
    axes.text(
        x,
        y,
        text,
        size=size,
        color=colour,
        weight="bold" if bold else "normal",
        ha=("right" if right else "left") if corner else "center",
        va="top" if corner else "center",
        zorder=5,
    )


def _written(value: float, decimals: int) -> str:
    """With a true minus sign, and none on a zero."""
    text = f"{value:.{decimals}f}"
    return text.replace("-", dot.MINUS if float(text) else "")


def _range(value: Array | None, counted: Array) -> tuple[float, float]:
    if value is None or not counted.any():
        return 0.0, 1.0
    low, high = float(value[counted].min()), float(value[counted].max())
    return low, high if high > low else low + 1


def _reached(model: Model) -> Array:
    """[S] bool: some start leads there."""
    if model.start is None:
        return np.ones(model.num_states, dtype=bool)
    reached = np.asarray(model.start > 0)
    source = np.repeat(model.pair_state, np.diff(model.first_next))
    while True:
        grown = reached.copy()
        grown[model.next[reached[source]]] = True
        if (grown == reached).all():
            return reached
        reached = grown


def _goals(model: Model) -> Array:
    """[S] bool: terminal states whose entry pays best."""
    rewards = np.repeat(model.reward, np.diff(model.first_next)) if model.next_reward is None else model.next_reward
    entry = np.full(model.num_states, -np.inf)
    np.maximum.at(entry, model.next, rewards)
    entry[~model.terminal] = -np.inf
    return np.asarray((entry == entry.max()) & (entry > -np.inf))
