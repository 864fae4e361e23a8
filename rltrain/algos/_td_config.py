"""Settings of temporal-difference evaluation, apart so that checking a config need not import numba."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from rltrain.experiment.settings import STRICT

Rate = Annotated[float, Field(gt=0, le=1)]


class TdConfig(BaseModel):
    """Settings of TD(0) and TD(lambda); steps are those of each learner."""

    model_config = STRICT

    gamma: float = Field(
        0.99, ge=0, le=1, description="discount a step, else the model's own; 1 only where every episode ends"
    )
    policy: str = Field(
        "random", description="what is valued: random, every action as likely; or a policy's file, of a known model"
    )
    learners: int = Field(1, ge=1, le=1024, description="independent learners for each learning rate")
    learning_rate: Rate | Annotated[tuple[Rate, ...], Field(min_length=1, max_length=16)] = Field(
        0.1, description="share of the error that a visit corrects, at the start; a list compares several"
    )
    learning_rate_schedule: Literal["constant", "decay", "count"] = Field(
        "constant",
        description="decay: learning_rate / (1 + learning_rate_decay t) at step t; count: learning_rate times"
        " n^-learning_rate_power at the n-th visit to a state",
    )
    learning_rate_decay: float = Field(0.005, ge=0, le=1e6, description="of the schedule decay")
    learning_rate_power: float = Field(0.7, gt=0, le=1, description="omega of the schedule count; converges above 0.5")
    trace_decay: float = Field(0.0, ge=0, le=1, description="lambda: how far an error reaches back; 0: one step")
    start_value: float = Field(0.0, ge=-1e12, le=1e12, description="what every state is worth at first")
    report_every: int | None = Field(
        None, ge=1, le=10**9, description="steps of each learner between rows; null: more and more of them"
    )

    @property
    def rates(self) -> tuple[float, ...]:
        """The learning rates, one or several."""
        return (self.learning_rate,) if isinstance(self.learning_rate, float | int) else self.learning_rate
