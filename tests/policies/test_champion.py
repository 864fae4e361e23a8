"""A lucky score does not win: a world in which every score is luck but for one candidate's."""

import numpy as np

from rltrain.core import EnvSpec, Step
from rltrain.policies.champion import Champion, fixed, spread
from rltrain.policies.parameters import Parameters
from rltrain.spaces import Discrete

LANES = 50


class Lottery:
    """One step a game: it pays the action, more or less: normal noise of standard deviation 10."""

    spec = EnvSpec(
        id="Lottery-v0", obs_shape=(1,), obs_dtype="float32", frame_stack=1, actions=Discrete(100),
        num_envs=LANES, frames_per_step=1, max_episode_steps=1, reward_threshold=None,
    )  # fmt: skip

    def reset(self, seed):
        self.stream, self.over = np.random.default_rng(seed), np.zeros(LANES, bool)
        zeros = np.zeros(LANES, np.float32)
        return Step(np.zeros((LANES, 1), np.float32), zeros, zeros + 1, ~self.over, self.over)

    def step(self, action):
        first, self.over = self.over, ~self.over
        reward = (action + 10 * self.stream.normal(size=LANES)).astype(np.float32)
        return Step(np.zeros((LANES, 1), np.float32), reward, 1 - self.over, first, self.over)


class Constant:
    parameters = Parameters(("level",), np.zeros(1), np.full(1, 99.0), np.ones(1, bool))
    draws = 0

    def act(self, candidates, obs, uniform, mask=None):
        return np.broadcast_to(candidates[:, 0], len(obs)).astype(np.int64)


def make(games=50):
    return Champion(Constant(), Lottery(), games, seed=0)


def test_the_better_candidate_wins_whichever_was_lucky():
    champion = make()
    champion.challenge(np.array([[20.0]]), 0)
    assert abs(champion.mean - 20) < 5
    champion.challenge(np.array([[40.0]]), 1)
    assert champion.candidate.tolist() == [40.0]
    for generation in range(2, 30):
        champion.challenge(np.array([[20.0]]), generation)
    assert champion.candidate.tolist() == [40.0]


def test_its_mean_comes_nearer_to_the_truth_with_every_generation():
    champion = make(games=10)
    for generation in range(100):
        champion.challenge(np.array([[30.0]]), generation)
    assert champion.played == 1_000
    assert abs(champion.mean - 30) < 1  # 3 standard errors


def test_a_lucky_champion_falls_back_and_is_replaced():
    champion = make()
    champion.challenge(np.array([[20.0]]), 0)
    champion.total = 45.0 * champion.played  # what luck might have given it
    generation = 1
    while champion.candidate[0] == 20:
        champion.challenge(np.array([[30.0]]), generation)
        generation += 1
        assert generation < 10
    assert champion.candidate.tolist() == [30.0]


def test_the_champion_does_not_play_against_itself():
    champion = make(games=10)
    assert champion.challenge(np.array([[20.0], [30.0]]), 0).returns.shape == (2, 10)
    assert champion.challenge(champion.candidate[None], 1).returns.shape == (1, 10)
    assert champion.played == 20


def test_it_is_saved_whole():
    champion, other = make(), make()
    champion.challenge(np.array([[20.0]]), 0)
    other.load(champion.save())
    for generation in range(1, 4):
        champion.challenge(np.array([[22.0]]), generation)
        other.challenge(np.array([[22.0]]), generation)
        assert champion.metrics() == other.metrics()
        assert (champion.candidate == other.candidate).all()


def test_before_the_first_generation_the_middle_of_the_ranges_plays():
    policy = fixed(Constant(), make().candidate, seed=0)
    assert policy.act(np.zeros((3, 1))).tolist() == [49, 49, 49]
    assert np.isnan(make().mean)


def test_the_three_numbers_of_a_generation():
    assert spread(np.array([1.0, 2.0, 6.0])) == {
        "population/best": 6.0,
        "population/median": 2.0,
        "population/sd": np.std([1, 2, 6]),
    }
