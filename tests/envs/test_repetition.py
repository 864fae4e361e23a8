"""Does an environment repeat itself? Environments with randomness of their own are seen, and others are let pass."""

import re
import time
from contextlib import contextmanager
from typing import ClassVar

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

from rltrain import envs, kinds
from rltrain.envs.gym import repetition
from rltrain.errors import EnvironmentFault


class Walk(gymnasium.Env):
    """A walk that is a function of its seed and the actions; episodes of a random length."""

    observation_space = spaces.Box(-np.inf, np.inf, (2,), np.float64)
    action_space = spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.t, self.place = 0, self.np_random.normal()
        return self.seen(), {}

    def step(self, action):
        self.t += 1
        self.place += action + self.np_random.normal()
        return self.seen(), self.place, self.np_random.random() < 0.05, False, {}

    def seen(self):
        return np.array([self.place, self.t])


class GlobalNoise(Walk):
    def seen(self):
        return np.array([np.random.normal(), 0])


class OwnNoise(Walk):
    def __init__(self):
        self.own = np.random.default_rng()

    def seen(self):
        return np.array([self.own.normal(), 0])


class Clock(Walk):
    def seen(self):
        return np.array([time.perf_counter(), 0])


class NoisyReward(Walk):
    def step(self, action):
        obs, _, *rest = super().step(action)
        return obs, np.random.normal(), *rest


class EndsByChance(Walk):
    def step(self, action):
        obs, reward, _, *rest = super().step(action)
        return obs, reward, np.random.random() < 0.1, *rest


class Remembers(Walk):
    """Something of an episode is left in the next one."""

    games = 0

    def reset(self, *, seed=None, options=None):
        self.games += 1
        return super().reset(seed=seed)

    def seen(self):
        return np.array([self.place, self.games])


class Numbered(Walk):
    """Each object is another."""

    objects = 0

    def __init__(self):
        Numbered.objects += 1
        self.number = Numbered.objects

    def seen(self):
        return np.array([self.place, self.number])


class SeedsAll(Walk):
    """It seeds numpy's global generator, so that two objects disturb each other."""

    def reset(self, *, seed=None, options=None):
        np.random.seed(seed % 2**32)
        return super().reset(seed=seed)

    def seen(self):
        return np.array([np.random.normal(), 0])


class OnlyOne(Walk):
    """There can be no second one at a time."""

    open = 0

    def __init__(self):
        if OnlyOne.open:
            raise OSError("the port is in use")
        OnlyOne.open = 1

    def close(self):
        OnlyOne.open = 0


class States(Walk):
    observation_space = spaces.Discrete(1_000)

    def seen(self):
        return round(100 * self.place) % 1_000


class NoisyStates(States):
    def seen(self):
        return int(np.random.randint(1_000))


class MaskedByChance(Walk):
    def reset(self, *, seed=None, options=None):
        return super().reset(seed=seed)[0], {"action_mask": np.ones(2, np.int8)}

    def step(self, action):
        *most, _ = super().step(action)
        return *most, {"action_mask": np.array([1, np.random.random() < 0.5], np.int8)}


class MaskTooLate(Walk):
    def step(self, action):
        *most, _ = super().step(action)
        return *most, {"action_mask": np.ones(2, np.int8)}


class Slow(Walk):
    steps: ClassVar = [0]

    def step(self, action):
        Slow.steps[0] += 1
        time.sleep(0.02)
        return super().step(action)


@contextmanager
def registered(world):
    name = f"{world.__name__}-v0"
    gymnasium.register(name, entry_point=world)
    try:
        yield kinds.typed(name)
    finally:
        del gymnasium.registry[name]


def why(world, task="env"):
    with registered(world) as settings:
        return envs.varies(settings, task)


@pytest.mark.parametrize("world", [Walk, States])
def test_a_function_of_seed_and_actions_repeats_itself(world):
    assert why(world) is None


@pytest.mark.parametrize(
    ("world", "what"),
    [
        (GlobalNoise, "the observation is another .* a second time"),
        (OwnNoise, "the observation is another .* a second time"),
        (Clock, "the observation is another .* a second time"),
        (Remembers, "the observation is another .* a second time"),
        (NoisyReward, "the reward is another .* a second time"),
        (EndsByChance, "the end is another .* a second time"),
        (MaskedByChance, "the mask is another .* a second time"),
        (Numbered, "the observation is another .* in a second object"),
        (SeedsAll, "the observation is another .* in a second object"),
    ],
)
def test_what_is_no_function_of_seed_and_actions_is_seen(world, what):
    assert re.match(what, str(why(world)))


def test_states_that_are_numbered_are_compared_as_a_table_sees_them():
    assert why(States, "tabular") is None
    assert str(why(NoisyStates, "tabular")).startswith("the observation is another")


class Raises(Walk):
    def step(self, action):
        raise RuntimeError("no socket")


def test_a_fault_of_the_environment_is_left_to_those_who_play_it():
    assert why(Raises) is None


def test_an_environment_that_can_be_there_once_is_compared_with_itself_alone():
    OnlyOne.open = 0
    assert why(OnlyOne) is None
    assert OnlyOne.open == 0, "it is closed"


def test_a_mask_that_comes_after_the_reset_is_refused_as_nothing_would_respect_it():
    with pytest.raises(EnvironmentFault, match=r"MaskTooLate-v0: a step gave info\['action_mask'\], and the reset"):
        why(MaskTooLate)


def test_a_slow_environment_is_played_for_a_short_time(monkeypatch):
    monkeypatch.setattr(repetition, "SECONDS", 0.1)
    Slow.steps[0] = 0
    assert why(Slow) is None
    assert 3 <= Slow.steps[0] < repetition.STEPS


def test_what_gymnasium_plays_itself_and_kinds_of_ours_are_known_to_repeat_themselves(monkeypatch):
    def never(*_):
        raise AssertionError("nothing is to be played")

    monkeypatch.setattr(repetition, "why_not", never)
    for name in ("CartPole-v1", "FrozenLake-v1", "Blackjack-v1", "RobotVacuum-v0", "ALE/Pong-v5"):
        assert envs.varies(kinds.typed(name)) is None
