"""What an Atari game adds to the `environment` block of a config."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from rltrain.experiment.settings import EnvironmentConfig
from rltrain.experiment.wrappers import ClipReward, NormalizeReward, Wrapper

MAX_FRAMES = 18_000  # five minutes of play at 60 frames a second


class AtariConfig(EnvironmentConfig):
    """The Atari settings are for ids that start with `ALE/`."""

    preprocessing: Literal["nature", "book"] = Field(
        default="nature",
        description="Atari: nature is 84x84 grey and stacked, book is rows 1:176:2 and columns ::2, one grey frame",
    )
    frame_skip: int = Field(default=4, ge=1, le=100, description="Atari: frames an action is repeated for")
    frame_stack: int = Field(default=4, ge=1, le=64, description="Atari: frames in an observation")
    screen_size: int = Field(default=84, ge=8, le=512, description="Atari: height and width of a frame")
    color: Literal["grey", "rgb", "palette"] = Field(
        default="grey",
        description="Atari: grey, or in colour: networks see red, green and blue (rgb), or a plane for each of the"
        " console's 16 hues (palette); a pixel is a byte in each",
    )
    noop_max: int = Field(default=30, ge=0, le=1000, description="Atari: an episode opens with 0 to this many no-ops")
    repeat_action_probability: float = Field(
        default=0.0, ge=0, le=1, description="Atari: chance that a frame repeats the last action (sticky)"
    )
    full_action_space: bool = Field(default=False, description="Atari: all 18 actions rather than the game's own")
    terminal_on_life_loss: bool = Field(
        default=False, description="Atari: a lost life cuts bootstrapping in training; the game goes on"
    )
    reseed_every: int = Field(
        default=4000,
        ge=1,
        le=10**9,
        description="Atari: agent steps after which the next episode starts from a new seed; bounds the time to resume",
    )

    @field_validator("wrappers")
    @classmethod
    def _are_of_rewards(cls, value: tuple[Wrapper, ...]) -> tuple[Wrapper, ...]:
        for each in value:
            if not isinstance(each, NormalizeReward | ClipReward):
                rule = "around a game stand NormalizeReward and ClipReward alone; what is seen and done has settings"
                raise ValueError(f"{rule}, got {each.name}")
        return value
