"""Settings of PQN, in a module of their own so that checking a config need not import torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from rltrain.core import EnvSpec
from rltrain.experiment.settings import STRICT, Width

NATURE_CONVOLUTIONS = ((32, 8, 4), (64, 4, 2), (64, 3, 1))


class Config(BaseModel):
    """Settings of PQN, named as those of DQN; steps are those of all environments."""

    model_config = STRICT

    learning_rate: float = Field(2.5e-4, gt=0, le=10, description="Step size of the optimiser.")
    learning_rate_final: float | None = Field(
        None,
        gt=0,
        le=10,
        description="Learning rate after learning_rate_steps, reached in a straight line. None: constant.",
    )
    learning_rate_steps: int = Field(
        1_000_000, ge=1, description="Environment steps over which the learning rate moves."
    )
    rollout_steps: int = Field(32, ge=1, le=4096, description="Steps of each environment before it learns from them.")
    epochs: int = Field(2, ge=1, le=100, description="Times that each transition is learned from.")
    batch_size: int = Field(64, ge=1, le=65536, description="Transitions of one update.")
    gamma: float = Field(0.99, ge=0, le=1, description="Discount a step, else a model's own.")
    trace_decay: float = Field(
        0.65, ge=0, le=1, description="lambda of the returns: 0 bootstraps after a step, 1 at the rollout's end."
    )
    exploration_initial_eps: float = Field(1.0, ge=0, le=1, description="Chance of a random action at the start.")
    exploration_final_eps: float = Field(
        0.05, ge=0, le=1, description="Chance of a random action after exploration_steps."
    )
    exploration_steps: int = Field(
        100_000, ge=1, description="Environment steps over which the chance falls in a straight line."
    )
    max_grad_norm: float | None = Field(
        10.0, gt=0, description="Gradients longer than this are scaled down. None: never."
    )
    optimizer: Literal["radam", "adam", "rmsprop"] = Field("radam", description="RAdam warms itself up.")
    optimizer_eps: float = Field(1e-8, gt=0, description="Added to the optimiser's denominator.")
    loss: Literal["huber", "mse"] = Field("mse", description="huber: quadratic to huber_delta, then linear.")
    huber_delta: float = Field(1.0, gt=0, description="Error from which huber is linear.")
    reward_clip: float | None = Field(
        None, gt=0, description="Rewards are cut to -x..x before learning. None: not at all."
    )
    reward_scale: Annotated[float, Field(gt=0)] | Literal["auto"] = Field(
        1.0,
        description="Rewards are multiplied by this before learning, after clipping. auto: so that those of the first "
        "rollout that has any, but for zeros, have mean size 1.",
    )
    dueling: bool = Field(False, description="State value and advantages in separate heads.")
    convolutions: tuple[tuple[Width, Width, Width], ...] = Field(
        NATURE_CONVOLUTIONS, description="Images only: [channels, kernel, stride] of each convolution."
    )
    padding: Literal["valid", "same"] = Field("valid", description="Images only: whether convolutions pad their input.")
    hidden: tuple[Width, ...] | None = Field(
        None, description="Widths of hidden layers. None: [512] for images, [64, 64] else."
    )
    layer_norm: bool = Field(
        True,
        description="Layer normalisation before each hidden layer's ReLU; it keeps the values bounded.",
    )

    def doubts(self, spec: EnvSpec, budget: Mapping[str, int]) -> list[str]:
        """A budget that ends before the first rollout does."""
        rollout = self.rollout_steps * spec.num_envs
        if budget.get("env_steps", rollout) >= rollout:
            return []
        return [
            f"nothing will be learned: the budget is {budget['env_steps']:,} environment steps, and the first updates"
            f" come after a rollout of {rollout:,}; lower algorithm.rollout_steps or environment.num_envs, or raise"
            " run.budget"
        ]
