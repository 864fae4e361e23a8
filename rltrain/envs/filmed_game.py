"""One game that shows itself: what a policy sees of it, and the picture that a person sees of the same moment."""

from __future__ import annotations

from collections.abc import Callable

from rltrain.core import Array, EnvSpec, Step
from rltrain.envs.serial import SeededGame, Serial


class FilmedGame:
    """A game with a picture, as `core.Filmed`. `picture` draws it as it stands, uint8 [H, W, 3]."""

    def __init__(self, spec: EnvSpec, game: SeededGame, fps: float, picture: Callable[[], Array]) -> None:
        self.spec, self.fps, self.frame = spec, fps, picture
        self._serial = Serial(spec, [game])

    def reset(self, seed: int) -> Step:
        return self._serial.reset(seed)

    def step(self, action: Array) -> Step:
        return self._serial.step(action)

    def state(self) -> str:
        return ""

    def close(self) -> None:
        self._serial.close()
