"""Robot vacuums side by side: as rltrain plays them (`Vacuum`), over the compiled seconds that all their kinds share.

Lane i plays its episode e from the seed that `Serial` would give it, `derive(seed, i, e)`. So it does what
`gymnasium.make("RobotVacuum-v0")` does from that seed, and does not depend on how many there are.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rltrain.core import Array, EnvSpec, State, Step
from rltrain.envs import vacuum
from rltrain.envs.vacuum import physics, room
from rltrain.envs.vacuum.layouts import VacuumOptions
from rltrain.envs.vacuum.units import CELL, TOTAL, WALL
from rltrain.experiment.settings import EnvironmentConfig
from rltrain.rng import derive
from rltrain.saved import MAX_COUNT, Saved, check_num_envs, seed_of
from rltrain.steps import as_int64


class Robots:
    """N robots in rooms of one kind; who holds it says when an episode begins, and from which seed."""

    def __init__(self, options: VacuumOptions, num_envs: int) -> None:
        self.options, self.room = options, room.build(options)
        cells = len(self.room.floor)
        self.state = physics.RobotState(
            dust=np.zeros((num_envs, cells), np.uint16),
            place=np.zeros((num_envs, 2)),
            heading=np.zeros(num_envs, np.int64),
            age=np.zeros(num_envs, np.int64),
            picked=np.zeros(num_envs, np.int64),
        )
        self._density = np.zeros(cells)  # scratch

    def step(self, action: Array, first: Array, seeds: Sequence[int]) -> tuple[Array, Array]:
        """One second: obs [N, 16] float32 and reward [N] float32. Where first [N] is true, an episode opens instead.

        action [N] int64; ValueError if one is out of range. `seeds` has one for each robot that opens an episode.
        """
        if action.shape != first.shape or action.view(np.uint64).max() > self.options.turns:  # one below 0 is huge
            raise ValueError(f"expected {len(first)} actions from 0 to {self.options.turns}, got {action.tolist()}")
        if seeds:
            stream = np.zeros(len(action), np.uint64)
            stream[first] = np.array(seeds, np.uint64)
            uneven = self.options.dust == "uneven"
            with np.errstate(over="ignore"):  # uint64 wraps around, in plain Python too
                physics.begin(self.room, self.state, first, stream, uneven, self._density)
        reward = np.empty(len(action), np.float32)
        obs = np.empty((len(action), len(vacuum.SENSES)), np.float32)
        physics.drive(self.room, self.state, first, action, reward, obs)
        return obs, reward

    def load(self, saved: Saved) -> None:
        """What `state` was, as saved: a robot outside of its room would read and write beyond its tables."""
        own, room = self.state, self.room
        dust, place = saved.like("dust", own.dust), saved.like("place", own.place)
        rows = len(room.floor) // room.columns
        column, row = place[:, 0], place[:, 1]
        inside = (column >= 0) & (column < room.columns) & (row >= 0) & (row < rows)
        column, row = (np.where(inside, along, 0).astype(np.int64) for along in (column, row))
        cell = row * room.columns + column
        stuck = np.flatnonzero(~(inside & room.free[cell]))
        if len(stuck):
            saved.refuse("place", f"{place[stuck[0]].tolist()} at [{stuck[0]}]; must be where a robot can stand")
        picked = saved.like("picked", own.picked, 0, TOTAL)
        lost = np.flatnonzero(dust.sum(axis=1, dtype=np.int64) + picked != TOTAL)
        if len(lost):
            saved.refuse("dust", f"robot {lost[0]}: with what is picked it must be {TOTAL} mg")
        saved.fill("heading", own.heading, 0, self.options.turns - 1)
        saved.fill("age", own.age, 0, MAX_COUNT)
        own.dust[:], own.place[:], own.picked[:] = dust, place, picked

    def facts(self) -> dict[str, Array]:
        """What the robots do not know, [N] each: grams left, and where they are in metres and degrees."""
        return {
            "dust_left": (TOTAL - self.state.picked) / 1000,
            "x": (self.state.place[:, 0] - WALL) * CELL,
            "y": (self.state.place[:, 1] - WALL) * CELL,
            "heading": self.state.heading * 360.0 / self.options.turns,
        }


class Vacuum:
    """N robots as an `Env`. After a `last`, the next step opens that robot's next episode and ignores its action."""

    def __init__(self, settings: EnvironmentConfig, num_envs: int, first_index: int = 0) -> None:
        """`first_index`: the number of the first robot, where these are a part of more."""
        options = vacuum.options_of(settings)
        self.spec: EnvSpec = vacuum.describe(settings, num_envs)
        self._robots = Robots(options, num_envs)
        self._first_index = first_index
        self._seed: int | None = None
        self._episode = np.zeros(num_envs, np.int64)
        self._last = np.zeros(num_envs, bool)

    def reset(self, seed: int) -> Step:
        self._seed = seed
        self._episode[:] = -1
        self._last = np.ones(self.spec.num_envs, bool)
        return self.step(np.zeros(self.spec.num_envs, np.int64))

    def step(self, action: Array) -> Step:
        """Play one second, action [N] int64. ValueError if one is out of range."""
        if self._seed is None:
            raise RuntimeError("step before reset")
        first = self._last
        seeds = []
        if first.any():
            self._episode += first
            opening = np.flatnonzero(first).tolist()
            seeds = [derive(self._seed, self._first_index + index, int(self._episode[index])) for index in opening]
        obs, reward = self._robots.step(as_int64(action), first, seeds)
        self._last = self._robots.state.age == self.spec.max_episode_steps
        return Step(obs, reward, np.ones(len(first), np.float32), first, self._last)

    def close(self) -> None:
        pass

    def save(self) -> State:
        robots = {name: array.copy() for name, array in self._robots.state._asdict().items()}
        return {"seed": self._seed, "episode": self._episode.copy(), "last": self._last.copy(), "lanes": robots}

    def load(self, state: State) -> None:
        saved = Saved.of(state)
        check_num_envs(saved, "episode", self.spec.num_envs)
        self._seed = seed_of(saved, begun=self._seed is not None)
        self._episode = saved.like("episode", self._episode, 0, MAX_COUNT)
        self._last = saved.like("last", self._last)
        if self._seed is not None:
            self._robots.load(saved.part("lanes"))
