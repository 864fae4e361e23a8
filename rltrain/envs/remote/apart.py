"""Environments of a crew that decides by itself, by copies of the learner's network: Ape-X.

    players   play on and on, each at its own pace, and send what they played, some steps a message
    learner   takes what has arrived, in steps of all environments side by side, and never waits for more

Source: Horgan et al. 2018, "Distributed prioritized experience replay". Which weights a step is played with depends on
time, so nothing here repeats itself, and a `load` begins new episodes.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from rltrain.core import Array, EnvOptions, EnvSpec, State, Step
from rltrain.envs.remote import division
from rltrain.envs.remote.crew import Crew
from rltrain.envs.remote.lanes import Lanes, Told
from rltrain.envs.remote.player import Make
from rltrain.experiment.settings import EnvironmentConfig
from rltrain.saved import Saved, seed_of
from rltrain.steps import by_column

if TYPE_CHECKING:
    from rltrain.deep.actor import Played
    from rltrain.deep.networks import NetworkShape

MANY = 1 << 20  # losses of a player in one session, more than there are: each begins episodes of seeds of their own
_keys = itertools.count()  # of what players hold for this process


class Asynchronous:
    """It is `deep.actor.PlayedApart` and `core.Reopening`; nobody may `step` it."""

    def __init__(self, settings: EnvironmentConfig, options: EnvOptions, crew: Crew, refresh: int) -> None:
        """They are such as their kind can divide. Errors as those of the kind's `make`, which players raise.

        `refresh`: updates between two times that the players are sent the weights.
        """
        from rltrain.deep.roaming import ladder

        self.refresh, self.epsilon = refresh, ladder(options.num_envs)
        key = f"apart {next(_keys)}"
        own = options._replace(threads=1, repeats=False)
        self._lanes = [
            Lanes(
                crew,
                number,
                key,
                Make(settings, own._replace(num_envs=len(part), first_index=part.start)),
                self.epsilon[part.start : part.stop],
            )
            for number, part in enumerate(division.shares(options.num_envs, crew.size))
        ]
        for lanes in self._lanes:
            lanes.make()
        made = [lanes.made() for lanes in self._lanes]
        self.spec: EnvSpec = replace(made[0], num_envs=options.num_envs)
        self._seed: int | None = None
        self._opened = 0  # how often a run began new episodes
        self._told: Told | None = None

    def reset(self, seed: int) -> Step:
        self._seed, self._opened = seed, 0
        begun = self._begin()
        for lanes, step in zip(self._lanes, begun, strict=True):
            lanes.now = step
        return self._whole(by_column(np.concatenate, begun))

    def step(self, action: Array) -> Step:
        """RuntimeError: the players decide."""
        raise RuntimeError("these environments are played apart: take what has arrived")

    def close(self) -> None:
        for lanes in self._lanes:
            lanes.close()

    # Playing

    def show(self, shape: NetworkShape, weights: Mapping[str, Array]) -> None:
        """See `PlayedApart`. Weights that are those of before are not sent again."""
        before = self._told
        if before is None or any(not np.array_equal(weights[name], each) for name, each in before.weights.items()):
            self._told = Told(0 if before is None else before.version + 1, shape, weights)

    def arrived(self, least: int) -> int:
        """See `PlayedApart`. RuntimeError before a network was shown."""
        if self._told is None:
            raise RuntimeError("players have no network yet")
        for lanes in self._lanes:
            lanes.collect(self._told)
        while (fewest := min(self._lanes, key=lambda lanes: len(lanes.held))) and len(fewest.held) < least:
            fewest.collect(self._told, wait=True)
        return len(fewest.held)

    def take(self) -> Played:
        """See `PlayedApart`."""
        from rltrain.deep.actor import Played

        seen, rows = zip(*(lanes.take() for lanes in self._lanes), strict=True)
        action = np.concatenate([row.action for row in rows])
        return Played(by_column(np.concatenate, seen), action, by_column(np.concatenate, [row.step for row in rows]))

    # Remembering

    def save(self) -> State:
        """What was taken is the learner's; what was not is played anew by whoever loads this."""
        return {"seed": self._seed, "opened": self._opened}

    def load(self, state: State) -> None:
        """Of other environments, from which a run is forked, the seed is all that is read."""
        saved = Saved.of(state)
        self._seed = seed_of(saved, begun=self._seed is not None)
        self._opened = 1 + (saved.integer("opened") if "opened" in saved else 0)

    def go_on_from(self, step: Step) -> Step:
        """See `core.Reopening`."""
        newest = step._replace(obs=step.obs[:, -1:]) if self.spec.frame_stack > 1 else step
        for lanes, begun in zip(self._lanes, self._begin(), strict=True):
            lanes.held.clear()
            lanes.now = by_column(partial(_rows, lanes.rows), [newest])
            lanes.go_on(begun)
        return self._whole(by_column(np.concatenate, [lanes.now for lanes in self._lanes]))

    def _begin(self) -> list[Step]:
        assert self._seed is not None
        for lanes in self._lanes:
            lanes.begin(self._seed, self._opened * MANY)
        return [lanes.begun() for lanes in self._lanes]

    def _whole(self, step: Step) -> Step:
        """Of stacks of frames all are the newest: no other counts, for the next step opens an episode or was sent."""
        stack = self.spec.frame_stack
        return step._replace(obs=np.repeat(step.obs, stack, axis=1)) if stack > 1 else step


def _rows(rows: slice, column: Sequence[Array]) -> Array:
    """Those of some environments, of the only one of some columns [N, ...]."""
    return column[0][rows]
