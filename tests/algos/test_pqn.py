"""PQN: its returns by hand, what it learns on a probe whose answer is known, and that threads do not matter."""

from typing import Any

import numpy as np
import pytest
import torch

from rltrain.algos.pqn import PQN, PqnConfig, Rollout, load_policy, returns
from rltrain.core import Array, EnvSpec, Hardware, State, Step
from rltrain.rng import Streams
from rltrain.spaces import Discrete


class Bell:
    """A probe: one observation, reward 1 a step, an episode of `length` steps that ends as a task or is cut."""

    def __init__(self, num_envs: int, length: int, ends: bool, image: bool = False) -> None:
        shape, dtype = ((2, 12, 12), "uint8") if image else ((2,), "float32")
        self.spec = EnvSpec("Bell", shape, dtype, 1, Discrete(2, ("a", "b")), num_envs, 1, None, None)
        self._length, self._ends = length, ends
        self._obs = np.ones((num_envs, *shape), dtype)
        self._time = 0

    def reset(self, seed: int) -> Step:
        return self._step(0)

    def step(self, action: Array) -> Step:
        return self._step(self._time + 1)

    def _step(self, time: int) -> Step:
        self._time = time % (self._length + 1)
        n = self.spec.num_envs
        first, last = self._time == 0, self._time == self._length
        reward = np.full(n, 0.0 if first else 1.0, np.float32)
        discount = np.full(n, 0.0 if last and self._ends else 1.0, np.float32)
        return Step(self._obs, reward, discount, np.full(n, first), np.full(n, last))

    def close(self) -> None:
        pass

    def save(self) -> State:
        return {"time": self._time}

    def load(self, state: State) -> None:
        self._time = state["time"]


def make(env: Any, threads: int = 1, **settings: Any) -> PQN:
    return PQN(PqnConfig(**settings), env, Streams(0), Hardware("cpu", threads))


def rollout(discount: list[float], stops: list[bool], value: list[float]) -> Rollout:
    """Of one environment."""
    t = len(discount)
    nothing = np.zeros((t, 1))
    column = [np.array(x)[:, None] for x in (discount, stops, value)]
    return Rollout(nothing, nothing, nothing, column[0], column[1], nothing, column[2])


def test_returns_mix_the_next_value_and_the_next_return() -> None:
    reward = np.array([[1.0], [2.0], [4.0]])
    played = rollout([1, 1, 1], [False] * 3, [9, 10, 20, 30])
    last = 4 + 0.5 * 30
    middle = 2 + 0.5 * (0.75 * 20 + 0.25 * last)
    first = 1 + 0.5 * (0.75 * 10 + 0.25 * middle)
    np.testing.assert_allclose(returns(reward, played, 0.5, 0.25)[:, 0], [first, middle, last])
    np.testing.assert_allclose(returns(reward, played, 0.5, 0.0)[:, 0], [1 + 5, 2 + 10, 4 + 15])


@pytest.mark.parametrize(("discount", "answer"), [(0.0, 2.0), (1.0, 2 + 0.5 * 20)])
def test_no_return_crosses_the_end_of_an_episode(discount: float, answer: float) -> None:
    """An end is worth nothing more, a cut what the network thinks; the step after it opens the next episode."""
    reward = np.array([[2.0], [0.0], [100.0]])
    played = rollout([discount, 1, 1], [True, False, False], [9, 20, 1000, 1000])
    assert returns(reward, played, 0.5, 0.9)[0, 0] == answer


@pytest.mark.parametrize(
    ("ends", "value", "trace_decay"),
    [
        (False, 2.0, 0.0),
        (True, 1.0, 0.8),
        pytest.param(False, 2.0, 0.8, marks=pytest.mark.slow),
        pytest.param(True, 1.0, 0.0, marks=pytest.mark.slow),
    ],
)
def test_it_learns_what_a_probe_is_worth(ends: bool, value: float, trace_decay: float) -> None:
    """Episodes of one step: the task ends after it, or a limit cuts it and the value is 1 / (1 - gamma)."""
    settings = {"learning_rate": 0.02, "hidden": (8,), "batch_size": 16, "exploration_steps": 1}
    algorithm = make(Bell(4, 1, ends), gamma=0.5, trace_decay=trace_decay, rollout_steps=8, **settings)
    for _ in range(200):
        metrics = algorithm.step()
    assert metrics["q/mean"] == pytest.approx(value, abs=0.05)
    assert algorithm.env_steps == 200 * 4 * 4  # every second step opens an episode
    assert algorithm.updates == 200 * 2  # two epochs of one batch


def test_what_fills_no_batch_is_left_out_and_a_small_rollout_is_a_batch() -> None:
    assert (make(Bell(3, 10**6, True), rollout_steps=5, batch_size=4, epochs=3)).step()["loss/td"] >= 0
    algorithm = make(Bell(3, 10**6, True), rollout_steps=5, batch_size=4, epochs=3)
    algorithm.step()
    assert algorithm.updates == 3 * (15 // 4)
    algorithm = make(Bell(3, 10**6, True), rollout_steps=5, batch_size=64, epochs=3)
    algorithm.step()
    assert algorithm.updates == 3


def test_rewards_are_clipped_then_scaled() -> None:
    algorithm = make(Bell(1, 10**6, True), reward_clip=0.5, reward_scale=3.0, trace_decay=0.0, gamma=0.0, hidden=(8,))
    played = algorithm._collect()
    np.testing.assert_allclose(algorithm.rewards(played.reward), 1.5)
    automatic = make(Bell(1, 10**6, True), reward_clip=0.5, reward_scale="auto")
    assert automatic.step()["reward/scale"] == 2.0


@pytest.mark.parametrize("optimizer", ["radam", "adam", "rmsprop"])
def test_two_threads_and_a_loaded_state_give_the_same_bits(optimizer: str) -> None:
    settings = {"convolutions": ((4, 3, 3), (4, 2, 2)), "hidden": (8,), "rollout_steps": 8, "batch_size": 8}
    one, two = (make(Bell(4, 5, False, image=True), n, optimizer=optimizer, **settings) for n in (1, 2))
    for _ in range(3):
        assert str(one.step()) == str(two.step())
    third = make(Bell(4, 5, False, image=True), 2, optimizer=optimizer, **settings)
    third.load(one.save())
    third._explore, third._order = two._explore, two._order
    for _ in range(2):
        last = one.step()
        assert str(third.step()) == str(last)
    for a, b in zip(one.learner.master.parameters(), third.learner.master.parameters(), strict=True):
        assert torch.equal(a, b)
    obs = np.random.default_rng(0).integers(0, 256, (5, 2, 12, 12), dtype=np.uint8)
    saved = load_policy(one.config, one.spec, one.save(), Hardware("cpu", 1))
    np.testing.assert_array_equal(saved.act(obs), one.policy().act(obs))
