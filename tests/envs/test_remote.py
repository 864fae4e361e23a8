"""Environments in other processes: what they say and save is what one process says and saves, whoever is lost."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import gymnasium
import numpy as np
import pytest
from crew_in_process import InProcess

from rltrain import envs, kinds
from rltrain.core import Env, Reopening, Retiring, Step
from rltrain.envs.remote import division
from rltrain.envs.remote.player import Play, Save
from rltrain.envs.remote.share import MOST_LOST
from rltrain.errors import CheckpointError, DivergedError, EnvironmentFault, InputError
from rltrain.experiment.settings import EnvironmentConfig
from rltrain.rng import derive

ENVIRONMENTS = {
    "one action of some": kinds.typed("CartPole-v1", reseed_every=9),
    "continuous": kinds.typed("Pendulum-v1", max_episode_steps=7),
    "normalised": kinds.typed(
        "Pendulum-v1",
        max_episode_steps=7,
        wrappers=("NormalizeObservation", "NormalizeReward"),
    ),
    "masks": kinds.typed("Taxi-v4", max_episode_steps=7),
    "frames": kinds.typed("ALE/MsPacman-v5", screen_size=36, reseed_every=12, max_episode_steps=9),
    "the book's frames": kinds.typed("ALE/MsPacman-v5", preprocessing="book", max_episode_steps=6),
    "robots": kinds.typed("RobotVacuum-v0", max_episode_steps=7),
    "a known model": kinds.typed("configs/mdp/book.yaml", max_episode_steps=5),
}
NUM = 5


class Lost(gymnasium.Env[Any, Any]):
    """An environment of which the one with number 3 comes to a reward that is no number."""

    observation_space = gymnasium.spaces.Box(-1, 1, (1,))
    action_space = gymnasium.spaces.Discrete(2)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        if seed is not None:
            self.third, self.time = seed == derive(0, 3, 0), 0
        return np.zeros(1, np.float32), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.time += 1
        return np.zeros(1, np.float32), np.nan if self.third and self.time == 2 else 0.0, False, False, {}


def local(settings: EnvironmentConfig, **how: Any) -> Env:
    return envs.make(settings, num_envs=NUM, **how)


def play(env: Env, steps: int, seed: int = 0, mask: Any = None) -> list[Step]:
    stream, found = np.random.default_rng(seed), []
    for _ in range(steps):
        found.append(env.step(env.spec.actions.sample(stream, env.spec.num_envs, mask)))
        mask = found[-1].mask
    return found


def check_same(one: Any, other: Any) -> None:
    for name, a, b in zip(Step._fields, one, other, strict=True):
        np.testing.assert_array_equal(a, b, err_msg=name)
        assert (a is None) == (b is None) and (a is None or a.dtype == b.dtype), name


def check_same_state(one: Any, other: Any) -> None:
    assert list(one) == list(other)
    np.testing.assert_equal(dict(one), dict(other))


SLOW = ("frames", "the book's frames")  # an emulator loads its game anew for each reset


@pytest.fixture(params=[pytest.param(name, marks=pytest.mark.slow if name in SLOW else ()) for name in ENVIRONMENTS])
def settings(request: pytest.FixtureRequest) -> EnvironmentConfig:
    return ENVIRONMENTS[request.param]


def test_all_play_and_save_what_one_process_does_whatever_is_lost(settings: EnvironmentConfig) -> None:
    # Every seventh question finds its player gone, now before and now after it did what it was asked.
    crew = InProcess(3, lambda asked, _: {0: "before", 3: "after"}.get(asked % 7, ""))
    here, there = local(settings), local(settings, crew=crew)
    assert here.spec == there.spec
    check_same(here.reset(3), there.reset(3))
    for _ in range(2):
        for one, other in zip(play(here, 15), play(there, 15), strict=True):
            check_same(one, other)
        check_same_state(here.save(), there.save())
    assert crew.notices and all(notice.exact for notice in crew.notices)
    check_same(here.reset(4), there.reset(4))


def test_a_state_is_loaded_by_another_number_of_actors_and_by_none(settings: EnvironmentConfig) -> None:
    first = local(settings, crew=InProcess(4))
    now = [first.reset(1), *play(first, 11)][-1]
    state, then = first.save(), None
    for env in (local(settings), local(settings, crew=InProcess(2)), local(settings, crew=InProcess(NUM))):
        env.load(state)
        check_same_state(env.save(), state)
        if isinstance(env, Reopening):
            check_same(env.go_on_from(now)._replace(mask=None), now._replace(mask=None))
        if settings.wrappers:
            continue  # the statistics are no part of the state
        steps = play(env, 9, 1, now.mask)
        for one, other in zip(steps, then or steps, strict=True):
            check_same(one, other)
        then = steps


def test_a_player_is_lost_when_its_state_is_asked_for_or_loaded(settings: EnvironmentConfig) -> None:
    here, there = (
        local(settings),
        local(settings, crew=InProcess(2, lambda asked, _: "after" if asked % 3 == 1 else "")),
    )
    for env in (here, there):
        env.reset(1)
        play(env, 5)
    check_same_state(here.save(), there.save())
    again = local(settings, crew=InProcess(3, lambda asked, _: "before" if asked % 3 == 0 else ""))
    again.load(there.save())
    check_same_state(here.save(), again.save())


def test_the_journal_begins_anew_and_is_whole(settings: EnvironmentConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rltrain.envs.remote.share.LONGEST_JOURNAL", 4)
    saves = []

    def lose(asked: int, call: Any) -> str:
        saves.append(isinstance(call, Save))
        return "before" if asked % 5 == 0 else ""

    here, there = local(settings), local(settings, crew=InProcess(2, lose))
    check_same(here.reset(3), there.reset(3))
    for one, other in zip(play(here, 15), play(there, 15), strict=True):
        check_same(one, other)
    assert sum(saves) >= 4


def test_of_a_stack_of_frames_the_newest_is_sent_and_the_stack_is_whole() -> None:
    crew = InProcess(2, lambda asked, _: "before" if asked == 8 else "")
    here, there = (envs.make(ENVIRONMENTS["frames"], num_envs=2, crew=who) for who in (None, crew))
    check_same(here.reset(3), there.reset(3))
    for one, other in zip(play(here, 11), play(there, 11), strict=True):
        check_same(one, other)
    assert len(crew.notices) == 1
    check_same_state(here.save(), there.save())


@pytest.mark.parametrize("name", ["one action of some", pytest.param("frames", marks=pytest.mark.slow), "robots"])
def test_games_of_an_evaluation_are_closed_one_by_one(name: str) -> None:
    crew = InProcess(3, lambda asked, _: "before" if asked % 6 == 0 else "")
    here, there = (local(ENVIRONMENTS[name], training=False, crew=who) for who in (None, crew))
    assert isinstance(there, Retiring)
    here.reset(3), there.reset(3)
    for gone in ([0, 0, 1, 0, 0], [0, 0, 0, 1, 0], [1, 0, 0, 0, 0], [0, 1, 0, 0, 0]):
        which = np.array(gone, bool)
        if isinstance(here, Retiring):
            here.retire(which)
        there.retire(which)
        playing = there._playing  # type: ignore[attr-defined]
        for one, other in zip(play(here, 3), play(there, 3), strict=True):
            for a, b in zip(one, other, strict=True):
                assert a is None or (a[playing] == b[playing]).all()
            assert not (other.first | other.last)[~playing].any()
    crew.lose, asked = lambda *_: "", crew.asked
    play(there, 1)
    assert crew.asked == asked + 1  # of the two other players all games are over


def test_what_goes_wrong_is_said_with_the_number_among_all() -> None:
    gymnasium.register("Lost-v0", Lost)
    said = []
    for crew in (None, InProcess(5)):
        env = local(kinds.typed("Lost-v0"), crew=crew)
        env.reset(0)
        with pytest.raises(DivergedError) as caught:
            play(env, 5)
        said.append(str(caught.value))
    assert said[0] == said[1] and "environment 3 gave at step 2" in said[0]


def test_a_call_that_kills_every_player_ends_the_run() -> None:
    crew = InProcess(2, lambda _, call: "before" if isinstance(call, Play) else "")
    env = local(ENVIRONMENTS["one action of some"], crew=crew)
    env.reset(0)
    with pytest.raises(EnvironmentFault, match=f"environments 0 to 2 was lost {MOST_LOST} times over one step"):
        play(env, 1)


def test_an_action_out_of_range_reaches_no_player() -> None:
    crew = InProcess(2)
    env = local(ENVIRONMENTS["masks"], crew=crew)
    env.reset(0)
    asked = crew.asked
    with pytest.raises(ValueError, match="actions"):
        env.step(np.full(NUM, 99))
    assert crew.asked == asked


def test_what_is_handed_out_can_be_written_to_and_the_journal_is_not() -> None:
    crew = InProcess(2)
    here, there = (local(ENVIRONMENTS["robots"], crew=who) for who in (None, crew))
    here.reset(0), there.reset(0)
    action = np.ones(NUM, np.int64)
    for env in (here, there):
        env.step(action.copy())
    step = there.step(action)
    action[:] = 0
    step.reward[:] = 1
    here.step(np.ones(NUM, np.int64))
    for number in range(2):
        crew.restart(number, 1)
    check_same(play(here, 1)[0], play(there, 1)[0])


def test_those_that_share_a_random_stream_are_refused_in_training_and_played_here_in_an_evaluation() -> None:
    settings = kinds.typed("CartPole-v1")
    with pytest.raises(InputError, match=r"20 of them are one vector of Gymnasium's.*leave out run\.distribute"):
        envs.make(settings, num_envs=20, crew=InProcess(2))
    crew = InProcess(2)
    envs.make(settings, num_envs=20, training=False, crew=crew).reset(0)
    assert crew.asked == 0


def test_a_state_of_another_number_of_environments_is_refused() -> None:
    env = local(ENVIRONMENTS["one action of some"], crew=InProcess(2))
    env.reset(0)
    other = envs.make(ENVIRONMENTS["one action of some"], num_envs=NUM + 1, crew=InProcess(2))
    with pytest.raises(CheckpointError, match="saved with 5 environments, now 6"):
        other.load(env.save())


def test_a_state_whose_games_would_go_another_way_is_refused() -> None:
    env = local(ENVIRONMENTS["one action of some"], crew=InProcess(2))
    env.reset(0)
    play(env, 3)
    state = dict(env.save())
    with pytest.raises(CheckpointError, match="did not reproduce the saved observations"):
        local(ENVIRONMENTS["one action of some"], crew=InProcess(2)).load({**state, "sha256": "0" * 64})


@pytest.mark.parametrize(
    ("num", "parts", "sizes"), [(5, 3, [2, 2, 1]), (4, 4, [1] * 4), (2, 8, [1, 1]), (9, 2, [5, 4])]
)
def test_environments_are_shared_out_evenly(num: int, parts: int, sizes: list[int]) -> None:
    found = division.shares(num, parts)
    assert [len(part) for part in found] == sizes
    assert [index for part in found for index in part] == list(range(num))


def test_a_spec_says_how_many_there_are_in_all() -> None:
    env = local(ENVIRONMENTS["robots"], crew=InProcess(2))
    assert env.spec == replace(envs.describe(ENVIRONMENTS["robots"]), num_envs=NUM)
