"""Settings of UCT, in a module of their own so that checking a config need not import numba."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, Field

from rltrain.core import EnvSpec
from rltrain.experiment.settings import STRICT


class UctConfig(BaseModel):
    """How games are played by search, and how the search goes."""

    model_config = STRICT

    gamma: float = Field(
        0.99, ge=0, le=1, description="discount a step, else the model's own; 1 only where every episode ends"
    )
    simulations: int = Field(1_000, ge=1, le=10_000_000, description="of a move, from the state where the game stands")
    depth: int = Field(
        100, ge=1, le=10_000, description="steps of a simulation at most; what comes later counts as 0, as after an end"
    )
    exploration: float = Field(
        0.3,
        ge=0,
        le=1e6,
        description="c of UCB1, c w sqrt(ln N / n); the theory's is sqrt(2), smaller ones soon do more",
    )
    exploration_scale: Literal["range", "one"] = Field(
        "range",
        description="w, as UCB1 is for returns from 0 to 1: the range of those seen from the state so far (range), or 1"
        " (one)",
    )
    rollout: Literal["random", "none"] = Field(
        "random",
        description="beyond the tree: actions drawn at random until depth or an end, or nothing, which counts as 0",
    )
    play: bool = Field(
        True,
        description="play games, a search for each move; false: one search from the start that never ends, to see the"
        " root's value come to the truth (of a known model)",
    )
    max_nodes: int = Field(
        1_000_000, ge=1, le=100_000_000, description="of a tree; when it is full simulations go on without adding any"
    )
    report_every: int | None = Field(
        None, ge=1, le=10**9, description="moves between rows, without play simulations; null: about half a second's"
    )

    @property
    def capacity(self) -> int:
        """Nodes that the tree of a move can have: a simulation adds one."""
        return min(self.simulations, self.max_nodes)

    def doubts(self, spec: EnvSpec, budget: Mapping[str, int]) -> list[str]:
        """A line where some actions are never tried."""
        if self.simulations >= spec.num_actions:
            return []
        return [
            f"algorithm.simulations: {self.simulations} of a move, and there are {spec.num_actions} actions: some are"
            " never tried"
        ]
