"""One game that shows itself: what a policy sees of it, and the picture that a person sees of the same moment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, runtime_checkable

from rltrain.core import Array, EnvSpec, Filmed, Step
from rltrain.envs.serial import SeededGame, Serial


@runtime_checkable
class Windowed(Filmed, Protocol):
    """A `core.Filmed` whose observations are pictures of the same scene as its frames, made smaller."""

    window: tuple[slice, slice] | None  # rows and columns of a frame that an observation shows; None: another scene


class FilmedGame:
    """A game with a picture, as `core.Filmed`. `picture` draws it as it stands, uint8 [H, W, 3]."""

    def __init__(
        self,
        spec: EnvSpec,
        game: SeededGame,
        fps: float,
        picture: Callable[[], Array],
        window: tuple[slice, slice] | None = None,
    ) -> None:
        """`window`: see `Windowed`."""
        self.spec, self.fps, self.frame, self.window = spec, fps, picture, window
        self._serial = Serial(spec, [game])

    def reset(self, seed: int) -> Step:
        return self._serial.reset(seed)

    def step(self, action: Array) -> Step:
        return self._serial.step(action)

    def state(self) -> str:
        return ""

    def close(self) -> None:
        self._serial.close()
