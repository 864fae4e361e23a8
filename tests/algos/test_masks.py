"""Actions that are impossible: neither DQN nor PQN chooses one or bootstraps from one, whatever it seems worth."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch

from rltrain.algos.dqn import DQN, DqnConfig
from rltrain.algos.pqn import PQN, PqnConfig
from rltrain.core import Array, EnvSpec, Hardware, State, Step
from rltrain.deep.networks import QNetwork
from rltrain.rng import Streams
from rltrain.spaces import Discrete

TEMPTING = 2  # the action that is impossible, and would pay best
SEEMS = 50.0  # what the network thinks of it from the start


class Locked:
    """A probe: one observation; action 0 pays 1, 1 nothing, 2 would pay 100 and is impossible. Cut after 3 steps.

    With discount 1/2 action 0 is worth 2, and action 1 is worth 1.
    """

    def __init__(self, num_envs: int = 4, all_masked: bool = False) -> None:
        """`all_masked`: the first environment masks every action."""
        self.all_masked = all_masked
        self.spec = EnvSpec("Locked", (2,), "float32", 1, Discrete(3), num_envs, 1, 3, None, masked=True)
        self.at = np.zeros(num_envs, np.int64)
        self.taken: list[int] = []

    def reset(self, seed: int) -> Step:
        self.at[:] = 0
        return self._say(np.ones(len(self.at), bool), np.zeros(len(self.at)))

    def step(self, action: Array) -> Step:
        first = self.at == 3
        self.taken += action[~first].tolist()
        self.at = np.where(first, 0, self.at + 1)
        return self._say(first, np.where(first, 0, np.array([1.0, 0.0, 100.0])[action]))

    def _say(self, first: Array, reward: Array) -> Step:
        n = len(self.at)
        mask = np.tile(np.array([True, True, False]), (n, 1))
        mask[0] &= not self.all_masked
        obs, ones = np.ones((n, 2), np.float32), np.ones(n, np.float32)
        return Step(obs, reward.astype(np.float32), ones, first, self.at == 3, mask)

    def save(self) -> State:
        return {"at": self.at.copy()}

    def load(self, state: State) -> None:
        self.at = state["at"].copy()

    def close(self) -> None:
        pass


def tempted(network: QNetwork) -> None:
    network.advantage.bias.data[TEMPTING] = SEEMS


def dqn(env: Any, **settings: Any) -> DQN:
    basis = {"gamma": 0.5, "learning_rate": 0.02, "target_update_interval": 100, "learning_starts": 50, "hidden": ()}
    algorithm = DQN(DqnConfig(**{**basis, "train_freq": 2, **settings}), env, Streams(0), Hardware("cpu", 2))
    for network in (algorithm.learner.master, algorithm.target, algorithm.actor):
        tempted(network)
    return algorithm


def pqn(env: Any, **settings: Any) -> PQN:
    basis = {"gamma": 0.5, "learning_rate": 0.02, "batch_size": 16, "rollout_steps": 16, "hidden": ()}
    algorithm = PQN(PqnConfig(**{**basis, **settings}), env, Streams(0), Hardware("cpu", 1))
    tempted(algorithm.learner.master)
    return algorithm


LEARNERS: dict[str, tuple[Callable[..., Any], int]] = {
    "dqn": (dqn, 12),
    "dqn, two threads": (partial(dqn, overlap=True), 12),
    "dqn, double": (partial(dqn, double=True, prioritized=True), 12),
    "pqn": (partial(pqn, exploration_steps=5000), 150),
    "pqn, no traces": (partial(pqn, trace_decay=0.0, exploration_steps=5000), 150),
}


SLOW = {"dqn", "dqn, two threads", "pqn, no traces"}  # the tests of targets and of engines show what is theirs


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name for name in LEARNERS]
)
def test_what_is_impossible_is_never_chosen_nor_bootstrapped_from(name: str) -> None:
    make, steps = LEARNERS[name]
    env = Locked()
    algorithm = make(env, exploration_final_eps=0.3) if name == "pqn" else make(env)
    for _ in range(steps):
        algorithm.step()
    assert set(env.taken) == {0, 1}
    value = algorithm.learner.master(torch.ones(1, 2))[0]
    assert value[0].item() == pytest.approx(2.0, abs=0.1)
    assert value[TEMPTING].item() > 40  # it still seems worth most
    policy, obs = algorithm.policy(), np.ones((5, 2), np.float32)
    mask = np.tile(np.array([True, True, False]), (5, 1))
    assert (policy.act(obs, mask) == 0).all()
    assert (policy.act(obs) == TEMPTING).all()
    np.testing.assert_array_equal(np.isnan(policy.scores(obs, mask)), ~mask)
    assert not np.isnan(policy.scores(obs)).any()


@pytest.mark.parametrize("make", [dqn, pqn])
def test_an_environment_that_masks_everything_masks_nothing(make: Callable[..., Any]) -> None:
    env = Locked(all_masked=True)
    algorithm = make(env)
    for _ in range(3):
        algorithm.step()
    assert TEMPTING in env.taken


def test_random_actions_are_uniform_over_what_is_possible() -> None:
    env = Locked()
    algorithm = dqn(env, learning_starts=10**6)
    for _ in range(12):
        algorithm.step()
    share = np.mean(np.array(env.taken) == 0)
    assert abs(share - 0.5) < 5 * 0.5 / len(env.taken) ** 0.5


@pytest.mark.parametrize(
    ("settings", "target"),
    [
        ({}, 1 + 0.5 * 7.0),
        ({"double": True}, 1 + 0.5 * 3.0),
        ({"target_epsilon": 0.5}, 1 + 0.5 * (0.5 * 7.0 + 0.5 * 5.0)),
        # log pi(0) = log(e^3 / (e^3 + e^7)), and the soft value is log(e^3 + e^7)
        (
            {"munchausen": True, "munchausen_tau": 1.0, "munchausen_alpha": 0.5, "munchausen_clip": 100.0},
            1 + 0.5 * (3 - np.log(np.exp(3) + np.exp(7))) + 0.5 * np.log(np.exp(3) + np.exp(7)),
        ),
    ],
)
def test_targets_are_of_what_is_possible_next(settings: dict[str, Any], target: float) -> None:
    algorithm = dqn(Locked(), learning_starts=10**6, **settings)
    algorithm.step()
    for network, bias in ((algorithm.target, (3.0, 7.0, SEEMS)), (algorithm.actor, (9.0, 0.0, SEEMS))):
        network.advantage.weight.data.zero_()
        network.advantage.bias.data[:] = torch.tensor(bias)
    (batch,) = algorithm.replay.draw(1, 64)
    drawn = algorithm.replay.transitions(batch, algorithm.learner.working.prepare)
    with torch.no_grad():
        found = algorithm.td_target(drawn)
    did_0 = torch.from_numpy(batch.action == 0)
    torch.testing.assert_close(found[did_0], torch.full((int(did_0.sum()),), target))


@pytest.mark.parametrize(
    "make", [pytest.param(dqn, marks=pytest.mark.slow), partial(dqn, overlap=True, collect_steps=9), pqn]
)
def test_a_run_goes_on_to_the_bit_where_it_paused(make: Callable[..., Any]) -> None:
    whole, first = make(Locked(all_masked=True)), make(Locked(all_masked=True))
    for algorithm in (whole, first):
        algorithm.step()
        algorithm.pause_at({"env_steps": algorithm.env_steps + 5})
        algorithm.step()
        algorithm.pause_at({})
    assert first.paused
    then = make(Locked(all_masked=True))
    then.load(first.save())
    for name in ("_explore", "_order") if make is pqn else ("_explore",):
        setattr(then, name, getattr(first, name))
    if make is not pqn:
        then.replay._rng = first.replay._rng
    for _ in range(4):
        assert str(whole.step()) == str(then.step())
