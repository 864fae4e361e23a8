"""Whole games as they end: raw return and length, whatever a learner makes of rewards, lost lives and discounts."""

from __future__ import annotations

from collections import deque

import numpy as np

from rltrain.core import Array, Metrics, State, Step
from rltrain.saved import MAX_COUNT, Saved

WINDOW = 100  # finished games that the metrics speak of


class Episodes:
    """Adds up each environment's running game and remembers the last 100 finished ones."""

    def __init__(self, num_envs: int) -> None:
        self.total = 0  # games finished since the start
        self.returns: deque[float] = deque(maxlen=WINDOW)  # oldest first
        self.lengths: deque[int] = deque(maxlen=WINDOW)  # in agent steps
        self._return = np.zeros(num_envs, dtype=np.float64)
        self._length = np.zeros(num_envs, dtype=np.int64)

    def add(self, step: Step) -> list[float]:
        """Take in one step; the raw returns of the games that it ended. The step to a `first` plays nothing."""
        self._return = np.where(step.first, 0.0, self._return + step.reward)
        self._length = np.where(step.first, 0, self._length + 1)
        ended: list[float] = self._return[step.last].tolist()
        self.total += len(ended)
        self.returns.extend(ended)
        self.lengths.extend(self._length[step.last].tolist())
        return ended

    def add_games(self, reward: Array, last: Array, counted: Array) -> list[float]:
        """Take in whole games at once: raw reward, last and counted [T, N]; what is not counted was not played.

        Their raw returns, in the order in which they ended.
        """
        reward = np.where(counted, reward, 0.0)
        returns, lengths = np.cumsum(reward, axis=0), np.cumsum(counted, axis=0)
        ended = np.argwhere(last & counted)  # rows (t, index), by t
        before: dict[int, tuple[float, int]] = {}
        games = []
        for t, index in ended.tolist():
            total, length = float(returns[t, index]), int(lengths[t, index])
            total_before, length_before = before.get(index, (0.0, 0))
            games.append((total - total_before, length - length_before))
            before[index] = (total, length)
        self.total += len(games)
        self.returns.extend(total for total, _ in games)
        self.lengths.extend(length for _, length in games)
        return [total for total, _ in games]

    def metrics(self) -> Metrics:
        """Over the last 100 games; NaN before the first one ends."""
        returns = self.returns or [np.nan]
        return {
            "episodes": float(self.total),
            "return/mean": float(np.mean(returns)),
            "return/min": float(np.min(returns)),
            "return/max": float(np.max(returns)),
            "return/last": float(returns[-1]),
            "length/mean": float(np.mean(self.lengths or [np.nan])),
        }

    def save(self) -> State:
        return {
            "total": self.total,
            "returns": np.array(self.returns, dtype=np.float64),
            "lengths": np.array(self.lengths, dtype=np.int64),
            "running_return": self._return.copy(),
            "running_length": self._length.copy(),
        }

    def load(self, state: State) -> None:
        saved = Saved.of(state)
        self.total = saved.integer("total")
        window = (min(self.total, WINDOW),)
        self.returns = deque(saved.array("returns", "float64", window).tolist(), maxlen=WINDOW)
        self.lengths = deque(saved.array("lengths", "int64", window, 0, MAX_COUNT).tolist(), maxlen=WINDOW)
        self._return = saved.like("running_return", self._return)
        self._length = saved.like("running_length", self._length, 0, MAX_COUNT)
