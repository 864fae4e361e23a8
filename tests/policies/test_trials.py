"""Every candidate plays its games whole, in whichever lane; on a world whose scores are known."""

from dataclasses import replace

import numpy as np
import pytest

from rltrain import envs
from rltrain.core import EnvSpec, Step
from rltrain.errors import InputError
from rltrain.experiment.settings import EnvironmentConfig
from rltrain.policies import trials, whole_games
from rltrain.policies.network import Network
from rltrain.policies.parameters import Parameters
from rltrain.rng import derive
from rltrain.spaces import Discrete


class Countdown:
    """Game number e of lane l lasts 1 + (3 l + e) % 5 steps. A step pays the action, and 1000 on an ignored one."""

    def __init__(self, lanes):
        self.spec = EnvSpec(
            id="Countdown-v0", obs_shape=(2,), obs_dtype="float32", frame_stack=1,
            actions=Discrete(100), num_envs=lanes, frames_per_step=1, max_episode_steps=5, reward_threshold=None,
        )  # fmt: skip
        self.steps = 0

    def reset(self, seed):
        n = self.spec.num_envs
        self.episode, self.left = np.zeros(n, int), 1 + 3 * np.arange(n) % 5
        self.over = np.zeros(n, bool)
        zeros = np.zeros(n, np.float32)
        return Step(np.zeros((n, 2), np.float32), zeros, zeros + 1, ~self.over, self.over)

    def step(self, action):
        assert action.dtype == np.int64
        self.steps += 1
        first = self.over
        self.episode += first
        fresh = 1 + (3 * np.arange(len(first)) + self.episode) % 5
        self.left = np.where(first, fresh, self.left - 1)
        self.over = (self.left == 0) & ~first
        reward = np.where(first, 1000, action).astype(np.float32)  # of an opening step nobody may count it
        return Step(np.zeros((len(first), 2), np.float32), reward, 1 - self.over, first, self.over)


class Constant:
    """The parameter is the action."""

    parameters = Parameters(("action",), np.zeros(1), np.full(1, 99.0), np.ones(1, bool))
    draws = 0

    def act(self, candidates, obs, uniform, mask=None):
        return np.broadcast_to(candidates[:, 0], len(obs)).astype(np.int64)


@pytest.mark.parametrize("lanes", [1, 2, 3, 7, 20, 64])
@pytest.mark.parametrize(("count", "games"), [(1, 1), (1, 9), (7, 1), (6, 3)])
def test_each_game_is_whole_and_belongs_to_one_candidate(lanes, count, games):
    env = Countdown(lanes)
    candidates = np.arange(1.0, count + 1)[:, None]
    played = trials.play(Constant(), candidates, env, games, seed=0)
    assert played.returns.shape == played.lengths.shape == (count, games)
    assert (played.lengths >= 1).all() and (played.lengths <= 5).all()
    assert (played.returns == played.lengths * candidates).all()  # neither another's action nor an opening step
    assert (played.scores == played.returns.mean(axis=1)).all()


def test_lanes_do_not_wait_for_one_another():
    env = Countdown(4)
    played = trials.play(Constant(), np.ones((40, 1)), env, 1, seed=0)
    openings = 40 - 4
    assert env.steps <= (played.lengths.sum() + openings) / 4 + 6  # but for the last game of each lane


def test_a_games_result_does_not_depend_on_what_was_played_before():
    env = envs.make(EnvironmentConfig(id="CartPole-v1"), num_envs=3)
    family = Network(env.spec, (), "tanh")
    candidates = family.parameters.draw(4, np.random.default_rng(1))
    first = trials.play(family, candidates, env, 2, seed=5)
    other = trials.play(family, candidates, env, 2, seed=6)
    again = trials.play(family, candidates, env, 2, seed=5)
    env.close()
    assert (first.returns == again.returns).all()
    assert (first.returns != other.returns).any()


def test_it_scores_as_playing_by_hand_does():
    import gymnasium

    env = envs.make(EnvironmentConfig(id="CartPole-v1"), num_envs=1)
    family = Network(env.spec, (), "tanh")
    candidate = np.array([[0.0, 0.1, 1.0, 0.5, 0.0]])
    played = trials.play(family, candidate, env, 3, seed=9)
    env.close()
    plain = gymnasium.make("CartPole-v1")
    for game in range(3):
        obs, _ = plain.reset(seed=derive(derive(9, "games"), 0, game))
        total, over = 0.0, False
        while not over:
            obs, reward, ended, cut, _ = plain.step(int(obs @ [0.0, 0.1, 1.0, 0.5] > 0))
            total, over = total + reward, ended or cut
        assert played.returns[0, game] == total


def test_with_the_same_starts_equal_candidates_score_the_same():
    env = envs.make(EnvironmentConfig(id="CartPole-v1"), num_envs=4)
    family = Network(env.spec, (), "tanh")
    candidates = np.repeat(family.parameters.draw(1, np.random.default_rng(1)), 3, axis=0)
    shared = trials.play(family, candidates, env, 4, seed=5, same_starts=True)
    apart = trials.play(family, candidates, env, 4, seed=5)
    env.close()
    assert (shared.returns == shared.returns[0]).all()
    assert (shared.returns[0] == apart.returns[0]).all()
    assert (apart.returns != apart.returns[0]).any()


def test_what_cannot_be_played_is_refused():
    from dataclasses import replace

    spec = Countdown(4).spec
    trials.check(spec, 4, same_starts=True)
    with pytest.raises(InputError, match="5 games need as many"):
        trials.check(spec, 5, same_starts=True)
    with pytest.raises(InputError, match="no time limit"):
        trials.check(replace(spec, max_episode_steps=None), 1, same_starts=False)


def test_only_the_bound_of_all_episodes_ends_some_games_and_that_is_said():
    spec = replace(Countdown(4).spec, max_episode_steps=None, longest=100_000)
    trials.check(spec, 1, same_starts=False)
    assert "cut off after 100,000 steps" in whole_games.doubts(None, spec, {})[0]
    assert whole_games.doubts(None, replace(spec, max_episode_steps=5), {}) == []
