"""N single games as one environment: the order of events, on a game whose every number is known."""

import math

import numpy as np
import pytest

from rltrain.core import EnvSpec, Reopening, Retiring
from rltrain.envs.gym import games as gym
from rltrain.envs.left_behind import leaves_behind, left_behind
from rltrain.envs.serial import AHEAD, Serial, Solo
from rltrain.errors import CheckpointError, DivergedError, NotReplayedError
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


def make(games, **how) -> Serial:
    spec = EnvSpec("Countdown", (2,), "float32", 1, Discrete(2, ("0", "1")), len(games), 1, None, None)
    return Serial(spec, games, **how)


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
    with pytest.raises(NotReplayedError, match="not a function of seed and actions"):
        other.load(env.save())


class Shortening(Countdown):
    """Each object's second game has a step less."""

    def step(self, action):
        obs, reward, discount, last = super().step(action)
        return obs, reward, discount, last or (self.resets > 1 and self.time == 2)


def test_a_game_that_is_over_before_its_actions_are_is_noticed():
    env, other = make([Shortening()]), make([Shortening()])
    env.reset(1)
    for _ in range(3):
        env.step(np.array([0]))
    other.reset(1)
    with pytest.raises(NotReplayedError, match="environment 0 it was over at step 2 of 3"):
        other.load(env.save())


@pytest.mark.parametrize("known", [True, False], ids=["known to differ", "taken to be equal"])
@pytest.mark.parametrize("at", range(5))
def test_what_is_not_played_again_is_left_behind_as_at_a_time_limit(at, known):
    games = [Countdown(drift=0.5), Countdown(drift=0.5)]
    env, other = make(games, repeats=not known), make([Countdown(drift=0.5), Countdown(drift=0.5)])
    assert isinstance(env, Reopening)
    now = env.reset(9)
    for _ in range(at):
        now = env.step(np.array([0, 1]))
    state = env.save() if known else left_behind({"env": env.save()})["env"]
    assert leaves_behind({"games": [{"env": state}]})
    assert state["journal"]["actions"] is None
    other.load(state)
    then = other.go_on_from(now)
    for part in ("reward", "discount"):
        assert getattr(then, part).tolist() == getattr(now, part).tolist()
    assert then.first.tolist() == now.first.tolist(), "where nothing was played there is nothing to leave"
    assert (then.last | then.first).all() and not (then.last & then.first).any()
    assert (then.obs[~now.first] == now.obs[~now.first]).all()
    step = other.step(np.array([0, 0]))
    assert step.first.tolist() == then.last.tolist()
    assert step.obs[:, 0].tolist() == np.where(then.last, 0, 1).tolist(), "a new episode, or the first step of one"
    assert leaves_behind(other.save()), "and so it is from then on"


def test_of_games_that_do_not_repeat_themselves_nothing_is_kept():
    env = make([Countdown(drift=0.5)], repeats=False)
    env.reset(1)
    sizes = []
    for _ in range(1_000):
        env.step(np.array([1]))
        sizes.append(len(repr(env.save()["journal"])))
    assert set(sizes) == {sizes[0]}
    with pytest.raises(ValueError, match="from 0 to 1"):
        env.step(np.array([2]))


class Endless(Countdown):
    def step(self, action):
        super().step(action)
        return self._obs(), 1.0, 1.0, False


def test_an_episode_that_never_ends_is_cut_off_so_that_a_replay_is_bounded():
    env, other = make([Endless(), Endless()], longest=50), make([Endless(), Endless()], longest=50)
    steps = [env.reset(3)]
    for t in range(1, 300):
        steps.append(env.step(np.array([t % 2, 0])))
        assert env.save()["journal"]["lengths"].max() <= 50
        if t in (50, 51, 77, 204):
            other.load(env.save())
            assert other.save()["sha256"] == env.save()["sha256"]
    ends = [t for t, step in enumerate(steps) if step.last.any()]
    assert ends == [50, 101, 152, 203, 254]
    assert all(steps[t].last.all() and (steps[t].discount == 1).all() and steps[t + 1].first.all() for t in ends)
    resets = other._games[0].resets
    other.load(env.save())
    assert other._games[0].resets == resets + 1 and other._games[0].time == env._games[0].time


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


def alone(game=Counted, **how):
    spec = EnvSpec("Countdown", (1,), "int64", 1, Discrete(2, ("0", "1")), 1, 1, None, None, 100_000)
    return Serial(spec, [game()], **how), Solo(spec, game(), **how)


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


class EndlessCount(Counted):
    def step(self, action):
        super().step(action)
        return self._obs(), 1.0, 1.0, False


def test_a_game_alone_is_cut_off_too():
    vector, solo = alone(EndlessCount, longest=50)
    solo.begin(5)
    vector.reset(5)
    for t in range(1, 120):
        step = vector.step(np.array([0]))
        assert solo.play(0)[2:] == (False, bool(step.last[0])), t
        if step.last[0]:
            assert solo.again() == vector.step(np.array([0])).obs[0, 0]
    same(vector.save(), solo.save())


def test_a_game_alone_that_does_not_repeat_itself_keeps_nothing_and_goes_on_with_another():
    _, solo = alone(EndlessCount, longest=50, repeats=False)
    solo.begin(5)
    assert not any(solo.play(0)[3] for _ in range(120))
    state = solo.save()
    assert leaves_behind(state) and len(solo._moves) < 50
    _, other = alone(EndlessCount, longest=50)
    other.begin(5)
    assert not other.over
    other.load(state)
    assert other.over
    other.again()
    assert other.save()["episode"] == state["episode"] + 1 and leaves_behind(other.save())


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
