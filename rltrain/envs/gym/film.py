"""A Gymnasium environment that returns its picture as an array."""

from __future__ import annotations

import gymnasium
import numpy as np

from rltrain.core import Array, Filmed
from rltrain.envs import screen
from rltrain.envs.filmed_game import FilmedGame
from rltrain.envs.gym import foreign, games, numbered
from rltrain.envs.gym.foreign import Foreign
from rltrain.envs.serial import SeededGame
from rltrain.errors import InputError, MissingError
from rltrain.experiment.settings import EnvironmentConfig

USUAL_FPS = 30.0  # of an environment that does not say
LEAST_SIDE = 64  # pixels; each pixel of a smaller picture is drawn as several


def make(settings: EnvironmentConfig, task: str) -> Filmed:
    """One game, which an algorithm of this task sees. InputError if it cannot be drawn."""
    env = _drawing(settings)
    if task == "env":
        spec = games.spec_of(settings, env, 1)
        game: SeededGame = games.game(env, spec)
    else:
        spec = numbered.spec_of(settings, env, 1)
        game = numbered.numbered_game(env, numbered.numbering(settings.id, env.observation_space)[1], spec)
    fps = float(env.metadata.get("render_fps") or USUAL_FPS) / env.repeats
    return FilmedGame(spec, game, fps, lambda: picture(settings.id, env))


def picture(name: str, env: Foreign) -> Array:
    """What an open environment looks like now, uint8 [H, W, 3]. MissingError if it lacks a package to draw with."""
    screen.keep_quiet()
    try:
        drawn = env.render()
    except (ImportError, gymnasium.error.DependencyNotInstalled) as error:
        raise MissingError(f"{name} needs pygame to be drawn: {screen.INSTALL}") from error
    frame = np.asarray(drawn)
    if frame.dtype.kind == "f" and frame.size and frame.min() >= 0 and frame.max() <= 1:  # NaN is neither
        frame = (frame * 255).round().astype(np.uint8)
    if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8:
        raise InputError(f"environment.id: {name} draws no picture of height, width and 3 colours, but {frame.shape}")
    times = -(-LEAST_SIDE // max(1, min(frame.shape[:2])))
    return frame if times == 1 else frame.repeat(times, axis=0).repeat(times, axis=1)


def _drawing(settings: EnvironmentConfig) -> Foreign:
    """The environment, opened such that it draws. InputError if it cannot."""
    plain = foreign.make(settings)
    modes = plain.metadata.get("render_modes") or ()
    plain.close()
    if "rgb_array" not in modes:
        known = f"; it has the render modes {', '.join(map(str, modes))}" if modes else ""
        raise InputError(f"environment.id: {settings.id} cannot be drawn as a picture (rgb_array){known}")
    return foreign.make(settings, render_mode="rgb_array")
