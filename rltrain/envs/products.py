"""Several choices at once as one choice among all their combinations, for an algorithm that knows no other.

The environment is seen with as many actions as there are combinations, named "0,1", the last choice changing fastest;
one is possible where each of its choices is. What is learned is translated back: a policy gives the choices [N, K].
Learners of tables, to whom states are numbers, are given numbers for actions too: `ProductGame`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from rltrain.computation import Above, Columns, Computation, Dense, Joined, Lookup, Possible, Seen
from rltrain.core import AlgorithmPlugin, Array, Env, EnvSpec, Policy, Reopening, RowByRow, Scoring, State, Step
from rltrain.envs.serial import SeededGame
from rltrain.policies.asking import chosen, thought
from rltrain.spaces import MOST_PRODUCTS, Discrete, MultiDiscrete, combinations
from rltrain.steps import Parted

ALL_AT_ONCE = 1 << 30  # the `row_block` of a policy that does not go row by row: no batch is cut into such blocks


def combined(plugin: AlgorithmPlugin, spec: EnvSpec) -> MultiDiscrete | None:
    """The choices whose combinations the algorithm takes as single actions; None if it does not."""
    space = spec.actions
    if not isinstance(space, MultiDiscrete) or space.products > MOST_PRODUCTS or plugin.task != "env":
        return None
    return space if "discrete" in plugin.actions and space.form not in plugin.actions else None


def as_one_choice(spec: EnvSpec, space: MultiDiscrete) -> EnvSpec:
    """The spec with a single action for every combination of the choices."""
    return replace(spec, actions=Discrete(space.products, combined_names(space)))


def combined_names(space: MultiDiscrete) -> tuple[str, ...]:
    """What each combination of the choices is called: "0,1"."""
    return tuple(",".join(map(str, choices)) for choices in combinations(space).tolist())


def mask_of_combinations(mask: Array, space: MultiDiscrete) -> Array:
    """Which combinations are possible [N, products], of the choices' masks side by side [N, sum of sizes].

    A choice of which everything is masked is taken as one of which nothing is, as in `spaces.nth_possible`.
    """
    found = np.ones((len(mask), space.products), np.bool_)
    for choice, columns in zip(combinations(space).T, space.columns, strict=True):
        own = mask[:, columns]
        found &= (own | ~own.any(axis=1, keepdims=True))[:, choice]
    return found


class Products:
    """An `Env` whose single action stands for several choices of the environment within."""

    def __init__(self, env: Env, space: MultiDiscrete) -> None:
        self._env, self._space, self._combinations = env, space, combinations(space)
        self.spec = as_one_choice(env.spec, space)
        # Where those within are not `steps.Parted`, this is the only part.
        self.parts: tuple[Env, ...] = (self,)
        if isinstance(env, Parted):
            self.parts = tuple(Products(part, space) for part in env.parts)

    def reset(self, seed: int) -> Step:
        return self._seen(self._env.reset(seed))

    def step(self, action: Array) -> Step:
        return self._seen(self._env.step(self._combinations[action]))

    def go_on_from(self, step: Step) -> Step:
        """See `core.Reopening`; others go on from the step as it is."""
        if not isinstance(self._env, Reopening):
            return step
        found = self._env.go_on_from(step._replace(mask=None))
        return found._replace(mask=step.mask) if found.mask is None else self._seen(found)

    def close(self) -> None:
        self._env.close()

    def save(self) -> State:
        return self._env.save()

    def load(self, state: State) -> None:
        self._env.load(state)

    def _seen(self, step: Step) -> Step:
        return step if step.mask is None else step._replace(mask=mask_of_combinations(step.mask, self._space))


class ProductGame:
    """One game, as `Serial` wants it, whose single action stands for several choices of the game within."""

    def __init__(self, game: SeededGame, space: MultiDiscrete) -> None:
        self._game, self._space, self._combinations = game, space, combinations(space)
        self.reset, self.close = game.reset, game.close

    @property
    def mask(self) -> Array | None:
        """Which combinations are possible now, [products] bool; None: all."""
        own = self._game.mask
        return None if own is None else mask_of_combinations(own[None], self._space)[0]

    def step(self, action: Any) -> tuple[Array, float, float, bool]:
        return self._game.step(self._combinations[action])


def of_choices(policy: Policy, space: MultiDiscrete) -> Policy:
    """A policy over combinations as one whose actions are the choices [N, K], with the scores that it may have."""
    return ScoredChoices(policy, space) if isinstance(policy, Scoring) else Choices(policy, space)


class Choices:
    """See `of_choices`. It is `core.RowByRow`."""

    def __init__(self, policy: Policy, space: MultiDiscrete) -> None:
        self._policy, self._space, self._combinations = policy, space, combinations(space)
        self.row_block = policy.row_block if isinstance(policy, RowByRow) else ALL_AT_ONCE

    def act(self, obs: Array, mask: Array | None = None) -> Array:
        able = None if mask is None else mask_of_combinations(mask, self._space)
        return self._combinations[chosen(self._policy, obs, able)]


class ScoredChoices:
    """See `of_choices`. It is `core.RowByRow` and `core.Scoring`, of combinations: scores are [N, products]."""

    def __init__(self, policy: Scoring, space: MultiDiscrete) -> None:
        self._policy, self._space, self._choices = policy, space, Choices(policy, space)
        self.score_name, self.row_block = policy.score_name, self._choices.row_block

    def act(self, obs: Array, mask: Array | None = None) -> Array:
        return self._choices.act(obs, mask)

    def scores(self, obs: Array, mask: Array | None = None) -> Array:
        return thought(self._policy, obs, None if mask is None else mask_of_combinations(mask, self._space))


def seen_as_one_choice(seen: Seen, space: MultiDiscrete) -> Seen:
    """What a policy over combinations sees: see `mask_of_combinations`."""
    if seen.mask is None:
        return seen
    each = tuple(Possible(Columns(seen.mask, own.start, own.stop)) for own in space.columns)
    has = np.concatenate(
        [np.arange(size)[:, None] == chosen for size, chosen in zip(space.sizes, combinations(space).T, strict=True)]
    )  # [sum of sizes, products]
    able = Above(Dense(Joined(each), has.astype(np.float64), np.zeros(space.products)), len(space.sizes) - 0.5)
    return replace(seen, mask=able)


def computation_of_choices(computation: Computation, space: MultiDiscrete) -> Computation:
    """What is computed over combinations, with the choices [N, K] as its action."""
    return replace(computation, action=Lookup(computation.action, combinations(space)))
