"""One game of a policy as columns: what it thought at every step, what it did, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from rltrain.core import Array
from rltrain.errors import InputError
from rltrain.verbs.explain import condition


@dataclass(frozen=True, eq=False)
class ExplainedGame:
    """A game of T steps; A actions, or K numbers or choices at once. NaN stands where something is not known."""

    algorithm: str
    environment: str
    checkpoint: str  # its folder
    chosen_because: str  # why this checkpoint
    protocol: str
    epsilon: float  # share of random actions
    seed: int
    gamma: float  # discount of values, TD errors and returns to go
    end: Literal["over", "cut", "left"]  # the task ended, the time limit cut it off, or Ctrl-C or a limit of ours did
    partial: bool  # Ctrl-C ended it: later steps are missing, so returns to go are too small
    score_name: str  # what scores are: "Q" or "probability"; "": the policy does not say
    value_name: str  # where values come from: "best Q", "value network"; "": nothing says what a state is worth
    actions: tuple[str, ...]  # [A] names of actions; of numbers and several choices, of each
    sizes: tuple[int, ...]  # of several choices, how many values each has; () of others
    rewards_learned: str  # what was done to rewards before values were learned, which TD errors count; "": nothing
    notes: tuple[str, ...]  # what cannot be said, and why

    step: Array  # [T] int64, actions taken before
    reward: Array  # [T] float64 raw, of the action
    total: Array  # [T] float64 raw return of the game before the action
    returns: Array  # [T] float64 return to go: discounted raw rewards from here on
    scores: Array  # [T, A] float64; [T, 0] where the policy does not say
    gap: Array  # [T] float64 best score minus second best
    best: Array  # [T] int64 the action of the best score; -1: none is known
    chosen: Array  # [T] int64 the action that was taken; -1 where actions are numbers
    action: Array  # [T] or [T, K] as the environment took it
    explored: Array  # [T] bool, drawn at random by epsilon, whatever the policy wanted
    value: Array  # [T] float64 of the state
    td: Array  # [T] float64 TD error with what came after
    mean: Array  # [T, K] float64 of actions that are numbers; [T, 0]
    deviation: Array  # [T, K] float64; [T, 0]
    probability: Array  # [T, sum of sizes] float64 of several choices, side by side; [T, 0]
    state: tuple[str, ...]  # [T] the state's name; () where states have none

    def __len__(self) -> int:
        return len(self.step)

    @property
    def total_return(self) -> float:
        """The raw return of the game so far as it was played."""
        return float(self.reward.sum())

    @property
    def columns(self) -> Mapping[str, Array]:
        """What a condition may name, [T] each."""
        return {
            "step": self.step,
            "chosen": self.chosen,
            "best": self.best,
            "explored": self.explored,
            "gap": self.gap,
            "value": self.value,
            "td": self.td,
            "reward": self.reward,
            "return": self.returns,
            "total": self.total,
        }

    def where(self, text: str) -> Array:
        """The steps at which a condition holds, int64, such as "gap < 0.1 and not explored". InputError."""
        return np.flatnonzero(condition.holds(text, self.columns, self.actions, ("chosen", "best")))

    def worst(self, count: int) -> Array:
        """The steps of the greatest absolute TD errors, int64, the greatest first. InputError where none is known."""
        known = np.flatnonzero(np.isfinite(self.td))
        if not len(known):
            why = "; ".join(self.notes) or "the game has no steps"
            raise InputError(f"--worst: no TD error is known in this game: {why}")
        return np.asarray(known[np.argsort(-np.abs(self.td[known]), kind="stable")][:count])

    def named(self, step: int) -> str:
        """What was done at a step: the action's name, or its numbers."""
        chosen = int(self.chosen[step])
        if chosen >= 0:
            return self.actions[chosen]
        return " ".join(f"{value:+.3g}" if isinstance(value, float) else str(value) for value in self._numbers(step))

    def _numbers(self, step: int) -> list[Any]:
        return list(np.atleast_1d(self.action[step]).tolist())

    def json(self) -> dict[str, Any]:
        """All of it as JSON has it, a list of steps among it."""
        about = {
            "algorithm": self.algorithm,
            "environment": self.environment,
            "checkpoint": self.checkpoint,
            "chosen": self.chosen_because,
            "protocol": self.protocol,
            "epsilon": self.epsilon,
            "seed": self.seed,
            "gamma": self.gamma,
            "end": self.end,
            "partial": self.partial,
            "score_name": self.score_name,
            "value_name": self.value_name,
            "actions": list(self.actions),
            "rewards_learned": self.rewards_learned,
            "notes": list(self.notes),
            "total_return": self.total_return,
            "length": len(self),
        }
        return {**about, "steps": [self.row(step) for step in range(len(self))]}

    def row(self, step: int) -> dict[str, Any]:
        """A step as JSON has it; null where something is not known."""
        found: dict[str, Any] = {name: column[step].item() for name, column in self.columns.items()}
        found["action"] = self.action[step].tolist()
        found["chosen"], found["best"] = self.named(step), self._name(int(self.best[step]))
        if self.state:
            found["state"] = self.state[step]
        if self.scores.shape[1]:
            found["scores"] = dict(zip(self.actions, self.scores[step].tolist(), strict=True))
        for name, column in (("mean", self.mean), ("deviation", self.deviation), ("probability", self.probability)):
            if column.shape[1]:
                found[name] = column[step].tolist()
        return found

    def _name(self, action: int) -> str | None:
        return self.actions[action] if action >= 0 else None

    def __repr__(self) -> str:
        head = f"{self.algorithm} on {self.environment}, seed {self.seed}"
        return f"<{head}: {len(self)} steps, return {self.total_return:g}>"
