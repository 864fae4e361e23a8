"""One environment that can be filmed: what a policy sees of it, and beside that the picture that a person sees.

Both are of the same moment. Gymnasium draws the picture itself. Of an Atari game a policy sees small grey squares, so a
second emulator plays the same game in colour: it has the same seeds, is given the same actions, and must answer with
the same rewards and ends. A known model has no picture; there the names of its states and actions tell the story.
"""

from __future__ import annotations

import os
import platform
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from rltrain.core import Array, Env, EnvSpec, Step
from rltrain.errors import InputError, MissingError
from rltrain.experiment.settings import EnvironmentConfig

if TYPE_CHECKING:
    from rltrain.envs.atari.book import Book
    from rltrain.envs.gym.foreign import Foreign
    from rltrain.mdp.model import Model

INSTALL = 'pip install "rltrain[watch]"'
FRAMES_A_SECOND = 60  # of a television of 1977
BOOK_FRAME_SKIP = 3  # on average
USUAL_FPS = 30.0  # of an environment that does not say
ACTIONS = {  # what the numbers mean, for those whose action space does not say
    "CartPole": ("left", "right"),
    "MountainCar": ("left", "none", "right"),
    "Acrobot": ("-1", "0", "+1"),
    "LunarLander": ("none", "left", "main", "right"),
    "FrozenLake": ("left", "down", "right", "up"),
    "CliffWalking": ("up", "right", "down", "left"),
    "Taxi": ("south", "north", "east", "west", "pickup", "dropoff"),
    "Blackjack": ("stick", "hit"),
}


class Filmed(Protocol):
    """A single environment, `spec.num_envs` 1, that shows itself."""

    spec: EnvSpec
    fps: float  # agent steps a second at the environment's own pace

    def reset(self, seed: int) -> Step: ...
    def step(self, action: Array) -> Step: ...
    def frame(self) -> Array | None: ...  # uint8 [H, W, 3], of the last Step; None: there is no picture of it
    def state(self) -> str: ...  # its name, where states have one; else ""
    def close(self) -> None: ...


class Drawn(Protocol):
    """What has a picture."""

    def render(self) -> Any: ...


def make(settings: EnvironmentConfig, task: str = "env") -> Filmed:
    """One game. InputError for an environment that cannot be drawn, MissingError for an unknown id or package."""
    from rltrain import envs

    if settings.is_model:
        return FilmedModel(envs.make(settings, task=task, num_envs=1), settings)
    envs.check(settings)
    if settings.is_atari and settings.preprocessing == "book":
        return FilmedBook(settings)
    if settings.is_atari:
        return FilmedAtari(settings)
    return FilmedGym(settings, task)


class FilmedGym:
    """A Gymnasium environment that returns its picture as an array."""

    def __init__(self, settings: EnvironmentConfig, task: str) -> None:
        from rltrain.envs.gym import games
        from rltrain.envs.models import tabular
        from rltrain.envs.serial import Serial

        self._env = _drawing(settings)
        if task == "env":
            game: Any = games.Gym(self._env)
            spec = games._spec(settings, self._env, 1)
        else:
            _, number = tabular.numbering(settings.id, self._env.observation_space)
            game = tabular._Game(self._env, number)
            spec = tabular._games_spec(settings, self._env, 1)
        self.spec = replace(spec, action_names=_names(settings.id, spec))
        self.fps = float(self._env.metadata.get("render_fps") or USUAL_FPS)
        self._serial = Serial(spec, [game])

    def reset(self, seed: int) -> Step:
        return self._serial.reset(seed)

    def step(self, action: Array) -> Step:
        return self._serial.step(action)

    def frame(self) -> Array:
        return picture(self.spec.id, self._env)

    def state(self) -> str:
        return ""

    def close(self) -> None:
        self._serial.close()


class FilmedAtari:
    """An Atari game twice: as the policy sees it, and in colour at the console's own size."""

    def __init__(self, settings: EnvironmentConfig) -> None:
        from rltrain.envs.atari.vector import Atari

        self._seen = Atari(settings, 1, training=False)
        self._shown = Atari(settings.model_copy(update={"frame_stack": 1}), 1, training=False, colour=True)
        self.spec = self._seen.spec
        self.fps = FRAMES_A_SECOND / settings.frame_skip
        self._frame = np.zeros(self._shown.spec.obs_shape[1:], np.uint8)

    def reset(self, seed: int) -> Step:
        return self._together(self._seen.reset(seed), self._shown.reset(seed))

    def step(self, action: Array) -> Step:
        return self._together(self._seen.step(action), self._shown.step(action))

    def frame(self) -> Array:
        return self._frame

    def state(self) -> str:
        return ""

    def close(self) -> None:
        self._seen.close()
        self._shown.close()

    def _together(self, seen: Step, shown: Step) -> Step:
        if any((one != other).any() for one, other in zip(seen[1:], shown[1:], strict=True)):
            raise RuntimeError(f"{self.spec.id}: the emulator in colour plays another game")
        self._frame = shown.obs[0, 0]
        return seen


class FilmedBook:
    """An Atari game as the book prepares it; its own emulator has the colours."""

    def __init__(self, settings: EnvironmentConfig) -> None:
        from rltrain.envs.atari import book
        from rltrain.envs.serial import Serial

        self.spec = book.describe(settings, 1)
        self.fps = FRAMES_A_SECOND / BOOK_FRAME_SKIP
        self._game: Book = book.Book(settings, training=False)
        self._serial = Serial(self.spec, [self._game])

    def reset(self, seed: int) -> Step:
        return self._serial.reset(seed)

    def step(self, action: Array) -> Step:
        return self._serial.step(action)

    def frame(self) -> Array:
        return self._game.screen()

    def state(self) -> str:
        return ""

    def close(self) -> None:
        self._serial.close()


class FilmedModel:
    """A known model: a walk from state to state."""

    fps = 4.0

    def __init__(self, env: Env, settings: EnvironmentConfig) -> None:
        from rltrain.envs.models import tabular

        model = tabular.model_of(settings)
        assert model is not None  # a model file is a model
        self._model: Model = model
        self._env = env
        self.spec = env.spec
        self._state = ""

    def reset(self, seed: int) -> Step:
        return self._named(self._env.reset(seed))

    def step(self, action: Array) -> Step:
        return self._named(self._env.step(action))

    def frame(self) -> None:
        return None

    def state(self) -> str:
        return self._state

    def close(self) -> None:
        self._env.close()

    def _named(self, step: Step) -> Step:
        obs = step.obs[0]
        self._state = self._model.states[int(obs.argmax() if len(obs) > 1 else obs[0])]
        return step


def picture(name: str, env: Drawn) -> Array:
    """What an open environment looks like now, uint8 [H, W, 3]. MissingError if it lacks a package to draw with."""
    import gymnasium

    keep_quiet()
    try:
        drawn = env.render()
    except (ImportError, gymnasium.error.DependencyNotInstalled) as error:
        raise MissingError(f"{name} needs pygame to be drawn: {INSTALL}") from error
    frame = np.asarray(drawn)
    if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8:
        raise InputError(f"environment.id: {name} draws no picture of height, width and 3 colours, but {frame.shape}")
    return frame


def _drawing(settings: EnvironmentConfig) -> Foreign:
    """The environment, opened such that it draws. InputError if it cannot."""
    from rltrain.envs.gym import foreign

    plain = foreign.make(settings)
    modes = plain.metadata.get("render_modes") or ()
    plain.close()
    if "rgb_array" not in modes:
        known = f"; it has the render modes {', '.join(map(str, modes))}" if modes else ""
        raise InputError(f"environment.id: {settings.id} cannot be drawn as a picture (rgb_array){known}")
    return foreign.make(settings, render_mode="rgb_array")


def _names(env_id: str, spec: EnvSpec) -> tuple[str, ...]:
    known = ACTIONS.get(env_id.rsplit("/", 1)[-1].split("-v")[0].rstrip("0123456789x"), ())
    return known if len(known) == spec.num_actions else spec.action_names


def has_screen() -> bool:
    """Whether a window could be opened here."""
    if platform.system() == "Linux":
        return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
    return "SSH_CONNECTION" not in os.environ


def keep_quiet() -> None:
    """Before pygame is imported: no greeting on standard output, no sound, no screen where there is none."""
    os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
    os.environ.setdefault("SDL_AUDIODRIVER", "dummy")
    if not has_screen():
        os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
