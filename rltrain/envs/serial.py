"""N single games stepped in turn, each episode from a seed of its own.

That seed and the actions since are the whole state of a game, so `load` plays the running episode again. It holds for
every game whose course is a function of seed and actions; one that is not is noticed, by a hash of the observations.
Of games that are known not to repeat themselves no actions are kept, and `load` leaves the running episodes behind.
So that no replay takes for ever an episode may be cut off after some steps, as by a time limit.
A learner that keeps a table takes its steps one by one: `Solo` is one such game in plain numbers.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import numpy as np

from rltrain.core import Array, EnvSpec, State, Step
from rltrain.envs.journal import Journal, fingerprint
from rltrain.errors import DivergedError, NotReplayedError
from rltrain.rng import derive, derive_run
from rltrain.saved import MAX_COUNT, Saved, check_num_envs, seed_of

AHEAD = 128  # episodes whose seeds are derived at once


class SeededGame(Protocol):
    """One game. A seeded reset forgets all that went before."""

    @property
    def mask(self) -> Array | None: ...  # [mask_width] bool, what can be done now; asked where `spec.masked`

    def reset(self, seed: int) -> Array: ...  # obs [*obs]
    def step(
        self, action: Any
    ) -> tuple[Array, float, float, bool]: ...  # int, or [*action] -> obs, reward, discount, last
    def close(self) -> None: ...


class Serial:
    """An `Env` made of single games. After a `last`, the next step resets that game and ignores its action."""

    def __init__(
        self,
        spec: EnvSpec,
        games: Sequence[SeededGame],
        longest: int | None = None,
        repeats: bool = True,
        first_index: int = 0,
    ) -> None:
        """`longest`: steps after which an episode is cut off, if it can be played again; None: never.

        `first_index`: the number of the first game, where these are a part of more.
        """
        self.spec = spec
        self._games, self._longest, self._first_index = games, longest or math.inf, first_index
        self._seed: int | None = None
        self._episode = np.zeros(spec.num_envs, dtype=np.int64)
        self._journal = Journal(spec.num_envs, spec.actions, kept=repeats)
        # What follows is a function of what stands above: `load` rebuilds it by replay.
        self._obs = np.zeros((spec.num_envs, *spec.obs_shape), dtype=spec.obs_dtype)
        self._last = np.zeros(spec.num_envs, dtype=bool)
        self._mask = np.ones((spec.num_envs, spec.actions.mask_width), dtype=bool) if spec.masked else None
        self._playing = np.ones(spec.num_envs, dtype=bool)  # not retired

    def reset(self, seed: int) -> Step:
        self._seed = seed
        self._episode[:] = 0
        everywhere = np.ones(self.spec.num_envs, dtype=bool)
        self._journal.clear(everywhere)
        self._last = ~everywhere  # a game that was over when the reset came opens no second one
        self._obs = np.zeros_like(self._obs)
        for index in range(self.spec.num_envs):
            self._open(index)
        self._check_obs(None)
        zeros = np.zeros(self.spec.num_envs, dtype=np.float32)
        return Step(self._obs, zeros, zeros + 1, everywhere, self._last, self._masks())

    def step(self, action: Array) -> Step:
        """Play one step, action [N, *action]. DivergedError if an observation or a reward is not finite."""
        if self._seed is None:
            raise RuntimeError("step before reset")
        action = np.ascontiguousarray(action, dtype=self.spec.actions.dtype)
        self._journal.add(action)
        first, self._last = self._last, np.zeros(self.spec.num_envs, dtype=bool)
        self._episode += first
        self._journal.clear(first)
        self._obs = self._obs.copy()  # a new array: what was handed out is never overwritten
        reward = np.zeros(self.spec.num_envs, dtype=np.float32)
        discount = np.ones(self.spec.num_envs, dtype=np.float32)
        for index, move in enumerate(_moves(action)):
            if not self._playing[index]:
                continue
            if first[index]:
                self._open(index)
            else:
                self._obs[index], reward[index], discount[index], self._last[index] = self._games[index].step(move)
        if self._journal.kept:
            self._last |= self._playing & (self._journal.lengths >= self._longest)
        self._check_finite("the reward", reward, action)
        self._check_obs(action)
        return Step(self._obs, reward, discount, first, self._last, self._masks())

    def retire(self, which: Array) -> None:
        """See `core.Retiring`. There is no way back: a `reset` finds their games closed."""
        for index in np.flatnonzero(which & self._playing).tolist():
            self._games[index].close()
        self._playing &= ~which
        self._last = self._last & ~which

    def close(self) -> None:
        self.retire(self._playing)

    @property
    def obs(self) -> Array:
        """What is seen now."""
        return self._obs

    def save(self) -> State:
        return {
            "seed": self._seed,
            "episode": self._episode.copy(),
            "journal": self._journal.save(),
            "sha256": fingerprint(self._obs),
        }

    def load(self, state: State) -> None:
        saved = Saved.of(state)
        fingerprint_then = saved.text("sha256")
        self.replay(saved)
        if self._seed is not None and self._journal.kept:
            check_replay(self.spec.id, fingerprint(self._obs), fingerprint_then)

    def replay(self, state: State) -> None:
        """See `envs.remote.player.Replayed`."""
        saved = Saved.of(state)
        check_num_envs(saved, "episode", self.spec.num_envs)
        self._episode = saved.like("episode", self._episode, 0, MAX_COUNT)
        self._seed = seed_of(saved, begun=self._seed is not None)
        journal = saved.part("journal")
        self._journal.kept = journal.given("actions")
        self._journal.load(journal)
        if self._seed is None:
            return
        self._obs = np.zeros_like(self._obs)
        self._last = np.zeros(self.spec.num_envs, dtype=bool)
        if not self._journal.kept:
            self._leave_behind()
            return
        for index in range(self.spec.num_envs):
            self._replay(index)

    def go_on_from(self, step: Step) -> Step:
        """See `core.Reopening`. Where nothing was played yet the new episode takes the place of the other at once."""
        if self._journal.kept:
            return step
        opened = ~self._last
        obs = step.obs.copy()
        obs[opened] = self._obs[opened]
        return step._replace(obs=obs, first=step.first | opened, last=step.last | self._last, mask=self._masks())

    def _leave_behind(self) -> None:
        """Every running episode is over, but for those of which nothing was played: they are opened as they come."""
        self._last = self._journal.lengths > 0
        for index in np.flatnonzero(~self._last).tolist():
            self._open(index)

    def _replay(self, index: int) -> None:
        """Play an environment's running episode again."""
        self._open(index)
        moves = self._journal.of(index)
        for time, move in enumerate(_moves(moves)):
            if self._last[index]:
                raise NotReplayedError(
                    f"{self.spec.id}: replaying the episode of environment {self._first_index + index} it was over at"
                    f" step {time} of"
                    f" {len(moves)}"
                )
            self._obs[index], _, _, self._last[index] = self._games[index].step(move)
        self._last[index] |= len(moves) >= self._longest

    def _open(self, index: int) -> None:
        """Begin the environment's current episode from its own seed."""
        assert self._seed is not None
        seed = derive(self._seed, self._first_index + index, int(self._episode[index]))
        self._obs[index] = self._games[index].reset(seed)

    def _masks(self) -> Array | None:
        """What can be done now [N, width]; None where nothing is ever masked."""
        if self._mask is None:
            return None
        self._mask = self._mask.copy()
        for index in np.flatnonzero(self._playing).tolist():
            self._mask[index] = True if (own := self._games[index].mask) is None else own
        return self._mask

    def _check_obs(self, action: Array | None) -> None:
        """DivergedError if one of the observations, to which these actions led, holds a number that is not finite."""
        if self.spec.obs_dtype != "uint8":
            self._check_finite("the observation", self._obs, action)
        for part in self.spec.parts:
            if part.dtype != "uint8":
                self._check_finite(f"the observation's {part.name!r}", part.of(self._obs), action)

    def _check_finite(self, what: str, values: Array, action: Array | None, time: int | None = None) -> None:
        """Values [N, ...]; one that is no number would poison every weight that it reaches. `time`: of the episode."""
        finite = np.isfinite(values)
        if not finite.all():
            index = int(np.flatnonzero(~finite.reshape(len(values), -1).all(axis=1))[0])
            time = int(self._journal.lengths[index]) if time is None else time
            when = "at its reset" if time == 0 or action is None else f"at step {time}, to action {action[index]},"
            number = self._first_index + index
            raise DivergedError(
                f"{self.spec.id}: environment {number} gave {when} {what} {values[index]}, not a finite number"
            )


def check_replay(name: str, replayed: str, saved: str) -> None:
    """Two fingerprints of the observations of environments called so. NotReplayedError if they differ."""
    if replayed != saved:
        raise NotReplayedError(
            f"{name}: replaying the episode did not reproduce the saved observations: its version has changed, or its"
            " course is not a function of seed and actions"
        )


def _moves(action: Array) -> Iterable[Any]:
    """Actions one by one: plain numbers, which are quicker, or arrays [*action]."""
    return action.tolist() if action.ndim == 1 else action


class Solo:
    """One game whose observations are the numbers of states, without an array a step. It saves what `Serial` does."""

    def __init__(self, spec: EnvSpec, game: SeededGame, longest: int | None = None, repeats: bool = True) -> None:
        """`longest` and `repeats` are those of `Serial`."""
        self._all = Serial(spec, [game], longest, repeats)
        self._game = game
        self._moves: list[int] = []  # of the running episode: the journal is written when it is saved
        self._longest = self._all._longest
        self._state = self._episode = 0
        self._actions = spec.num_actions
        self._seeds: list[int] = []  # of the episodes that come next, the first of them last

    @property
    def mask(self) -> Array | None:
        """What can be done now, [A] bool; None: everything."""
        return self._game.mask

    def begin(self, seed: int) -> int:
        """The first state of the first episode."""
        self._moves, self._seeds, self._episode = [], [], 0
        self._state = int(self._all.reset(seed).obs[0, 0])
        return self._state

    def play(self, action: int) -> tuple[int, float, bool, bool]:
        """State, reward, whether the task ended there, whether the episode stops.

        ValueError for an action out of range, DivergedError for a reward that is no finite number.
        """
        if not 0 <= action < self._actions:
            raise ValueError(f"expected an action from 0 to {self._actions - 1}, got {action}")
        self._moves.append(action)
        obs, reward, discount, last = self._game.step(action)
        self._state, seen = int(obs[0]), np.float32(reward)
        if not math.isfinite(seen):
            self._all._check_finite("the reward", np.array([seen]), np.array([action]), len(self._moves))
        if len(self._moves) >= self._longest:
            last = self._full(last)
        return self._state, float(seen), discount == 0, last

    def _full(self, last: bool) -> bool:
        """Whether the episode stops: it has come to the longest that is played again, or of it nothing is kept."""
        if self._all._journal.kept:
            return True
        self._moves = []
        return last

    def again(self) -> int:
        """The first state of the next episode."""
        assert self._all._seed is not None
        self._moves = []
        self._episode += 1
        if not self._seeds:
            self._seeds = derive_run(self._all._seed, 0, self._episode, AHEAD)[::-1]
        self._state = int(self._game.reset(self._seeds.pop())[0])
        return self._state

    def close(self) -> None:
        self._game.close()

    @property
    def over(self) -> bool:
        """Whether a `load` has left the running episode behind."""
        return not self._all._journal.kept

    def save(self) -> State:
        journal = Journal(1, self._all.spec.actions, self._all._journal.kept)
        for action in self._moves:
            journal.add(np.array([action]))
        self._all._journal, self._all._episode[0] = journal, self._episode
        self._all._obs = np.full_like(self._all._obs, self._state)
        return self._all.save()

    def load(self, state: State) -> None:
        self._all.load(state)
        self._moves, self._seeds = [] if self.over else self._all._journal.of(0).tolist(), []
        self._state, self._episode = int(self._all._obs[0, 0]), int(self._all._episode[0])
