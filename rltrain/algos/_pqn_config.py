"""Settings of PQN, in a module of their own so that checking a config need not import torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from rltrain.core import EnvSpec
from rltrain.deep import settings as shared
from rltrain.experiment.settings import STRICT


class PqnConfig(BaseModel):
    """Settings of PQN, named as those of DQN; steps are those of all environments."""

    model_config = STRICT

    learning_rate: shared.LearningRate = 2.5e-4
    learning_rate_final: shared.LearningRateFinal = None
    learning_rate_steps: shared.LearningRateSteps = 1_000_000
    rollout_steps: int = Field(32, ge=1, le=4096, description="Steps of each environment before it learns from them.")
    epochs: int = Field(2, ge=1, le=100, description="Times that each transition is learned from.")
    batch_size: shared.BatchSize = 64
    gamma: shared.Gamma = 0.99
    trace_decay: float = Field(
        0.65, ge=0, le=1, description="lambda of the returns: 0 bootstraps after a step, 1 at the rollout's end."
    )
    exploration_initial_eps: shared.ExplorationInitialEps = 1.0
    exploration_final_eps: shared.ExplorationFinalEps = 0.05
    exploration_steps: shared.ExplorationSteps = 100_000
    max_grad_norm: shared.MaxGradNorm = 10.0
    optimizer: Literal["radam", "adam", "rmsprop"] = Field("radam", description="RAdam warms itself up.")
    optimizer_eps: shared.OptimizerEps = 1e-8
    loss: Literal["huber", "mse"] = Field("mse", description="huber: quadratic to huber_delta, then linear.")
    huber_delta: float = Field(1.0, gt=0, description="Error from which huber is linear.")
    reward_clip: shared.RewardClip = None
    reward_scale: Annotated[float, Field(gt=0)] | Literal["auto"] = Field(
        1.0,
        description="Rewards are multiplied by this before learning, after clipping. auto: so that those of the first "
        "rollout that has any, but for zeros, have mean size 1.",
    )
    dueling: shared.Dueling = False
    convolutions: shared.Convolutions = None
    padding: shared.Padding = "valid"
    hidden: shared.Hidden = None
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
