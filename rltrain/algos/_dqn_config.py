"""Settings of DQN, in a module of their own so that checking a config need not import torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, Field, model_validator

from rltrain.core import EnvSpec
from rltrain.deep import settings as shared
from rltrain.experiment.settings import STRICT

FINEST = 1e-5  # width of a bin, of the greatest value: float32 has seven digits


class DqnConfig(BaseModel):
    """Settings of DQN, named as in Stable-Baselines3 where it has them; steps are those of all environments."""

    model_config = STRICT

    learning_rate: shared.LearningRate = 1e-4
    learning_rate_final: shared.LearningRateFinal = None
    learning_rate_steps: shared.LearningRateSteps = 1_000_000
    buffer_size: int = Field(100_000, ge=100, description="Transitions that the replay memory holds.")
    learning_starts: int = Field(1_000, ge=0, description="Environment steps of random play before the first update.")
    batch_size: shared.BatchSize = 32
    gamma: shared.Gamma = 0.99
    gamma_final: float | None = Field(
        None, ge=0, lt=1, description="Discount after horizon_steps; 1 - gamma moves by equal ratios. None: constant."
    )
    horizon_steps: int = Field(
        100_000,
        ge=1,
        description="Steps, from the run's first or a reset, over which gamma and n_step move to their last values.",
    )
    train_freq: int = Field(4, ge=1, description="Environment steps between updates.")
    train_freq_final: int | None = Field(
        None,
        ge=1,
        description="Steps between updates after train_freq_steps; their rate moves in a line. None: constant.",
    )
    train_freq_steps: int = Field(500_000, ge=1, description="Environment steps over which the rate of updates moves.")
    gradient_steps: int = Field(1, ge=1, description="Updates every train_freq environment steps.")
    target_update_interval: int = Field(
        10_000,
        ge=1,
        description="Environment steps between copies to the target network; at most one a round (collect_steps).",
    )
    exploration_initial_eps: shared.ExplorationInitialEps = 1.0
    exploration_final_eps: shared.ExplorationFinalEps = 0.05
    exploration_steps: shared.ExplorationSteps = 50_000
    exploration_one_env_eps: float = Field(
        0.0, ge=0, le=1, description="The last environment's chance of a random action never falls below this."
    )
    max_grad_norm: shared.MaxGradNorm = 10.0
    optimizer: Literal["adam", "rmsprop"] = Field(
        "adam", description="Adam, or the centred RMSProp of Mnih et al. 2015."
    )
    optimizer_eps: shared.OptimizerEps = 1e-8
    loss: Literal["huber", "mse", "hl_gauss", "c51", "quantile", "iqn"] = Field(
        "huber",
        description="huber: quadratic to huber_delta, then linear. hl_gauss: values are histograms, learned by their "
        "cross-entropy. c51: the distribution of returns, as a histogram; quantile, iqn: by n_quantiles quantiles.",
    )
    num_bins: int = Field(51, ge=2, le=1024, description="hl_gauss, c51: bins of a value's histogram.")
    v_min: float = Field(-10.0, ge=-1e9, le=1e9, description="hl_gauss, c51: least value that the histogram can say.")
    v_max: float = Field(10.0, ge=-1e9, le=1e9, description="hl_gauss, c51: largest value that the histogram can say.")
    bin_sigma: float = Field(
        0.75, gt=0, le=100, description="hl_gauss: width of the Gaussian around a target, in widths of a bin."
    )
    n_quantiles: int = Field(32, ge=1, le=1024, description="quantile, iqn: quantiles of a value.")
    huber_delta: float = Field(
        1.0,
        gt=0,
        description="huber, quantile, iqn: error from which it is linear: huber then learns medians, not means.",
    )
    reset_every: int | None = Field(
        None,
        ge=1,
        description="Steps between resets: convolutions keep reset_keep of themselves, later layers and the optimiser "
        "begin anew, and so does the horizon. None: never.",
    )
    reset_until: int | None = Field(None, ge=1, description="No reset after so many steps. None: to the end.")
    reset_keep: float = Field(0.5, ge=0, le=1, description="Share of the convolutions' weights that a reset keeps.")
    double: bool = Field(
        False, description="Double DQN: the online network chooses the next action, the target values it."
    )
    target_epsilon: float = Field(
        0.0, ge=0, le=1, description="Targets take the next action to be random this often (Expected Sarsa); 0: never."
    )
    munchausen: bool = Field(
        False, description="Targets of a soft policy that is paid for being sure of its actions (Munchausen DQN)."
    )
    munchausen_alpha: float = Field(
        0.9, ge=0, le=1, description="Share of tau x log-probability of an action that is added to its reward."
    )
    munchausen_tau: float = Field(0.03, gt=0, description="Temperature of the soft policy, in units of value.")
    munchausen_clip: float = Field(1.0, gt=0, description="tau x log-probability counts as at least minus this.")
    dueling: shared.Dueling = False
    noisy: bool = Field(
        False, description="The last layers' weights vary, by as much as they learn to: explores in place of epsilon."
    )
    n_step: int = Field(1, ge=1, le=100, description="Rewards summed before bootstrapping.")
    n_step_final: int | None = Field(
        None, ge=1, le=100, description="The same after horizon_steps; moves by equal ratios. None: constant."
    )
    prioritized: bool = Field(False, description="Draw transitions in proportion to |td error|^priority_alpha.")
    priority_alpha: float = Field(0.5, ge=0, le=1, description="0: uniform draws; 1: in proportion to the error.")
    priority_beta: float = Field(
        0.4, ge=0, le=1, description="How much importance weights correct for prioritised draws."
    )
    random_shift: int = Field(
        0,
        ge=0,
        le=32,
        description="Images only: observations are moved at random by up to so many pixels each way when learned from.",
    )
    reward_clip: shared.RewardClip = None
    reward_scale: Annotated[float, Field(gt=0)] | Literal["auto"] = Field(
        1.0,
        description="Rewards are multiplied by this before learning, after clipping. auto: so that those of the games "
        "before learning, but for zeros, have mean size 1.",
    )
    value_transform: Literal["none", "sqrt"] = Field(
        "none", description="sqrt: learn h(Q), a square-root scale for raw scores."
    )
    convolutions: shared.Convolutions = None
    padding: shared.Padding = "valid"
    hidden: shared.Hidden = None
    layer_norm: bool = Field(False, description="Layer normalisation before each hidden layer's ReLU.")
    precision: shared.Precision = "float32"
    overlap: bool | None = Field(None, description="Collect on one core while the other learns. None: for images only.")
    collect_steps: int | None = Field(
        None,
        ge=1,
        description="Steps of each environment in a round. None: 256 / num_envs with overlap, else train_freq of all.",
    )

    @model_validator(mode="after")
    def _a_horizon_that_can_move(self) -> DqnConfig:
        if self.gamma_final is not None and self.gamma == 1:
            raise ValueError("gamma_final needs a gamma below 1: 1 - gamma moves by equal ratios")
        return self

    @model_validator(mode="after")
    def _bins_from_low_to_high(self) -> DqnConfig:
        if self.v_min >= self.v_max:
            raise ValueError("v_min must be below v_max: the histogram's bins lie between them")
        if self.v_max - self.v_min < self.num_bins * FINEST * max(abs(self.v_min), abs(self.v_max)):
            raise ValueError(f"{self.num_bins} bins from v_min to v_max are too narrow for float32: take fewer")
        return self

    @model_validator(mode="after")
    def _one_kind_of_target(self) -> DqnConfig:
        others = {"double": self.double, "target_epsilon": self.target_epsilon, "value_transform": self.value_transform}
        for name, value in others.items():
            if self.munchausen and value not in (False, 0.0, "none"):
                raise ValueError(f"munchausen has targets of its own: it cannot be combined with {name}")
        if self.munchausen and self.loss == "c51":
            raise ValueError("munchausen moves values by no fixed step, as c51's bins need: take loss: quantile or iqn")
        if self.target_epsilon and self.loss in ("c51", "quantile", "iqn"):
            raise ValueError(f"target_epsilon is for values that are numbers: it cannot be combined with {self.loss}")
        return self

    def doubts(self, spec: EnvSpec, budget: Mapping[str, int]) -> list[str]:
        """Settings under which no update is made, or all are made from the same few transitions."""
        found = []
        steps = [budget["env_steps"]] if "env_steps" in budget else []
        if "episodes" in budget and spec.max_episode_steps is not None:  # lanes that have not ended theirs play too
            steps.append((budget["episodes"] + spec.num_envs) * spec.max_episode_steps)
        every = min(self.train_freq, self.train_freq_final or self.train_freq)
        first = (self.learning_starts // every + 1) * every
        if steps and min(steps) < first:
            found.append(
                f"nothing will be learned: the budget is {min(steps):,} environment steps, and the first update comes"
                f" after {first:,}; lower algorithm.learning_starts or train_freq, or raise run.budget"
            )
        if self.batch_size > self.buffer_size:
            found.append(
                f"algorithm.batch_size: {self.batch_size:,} transitions are drawn from a memory of"
                f" {self.buffer_size:,}, so each comes several times; lower it, or raise algorithm.buffer_size"
            )
        return found
