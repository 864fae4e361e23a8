"""The settings of a sweep file's `sweep` block, typed, bounded and described."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from rltrain.experiment.settings import STRICT, Count

MOST_TRIALS = 100_000
DEFAULT_TRIALS = 64  # where it is no grid


class HalvingConfig(BaseModel):
    """Successive halving: all trials run to `from`, the best 1/factor of them go on to from * factor, and so on."""

    model_config = STRICT

    counter: str = Field(description="what rungs count, such as env_steps")
    low: Count = Field(alias="from", description="where all trials are scored first")
    high: Count = Field(alias="to", description="where the last rung ends")
    factor: int = Field(default=3, ge=2, le=1000, description="the best 1/factor of a rung go on, factor times as far")

    @property
    def rungs(self) -> tuple[int, ...]:
        """Where trials are scored: from, from * factor, ..., and `to` last."""
        found = [self.low]
        while found[-1] < self.high:
            found.append(min(found[-1] * self.factor, self.high))
        return tuple(found)


class SweepConfig(BaseModel):
    """What is searched, how, and for how long."""

    model_config = STRICT

    config: str = Field(description="the config that is varied: a file, relative to the sweep file, or a config's name")
    search: Literal["grid", "random", "sobol", "tpe", "gp", "cmaes"] = Field(
        default="tpe",
        description="grid: every combination; random; sobol: evenly spread; tpe, gp, cmaes: near what was good before",
    )
    trials: int | None = Field(
        default=None,
        ge=1,
        le=MOST_TRIALS,
        description=f"how many settings are tried; null: of a grid all, else {DEFAULT_TRIALS}",
    )
    seed: int = Field(default=0, ge=0, lt=2**63, description="of the search; the seed of the runs is the config's")
    seeds: int = Field(default=1, ge=1, le=1000, description="runs of a trial, with seeds from the config's upward")
    score: Literal["eval", "best", "auc"] = Field(
        default="eval",
        description="of a run: the mean of its last evaluation; of its best one; or of all of them (auc)",
    )
    at_once: int = Field(
        default=4, ge=1, le=MOST_TRIALS, description="trials of a batch, which know the scores of earlier batches alone"
    )
    halving: HalvingConfig | None = Field(
        default=None, description="stop bad trials early; null: all run to the config's budget"
    )
