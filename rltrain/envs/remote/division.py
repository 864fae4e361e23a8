"""Environments cut into parts: which are whose, and the state of all from those of the parts and back.

An array of a state has one entry for each environment along its first axis. A journal, whose actions lie one
environment after the other, is cut by its lengths. What is no array is the same for all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from rltrain.core import State
from rltrain.saved import Saved


def shares(num_envs: int, parts: int) -> list[range]:
    """The numbers of each part's environments: of consecutive ones, and the first parts have one more where need be."""
    parts = min(num_envs, parts)
    size, more = divmod(num_envs, parts)
    ends = [part * size + min(part, more) for part in range(parts + 1)]
    return [range(first, end) for first, end in pairwise(ends)]


def merged(states: Sequence[State]) -> dict[str, Any]:
    """The state of all environments from those of their parts, in the order of the parts."""
    return {key: _joined([state[key] for state in states]) for key in states[0]}


def _joined(values: Sequence[Any]) -> Any:
    if isinstance(values[0], Mapping):
        return merged(values)
    return np.concatenate(values) if isinstance(values[0], np.ndarray) else values[0]


def cut(state: State, parts: Sequence[range]) -> list[dict[str, Any]]:
    """The state of each part from that of all environments. CheckpointError if it is of another number of them."""
    saved = Saved.of(state)
    return [_part(saved, part, parts[-1].stop) for part in parts]


def _part(saved: Saved, part: range, num_envs: int) -> dict[str, Any]:
    if saved.keys() == {"lengths", "actions"}:
        return _part_of_journal(saved, part, num_envs)
    found: dict[str, Any] = {}
    for key, value in saved.items():
        if isinstance(value, np.ndarray):
            _check_rows(saved, key, num_envs)
            value = value[part.start : part.stop]
        found[key] = _part(saved.part(key), part, num_envs) if isinstance(value, Mapping) else value
    return found


def _part_of_journal(saved: Saved, part: range, num_envs: int) -> dict[str, Any]:
    lengths, actions = saved.array("lengths", "int64", (None,), 0), saved["actions"]
    _check_rows(saved, "lengths", num_envs)
    if isinstance(actions, np.ndarray) and actions.ndim:
        if lengths.sum() != len(actions):
            saved.refuse("lengths", f"sum to {lengths.sum()}; there are {len(actions)} actions")
        actions = actions[lengths[: part.start].sum() : lengths[: part.stop].sum()]
    return {"lengths": lengths[part.start : part.stop], "actions": actions}


def _check_rows(saved: Saved, key: str, num_envs: int) -> None:
    value = saved[key]
    if value.ndim == 0 or len(value) != num_envs:
        saved.refuse(key, f"saved with {len(value) if value.ndim else 'no'} environments, now {num_envs}")
