"""The goal by which a policy is measured, in the titles, headings and JSON of `evaluate` and `verify`."""

from __future__ import annotations

from typing import Any, NamedTuple

from rltrain import words
from rltrain.verbs.mdp.evaluate import Goal


class GoalWords(NamedTuple):
    """A goal as titles, headings and keys."""

    titles: tuple[str, ...]
    number: str  # heading of what a policy is worth
    best: str  # heading of what the best is worth
    fields: dict[str, Any]
    key: str  # of a policy's numbers in the JSON
    key_best: str


def words_of(goal: Goal, exact: bool = False) -> GoalWords:
    """How a goal is called; a discount is written as a fraction where `exact`."""
    if goal.discount is None:
        return GoalWords(("average reward of a step",), "gain", "best", {"goal": "average"}, "gain", "gain_optimal")
    discount = str(goal.discount) if exact else float(goal.discount)
    if goal.steps is None:
        said = str(goal.discount) if exact else f"{goal.discount:.12g}"
        return GoalWords((f"discount {said}",), "V", "V*", {"discount": discount}, "V", "V_optimal")
    titles = (f"discount {float(goal.discount):.12g}", words.many(goal.steps, "step"))
    return GoalWords(titles, "V", "V*", {"discount": discount, "horizon": goal.steps}, "V", "V_optimal")
