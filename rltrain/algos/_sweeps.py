"""What value iteration and Q-value iteration share: a table of known values, and one sweep a step until all is proven.

The update rule of each, and whether V or Q is held against `epsilon`, stands in its own file.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from rltrain.computation import Computation, Seen
from rltrain.core import EnvSpec, Hardware, Metrics, Policy, State
from rltrain.mdp.learn.as_computation import of_table
from rltrain.mdp.learn.sweeping import Sweeping
from rltrain.mdp.learn.table_policy import TablePolicy, greedy, restored
from rltrain.saved import Saved

Gamma = Annotated[float | None, Field(ge=0, le=1, description="discount a step; null: the model's own")]
Order = Annotated[
    Literal["sync", "inplace"],
    Field(description="sync: new values from old ones alone; inplace: new values are used as soon as they stand"),
]


class TableSweeps:
    """An algorithm whose step is one sweep over a table."""

    def __init__(self, table: Sweeping, epsilon: float | None) -> None:
        """`epsilon`: how near to the truth all values must be proven to be before the run is done; None: never done."""
        self.table, self._epsilon = table, epsilon

    @property
    def counters(self) -> Mapping[str, int]:
        return {"sweeps": self.table.sweeps}

    @property
    def done(self) -> bool:
        return self._epsilon is not None and (self.table.bound <= self._epsilon or self.table.still)

    def step(self) -> Metrics:
        return self.table.sweep()

    def policy(self) -> TablePolicy:
        model = self.table.model
        return greedy(model.first_pair, model.action, self.table.q, model.num_actions)

    def save(self) -> State:
        return {"table": self.table.save(), "policy": self.policy().save()}

    def load(self, state: State) -> None:
        self.table.load(Saved.of(state).part("table"))


def load_policy(config: object, spec: EnvSpec, state: Mapping[str, Any], hardware: Hardware) -> Policy:
    """The greedy policy of a saved state."""
    return _restored(spec, state)


def computation(config: object, spec: EnvSpec, state: State, seen: Seen) -> Computation:
    """What the greedy policy of a saved state computes."""
    return of_table(_restored(spec, state), seen)


def _restored(spec: EnvSpec, state: State) -> TablePolicy:
    saved = Saved.of(state)
    return restored(saved.part("policy"), saved.part("table").array("q", "float64", (None,)), spec)
