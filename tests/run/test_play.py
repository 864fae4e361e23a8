"""A policy at play: the game that an evaluation plays too, and every moment's own action, scores and return."""

import numpy as np
import pytest

from rltrain import envs
from rltrain.core import Scoring
from rltrain.envs.atari.settings import AtariConfig
from rltrain.experiment.settings import EnvironmentConfig
from rltrain.policies import rules
from rltrain.run.evaluation import evaluate
from rltrain.run.play import play
from rltrain.run.protocols import conditions

CARTPOLE = EnvironmentConfig(id="CartPole-v1")
PACMAN = AtariConfig(id="ALE/MsPacman-v5", max_episode_steps=120, repeat_action_probability=0.25)
LAKE = EnvironmentConfig(id="FrozenLake-v1")
PENDULUM = EnvironmentConfig(id="Pendulum-v1", max_episode_steps=20)
TAXI = EnvironmentConfig(id="Taxi-v4", max_episode_steps=30)  # which masks actions


def random_policy(settings):  # type: ignore[no-untyped-def]
    env = envs.film(settings)
    return env, lambda: rules.make("random", env.spec, np.random.default_rng(3))


WORLDS = {"CartPole": CARTPOLE, "Pacman": PACMAN, "Lake": LAKE, "Pendulum": PENDULUM, "Taxi": TAXI}


@pytest.mark.parametrize(
    ("settings", "epsilon"),
    [
        pytest.param(WORLDS[name], epsilon, id=f"{name}-{epsilon}", marks=pytest.mark.slow if slow else ())
        for name in WORLDS
        for epsilon in (0.0, 0.3)
        for slow in [(name, epsilon) == ("Pacman", 0.0)]
    ],
)
def test_one_game_is_the_game_of_an_evaluation(settings, epsilon):
    env, policy = random_policy(settings)
    moments = list(play(policy(), env, 1, epsilon, seed=11))
    env.close()
    expected = evaluate(policy(), settings, "training", 1, seed=11, epsilon=epsilon)
    assert expected is not None
    end = moments[-1]
    assert (end.total, end.step, end.cut) == (expected.returns[0], expected.lengths[0], expected.truncated[0])
    assert [moment.last for moment in moments] == [False] * (len(moments) - 1) + [True]
    assert [moment.step for moment in moments] == list(range(len(moments)))


class Angle:
    """Pushes to where the pole leans, and says so."""

    score_name = "probability"

    def act(self, obs):
        return (obs[:, 2] > 0).astype(np.int64)

    def scores(self, obs):
        return np.eye(2)[self.act(obs)]


def test_each_moment_has_its_own_action_and_scores():
    env = envs.film(CARTPOLE)
    policy = Angle()
    assert isinstance(policy, Scoring)
    moments = list(play(policy, env, 3, 0.5, seed=0))
    env.close()
    assert [moment.game for moment in moments if moment.last] == [1, 2, 3]
    assert next(moment.step for moment in moments if moment.game == 2) == 0
    for moment in moments:
        if moment.last:
            assert moment.action is None and moment.scores is None
        elif not moment.explored:
            assert moment.action == moment.scores.argmax()
        assert moment.total == moment.step
    explored = [moment for moment in moments if moment.explored]
    assert 0.3 < len(explored) / len(moments) < 0.7
    assert any(moment.action != moment.scores.argmax() for moment in explored)


class Wishes:
    """Wants the same of every state: a softmax over what is possible."""

    score_name = "probability"
    wants = np.array([[8, 7, 6, 5, 4, 90]])

    def act(self, obs, mask=None):
        return self.scores(obs, mask).argmax(axis=1)

    def scores(self, obs, mask=None):
        left = self.wants * (1 if mask is None else mask)
        return left / left.sum()


def test_what_a_policy_thinks_is_of_what_can_be_done():
    env = envs.film(TAXI)
    moments = list(play(Wishes(), env, 1, 0.3, seed=0))
    env.close()
    assert moments[-1].possible is None
    masks = np.array([moment.possible for moment in moments[:-1]])
    assert masks.shape == (30, 6) and not masks.all() and masks.any(axis=1).all()
    for moment in moments[:-1]:
        assert moment.scores[~moment.possible].sum() == 0 and moment.scores.sum() == pytest.approx(1)
        assert moment.possible[moment.action]


def test_nothing_is_played_ahead():
    env = envs.film(CARTPOLE)
    moments = play(Angle(), env, 1, 0.0, seed=0)
    frames = []
    for moment, _ in zip(moments, range(10), strict=False):
        assert (moment.frame == env.frame()).all()  # the environment stands where the moment does
        frames.append(env.frame().tobytes())
    assert len(set(frames)) > 5
    env.close()


def test_the_conditions_are_those_of_an_evaluation():
    name, played, epsilon = conditions(AtariConfig(id="ALE/MsPacman-v5"), None, None)
    assert (name, epsilon, played.noop_max, played.max_episode_steps) == ("nature", 0.05, 30, 4500)
    assert conditions(CARTPOLE, None, 0.25)[2] == 0.25
