"""The actions of N environments since each one's last seeded reset: what an environment is replayed from.

What an environment is now is a pure function of its seed and the actions since, if its emulator is deterministic. One
action of some takes a byte, so does each of several choices; numbers take four.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from rltrain.core import Array, State
from rltrain.saved import MAX_COUNT, Saved
from rltrain.spaces import Actions, Continuous, Discrete


class Journal:
    """One growing table of actions [time, environment]; each environment remembers the row at which its life began.

    Where nothing can be replayed from it, it is not `kept`: actions are only checked and counted.
    """

    def __init__(self, num_envs: int, actions: Actions, kept: bool = True) -> None:
        self._actions, self.kept = actions, kept
        self._rows = np.zeros((256, num_envs, *actions.shape), dtype=stored_as(actions))
        self._start = np.zeros(num_envs, dtype=np.int64)
        self._end = 0

    @property
    def lengths(self) -> Array:
        """Actions since each environment's seeded reset, [N] int64."""
        return self._end - self._start

    def add(self, action: Array) -> None:
        """One action each, [N, *action]. ValueError if one is out of range: that hangs ALE, so add before you step."""
        fault = self._actions.fault(action, len(self._start))
        if fault is not None:
            raise ValueError(fault)
        if self.kept:
            if self._end == len(self._rows):
                self._make_room()
            self._rows[self._end] = action
        self._end += 1

    def clear(self, which: Array) -> None:
        """Those of `which`, [N] bool, have just been reset with a seed: their life begins here."""
        self._start[which] = self._end

    def aligned(self) -> Array:
        """The longest journal's actions [T, N, *action]. All end together; rows before one's own start mean nothing."""
        return self._rows[self._start.min() : self._end]

    def of(self, index: int) -> Array:
        """One environment's own actions [T, *action], oldest first."""
        return self._rows[self._start[index] : self._end, index]

    def _make_room(self) -> None:
        """Drop the rows that none needs; double the table if that leaves it more than half full."""
        kept = self.aligned()
        capacity = len(self._rows) * (2 if 2 * len(kept) > len(self._rows) else 1)
        rows = np.zeros((capacity, *self._rows.shape[1:]), dtype=self._rows.dtype)
        rows[: len(kept)] = kept
        self._start -= self._end - len(kept)
        self._rows, self._end = rows, len(kept)

    def save(self) -> State:
        own = np.concatenate([self.of(i) for i in range(len(self._start))]) if self.kept else None
        return {"lengths": self.lengths, "actions": own}

    def load(self, state: State) -> None:
        saved = Saved.of(state)
        num_envs, *shape = self._rows.shape[1:]
        if not self.kept:
            lengths = saved.array("lengths", "int64", (num_envs,), 0, MAX_COUNT)
            self._end = int(lengths.max())
            self._start = self._end - lengths
            return
        highest = self._actions.n - 1 if isinstance(self._actions, Discrete) else None
        actions = saved.array("actions", self._rows.dtype, (None, *shape), None if highest is None else 0, highest)
        fault = self._actions.fault(actions, len(actions)) if len(actions) else None
        if fault is not None:
            saved.refuse("actions", fault)
        lengths = saved.array("lengths", "int64", (num_envs,), 0, len(actions))
        if lengths.sum() != len(actions):
            saved.refuse("lengths", f"sum to {lengths.sum()}; there are {len(actions)} actions")
        self._end = int(lengths.max())
        self._start = self._end - lengths
        self._rows = np.zeros((max(256, self._end), num_envs, *shape), dtype=self._rows.dtype)
        ends = np.cumsum(lengths)
        for index, (end, length) in enumerate(zip(ends, lengths, strict=True)):
            self._rows[self._end - length : self._end, index] = actions[end - length : end]


def stored_as(actions: Actions) -> np.dtype[Any]:
    """The smallest dtype that holds every action of a space."""
    if isinstance(actions, Continuous):
        return np.dtype(np.float32)
    return np.min_scalar_type(actions.n - 1 if isinstance(actions, Discrete) else max(actions.sizes) - 1)


def fingerprint(obs: Array) -> str:
    """A hash of observations, against which a replay is checked."""
    return hashlib.sha256(np.ascontiguousarray(obs).tobytes()).hexdigest()
