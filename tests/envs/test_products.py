"""Several choices as one: every combination is an action, masks are of combinations, and a policy gives the choices."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from rltrain.core import Array, EnvSpec, Reopening, RowByRow, Scoring, State, Step
from rltrain.envs.products import Products, mask_of_combinations, of_choices
from rltrain.spaces import Discrete, MultiDiscrete, combinations, nth_possible
from rltrain.steps import Parted, joined

CHOICES = MultiDiscrete((2, 3))
MASK = np.array([[1, 0, 1, 1, 0], [1, 1, 1, 1, 1], [0, 1, 0, 0, 0]], np.bool_)  # of the last one's second: nothing


class Echo:
    """Its observation is the action that it was given."""

    def __init__(self, num_envs: int = 3, masked: bool = True) -> None:
        self.spec = EnvSpec("Echo", (2,), "float32", 1, CHOICES, num_envs, 1, None, None, masked=masked)
        self.at = 0

    def reset(self, seed: int) -> Step:
        return self.step(np.zeros((self.spec.num_envs, 2), np.int64))

    def step(self, action: Array) -> Step:
        assert self.spec.actions.fault(action, self.spec.num_envs) is None
        n, self.at = self.spec.num_envs, self.at + 1
        nothing = np.zeros(n, np.bool_)
        mask = MASK[:n] if self.spec.masked else None
        return Step(action.astype(np.float32), np.zeros(n, np.float32), np.ones(n, np.float32), nothing, nothing, mask)

    def save(self) -> State:
        return {"at": self.at}

    def load(self, state: State) -> None:
        self.at = state["at"]

    def close(self) -> None:
        self.at = -1


class Pair(Echo):
    """Two parts of one environment each."""

    def __init__(self) -> None:
        super().__init__(2)
        self.parts = (Echo(1), Echo(1))


class Forgetful(Echo):
    """An environment that may not repeat itself."""

    reopens = False

    def go_on_from(self, step: Step) -> Step:
        last = np.ones(self.spec.num_envs, np.bool_)
        return step._replace(last=last, mask=MASK) if self.reopens else step


class Numbers:
    """A policy over combinations: always these."""

    def __init__(self, action: list[int]) -> None:
        self.action = np.array(action)

    def act(self, obs: Array, mask: Array | None = None) -> Array:
        return self.action if mask is None else nth_possible(mask, np.zeros(len(mask)))


class Valued(Numbers):
    score_name, row_block = "Q", 8

    def scores(self, obs: Array, mask: Array | None = None) -> Array:
        return np.arange(6.0)[None] if mask is None else np.where(mask, np.arange(6.0), np.nan)


def test_a_combination_is_an_action_that_is_named_and_given_as_choices() -> None:
    env = Products(Echo(), CHOICES)
    assert env.spec.actions == Discrete(6, ("0,0", "0,1", "0,2", "1,0", "1,1", "1,2"))
    env.reset(0)
    np.testing.assert_array_equal(env.step(np.array([0, 2, 4])).obs, [[0, 0], [0, 2], [1, 1]])
    other = Products(Echo(), CHOICES)
    other.load(env.save())
    assert other.save() == {"at": 2}


def test_a_combination_is_possible_where_all_its_choices_are() -> None:
    found = mask_of_combinations(MASK, CHOICES)
    np.testing.assert_array_equal(found[0], [True, True, False, False, False, False])
    assert found[1].all()
    np.testing.assert_array_equal(found[2], [False, False, False, True, True, True])
    rng = np.random.default_rng(0)
    for number, mask in enumerate(MASK):
        drawn = {tuple(row) for row in CHOICES.sample(rng, 300, np.tile(mask, (300, 1))).tolist()}
        assert drawn == {tuple(row) for row in combinations(CHOICES)[found[number]].tolist()}
    np.testing.assert_array_equal(Products(Echo(), CHOICES).reset(0).mask, found)
    assert Products(Echo(masked=False), CHOICES).reset(0).mask is None


def test_parts_are_played_apart_as_combinations_too() -> None:
    env = Products(Pair(), CHOICES)
    assert isinstance(env, Parted) and [part.spec.num_actions for part in env.parts] == [6, 6]
    steps = joined([part.reset(0) for part in env.parts])
    assert steps.mask is not None and steps.mask.shape == (2, 6)
    alone = Products(Echo(), CHOICES)
    assert alone.parts == (alone,)


def test_what_is_left_behind_after_a_load_is_told_in_combinations() -> None:
    env, within = Products(Forgetful(), CHOICES), Forgetful()
    assert isinstance(env, Reopening)
    step = env.reset(0)
    assert env.go_on_from(step) is not None
    np.testing.assert_array_equal(env.go_on_from(step).mask, step.mask)
    within.reopens = True
    opened = Products(within, CHOICES).go_on_from(step)
    assert opened.last.all()
    np.testing.assert_array_equal(opened.mask, mask_of_combinations(MASK, CHOICES))
    plain = Products(Echo(), CHOICES)
    assert plain.go_on_from(step) is step


@pytest.mark.parametrize(("kind", "scoring", "block"), [(Numbers, False, None), (Valued, True, 8)])
def test_a_policy_gives_choices_and_stays_what_it_was(kind: Any, scoring: bool, block: int | None) -> None:
    policy = of_choices(kind([5, 0, 3]), CHOICES)
    obs = np.zeros((3, 2), np.float32)
    np.testing.assert_array_equal(policy.act(obs), [[1, 2], [0, 0], [1, 0]])
    np.testing.assert_array_equal(policy.act(obs, MASK), [[0, 0], [0, 0], [1, 0]])
    assert isinstance(policy, Scoring) is scoring
    assert isinstance(policy, RowByRow) and (policy.row_block == block if block else policy.row_block > 10**6)
    if isinstance(policy, Scoring):
        assert policy.score_name == "Q" and policy.scores(obs).shape == (1, 6)
        np.testing.assert_array_equal(np.isfinite(policy.scores(obs, MASK)), mask_of_combinations(MASK, CHOICES))


def test_the_spec_within_stays() -> None:
    env = Echo()
    Products(env, CHOICES)
    assert env.spec == replace(env.spec, actions=CHOICES)
