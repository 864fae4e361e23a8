"""The header of a CSV file of transitions: the names that each column goes by, here and in other tools."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

Columns = Mapping[str, Sequence[str]]  # a column -> the names it goes by, in lower case, `_` for a blank

COLUMNS: Columns = {
    "state": ("state", "s", "from", "source", "from_state", "current_state", "idstatefrom"),
    "action": ("action", "a", "idaction"),
    "next": ("next", "next_state", "nextstate", "s'", "s2", "s_next", "to", "target", "to_state", "idstateto"),
    "probability": ("probability", "prob", "p", "pr", "transition_probability"),
    "reward": ("reward", "rewards", "r"),
    "cost": ("cost", "costs"),
    "done": ("done", "terminated"),
}


def folded(cell: str) -> str:
    """A cell of a header as it is looked up: in lower case, `_` for a blank."""
    return cell.strip().casefold().replace(" ", "_")


def begins_as_rows(text: str) -> bool:
    """Whether a text begins as a CSV file of transitions does: a header that names a state and a next state."""
    for line in text.splitlines():
        if line.startswith("#") or not line.strip():
            continue
        cells = [folded(cell) for cell in re.split("[,;\t]", line)]
        return all(any(alias in cells for alias in COLUMNS[column]) for column in ("state", "next"))
    return False
