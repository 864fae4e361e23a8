"""Settings that learners of Q-values share, each with its rule and its description; defaults are each algorithm's own.

Named as in Stable-Baselines3 where it has them. Free of torch, so that checking a config need not import it.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from rltrain.experiment.settings import Width

NATURE_CONVOLUTIONS = ((32, 8, 4), (64, 4, 2), (64, 3, 1))  # Mnih et al. 2015

# The optimiser
LearningRate = Annotated[float, Field(gt=0, le=10, description="Step size of the optimiser.")]
LearningRateFinal = Annotated[
    float | None,
    Field(
        gt=0,
        le=10,
        description="Learning rate after learning_rate_steps, reached in a straight line. None: constant.",
    ),
]
LearningRateSteps = Annotated[int, Field(ge=1, description="Environment steps over which the learning rate moves.")]
BatchSize = Annotated[int, Field(ge=1, le=65536, description="Transitions of one update.")]
MaxGradNorm = Annotated[
    float | None, Field(gt=0, description="Gradients longer than this are scaled down. None: never.")
]
OptimizerEps = Annotated[float, Field(gt=0, description="Added to the optimiser's denominator.")]

# Acting
ExplorationInitialEps = Annotated[float, Field(ge=0, le=1, description="Chance of a random action at the start.")]
ExplorationFinalEps = Annotated[
    float, Field(ge=0, le=1, description="Chance of a random action after exploration_steps.")
]
ExplorationSteps = Annotated[
    int, Field(ge=1, description="Environment steps over which the chance falls in a straight line.")
]

# Returns
Gamma = Annotated[float, Field(ge=0, le=1, description="Discount a step, else a model's own.")]
RewardClip = Annotated[
    float | None, Field(gt=0, description="Rewards are cut to -x..x before learning. None: not at all.")
]

# The network
Dueling = Annotated[bool, Field(description="State value and advantages in separate heads.")]
Convolutions = Annotated[
    tuple[tuple[Width, Width, Width], ...],
    Field(description="Images only: [channels, kernel, stride] of each convolution."),
]
Padding = Annotated[Literal["valid", "same"], Field(description="Images only: whether convolutions pad their input.")]
Hidden = Annotated[
    tuple[Width, ...] | None, Field(description="Widths of hidden layers. None: [512] for images, [64, 64] else.")
]
