"""Many Atari games in two halves: while a learner decides for one, the emulators play the other.

A half is a vector of its own, which a thread may step apart from the other. The games are those of one vector: each
keeps its number, from which its seeds are drawn, and what is saved is the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from rltrain import side_by_side
from rltrain.core import Array, State, Step
from rltrain.envs.atari.settings import AtariConfig
from rltrain.envs.atari.vector import Atari, check_frames
from rltrain.envs.journal import fingerprint, stored_as
from rltrain.saved import Saved, check_num_envs
from rltrain.steps import joined

LEAST_ENVS = 32  # below, a half keeps too few cores busy


class Halves:
    """An `Env` of an even number of games, whose `parts` are two."""

    def __init__(self, settings: AtariConfig, num_envs: int, threads: int) -> None:
        size = num_envs // 2
        self.parts = tuple(Atari(settings, size, threads, first_index=first) for first in (0, size))
        self.spec = replace(self.parts[0].spec, num_envs=num_envs)
        self._size = size

    def reset(self, seed: int) -> Step:
        return self._both(lambda half, _: half.reset(seed))

    def step(self, action: Array) -> Step:
        return self._both(lambda half, i: half.step(action[i * self._size : (i + 1) * self._size]))

    def _both(self, call: Callable[[Atari, int], Step]) -> Step:
        """What both say, asked at once: emulators free Python's lock."""
        return joined(side_by_side.each(lambda i: call(self.parts[i], i), range(2), 2))

    def close(self) -> None:
        for half in self.parts:
            half.close()

    def save(self) -> State:
        """As one vector of all would."""
        one, other = (half.save() for half in self.parts)
        return {
            "seed": one["seed"],
            "life": np.concatenate([one["life"], other["life"]]),
            "journal": {
                name: np.concatenate([one["journal"][name], other["journal"][name]]) for name in one["journal"]
            },
            "sha256": self._fingerprint(),
        }

    def load(self, state: State) -> None:
        saved, n = Saved.of(state), self._size
        check_num_envs(saved, "life", 2 * n)
        journal = saved.part("journal")
        life = saved.array("life", "int64", (2 * n,))
        actions = journal.array("actions", stored_as(self.spec.actions), (None,))
        lengths = journal.array("lengths", "int64", (2 * n,), 0, len(actions))
        middle = int(lengths[:n].sum())
        journals = (
            {"lengths": lengths[:n], "actions": actions[:middle]},
            {"lengths": lengths[n:], "actions": actions[middle:]},
        )
        for half, own_life, own in zip(self.parts, np.split(life, 2), journals, strict=True):
            half.replay(saved.with_values({"seed": saved["seed"], "life": own_life, "journal": own}))
        if saved.given("seed"):
            check_frames(self.spec.id, self._fingerprint(), saved.text("sha256"))

    def _fingerprint(self) -> str:
        return fingerprint(np.concatenate([half.obs for half in self.parts]))
