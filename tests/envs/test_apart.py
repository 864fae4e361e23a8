"""Environments whose players decide for themselves: what arrives is what was played, whoever is lost."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from crew_in_process import InProcess

from rltrain import envs, kinds
from rltrain.core import Step
from rltrain.deep.actor import Played
from rltrain.deep.learner import arrays
from rltrain.deep.networks import NetworkShape, QNetwork
from rltrain.deep.roaming import ALPHA, EPSILON, ladder
from rltrain.envs.remote.apart import Asynchronous
from rltrain.envs.remote.lanes import MOST_LOST, SEGMENT_STEPS
from rltrain.envs.remote.player import Call, Roam
from rltrain.errors import EnvironmentFault
from rltrain.rng import Streams

SHAPE = NetworkShape(None, "valid", (8,), False, False)
NUM = 5
SHORT = kinds.typed("CartPole-v1", max_episode_steps=6)
FRAMES = kinds.typed("ALE/MsPacman-v5", screen_size=36, max_episode_steps=9)
MASKS = kinds.typed("Taxi-v4", max_episode_steps=6)


def apart(crew: InProcess, settings: Any = SHORT, num_envs: int = NUM) -> Asynchronous:
    env = envs.make(settings, num_envs=num_envs, crew=crew, refresh=10)
    assert isinstance(env, Asynchronous)
    return env


def weights(env: Asynchronous, seed: int = 0) -> dict[str, Any]:
    drawn, network = Streams(seed).numpy("weights"), QNetwork(env.spec, SHAPE)
    return {name: drawn.normal(size=each.shape).astype(np.float32) for name, each in arrays(network).items()}


def begun(crew: InProcess, settings: Any = SHORT, num_envs: int = NUM) -> Asynchronous:
    env = apart(crew, settings, num_envs)
    env.reset(3)
    env.show(SHAPE, weights(env))
    return env


def taken(env: Asynchronous, steps: int) -> list[Played]:
    found: list[Played] = []
    while len(found) < steps:
        assert env.arrived(1) >= 1
        found.append(env.take())
    return found


def check_chain(played: list[Played]) -> None:
    """Each step goes on where the one before it ended, and episodes begin where they may, and nowhere else."""
    for one, other in itertools.pairwise(played):
        for name, a, b in zip(Step._fields, one.next_step, other.step, strict=True):
            if name == "last":  # of what was cut off it is known later
                assert (a <= b).all()
            elif name != "obs" or not (one.next_step.last != other.step.last).any():
                np.testing.assert_array_equal(a, b, err_msg=name)
        np.testing.assert_array_equal(other.step.last, other.next_step.first)
        assert not (other.step.last & other.next_step.last).any()


def lengths(played: list[Played]) -> list[tuple[int, bool]]:
    """Of the episodes that were begun and are over: their steps, and whether they ended as the environment says."""
    found, length = [], np.full(NUM, -1)
    for each in played:
        step = each.next_step
        length = np.where(step.first, 0, np.where(length < 0, -1, length + 1))
        for index in np.flatnonzero(step.last & (length >= 0)):
            found.append((int(length[index]), bool(length[index] == 6 or step.discount[index] == 0)))
    return found


def test_every_environment_explores_by_its_own_epsilon() -> None:
    assert ladder(1) == [EPSILON]
    np.testing.assert_allclose(ladder(3), [EPSILON, EPSILON ** (1 + ALPHA / 2), EPSILON ** (1 + ALPHA)])


@pytest.mark.parametrize(
    "settings", [SHORT, MASKS, pytest.param(FRAMES, marks=pytest.mark.slow)], ids=["vectors", "masks", "frames"]
)
def test_what_arrives_is_what_one_process_would_see_for_these_actions(settings: Any) -> None:
    played = taken(begun(InProcess(2), settings), 40)
    alone = envs.make(settings, num_envs=NUM, repeats=False)
    step = alone.reset(3)
    newest = slice(-1, None) if alone.spec.frame_stack > 1 else slice(None)
    for each in played:
        np.testing.assert_array_equal(each.step.obs, step.obs[:, newest])
        step = alone.step(each.action)
        for name, a, b in zip(Step._fields, each.next_step, step._replace(obs=step.obs[:, newest]), strict=True):
            np.testing.assert_array_equal(a, b, err_msg=name)
    check_chain(played)


def test_actions_are_greedy_but_for_as_many_as_the_ladder_says() -> None:
    env = begun(InProcess(2))
    network = QNetwork(env.spec, SHAPE)
    for name, parameter in network.named_parameters():
        parameter.data = torch.from_numpy(weights(env)[name])
    same = []
    for each in taken(env, 600):
        greedy = network(torch.from_numpy(each.step.obs)).argmax(1).numpy()
        same.append(each.action == greedy)
    other = 1 - np.mean(same, axis=0)  # of two actions a random one is the greedy one half of the time
    deviation = np.sqrt(ladder(NUM) / 2 / len(same))
    assert (np.abs(other - ladder(NUM) / 2) < 4 * deviation).all()


def test_weights_are_sent_once_to_each_player_and_not_again_while_they_stay() -> None:
    sent: list[Any] = []

    def look(_: int, call: Call) -> str:
        if isinstance(call, Roam):
            sent.append(call.weights)
        return ""

    env = begun(InProcess(2, look))
    taken(env, 3 * SEGMENT_STEPS)
    assert sum(each is not None for each in sent) == 2
    env.show(SHAPE, weights(env))
    taken(env, 3 * SEGMENT_STEPS)
    assert sum(each is not None for each in sent) == 2
    env.show(SHAPE, weights(env, 1))
    taken(env, 3 * SEGMENT_STEPS)
    assert sum(each is not None for each in sent) == 4


def test_a_player_that_nobody_takes_from_waits() -> None:
    crew = InProcess(1)
    env = begun(crew)
    for _ in range(20):
        held = env.arrived(0)
    asked = crew.asked
    env.arrived(0)
    assert crew.asked == asked and 2 * SEGMENT_STEPS <= held <= 5 * SEGMENT_STEPS


@pytest.mark.parametrize("settings", [SHORT, MASKS], ids=["vectors", "masks"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_lost_player_is_started_again_and_its_episodes_are_cut_off(settings: Any, when: str) -> None:
    crew = InProcess(2, lambda number, call: when if number % 7 == 0 and isinstance(call, Roam) else "")
    env = begun(crew, settings)
    played = taken(env, 12 * SEGMENT_STEPS)
    check_chain(played)
    told = [notice for notice in crew.notices if "was lost" in notice.text]
    assert len(told) >= 2 and not any(notice.exact for notice in told)
    cut = [length for length, ended in lengths(played) if not ended]
    assert cut and max(cut) < 6  # the others end after 6 steps, or at their goal
    opened = [each.next_step.obs[each.next_step.first] for each in played]
    if settings is SHORT:  # each episode is one of its own
        rows = np.concatenate(opened)
        assert len(np.unique(rows, axis=0)) == len(rows)


def test_a_player_that_is_lost_whatever_it_plays_ends_the_run() -> None:
    crew = InProcess(1, lambda _, call: "before" if isinstance(call, Roam) else "")
    env = begun(crew)
    with pytest.raises(EnvironmentFault, match=rf"environments 0 to 4 was lost {MOST_LOST} times"):
        taken(env, 1)


@pytest.mark.parametrize("steps", [5, 6, 7, 8])
def test_a_load_goes_on_with_new_episodes_in_place_of_those_that_ran(steps: int) -> None:
    env = begun(InProcess(2))
    before = taken(env, steps)
    state, now = env.save(), before[-1].next_step
    other = apart(InProcess(3))
    other.load(state)
    again = other.go_on_from(now)
    np.testing.assert_array_equal(again.last, ~now.first)
    np.testing.assert_array_equal(again.obs[~now.first], now.obs[~now.first])
    other.show(SHAPE, weights(env))
    after = taken(other, 30)
    check_chain([before[-1]._replace(next_step=again), *after])
    assert after[0].next_step.first[~now.first].all() and not after[0].next_step.first[now.first].any()
    assert not np.isin(after[0].next_step.obs[:, 0], [each.step.obs[:, 0] for each in before]).any()


def test_nobody_may_step_what_others_play() -> None:
    with pytest.raises(RuntimeError, match="played apart"):
        begun(InProcess(1)).step(np.zeros(NUM, np.int64))
