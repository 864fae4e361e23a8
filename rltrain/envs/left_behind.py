"""Running episodes that a resume leaves behind, of games that do not repeat themselves, wherever a state has them.

What `envs.serial` saves of N games has the actions of their running episodes. Without the actions it begins others.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from rltrain.core import Array, State
from rltrain.saved import Saved

OF_GAMES = {"episode", "journal", "sha256"}  # the keys of a `Serial`


def left_behind(state: State) -> State:
    """A saved state without the actions of running episodes: when it is loaded others begin in their place."""
    journal = state.get("journal")
    if state.keys() >= OF_GAMES and isinstance(journal, Mapping):
        return _with(state, {**state, "journal": _with(journal, {**journal, "actions": None})})
    return _with(state, {key: _left_behind_in(value) for key, value in state.items()})


def all_left(seed: int | None, episode: Array, ended: Array) -> State:
    """The state of a `Serial` whose running episodes, [N] by number, are lost; those that had `ended` [N] follow."""
    lengths = np.where(ended, 0, 1)  # of what nothing was played a load opens at once
    journal = {"lengths": lengths, "actions": None}
    return {"seed": seed, "episode": episode + ended, "journal": journal, "sha256": ""}


def leaves_behind(state: State) -> bool:
    """Whether a saved state has running episodes of which no actions are kept."""
    journal = state.get("journal")
    if state.keys() >= OF_GAMES and isinstance(journal, Mapping):
        return "actions" in journal and journal["actions"] is None
    return any(
        leaves_behind(part)
        for value in state.values()
        for part in (value if isinstance(value, list) else [value])
        if isinstance(part, Mapping)
    )


def _left_behind_in(value: Any) -> Any:
    if isinstance(value, list):
        return [_left_behind_in(item) for item in value]
    return left_behind(value) if isinstance(value, Mapping) else value


def _with(state: State, values: dict[str, Any]) -> State:
    return state.with_values(values) if isinstance(state, Saved) else values
