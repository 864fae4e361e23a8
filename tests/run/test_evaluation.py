"""Evaluation: its numbers by hand, its games whole, its choice of games without favour."""

import json
import math

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

from rltrain.envs.atari.settings import AtariConfig
from rltrain.errors import InputError
from rltrain.experiment.settings import EnvironmentConfig
from rltrain.policies import rules
from rltrain.run.evaluation import Evaluation, OngoingEvaluation, bootstrap, evaluate
from rltrain.run.protocols import default_protocol
from rltrain.run.scores import RunScores
from rltrain.spaces import Discrete

CARTPOLE = EnvironmentConfig(id="CartPole-v1")
PACMAN = AtariConfig(id="ALE/MsPacman-v5", terminal_on_life_loss=True)


class Always:
    """One action for everything."""

    def __init__(self, action: int) -> None:
        self.action = action

    def act(self, obs):
        return np.full(len(obs), self.action)


class ShortOrLong(gymnasium.Env):
    """Half of the games last 1 step and pay 1 a step, half last 30. Mean return 15.5 if no game is favoured."""

    observation_space = spaces.Box(0, 1, (1,), np.float32)
    action_space = spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.left = 30 if self.np_random.random() < 0.5 else 1
        return np.zeros(1, np.float32), {}

    def step(self, action):
        self.left -= 1
        return np.zeros(1, np.float32), 1.0, self.left == 0, False, {}


class Counted(ShortOrLong):
    """The same, and how often any of them was asked for a step."""

    steps = 0

    def step(self, action):
        Counted.steps += 1
        return super().step(action)


class Endless(ShortOrLong):
    """Never ends and has no time limit of its own."""

    def step(self, action):
        return np.zeros(1, np.float32), 1.0, False, False, {}


@pytest.fixture
def registered():
    ids = {"ShortOrLong-v0": ShortOrLong, "Endless-v0": Endless, "Counted-v0": Counted}
    for name, env in ids.items():
        gymnasium.register(name, entry_point=env)
    yield
    for name in ids:
        del gymnasium.registry[name]


def test_the_statistics_by_hand():
    result = Evaluation(
        {}, 0, returns=(1.0, 2.0, 3.0, 10.0), lengths=(4, 5, 6, 7), truncated=(False, True, False, False)
    )
    assert (result.mean, result.median, result.min, result.max) == (4.0, 2.5, 1.0, 10.0)
    assert math.isclose(result.sd, math.sqrt((9 + 4 + 1 + 36) / 4))
    assert result.truncated_share == 0.25
    assert json.loads(json.dumps(result.json())) == {
        "protocol": {},
        "seed": 0,
        "episodes": 4,
        "returns": [1.0, 2.0, 3.0, 10.0],
        "lengths": [4, 5, 6, 7],
        "truncated": [False, True, False, False],
        "mean": 4.0,
        "sd": result.sd,
        "median": 2.5,
        "min": 1.0,
        "max": 10.0,
        "ci95": list(result.ci95),
        "truncated_share": 0.25,
    }


def test_the_bootstrap_agrees_with_theory():
    # Of 30 ones and 70 zeros the resampled sum is binomial; its 2.5 % and 97.5 % points are 21 and 39.
    low, high = bootstrap(np.array([1.0] * 30 + [0.0] * 70), seed=1)
    assert (low, high) == (pytest.approx(0.21, abs=0.0051), pytest.approx(0.39, abs=0.0051))
    assert bootstrap(np.array([7.0]), seed=1) == (7.0, 7.0)
    many = np.tile([0.0, 1.0], 1_000)  # normal: .5 -+ 1.96 * .5 / sqrt(2000)
    assert bootstrap(many, seed=1) == (pytest.approx(0.4781, abs=0.001), pytest.approx(0.5219, abs=0.001))


def test_cartpole_games_by_hand():
    """The same games, played one by one with Gymnasium alone."""
    from rltrain.rng import derive

    result = evaluate(rules.RulePolicy(rules.angle, Discrete(2)), CARTPOLE, None, episodes=3, seed=5)
    expected, chosen = [], [0, 0]
    for lane in range(3):
        env = gymnasium.make("CartPole-v1")
        obs, _ = env.reset(seed=derive(derive(5, "games"), lane, 0))
        score, over = 0.0, False
        while not over:
            chosen[int(obs[2] >= 0)] += 1
            obs, reward, terminated, truncated, _ = env.step(int(obs[2] >= 0))
            score, over = score + float(reward), terminated or truncated
        expected.append(score)
    assert list(result.returns) == expected
    assert list(result.lengths) == expected  # a point a step
    assert result.chosen == tuple(chosen)
    assert result.truncated == (False,) * 3
    assert result.protocol == {
        "name": "training",
        "noop_max": None,
        "repeat_action_probability": None,
        "lives": None,
        "actions": 2,
        "frame_skip": 1,
        "max_frames": 500,
        "epsilon": 0.0,
        "episodes": 3,
    }


def test_what_is_chosen_is_the_policys_will_not_what_epsilon_made_of_it(registered):
    result = evaluate(Always(0), EnvironmentConfig(id="ShortOrLong-v0"), None, episodes=40, seed=1, epsilon=0.5)
    assert result.chosen[0] == sum(result.lengths) and sum(result.chosen[1:]) == 0
    metrics = RunScores(None).evaluated(result, 7)
    assert (metrics["action/most"], metrics["action/share"]) == (0.0, 1.0)


def test_no_game_is_favoured_for_being_short(registered):
    settings = EnvironmentConfig(id="ShortOrLong-v0")
    returns = [evaluate(Always(0), settings, None, episodes=32, seed=seed).returns for seed in range(20)]
    # The mean of 640 fair games is within 15.5 -+ 4 * 14.5 / sqrt(640) = 2.3.
    # The first 32 games to end in 32 lanes are nearly all of one step, and so would be their mean.
    assert abs(np.mean(returns) - 15.5) < 2.3


def test_an_uneven_number_of_games_is_met_exactly(registered):
    for episodes in (1, 31, 33, 70):
        result = evaluate(Always(0), EnvironmentConfig(id="ShortOrLong-v0"), None, episodes, seed=1)
        assert len(result.returns) == len(result.lengths) == len(result.truncated) == episodes


def test_time_limits_are_told_and_an_endless_game_ends(registered):
    solved = evaluate(rules.RulePolicy(rules.angle_velocity, Discrete(2)), CARTPOLE, None, episodes=2, seed=0)
    assert solved.returns == (500.0, 500.0)
    assert solved.truncated_share == 1.0
    endless = evaluate(Always(0), EnvironmentConfig(id="Endless-v0"), None, episodes=1, seed=0)
    assert (endless.lengths, endless.truncated) == ((10_000,), (True,))
    assert endless.protocol["max_frames"] == 10_000


def test_epsilon_is_the_chance_of_a_random_action():
    scores = [evaluate(Always(0), CARTPOLE, None, 40, seed=0, epsilon=e).mean for e in (0.0, 1.0)]
    assert 8 < scores[0] < 11  # always left: the pole falls at once
    assert 17 < scores[1] < 28  # random play: 22.2


def test_an_evaluation_repeats_and_another_seed_plays_other_games():
    runs = [
        evaluate(rules.RulePolicy(rules.angle, Discrete(2)), CARTPOLE, None, 5, seed, epsilon=0.3) for seed in (1, 1, 2)
    ]
    assert runs[0].json() == runs[1].json()
    assert runs[0].returns != runs[2].returns


def test_a_lane_that_has_played_its_games_is_stepped_no_more(registered):
    Counted.steps = 0
    result = evaluate(Always(0), EnvironmentConfig(id="Counted-v0"), None, episodes=40, seed=3)
    assert Counted.steps == sum(result.lengths)
    assert {1, 30} == set(result.lengths)


class Rows:
    """The action is the parity of the observation. It is asked row by row, and remembers for how many."""

    row_block = 4

    def __init__(self):
        self.asked = []

    def act(self, obs):
        self.asked.append(len(obs))
        return obs[:, 0].astype(np.int64) % 2


class Parity(gymnasium.Env):
    """A game of as many steps as its seed says, which pays for the parity of what it shows."""

    observation_space = spaces.Box(0, 10**6, (1,), np.float32)
    action_space = spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.left = int(self.np_random.integers(1, 40))
        return self.show(), {}

    def show(self):
        self.shown = int(self.np_random.integers(10**6))
        return np.array([self.shown], np.float32)

    def step(self, action):
        self.left -= 1
        right = float(action == self.shown % 2)
        return self.show(), right, self.left == 0, False, {}


@pytest.mark.parametrize("episodes", [1, 7, 8, 9, 30, 32])
def test_a_policy_is_asked_for_whole_blocks_of_the_lanes_that_play(episodes):
    gymnasium.register("Parity-v0", entry_point=Parity)
    policy = Rows()
    result = evaluate(policy, EnvironmentConfig(id="Parity-v0"), None, episodes, seed=2)
    del gymnasium.registry["Parity-v0"]
    assert result.returns == tuple(map(float, result.lengths)), "every lane was answered what it asked"
    assert policy.asked[0] == episodes
    assert {number % 4 for number in policy.asked} == {episodes % 4}
    assert min(policy.asked) == min(episodes, 4 + episodes % 4)
    assert policy.asked == sorted(policy.asked, reverse=True)


def test_what_was_played_so_far_can_be_told_at_any_time(registered):
    playing = OngoingEvaluation(Always(0), EnvironmentConfig(id="ShortOrLong-v0"), None, 10, seed=1)
    with pytest.raises(InputError, match="none of 10 games"):
        playing.result()
    counts = []
    for played in playing.steps():
        counts.append(played)
        assert len(playing.result().returns) == played
        assert playing.result().protocol["episodes"] == 10
    playing.close()
    assert (counts[0], counts[-1]) == (playing.result().lengths.count(1), 10)
    assert playing.result() == evaluate(Always(0), EnvironmentConfig(id="ShortOrLong-v0"), None, 10, seed=1)
    assert playing.env_steps == sum(playing.result().lengths)


@pytest.mark.parametrize(
    ("protocol", "fields"),
    [
        (
            None,
            {"name": "nature", "noop_max": 30, "repeat_action_probability": 0.0, "epsilon": 0.05, "max_frames": 18_000},
        ),
        ("sticky", {"name": "sticky", "noop_max": 0, "repeat_action_probability": 0.25, "epsilon": 0.001}),
        ("training", {"name": "training", "noop_max": 7, "repeat_action_probability": 0.5, "epsilon": 0.05}),
    ],
)
def test_atari_protocols_play_whole_games_under_their_rules(protocol, fields):
    chosen = {"noop_max": 7, "repeat_action_probability": 0.5, "terminal_on_life_loss": True, "screen_size": 24}
    settings = AtariConfig(id="ALE/Breakout-v5", frame_skip=10, **chosen)
    result = evaluate(
        rules.RandomPolicy(Discrete(4), np.random.default_rng(0)), settings, protocol, episodes=2, seed=0, threads=2
    )
    assert result.protocol.items() >= fields.items()
    assert result.protocol["lives"] == "whole games"
    assert (result.protocol["actions"], result.protocol["frame_skip"]) == (4, 10)
    assert len(result.protocol) == 9
    assert min(result.lengths) > 40, "five lives, not one"


def test_the_time_limit_of_a_protocol_is_in_frames():
    settings = AtariConfig(id="ALE/Skiing-v5", frame_skip=100, screen_size=24, max_episode_steps=3)
    result = evaluate(Always(0), settings, "nature", episodes=1, seed=0, epsilon=0.0)
    assert result.protocol["max_frames"] == 18_000
    assert result.lengths[0] <= 180
    training = evaluate(Always(0), settings, "training", episodes=1, seed=0)
    assert (training.lengths, training.truncated) == ((3,), (True,))


@pytest.mark.slow
def test_random_play_on_ms_pacman_scores_what_is_published():
    policy = rules.RandomPolicy(Discrete(9), np.random.default_rng(0))
    result = evaluate(policy, PACMAN.model_copy(update={"screen_size": 24}), "nature", episodes=100, seed=0, threads=2)
    assert 210 < result.mean < 310
    assert all(score % 10 == 0 for score in result.returns)


def test_protocols_that_do_not_fit_are_refused():
    book = AtariConfig(id="ALE/MsPacman-v5", preprocessing="book")
    assert [default_protocol(s) for s in (CARTPOLE, PACMAN, book)] == ["training", "nature", "training"]
    for settings, protocol in ((CARTPOLE, "nature"), (CARTPOLE, "sticky"), (book, "nature"), (PACMAN, "natur")):
        with pytest.raises(InputError, match="protocol"):
            evaluate(Always(0), settings, protocol, 1, seed=0)
    with pytest.raises(InputError, match="at least 1"):
        evaluate(Always(0), CARTPOLE, None, 0, seed=0)
    with pytest.raises(InputError, match="from 0 to 1"):
        evaluate(Always(0), CARTPOLE, None, 1, seed=0, epsilon=1.5)
