"""Environments of a crew as one `Env`: each player has some of them, and the learner decides for all.

What it says, saves and loads is what the same environments say, save and load in one process. Of stacks of frames the
newest is sent, and put upon the others here.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from rltrain.core import Array, EnvOptions, EnvSpec, State, Step
from rltrain.envs.journal import fingerprint
from rltrain.envs.remote import division
from rltrain.envs.remote.crew import Crew
from rltrain.envs.remote.player import Begin, Call, GoOn, Load, Make, Play, Retire, Save
from rltrain.envs.remote.share import Share
from rltrain.envs.serial import check_replay
from rltrain.experiment.settings import EnvironmentConfig
from rltrain.saved import Saved

_keys = itertools.count()  # of what players hold for this process


class Remote:
    """An `Env` whose environments are played by a crew. It is `core.Retiring` and `core.Reopening`.

    They are such as their kind can divide. Errors of `__init__` as those of the kind's `make`, which players raise.
    """

    def __init__(self, settings: EnvironmentConfig, options: EnvOptions, crew: Crew) -> None:
        key = str(next(_keys))
        self._shares = [
            Share(
                crew, number, key, Make(settings, options._replace(num_envs=len(own), threads=1, first_index=own.start))
            )
            for number, own in enumerate(division.shares(options.num_envs, crew.size))
        ]
        made = self._answers([share.make for share in self._shares])
        self.spec: EnvSpec = replace(made[0].spec, num_envs=options.num_envs)
        self._playing = np.ones(options.num_envs, bool)  # not retired
        self._mask: Array | None = None
        self._look(np.zeros((options.num_envs, *self.spec.obs_shape), dtype=self.spec.obs_dtype))

    def reset(self, seed: int) -> Step:
        return self._seen(self._answers([Begin(seed)] * len(self._shares)))

    def step(self, action: Array) -> Step:
        """Play one step, action [N, *action]. ValueError if one is out of range."""
        fault = self.spec.actions.fault(action, self.spec.num_envs)
        if fault is not None:
            raise ValueError(fault)
        # Copies: they stay in a journal, and whose array it is may write over it.
        calls = [None if share.over else Play(np.array(action[share.rows])) for share in self._shares]
        said = self._answers(calls)
        step = self._seen(
            [
                found if found is not None else self._still(share)
                for share, found in zip(self._shares, said, strict=True)
            ]
        )
        due = [Save() if share.shorten() else None for share in self._shares]
        if any(call is not None for call in due):
            self._answers(due)
        return step

    def retire(self, which: Array) -> None:
        """See `core.Retiring`."""
        self._answers([Retire(which[share.rows]) if which[share.rows].any() else None for share in self._shares])
        self._playing &= ~which

    def close(self) -> None:
        for share in self._shares:
            share.close()

    def save(self) -> State:
        """As one process that held them all would."""
        state = division.merged(self._answers([Save()] * len(self._shares)))
        return state | ({"sha256": fingerprint(self._obs)} if "sha256" in state else {})

    def load(self, state: State) -> None:
        saved = Saved.of(state)
        seen = self._answers([Load(own) for own in division.cut(saved, [share.envs for share in self._shares])])
        self._mask = None
        if seen[0] is not None:
            self._look(np.concatenate(seen))
            if saved.given("seed") and saved.part("journal").given("actions"):
                check_replay(self.spec.id, fingerprint(self._obs), saved.text("sha256"))

    def go_on_from(self, step: Step) -> Step:
        """See `core.Reopening`; others go on from the step as it is."""
        columns = {name: column for name, column in step._asdict().items() if column is not None}
        found = self._answers([GoOn(_rows(columns, share.rows)) for share in self._shares])
        whole = _joined(found)
        self._mask = whole.mask
        return whole._replace(scaled=step.scaled)

    def _answers(self, calls: Sequence[Call | None]) -> list[Any]:
        """What is said to a call of each share, all asked at once; None where there is no call."""
        asked = [(share, call) for share, call in zip(self._shares, calls, strict=True) if call is not None]
        for share, call in asked:
            share.send(call)
        said = {share: share.answer() for share, _ in asked}
        return [said.get(share) for share in self._shares]

    def _seen(self, said: Sequence[Step]) -> Step:
        """The step of all environments, from those of their parts as players send them."""
        step, before, stack = _joined(said), self._obs, self.spec.frame_stack
        if stack > 1:
            step = step._replace(obs=np.concatenate([before[:, 1:], step.obs], axis=1))
            step.obs[step.first, :-1] = 0
        if not self._playing.all():  # those of a share whose environments cannot be closed one by one play on there
            for column, value in ((step.obs, before), (step.mask, self._mask)):
                if column is not None and value is not None:
                    column[~self._playing] = value[~self._playing]
            for column, rest in ((step.reward, 0), (step.discount, 1), (step.first, False), (step.last, False)):
                column[~self._playing] = rest
        self._mask = step.mask
        self._look(step.obs)
        return step

    def _still(self, share: Share) -> Step:
        """What those of a share say of whom all were retired; most of it is written over."""
        nothing, nowhere = np.zeros(len(share.envs), np.float32), np.zeros(len(share.envs), bool)
        obs = self._obs[share.rows, -1:] if self.spec.frame_stack > 1 else self._obs[share.rows]
        mask = None if self._mask is None else self._mask[share.rows]
        return Step(obs, nothing, nothing + 1, nowhere, nowhere, mask)

    def _look(self, obs: Array) -> None:
        """Remember what is seen now [N, *obs]."""
        self._obs = obs
        for share in self._shares:
            share.obs = obs[share.rows]


def _joined(said: Sequence[Step]) -> Step:
    """Steps of parts side by side, in arrays of their own: those that came from elsewhere cannot be written to."""
    obs, reward, discount, first, last = (np.concatenate(column) for column in zip(*(s[:5] for s in said), strict=True))
    masks = [step.mask for step in said if step.mask is not None]
    return Step(obs, reward, discount, first, last, np.concatenate(masks) if masks else None)


def _rows(columns: dict[str, Array], rows: slice) -> Step:
    return Step(**{name: column[rows] for name, column in columns.items()})
