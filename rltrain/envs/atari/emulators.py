"""Emulators of one game side by side, as `Atari` drives them: together in one `AtariVectorEnv`, or each in its own.

One vector is the quicker while all of it is played, by a tenth, and every step of it moves every game: ale-py 0.12 has
no call that leaves some out (in its asynchronous mode `send` goes to those that `recv` named last, in whichever order
they ended). Vectors of one game each can be closed one by one. Both play the same games to the bit: all that an
emulator draws follows from its own seed.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from ale_py.vector_env import AtariVectorEnv

from rltrain import side_by_side
from rltrain.core import Array


class Advance(NamedTuple):
    """What emulators say after a step, [N] each but for obs [N, *obs]."""

    obs: Array
    reward: Array
    terminated: Array
    truncated: Array
    lives: Array


class Emulators(Protocol):
    """N emulators."""

    @property
    def names(self) -> tuple[str, ...]: ...  # of the actions that they take

    def reset(self, seeds: Array, which: Array) -> tuple[Array, Array]:
        """Of those of `which`, [N] bool, with a seed each; the others are left as they are. All obs and lives."""
        ...

    def step(self, action: Array) -> Advance: ...
    def close(self) -> None: ...


class Together:
    """All in one vector."""

    def __init__(self, make: Callable[[int, int], AtariVectorEnv], num_envs: int, threads: int) -> None:
        self._all = make(num_envs, max(1, min(threads, num_envs)))
        self.names = _names(self._all)

    def reset(self, seeds: Array, which: Array) -> tuple[Array, Array]:
        obs, info = self._all.reset(seed=seeds, options={"reset_mask": which})
        return obs, info["lives"]

    def step(self, action: Array) -> Advance:
        obs, reward, terminated, truncated, info = self._all.step(action)
        return Advance(obs, reward, terminated, truncated, info["lives"])

    def close(self) -> None:
        self._all.close()


class Apart:
    """Each in a vector of its own, so that those whose games are played can be closed. Their rows stay as they were."""

    def __init__(self, make: Callable[[int, int], AtariVectorEnv], num_envs: int, threads: int) -> None:
        self._each = [make(1, 1) for _ in range(num_envs)]
        self.names = _names(self._each[0])
        self._threads = max(1, min(threads, num_envs))
        # Each has a thread, so what limits the cores is how many are sent on at a time: one more than may run, as the
        # next would wait for Python. Where all cores may be used, the system's scheduler does it better.
        self._at_once = num_envs if threads >= len(os.sched_getaffinity(0)) else self._threads + 1
        self._open = np.ones(num_envs, dtype=bool)
        self._now: Advance

    def reset(self, seeds: Array, which: Array) -> tuple[Array, Array]:
        chosen = np.flatnonzero(which)

        def begin(number: int) -> tuple[Array, dict[str, Array]]:
            found: tuple[Array, dict[str, Array]] = self._each[chosen[number]].reset(seed=seeds[number : number + 1])
            return found

        # A seeded reset takes 0.1 s, and frees Python's lock.
        said = side_by_side.each(begin, range(len(chosen)), self._threads)
        if which.all():
            nothing = np.zeros(len(which), dtype=bool)
            obs, lives = (np.concatenate(rows) for rows in ([obs for obs, _ in said], [i["lives"] for _, i in said]))
            self._now = Advance(obs, np.zeros(len(which), np.int32), nothing, nothing, lives)
        else:
            obs, lives = self._now.obs.copy(), self._now.lives.copy()
            for index, (seen, info) in zip(chosen, said, strict=True):
                obs[index], lives[index] = seen[0], info["lives"][0]
            self._now = self._now._replace(obs=obs, lives=lives)
        return self._now.obs, self._now.lives

    def step(self, action: Array) -> Advance:
        playing = np.flatnonzero(self._open)
        said: list[Any] = []
        for number, index in enumerate(playing):
            if number >= self._at_once:
                said.append(self._each[playing[number - self._at_once]].recv())
            self._each[index].send(action[index : index + 1])
        said += [self._each[index].recv() for index in playing[len(said) :]]
        self._now = self._with(playing.tolist(), said)
        return self._now

    def _with(self, playing: Sequence[int], said: Sequence[Any]) -> Advance:
        """What stands now, in fresh arrays: what those that play have said, and of closed ones the last picture."""
        if len(playing) == len(self._each):
            obs, reward, terminated, truncated, info = zip(*said, strict=True)
            columns = (obs, reward, terminated, truncated, [one["lives"] for one in info])
            return Advance(*(np.concatenate(rows) for rows in columns))
        now = Advance(*(np.zeros_like(column) for column in self._now))
        now.obs[:], now.lives[:] = self._now.obs, self._now.lives
        for index, (obs, reward, terminated, truncated, info) in zip(playing, said, strict=True):
            for column, row in zip(now, (obs, reward, terminated, truncated, info["lives"]), strict=True):
                column[index] = row[0]
        return now

    def retire(self, which: Array) -> None:
        """Close these, [N] bool."""
        for index in np.flatnonzero(which & self._open):
            self._each[index].close()
        self._open &= ~which

    def close(self) -> None:
        self.retire(self._open)


def _names(emulators: AtariVectorEnv) -> tuple[str, ...]:
    return tuple(action.name for action in emulators.ale.get_action_set())
