"""Settings that learners of Q-values share, each with its rule and its description; defaults are each algorithm's own.

Named as in Stable-Baselines3 where it has them. Free of torch, so that checking a config need not import it.
"""

from __future__ import annotations

from typing import Annotated, Literal, NamedTuple

from pydantic import Field

from rltrain.experiment.settings import Width


class Suited(NamedTuple):
    """Convolutions, [channels, kernel, stride] of each, for pictures of some size."""

    side: int  # pixels of the shorter side, at least
    convolutions: tuple[tuple[int, int, int], ...]
    why: str


BY_SIZE = (  # what a picture gets for which a config names none
    Suited(36, ((32, 8, 4), (64, 4, 2), (64, 3, 1)), "those of Mnih et al. 2015, whose windows fit from 36 pixels on"),
    Suited(16, ((32, 3, 2), (64, 3, 2)), "small windows, which leave about as many features as larger ones of 84 x 84"),
    Suited(8, ((16, 3, 1),), "that of MinAtar's own DQN (Young and Tian 2019)"),
    Suited(4, ((16, 2, 1), (32, 2, 1), (64, 2, 1)), "those that are usual for MiniGrid's 7 x 7"),
    Suited(1, (), "too few pixels for any"),
)


def convolutions_for(picture: tuple[int, int, int]) -> Suited:
    """The convolutions that suit a picture, [C, H, W]."""
    return next(suited for suited in BY_SIZE if min(picture[1:]) >= suited.side)


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
    tuple[tuple[Width, Width, Width], ...] | None,
    Field(description="Images only: [channels, kernel, stride] of each convolution. None: by the image's size."),
]
Precision = Annotated[
    Literal["float32", "bfloat16", "auto"],
    Field(
        description="Arithmetic of the network; weights stay float32. auto: tried at the start, then kept.",
    ),
]
Padding = Annotated[Literal["valid", "same"], Field(description="Images only: whether convolutions pad their input.")]
Hidden = Annotated[
    tuple[Width, ...] | None, Field(description="Widths of hidden layers. None: [512] for images, [64, 64] else.")
]
