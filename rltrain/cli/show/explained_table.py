"""A table's policy in the terminal: arrows over colours where its states are a grid, else the states by name."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from rich.text import Text

from rltrain import words
from rltrain.cli import columns
from rltrain.cli.columns import Column
from rltrain.cli.output import out, say
from rltrain.mdp.draw.grid import WAYS
from rltrain.spelling import brief

if TYPE_CHECKING:
    from rltrain.verbs.explain.table import ExplainedTable

ARROWS = {(-1, 0): "←", (1, 0): "→", (0, -1): "↑", (0, 1): "↓"}
MOST_COLUMNS = 24  # of a grid
MOST_STATES = 30  # by name
LOW, HIGH = np.array([255, 255, 217]), np.array([34, 94, 168])  # of the colours of values
WRONG = "✗"


def show(table: ExplainedTable) -> None:
    """Print it, with what of it is wrong."""
    say()
    model = table.model
    if table.wrong is None:
        say("no exact answer is known at this discount")
    else:
        bad = int(table.wrong.sum())
        acting = int((~model.terminal).sum())
        if bad:
            say(f"{WRONG} red: not the best action, against the exact answer: {bad:,} of {acting:,} states")
        else:
            say(f"the best action in each of {acting:,} states, against the exact answer")
        off = np.abs(table.value - table.exact)[~model.terminal & np.isfinite(table.value)]
        if off.size:
            mean, most = words.number(float(off.mean())), words.number(float(off.max()))
            say(f"values are off by {mean} in the mean, {most} at most")
    if table.cells is not None and table.cells[:, 1].max() < MOST_COLUMNS:
        grid(table)
    elif model.num_states <= MOST_STATES:
        named(table)


def grid(table: ExplainedTable) -> None:
    """A cell for each state: the value as its colour and number, the policy as an arrow or the action's name."""
    assert table.cells is not None
    rows, across = (table.cells.max(axis=0) + 1).tolist()
    acting = ~table.model.terminal
    known = table.value[acting & np.isfinite(table.value)]
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 0.0)
    lines = [[Text("       ") for _ in range(across)] for _ in range(rows)]
    for state, (row, column) in enumerate(table.cells.tolist()):
        lines[row][column] = _cell(table, state, low, high)
    console = out()
    for line in lines:
        console.print(Text(" ").join(line), no_wrap=True, overflow="ignore", crop=False, soft_wrap=True)


def _cell(table: ExplainedTable, state: int, low: float, high: float) -> Text:
    if table.model.terminal[state]:
        return Text("  end  ", style="dim")
    value = float(table.value[state])
    wrong = table.wrong is not None and bool(table.wrong[state])
    text = f"{action(table, state)} {'-' if math.isnan(value) else f'{value:.2f}'}"
    text = f"{WRONG if wrong else ''}{text}"[:7].center(7)
    if wrong:
        return Text(text, style="bold white on #b3261e")
    share = 0.0 if math.isnan(value) or high <= low else (value - low) / (high - low)
    red, green, blue = np.rint(LOW + share * (HIGH - LOW)).astype(int).tolist()
    ink = "white" if share > 0.55 else "black"
    return Text(text, style=f"{ink} on #{red:02x}{green:02x}{blue:02x}")


def action(table: ExplainedTable, state: int) -> str:
    """What the policy likes best there: an arrow where the action's name is a direction, else its name, cut short."""
    own = list(table.model.pairs(state))
    if not own:
        return "-"
    pair = max(own, key=lambda number: table.taken[number])
    name = table.model.actions[int(table.model.action[pair])]
    return ARROWS[WAYS[name]] if name in WAYS else name[:2]


def named(table: ExplainedTable) -> None:
    """A line for each state in which something can be done."""
    model = table.model
    rows = np.flatnonzero(~model.terminal).tolist()
    made = [Column("state", [brief(model.states[state], 24) for state in rows], words=True)]
    made.append(Column("policy", [_said(table, state) for state in rows], words=True))
    made.append(Column("value", [words.number(float(table.value[state])) for state in rows]))
    if table.exact is not None and table.wrong is not None:
        made.append(Column("exact", [words.number(float(table.exact[state])) for state in rows]))
        if table.wrong.any():
            made.append(Column("", [WRONG if table.wrong[state] else "" for state in rows], words=True))
    columns.show(out(), made)


def _said(table: ExplainedTable, state: int) -> str:
    """The actions that are taken, with their probabilities where there are several."""
    model = table.model
    taken = [(float(table.taken[pair]), model.actions[int(model.action[pair])]) for pair in model.pairs(state)]
    taken = sorted((each for each in taken if each[0] > 0), reverse=True)
    if len(taken) == 1:
        return brief(taken[0][1], 24)
    return brief(", ".join(f"{name} {share:.2f}" for share, name in taken), 40)
