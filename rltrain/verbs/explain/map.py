"""A whole table on a page: a grid as SVG of cells in the page's own colours, any other model as the picture of it.

Of a grid a template draws what is said here, so that whatever a model calls its states is escaped. Each cell is a
square of 100 units.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from rltrain.mdp.draw import grid
from rltrain.mdp.draw import picture as model_picture
from rltrain.mdp.files import dot
from rltrain.report import html_page
from rltrain.verbs.explain.table import ExplainedTable

UNIT = 100
PIXELS, FEWEST_PIXELS = 88, 22  # that a cell is wide on a page, at most, and where it only has an arrow
MOST_PIXELS = 640  # that the grid is wide
LEAST_SHADE, MOST_SHADE = 0.04, 0.5  # opacity of the colour of a value
PICTURE_COLOURS = {  # of the picture of another model -> the page's
    model_picture.TEXT: "var(--text)",
    model_picture.PLAIN: "var(--muted)",
    model_picture.FILL: "var(--band)",
    model_picture.BEST_FILL: "var(--band)",
    model_picture.BEST: "var(--link)",
}


class Arrow(NamedTuple):
    """A line from one point of a cell to another, with a head at its end."""

    x1: float
    y1: float
    x2: float
    y2: float
    head: str  # points of a triangle
    opacity: float


class Cell(NamedTuple):
    """A square of a grid."""

    x: int
    y: int
    kind: str  # value, wrong, goal, end, away
    shade: float  # opacity of its colour
    title: str  # what a pointer on it shows
    name: str
    value: str
    word: str  # an action that is no direction; "goal", "end"
    start: bool
    arrows: tuple[Arrow, ...]


def map_of(table: ExplainedTable) -> dict[str, Any] | None:
    """What the template draws of a table; None where it would be too large. MissingError without matplotlib."""
    model = table.model
    if model.num_states > (model_picture.MOST if table.cells is None else model_picture.MOST_GRID):
        return None
    value = None if np.isnan(table.value).all() else np.nan_to_num(table.value)
    text = "Colour and number are the value, arrows the policy; pale arrows would be as good."
    if table.wrong is not None:
        bad, acting = int(table.wrong.sum()), int((~model.terminal).sum())
        text += f" Not the best action, by the exact answer: {bad:,} of {acting:,} states"
        text += ", in red." if bad and table.cells is not None else "."
    if table.cells is None:
        figure = model_picture.figure_of(model, table.taken, value, table.tied)
        return {"text": text, "picture": html_page.markup(figure, PICTURE_COLOURS, resized=False), "cells": ()}
    rows, columns = (table.cells.max(axis=0) + 1).tolist()
    small = grid.is_small(table.cells)
    pixels = min(MOST_PIXELS, columns * (FEWEST_PIXELS if small else PIXELS))
    size = {"columns": columns, "rows": rows, "width": columns * UNIT, "height": rows * UNIT, "pixels": pixels}
    return {"text": text, "picture": None, "cells": _cells(table, value, small), "small": small, **size}


def _cells(table: ExplainedTable, value: Any, small: bool) -> list[Cell]:
    """Every cell of a grid, in the order of the states."""
    model, found = table.model, list[Cell]()
    assert table.cells is not None
    reached, goals = grid.reached(model), grid.goals(model)
    low, high = grid.value_range(value, reached & ~model.terminal)
    decimals = grid.decimals(low, high)
    for state, (row, column) in enumerate(table.cells.tolist()):
        end, own = bool(model.terminal[state]), "" if value is None else grid.written(float(value[state]), decimals)
        kind, shade, word = "value", 0.0, ""
        if not reached[state]:
            kind = "away"
        elif end:
            kind = word = "goal" if goals[state] else "end"
        elif table.wrong is not None and table.wrong[state]:
            kind = "wrong"
        elif value is not None:
            share = float(np.clip((value[state] - low) / (high - low), 0, 1))
            shade = round(LEAST_SHADE + (MOST_SHADE - LEAST_SHADE) * share, 3)
        arrows, said = ((), "") if kind in ("away", "goal", "end") else _taken(table, state, small)
        title = ", ".join(part for part in (model.states[state], own if not end else "", said) if part)
        begins = model.start is not None and bool(model.start[state] > 0)
        name = model.states[state] if not word else ""
        found.append(
            Cell(
                x=column * UNIT,
                y=row * UNIT,
                kind=kind,
                shade=shade,
                title=title,
                name=name,
                value="" if end or kind == "away" else own,
                word=word or ("" if arrows else said),
                start=begins,
                arrows=arrows,
            )
        )
    return found


def _taken(table: ExplainedTable, state: int, small: bool) -> tuple[tuple[Arrow, ...], str]:
    """Arrows of what a policy does in a state, and pale ones of what is as good; and the names of what it does."""
    model, policy = table.model, table.taken
    pairs = list(model.pairs(state))
    as_good = [pair for pair in pairs if table.tied is not None and table.tied[pair] and policy[pair] == 0]
    taken = [pair for pair in pairs if policy[pair] > 0]
    only, arrows, said = len(as_good) + len(taken) == 1, list[Arrow](), list[str]()
    for pair in [*as_good, *taken]:
        name, share = model.actions[int(model.action[pair])], float(policy[pair])
        if share:
            said.append(name if share > 0.999 else f"{name} {dot.number(share)}")
        if name in grid.WAYS:
            arrows.append(_arrow(grid.WAYS[name], share, only, small))
    return tuple(arrows), ", ".join(said)


def _arrow(way: tuple[int, int], share: float, only: bool, small: bool) -> Arrow:
    """From the middle of a cell; through it for the `only` one. `share`: its probability, 0: as good, not taken."""
    x, y = UNIT / 2, UNIT / 2 if small else 0.46 * UNIT
    reach = (0.36 if small else 0.19 if only else 0.27) * UNIT
    begin, head = (-reach if only else 0.06 * UNIT), (0.2 if small else 0.09) * UNIT
    tip, neck = (x + reach * way[0], y + reach * way[1]), reach - head
    across = (-way[1] * head * 0.62, way[0] * head * 0.62)
    corners = [(x + neck * way[0] + sign * across[0], y + neck * way[1] + sign * across[1]) for sign in (1, -1)]
    points = " ".join(f"{a:.1f},{b:.1f}" for a, b in (tip, *corners))
    return Arrow(
        x1=round(x + begin * way[0], 1),
        y1=round(y + begin * way[1], 1),
        x2=round(x + neck * way[0], 1),
        y2=round(y + neck * way[1], 1),
        head=points,
        opacity=round(0.4 + 0.6 * share, 2) if share else 0.3,
    )
