"""What budgets and cadences ask of counters, such as the environment steps so far."""

from __future__ import annotations

from collections.abc import Mapping


def crossed(before: int, after: int, every: int) -> bool:
    """Whether a counter that went from `before` to `after` reached a multiple of `every` on the way."""
    return before // every < after // every


def reached(limits: Mapping[str, int], counters: Mapping[str, int]) -> bool:
    """Whether a counter has come to its limit."""
    return any(name in counters and counters[name] >= limit for name, limit in limits.items())
