"""Atari as the first edition of Hands-On Machine Learning (chapter 16) prepares it: one 88 x 80 grey frame, no stack.

Its `MsPacman-v0` skips 2, 3 or 4 frames at random and repeats the last action with probability .25 (here
`repeat_action_probability`, to be set). The game's waiting time, 90 steps without an action, is skipped. The frame is
cropped [1:176:2, ::2], made grey, and Ms. Pac-Man's own colour is painted black. Kept in uint8: the chapter's
normalisation to [-2, 0] was an error, and the network divides by 255.
"""

from __future__ import annotations

import numpy as np

from rltrain.core import Array, EnvSpec
from rltrain.envs import normalized
from rltrain.envs.atari import roms, vector
from rltrain.envs.atari.settings import MAX_FRAMES, AtariConfig
from rltrain.envs.serial import Serial
from rltrain.errors import InputError
from rltrain.spaces import Discrete

FRAME_SKIPS = (2, 4)  # both included
START_STEPS = 90
PACMAN_COLOUR = 210 + 164 + 74  # as a sum over red, green and blue
WINDOW = (slice(1, 176, 2), slice(None, None, 2))  # rows and columns of the screen that are seen
MAX_STEPS = MAX_FRAMES // 3  # 3 frames a step on average


class Book:
    """One Atari game, as `Serial` wants it. A seeded reset loads the ROM anew, which takes about 0.1 s."""

    def __init__(self, settings: AtariConfig, training: bool = True) -> None:
        self._path = roms.rom_path(settings.id)
        self._ale = vector.open_rom(settings.id)
        self._ale.setFloat("repeat_action_probability", settings.repeat_action_probability)
        self.action_names = vector.action_names(self._ale, settings.full_action_space)
        self._actions = self._ale.getLegalActionSet() if settings.full_action_space else self._ale.getMinimalActionSet()
        self._max_steps = settings.max_episode_steps or MAX_STEPS
        self._life_ends_return = settings.terminal_on_life_loss and training
        self._skips = np.random.default_rng(0)  # seeded at every reset
        self._steps = 0

    mask = None  # every action can be taken

    def reset(self, seed: int) -> Array:
        self._skips = np.random.default_rng(seed)
        self._ale.setInt("random_seed", seed)
        self._ale.loadROM(self._path)
        self._ale.reset_game()
        for _ in range(START_STEPS):
            self._act(0)
            if self._ale.game_over():
                self._ale.reset_game()
        self._steps = 0
        return grey(self._ale.getScreenRGB())

    def step(self, action: int) -> tuple[Array, float, float, bool]:
        lives = self._ale.lives()
        reward = self._act(action)
        self._steps += 1
        over = self._ale.game_over()
        cut = over or (self._life_ends_return and self._ale.lives() < lives)
        return grey(self._ale.getScreenRGB()), reward, 0.0 if cut else 1.0, over or self._steps >= self._max_steps

    def screen(self) -> Array:
        """What a person sees now, [210, 160, 3] uint8."""
        return np.asarray(self._ale.getScreenRGB())

    def close(self) -> None:
        """Nothing to give back: the emulator is freed with the object."""

    def _act(self, action: int) -> float:
        frames = int(self._skips.integers(*FRAME_SKIPS, endpoint=True))
        return float(sum(self._ale.act(self._actions[action]) for _ in range(frames)))


def make(settings: AtariConfig, num_envs: int, training: bool, first_index: int = 0) -> Serial:
    """N games in turn; `first_index` is that of `Serial`.

    InputError for a setting that this preprocessing leaves no room for.
    """
    _refuse_nature_settings(settings)
    games = [Book(settings, training) for _ in range(num_envs)]
    return Serial(_spec(settings, num_envs, games[0].action_names), games, first_index=first_index)


def describe(settings: AtariConfig, num_envs: int) -> EnvSpec:
    _refuse_nature_settings(settings)
    names = vector.action_names(vector.open_rom(settings.id), settings.full_action_space)
    return _spec(settings, num_envs, names)


def grey(screen: Array) -> Array:
    """[210, 160, 3] uint8 -> [1, 88, 80] uint8."""
    total = screen[WINDOW].sum(axis=2, dtype=np.int32)
    return np.where(total == PACMAN_COLOUR, 0, total // 3).astype(np.uint8)[None]


def _refuse_nature_settings(settings: AtariConfig) -> None:
    natures = {
        "frame_skip": settings.frame_skip,
        "frame_stack": settings.frame_stack,
        "screen_size": settings.screen_size,
        "noop_max": settings.noop_max,
        "color": settings.color,
    }
    for name, value in natures.items():
        if value != AtariConfig.model_fields[name].default:
            raise InputError(
                f"environment.{name}: has no effect with `preprocessing: book`, which shows one grey 88 x 80 frame, "
                f"skips {FRAME_SKIPS[0]} to {FRAME_SKIPS[1]} frames at random and {START_STEPS} steps at the start"
            )


def _spec(settings: AtariConfig, num_envs: int, names: tuple[str, ...]) -> EnvSpec:
    return EnvSpec(
        id=settings.id,
        obs_shape=(1, 88, 80),
        obs_dtype="uint8",
        frame_stack=1,
        actions=Discrete(len(names), names),
        num_envs=num_envs,
        frames_per_step=3,
        max_episode_steps=settings.max_episode_steps or MAX_STEPS,
        reward_threshold=None,
        scaled=normalized.scales(settings.wrappers),
    )
