"""Atari through `AtariVectorEnv`, with raw scores, and with the exact save and load that it lacks.

State = seed + actions since. A seeded reset re-creates all that an environment is (emulator, random numbers, sticky
action, frame stack), so one is restored by replaying its journal. A seeded reset costs about 0.1 s, so one is re-seeded
only at the first end of a game after `reseed_every` steps. That is a rule of the run, not of the save cadence: saving
changes nothing.

Source of the preprocessing: Mnih et al. 2015; of the emulator: Bellemare et al. 2013, Machado et al. 2018.

What holds in ale-py 0.12 and the tests check:
- An action out of range hangs `recv` for ever: it is refused here first.
- At a `first`, after a reset, an autoreset and a re-seeding alike, the stack is zeros but for its newest frame.
- `recv` hands out fresh arrays: observations are never overwritten.
- `life_loss_info=True` would report a lost life as `terminated`, and hide a time limit that falls on the same step.
  So it stays off, `terminated` means game over, and lost lives are read from `lives`.
- Its `noop_max=n` draws 0 to n-1 no-ops; one more is passed, so that `noop_max: 30` means at most 30.
"""

from __future__ import annotations

import contextlib
import sys
from dataclasses import replace

import numpy as np
from ale_py import ALEInterface, LoggerMode
from ale_py.vector_env import AtariVectorEnv

from rltrain.core import Array, EnvSpec, State, Step
from rltrain.envs import normalized
from rltrain.envs.atari import roms
from rltrain.envs.atari.colours import Coloured, planes
from rltrain.envs.atari.emulators import Apart, Emulators, Together
from rltrain.envs.atari.settings import MAX_FRAMES, AtariConfig
from rltrain.envs.journal import Journal, fingerprint
from rltrain.errors import CheckpointError
from rltrain.rng import derive
from rltrain.saved import MAX_COUNT, Saved, check_num_envs, seed_of
from rltrain.spaces import Discrete
from rltrain.steps import as_int64


class Atari:
    """N games of one kind, stepped in parallel by C++ threads. `step` frees the GIL while they run.

    With `colour` the observations are what a person sees, [stack, height, width, 3]. The games are the same.
    """

    def __init__(
        self,
        settings: AtariConfig,
        num_envs: int,
        threads: int = 1,
        training: bool = True,
        colour: bool = False,
        first_index: int = 0,
        apart: bool = False,
    ) -> None:
        """`first_index`: of the first game, where these are a part of more. `apart`: to be retired one by one."""
        size, stack = (settings.screen_size, settings.screen_size), settings.frame_stack
        whole = colour or settings.color != "grey"
        if whole:
            size = open_rom(settings.id).getScreenDims()  # (height, width)
            stack = stack if colour else 1
        game = roms.games()[settings.id]
        roms.rom_path(settings.id)

        def make(count: int, workers: int) -> AtariVectorEnv:
            return AtariVectorEnv(
                game,
                count,
                num_threads=workers,
                max_num_frames_per_episode=max_steps(settings) * settings.frame_skip,
                repeat_action_probability=settings.repeat_action_probability,
                full_action_space=settings.full_action_space,
                img_height=size[0],
                img_width=size[1],
                grayscale=not whole,
                stack_num=stack,
                frameskip=settings.frame_skip,
                noop_max=settings.noop_max + 1,
                use_fire_reset=False,
                episodic_life=False,
                life_loss_info=False,
                reward_clipping=False,
            )

        with contextlib.redirect_stdout(sys.stderr):  # ale_py may print, and stdout belongs to `--json`
            emulators = (Apart if apart else Together)(make, num_envs, threads)
        names = emulators.names
        self.spec = _spec(settings, num_envs, names)
        self._emulators: Emulators = emulators
        if whole and not colour:
            self._emulators = Coloured(emulators, num_envs, settings.frame_stack, settings.screen_size, threads)
        if colour:
            self.spec = replace(self.spec, obs_shape=(settings.frame_stack, *size, 3))
        self._life_ends_return = settings.terminal_on_life_loss and training
        self._reseed_every = settings.reseed_every

        self._first_index = first_index
        self._seed: int | None = None
        self._life = np.zeros(num_envs, dtype=np.int64)  # seeded resets of each so far
        self._journal = Journal(num_envs, Discrete(len(names)))
        # What follows is a function of what stands above: `load` rebuilds it by replay.
        self._obs = np.zeros((num_envs, *self.spec.obs_shape), dtype=np.uint8)
        self._lives = np.zeros(num_envs, dtype=np.int32)
        self._last = np.zeros(num_envs, dtype=bool)  # the next step opens a game here

    def reset(self, seed: int) -> Step:
        self._seed = seed
        self._life[:] = 0
        everywhere = np.ones(self.spec.num_envs, dtype=bool)
        self._journal.clear(everywhere)
        self._begin(everywhere)
        zeros = np.zeros(self.spec.num_envs, dtype=np.float32)
        return Step(self._obs, zeros, zeros + 1, first=everywhere, last=~everywhere)

    def step(self, action: Array) -> Step:
        """Play one step, action [N] int64. ValueError if one is out of range, RuntimeError before the first `reset`."""
        if self._seed is None:
            raise RuntimeError("step before reset")
        first, lives_before = self._last, self._lives
        due = first & (self._journal.lengths >= self._reseed_every)
        action = as_int64(action)
        self._journal.add(action)
        reward, terminated = self._advance(action)
        if due.any():  # these have just opened a game of their own; they open a seeded one instead
            self._life[due] += 1
            self._journal.clear(due)
            self._begin(due)
        discount = 1 - terminated.astype(np.float32)
        if self._life_ends_return:
            discount[(self._lives < lives_before) & ~first] = 0
        return Step(self._obs, reward.astype(np.float32), discount, first, self._last)

    def retire(self, which: Array) -> None:
        """See `core.Retiring`. RuntimeError if they were not made `apart`."""
        if not isinstance(self._emulators, Apart | Coloured):
            raise RuntimeError("these emulators are one vector, and step together")
        self._last = self._last & ~which
        self._emulators.retire(which)

    def close(self) -> None:
        self._emulators.close()

    @property
    def obs(self) -> Array:
        """What is seen now."""
        return self._obs

    def save(self) -> State:
        """The seeds and the actions since, and a hash of the frames to check the replay against."""
        return {
            "seed": self._seed,
            "life": self._life.copy(),
            "journal": self._journal.save(),
            "sha256": fingerprint(self._obs),
        }

    def load(self, state: State) -> None:
        saved = Saved.of(state)
        self.replay(saved)
        if self._seed is not None:
            check_frames(self.spec.id, fingerprint(self._obs), saved.text("sha256"))

    def replay(self, state: State) -> None:
        """Every environment's journal: all end together, and a shorter one starts late. Thousands of steps a second."""
        saved = Saved.of(state)
        check_num_envs(saved, "life", self.spec.num_envs)
        self._life = saved.like("life", self._life, 0, MAX_COUNT)
        self._seed = seed_of(saved, begun=self._seed is not None)
        if self._seed is None:
            return
        self._journal.load(saved.part("journal"))
        actions, lengths = self._journal.aligned().astype(np.int64), self._journal.lengths
        everywhere = np.ones(self.spec.num_envs, dtype=bool)
        self._emulators.reset(np.full(self.spec.num_envs, -1), everywhere)  # seedless, quick: these only idle
        self._begin(lengths == len(actions))
        for left, action in zip(range(len(actions) - 1, -1, -1), actions, strict=True):
            self._advance(action)
            starting = lengths == left
            if starting.any():
                self._begin(starting)

    def _begin(self, which: Array) -> None:
        """Reset those of `which`, [N] bool, with the seeds of their lives. The others are left untouched."""
        assert self._seed is not None
        chosen = np.flatnonzero(which).tolist()
        seeds = [derive(self._seed, self._first_index + index, int(self._life[index])) for index in chosen]
        self._obs, self._lives = self._emulators.reset(np.array(seeds, dtype=np.int64), which)
        self._last = self._last & ~which

    def _advance(self, action: Array) -> tuple[Array, Array]:
        self._obs, reward, terminated, truncated, self._lives = self._emulators.step(action)
        self._last = terminated | truncated
        return reward, terminated


def check_frames(game: str, replayed: str, saved: str) -> None:
    """Two fingerprints. CheckpointError if they differ."""
    if replayed != saved:
        raise CheckpointError(f"{game}: the replay did not reproduce the saved frames; is ale-py another version?")


def describe(settings: AtariConfig, num_envs: int) -> EnvSpec:
    """The spec alone. Loads the ROM once, which takes about 0.1 s."""
    return _spec(settings, num_envs, action_names(open_rom(settings.id), settings.full_action_space))


def max_steps(settings: AtariConfig) -> int:
    """The time limit in agent steps."""
    return settings.max_episode_steps or max(1, MAX_FRAMES // settings.frame_skip)


def open_rom(game_id: str) -> ALEInterface:
    """One emulator with the game loaded, silent but for errors."""
    path = roms.rom_path(game_id)
    ALEInterface.setLoggerMode(LoggerMode.Error)
    ale = ALEInterface()
    ale.loadROM(path)
    return ale


def action_names(ale: ALEInterface, full: bool) -> tuple[str, ...]:
    """All 18 moves of the joystick, or those that the game answers to."""
    return tuple(action.name for action in (ale.getLegalActionSet() if full else ale.getMinimalActionSet()))


def _spec(settings: AtariConfig, num_envs: int, names: tuple[str, ...]) -> EnvSpec:
    return EnvSpec(
        id=settings.id,
        obs_shape=(settings.frame_stack, settings.screen_size, settings.screen_size),
        obs_dtype="uint8",
        frame_stack=settings.frame_stack,
        actions=Discrete(len(names), names),
        num_envs=num_envs,
        frames_per_step=settings.frame_skip,
        max_episode_steps=max_steps(settings),
        reward_threshold=None,
        scaled=normalized.scales(settings.wrappers),
        planes=() if settings.color == "grey" else tuple(map(tuple, planes(settings.color).tolist())),
    )
