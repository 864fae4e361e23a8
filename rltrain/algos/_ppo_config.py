"""Settings of PPO, in a module of their own so that checking a config need not import what learns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from rltrain.core import EnvSpec
from rltrain.deep import settings as shared
from rltrain.experiment.settings import STRICT, Width
from rltrain.policies import mlp


class PpoConfig(BaseModel):
    """Settings of PPO, named as in Stable-Baselines3 where it has them; steps are those of all environments."""

    model_config = STRICT

    learning_rate: shared.LearningRate = 3e-4
    learning_rate_final: float | None = Field(
        None, ge=0, le=10, description="Learning rate after learning_rate_steps, in a straight line. None: constant."
    )
    learning_rate_steps: shared.LearningRateSteps = 1_000_000
    n_steps: int = Field(128, ge=1, le=65_536, description="Steps of each environment before it learns from them.")
    n_epochs: int = Field(10, ge=1, le=1_000, description="Times that each step is learned from.")
    batch_size: int = Field(
        64, ge=1, le=1_048_576, description="Steps of one update; rounded, so that all are of one size."
    )
    gamma: shared.Gamma = 0.99
    gae_lambda: float = Field(0.95, ge=0, le=1, description="How far advantages look before they trust the value.")
    clip_range: float = Field(
        0.2, gt=0, description="An action's probability gains nothing beyond this share of change."
    )
    clip_range_final: float | None = Field(
        None, ge=0, description="Clip range after learning_rate_steps, in a straight line. None: constant."
    )
    clip_range_vf: float | None = Field(
        None, gt=0, description="A value moves by no more than this from what it was. None: not limited."
    )
    normalize_advantage: bool = Field(
        True, description="Advantages are shifted and scaled to mean 0 and deviation 1 in each update."
    )
    ent_coef: float = Field(0.0, ge=0, le=10, description="Weight of the entropy bonus, which keeps actions random.")
    vf_coef: float = Field(0.5, ge=0, le=1_000, description="Weight of the value's squared error.")
    max_grad_norm: shared.MaxGradNorm = 0.5
    target_kl: float | None = Field(
        None, gt=0, description="A rollout is done with once an update finds the policy 1.5 times this far off."
    )
    bootstrap_time_limits: bool = Field(
        True,
        description="Where a time limit cuts an episode, its last state's value takes over. false: as if it had ended.",
    )
    optimizer: Literal["adam", "rmsprop"] = Field("adam", description="rmsprop: as A2C has it.")
    optimizer_eps: shared.OptimizerEps = 1e-5
    hidden: tuple[Width, ...] | None = Field(
        None,
        max_length=8,
        description="Widths of hidden layers: of a network for the policy and one for the value, after pictures of one "
        "for both. None: [64, 64], [512] for pictures.",
    )
    activation: mlp.Activation = Field("tanh", description="Of hidden units; after pictures it is relu.")
    convolutions: shared.Convolutions = None
    padding: shared.Padding = "valid"
    precision: shared.Precision = "float32"
    log_std_init: float = Field(
        0.0,
        ge=-10,
        le=10,
        description="Of actions that are numbers: log of the deviation at first, in halves of bounds.",
    )
    squash: bool = Field(False, description="Actions that are numbers: squashed between their bounds, not clipped.")
    act: Annotated[
        Literal["greedy", "sample"],
        Field(description="How the trained policy plays: its likeliest action, or as it did in training."),
    ] = "greedy"

    def doubts(self, spec: EnvSpec, budget: Mapping[str, int]) -> list[str]:
        """A budget that ends before the first rollout does."""
        rollout = self.n_steps * spec.num_envs
        if budget.get("env_steps", rollout) >= rollout:
            return []
        return [
            f"nothing will be learned: the budget is {budget['env_steps']:,} environment steps, and the first updates"
            f" come after a rollout of {rollout:,}; lower algorithm.n_steps or environment.num_envs, or raise"
            " run.budget"
        ]
