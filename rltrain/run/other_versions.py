"""Warnings about parts that a checkpoint of another version lacks, or holds in vain: no reason to stop.

`save` and `load` are mirror images, so a state that was loaded and saved again has the keys that it had. A key that
only the new one has belongs to a part that was added since: its `load` found nothing and it starts fresh. A key that
only the old one has is of a part that is gone. What `load` refuses to do without is still an error.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rltrain.core import State


def warnings(name: str, saved: State, now: State) -> list[str]:
    """A line on parts added since checkpoint `name`, one on those that are gone; `now`: `saved`, loaded and saved."""
    # What a sink remembers of its files is its own affair: it is only asked whether it is there.
    before, after = ({**state, "sinks": dict.fromkeys(state["sinks"])} for state in (saved, now))
    added, gone = _only_in(after, before), _only_in(before, after)
    lines = []
    if added:
        lines.append(f"{name} was saved without {', '.join(added)}: what was added since starts fresh")
    if gone:
        lines.append(f"{name} holds {', '.join(gone)}, which nothing reads any more: left out")
    return lines


def _only_in(one: Any, other: Any, path: str = "") -> list[str]:
    """The keys of nested mappings that the other lacks, each as the way to it."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        lacking = [f"{path}{key}" for key in one if key not in other]
        within = (_only_in(one[key], other[key], f"{path}{key}/") for key in one if key in other)
        return lacking + [found for each in within for found in each]
    if isinstance(one, list) and isinstance(other, list):
        pairs = enumerate(zip(one, other, strict=False))
        return [found for number, (a, b) in pairs for found in _only_in(a, b, f"{path}{number}/")]
    return []
