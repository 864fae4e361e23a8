"""Settings of tabular Q-learning, in a module of their own so that checking a config need not import numba."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field, ValidationInfo, field_validator

from rltrain.experiment.settings import STRICT

Rate = Annotated[float, Field(gt=0, le=1)]


class QlearnConfig(BaseModel):
    """Settings of tabular Q-learning; steps are those of each learner."""

    model_config = STRICT

    gamma: float = Field(
        0.99, ge=0, le=1, description="discount a step, else the model's own; 1 only where every episode ends"
    )
    learners: int = Field(
        1, ge=1, le=1024, description="independent learners for each learning rate, each with its own table and luck"
    )
    learning_rate: Rate | Annotated[tuple[Rate, ...], Field(min_length=1, max_length=16)] = Field(
        0.1, description="share of the error that a visit corrects, at the start; a list compares several"
    )
    learning_rate_schedule: Literal["constant", "decay", "count"] = Field(
        "constant",
        description="decay: learning_rate / (1 + learning_rate_decay t) at step t; count: learning_rate times "
        "n^-learning_rate_power at the n-th visit to a state-action pair",
    )
    learning_rate_decay: float = Field(0.005, ge=0, le=1e6, description="of the schedule decay")
    learning_rate_power: float = Field(0.7, gt=0, le=1, description="omega of the schedule count; converges above 0.5")
    method: Literal["q", "double", "sarsa", "expected_sarsa"] = Field(
        "q", description="what the next state is taken to be worth: the best action (q), one of two tables' best as the"
        " other values it (double), the action that follows (sarsa), the mean over what may follow (expected_sarsa)",
    )  # fmt: skip
    trace_decay: float = Field(
        0.0, ge=0, le=1, description="lambda: how far an error reaches back; 0: one step. For q (Watkins) and sarsa"
    )
    traces: Literal["replacing", "accumulating"] = Field(
        "replacing", description="what a second visit does to a trace: sets it to 1, or adds 1"
    )
    exploration: Literal["epsilon", "softmax", "uniform", "bonus"] = Field(
        "epsilon",
        description="epsilon: at random by a falling chance; softmax: by exp(Q / temperature); uniform: always at"
        " random, as in the chapter; bonus: the best of Q + exploration_bonus / (1 + visits)",
    )
    exploration_initial_eps: float = Field(1.0, ge=0, le=1, description="chance of a random action at the start")
    exploration_final_eps: float = Field(
        0.05, ge=0, le=1, description="chance of a random action after exploration_steps"
    )
    exploration_steps: int = Field(
        100_000, ge=1, le=10**15, description="steps over which the chance moves in a straight line"
    )
    temperature: float = Field(1.0, gt=0, le=1e9, description="of softmax: high explores, low is greedy")
    exploration_bonus: float = Field(1.0, ge=0, le=1e9, description="K of the bonus")
    start_value: float = Field(
        0.0, ge=-1e12, le=1e12, description="what every action is worth at first; above the truth it explores by hope"
    )
    report_every: int | None = Field(
        None, ge=1, le=10**9, description="steps of each learner between rows; null: more and more of them"
    )

    @field_validator("trace_decay")
    @classmethod
    def _has_traces(cls, value: float, info: ValidationInfo) -> float:
        method = info.data.get("method")
        if value > 0 and method in ("double", "expected_sarsa"):
            raise ValueError(f"traces are for the methods q and sarsa, and the method is {method}; write 0")
        return value

    @property
    def rates(self) -> tuple[float, ...]:
        """The learning rates, one or several."""
        return (self.learning_rate,) if isinstance(self.learning_rate, float | int) else self.learning_rate
