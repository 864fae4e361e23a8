"""Settings of REINFORCE."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from rltrain.experiment.settings import STRICT
from rltrain.policies import mlp


class ReinforceConfig(BaseModel):
    """Settings of REINFORCE, named as in Stable-Baselines3 where it has them."""

    model_config = STRICT

    learning_rate: float = Field(0.02, gt=0, le=10, description="Step size of Adam.")
    learning_rate_final: float | None = Field(
        None, gt=0, le=10, description="Learning rate after learning_rate_updates, in a straight line. None: constant."
    )
    learning_rate_updates: int = Field(1_000, ge=1, description="Updates over which the learning rate moves.")
    games_per_update: int = Field(16, ge=1, le=100_000, description="Whole games of one update.")
    gamma: float = Field(0.99, ge=0, le=1, description="Discount a step, else a model's own.")
    normalize_scores: bool = Field(
        True, description="Scores are shifted and scaled to mean 0 and deviation 1 over the batch."
    )
    baseline: Literal["none", "value"] = Field(
        "none", description="value: scores are advantages over a learned value of the state."
    )
    gae_lambda: float = Field(
        1.0, ge=0, le=1, description="With a baseline: how far advantages look before they trust it; 1: to the end."
    )
    value_learning_rate: float = Field(0.01, gt=0, le=10, description="With a baseline: step size of its Adam.")
    value_epochs: int = Field(10, ge=1, le=1_000, description="With a baseline: its steps an update, on the batch.")
    ent_coef: float = Field(0.0, ge=0, le=10, description="Weight of the entropy bonus, which keeps actions random.")
    max_grad_norm: float | None = Field(None, gt=0, description="Gradients longer than this are scaled down.")
    reward_scale: float = Field(1.0, gt=0, description="Rewards are multiplied by this before learning.")
    hidden: tuple[Annotated[int, Field(ge=1, le=4096)], ...] = Field(
        (32,), max_length=8, description="Units of each hidden layer. []: linear."
    )
    activation: mlp.Activation = Field("tanh", description="Of the hidden units.")
    output: Literal["softmax", "sigmoid"] = Field(
        "softmax", description="softmax: an output an action; sigmoid: one, the chance of action 0 of two."
    )
    initializer: Literal["lecun", "he"] = Field("lecun", description="Variance of the first weights: 1 or 2 a unit.")
    output_gain: float = Field(
        0.1, gt=0, le=10, description="The last layer's first weights are multiplied by this; small: nearly uniform."
    )
    log_std_init: float = Field(
        0.0,
        ge=-10,
        le=10,
        description="Of actions that are numbers: log of the deviation at first, in halves of bounds.",
    )
    act: Literal["greedy", "sample"] = Field(
        "greedy", description="How the trained policy plays: its likeliest action, or as it did in training."
    )
