"""N single games as one environment: the order of events, on a game whose every number is known."""

import math

import numpy as np
import pytest

from rltrain.core import EnvSpec, Retiring
from rltrain.envs.gym import games as gym
from rltrain.envs.serial import AHEAD, Serial, Solo
from rltrain.errors import CheckpointError, DivergedError
from rltrain.experiment.settings import EnvironmentConfig
from rltrain.spaces import Discrete


class Countdown:
    """obs [2] = steps so far, seed + sum of actions. Ends at 3 steps; cut off at 2 if the last action was 1."""

    mask = None

    def __init__(self, drift: float = 0.0, bad: float = 1.0) -> None:
        self.resets = self.time = 0
        self.total, self.drift, self.bad = 0.0, drift, bad

    def reset(self, seed):
        self.resets += 1
        self.time, self.total = 0, float(seed % 1000) + self.drift * self.resets
        return self._obs()

    def step(self, action):
        self.time += 1
        self.total += action
        over, cut = self.time == 3, self.time == 2 and action == 1
        return self._obs(), self.bad * (action + 0.5), 0.0 if over else 1.0, over or cut

    def close(self):
        self.time = -1

    def _obs(self):
        return np.array([self.time, self.total], dtype=np.float32)


def make(games) -> Serial:
    spec = EnvSpec("Countdown", (2,), "float32", 1, Discrete(2, ("0", "1")), len(games), 1, None, None)
    return Serial(spec, games)


def test_the_order_of_events():
    env = make([Countdown(), Countdown()])
    steps = [env.reset(0)]
    for _ in range(5):
        steps.append(env.step(np.array([0, 1])))
    # Lane 0 ends at 3 steps, lane 1 is cut off at 2; the step after plays nothing and opens a game.
    assert [s.obs[0, 0] for s in steps] == [0, 1, 2, 3, 0, 1]
    assert [s.obs[1, 0] for s in steps] == [0, 1, 2, 0, 1, 2]
    assert [s.first.tolist() for s in steps] == [[1, 1], [0, 0], [0, 0], [0, 1], [1, 0], [0, 0]]
    assert [s.last.tolist() for s in steps] == [[0, 0], [0, 0], [0, 1], [1, 0], [0, 0], [0, 1]]
    assert [s.discount.tolist() for s in steps] == [[1, 1], [1, 1], [1, 1], [0, 1], [1, 1], [1, 1]]
    assert [s.reward.tolist() for s in steps] == [[0, 0], [0.5, 1.5], [0.5, 1.5], [0.5, 0], [0, 1.5], [0.5, 1.5]]
    assert steps[1].obs[0, 1] == steps[0].obs[0, 1], "what was handed out stays"


def test_a_reset_forgets_that_a_game_was_over():
    env, fresh = make([Countdown(), Countdown()]), make([Countdown(), Countdown()])
    env.reset(0)
    for _ in range(3):
        over = env.step(np.array([0, 0]))
    assert over.last.all()
    again, expected = (some.reset(7) for some in (env, fresh))
    for _ in range(4):
        for mine, theirs in zip(again, expected, strict=True):
            assert np.array_equal(mine, theirs)
        again, expected = (some.step(np.array([0, 1])) for some in (env, fresh))


def test_every_episode_and_lane_has_a_seed_of_its_own():
    env = make([Countdown(), Countdown()])
    starts = [env.reset(4).obs[:, 1]]
    for _ in range(12):
        step = env.step(np.array([0, 0]))
        if step.first.any():
            starts.append(step.obs[:, 1])
    assert len(np.unique(np.stack(starts))) == 8


@pytest.mark.parametrize("at", range(10))
def test_load_goes_on_exactly_wherever_it_was_saved(at):
    moves = np.random.default_rng(3).integers(2, size=(20, 3))
    env, other = (make([Countdown() for _ in range(3)]) for _ in range(2))
    env.reset(9)
    for move in moves[:at]:
        env.step(move)
    other.load(env.save())
    for move in moves[at:]:
        for a, b in zip(env.step(move)[:5], other.step(move)[:5], strict=True):
            assert np.array_equal(a, b)


def test_a_game_that_is_no_function_of_its_seed_is_noticed():
    env, other = make([Countdown(drift=0.5)]), make([Countdown(drift=0.5)])
    env.reset(1)
    for _ in range(5):  # into the second game: its start depends on how many there were
        env.step(np.array([0]))
    with pytest.raises(CheckpointError, match="not a function of seed and actions"):
        other.load(env.save())


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_numbers_that_are_not_finite_stop_the_run(bad):
    env = make([Countdown(), Countdown(bad=bad)])
    env.reset(0)
    with pytest.raises(DivergedError, match="Countdown: environment 1 gave at step 1, to action 0, the reward"):
        env.step(np.array([0, 0]))
    with pytest.raises(DivergedError, match="observation"):
        make([Countdown(drift=bad)]).reset(0)


def test_another_number_of_environments_is_refused():
    env = make([Countdown(), Countdown()])
    env.reset(0)
    with pytest.raises(CheckpointError, match="saved with 2 environments, now 1"):
        make([Countdown()]).load(env.save())


def test_step_before_reset_and_an_action_out_of_range_are_refused():
    env = make([Countdown()])
    with pytest.raises(RuntimeError, match="reset"):
        env.step(np.array([0]))
    env.reset(0)
    with pytest.raises(ValueError, match="from 0 to 1"):
        env.step(np.array([2]))


class Counted(Countdown):
    """The number of steps so far is the state; a float32 of its reward is not the reward."""

    def step(self, action):
        obs, reward, discount, last = super().step(action)
        return obs, reward + 0.1, discount, last

    def _obs(self):
        return np.array([self.time + 10 * int(self.total)])


def alone(game=Counted):
    spec = EnvSpec("Countdown", (1,), "int64", 1, Discrete(2, ("0", "1")), 1, 1, None, None, 100_000)
    return Serial(spec, [game()]), Solo(spec, game())


def same(one, other):
    assert one["seed"] == other["seed"] and one["sha256"] == other["sha256"]
    assert one["episode"].tolist() == other["episode"].tolist() and one["episode"].dtype == other["episode"].dtype
    for key, array in one["journal"].items():
        assert array.tolist() == other["journal"][key].tolist() and array.dtype == other["journal"][key].dtype


def test_a_game_alone_is_the_one_of_a_vector_of_one_and_saves_the_same():
    vector, solo = alone()
    assert solo.begin(5) == vector.reset(5).obs[0, 0]
    actions = np.random.default_rng(0).integers(2, size=3 * AHEAD).tolist()
    episodes = 0
    for number, action in enumerate(actions):
        step = vector.step(np.array([action]))
        state, reward, ended, last = solo.play(action)
        assert (state, reward) == (step.obs[0, 0], float(step.reward[0]))
        assert (ended, last) == (step.discount[0] == 0, step.last[0])
        if last:
            episodes += 1
            assert solo.again() == vector.step(np.zeros(1, np.int64)).obs[0, 0]
        if number % 50 == 7:
            same(vector.save(), solo.save())
            restored, loaded = alone()
            restored.load(solo.save())
            loaded.load(vector.save())
            vector, solo = restored, loaded
    assert episodes > AHEAD


@pytest.mark.parametrize("action", [-1, 2])
def test_a_game_alone_takes_no_action_out_of_range(action):
    _, solo = alone()
    solo.begin(0)
    with pytest.raises(ValueError, match="from 0 to 1"):
        solo.play(action)


def test_a_game_alone_that_gives_no_number_is_named():
    class Bad(Counted):
        def step(self, action):
            return self._obs(), math.inf, 1.0, False

    _, solo = alone(Bad)
    solo.begin(0)
    with pytest.raises(DivergedError, match="Countdown: environment 0 gave at step 1, to action 0, the reward inf"):
        solo.play(0)


def test_a_closed_game_stands_still_and_the_others_go_on_as_if_it_played():
    settings = EnvironmentConfig(id="CartPole-v1")
    whole, closing = (gym.make(settings, 3) for _ in range(2))
    assert isinstance(closing, Retiring)
    step, other = whole.reset(4), closing.reset(4)
    closed = np.zeros(3, dtype=bool)
    while not closed.all():
        step, other = whole.step(np.zeros(3)), closing.step(np.zeros(3))
        for mine, yours in zip(step[:5], other[:5], strict=True):
            assert np.array_equal(mine[~closed], yours[~closed])
        assert not (other.last | other.first)[closed].any()
        done = other.last & ~closed
        closing.retire(done)
        closed |= done
    whole.close()
    closing.close()
