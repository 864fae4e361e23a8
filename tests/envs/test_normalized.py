"""Observations and rewards normalised over all environments side by side: the numbers, who sees what."""

import gymnasium
import numpy as np
import pytest

from rltrain import envs, kinds
from rltrain.core import EnvSpec, Scoring, Step
from rltrain.envs.normalized import FIRST_COUNT, Moments, Normalized
from rltrain.errors import CheckpointError, InputError
from rltrain.experiment.wrappers import ClipReward
from rltrain.policies.normalizing import normalizing
from rltrain.spaces import Discrete
from rltrain.steps import Normalizing, held, reward_to_learn

OBS, REWARD = "NormalizeObservation", "NormalizeReward"


def world(*listed, n=3, name="CartPole-v1", **keys):
    env = envs.make(kinds.typed(name, wrappers=listed, **keys), num_envs=n)
    assert isinstance(env, Normalized)
    return env


def raw(n=3, name="CartPole-v1", **keys):
    return envs.make(kinds.typed(name, **keys), num_envs=n)


class Opens:
    """Two environments that opened other episodes at a load."""

    spec = EnvSpec("Opens", (1, 4, 4), "uint8", 1, Discrete(2), 2, 1, None, None)

    def __init__(self, opened):
        self._opened = opened
        self.reset = self.step = self.save = self.load = self.close = lambda *_: None

    def go_on_from(self, step):
        return self._opened


def both(env, plain, steps, seed=0):
    """Steps of two worlds of the same seed and actions, the first reset included."""
    stream = np.random.default_rng(seed)
    yield env.reset(seed), plain.reset(seed)
    for _ in range(steps):
        action = env.spec.actions.sample(stream, env.spec.num_envs)
        yield env.step(action), plain.step(action)


def moments(rows):
    """Mean and variance of rows, beside a very small share of mean 0 and variance 1."""
    weight = FIRST_COUNT / (FIRST_COUNT + len(rows))
    mean = (1 - weight) * rows.mean(axis=0)
    return mean, (1 - weight) * (rows**2).mean(axis=0) + weight - mean**2


def test_moments_of_batches_are_those_of_all_rows():
    rows = np.random.default_rng(0).normal(3, 2, (100, 2))
    found = Moments((2,))
    for batch in np.split(rows, [1, 4, 4, 50]):
        found.add(batch)
    mean, variance = moments(rows)
    np.testing.assert_allclose(found.mean, mean)
    np.testing.assert_allclose(found.variance, variance)


@pytest.mark.parametrize("n", [1, 3, 16])
def test_observations_are_normalised_by_all_that_was_seen_so_far_the_newest_included(n):
    seen = []
    for shown, plain in both(world({"name": OBS, "clip": 2.5}, n=n), raw(n), 60):
        seen.append(plain.obs)
        mean, variance = moments(np.concatenate(seen).astype(np.float64))
        found = np.clip((plain.obs - mean) / np.sqrt(variance + 1e-8), -2.5, 2.5)
        np.testing.assert_allclose(shown.obs, found, atol=1e-5)
        assert shown.obs.dtype == np.float32 and np.abs(shown.obs).max() <= 2.5
        for one, same in zip(shown[1:5], plain[1:5], strict=True):
            np.testing.assert_array_equal(one, same)


def test_one_environment_is_normalised_as_by_gymnasium():
    theirs = gymnasium.wrappers.NormalizeObservation(gymnasium.make("Pendulum-v1"))
    env = world(OBS, n=1, name="Pendulum-v1")
    plain = raw(1, "Pendulum-v1")
    for shown, step in both(env, plain, 50):
        theirs.observation(step.obs[0])
        expected = (step.obs[0] - theirs.obs_rms.mean) / np.sqrt(theirs.obs_rms.var + 1e-8)
        np.testing.assert_allclose(shown.obs[0], expected, rtol=1e-3, atol=1e-3)


def test_a_reward_stays_raw_and_the_learner_is_given_another():
    env, running, seen = world({"name": REWARD, "gamma": 0.9, "clip": 5.0}), np.zeros(3), []
    for shown, plain in both(env, raw(), 120):
        np.testing.assert_array_equal(shown.reward, plain.reward)
        np.testing.assert_array_equal(shown.obs, plain.obs)
        running = np.where(plain.first, 0, 0.9 * running + plain.reward)
        seen += running[~plain.first].tolist()
        if seen:
            scaled = plain.reward / np.sqrt(moments(np.array(seen))[1] + 1e-8)
            np.testing.assert_allclose(reward_to_learn(shown), np.clip(scaled, -5, 5), rtol=1e-4)
    assert env.spec.scaled and reward_to_learn(shown).dtype == np.float32


def test_rewards_go_through_the_list_in_its_order():
    first = world({"name": "ClipReward", "max_reward": 0.5}, REWARD)
    *_, (shown, _) = both(first, raw(), 30)
    last = world(REWARD, {"name": "ClipReward", "max_reward": 0.01})
    *_, (cut, _) = both(last, raw(), 30)
    assert reward_to_learn(cut).max() <= 0.01 < reward_to_learn(shown).max()
    alone = world({"name": "ClipReward", "min_reward": -3}, n=1, name="Pendulum-v1")
    for shown, plain in both(alone, raw(1, "Pendulum-v1"), 30):
        np.testing.assert_array_equal(reward_to_learn(shown), np.maximum(plain.reward, -3))


@pytest.mark.parametrize("preprocessing", ["nature", "book"])
def test_rewards_of_a_game_are_cut_for_the_learner_and_its_pictures_stay(preprocessing):
    keys = {"n": 1, "name": "ALE/MsPacman-v5", "preprocessing": preprocessing}
    env, seen = world({"name": "ClipReward", "min_reward": -1, "max_reward": 1}, **keys), []
    for shown, plain in both(env, raw(**keys), 100):
        np.testing.assert_array_equal(reward_to_learn(shown), np.sign(plain.reward))
        np.testing.assert_array_equal(shown.reward, plain.reward)
        np.testing.assert_array_equal(shown.obs, plain.obs)
        seen.append(plain.reward)
    assert env.spec.scaled and np.max(seen) > 1
    settings = kinds.typed("ALE/MsPacman-v5", wrappers=("ClipReward",), preprocessing=preprocessing)
    assert not isinstance(envs.make(settings, num_envs=1, training=False), Normalizing)


@pytest.mark.slow
def test_many_games_whose_rewards_are_changed_are_not_played_in_halves():
    settings = kinds.typed("ALE/Pong-v5", wrappers=("NormalizeReward",))
    assert isinstance(envs.make(settings, num_envs=32, threads=4, in_parts=True), Normalized)


def test_of_an_episode_that_is_left_behind_pictures_stay_as_they_are():
    pictures = np.zeros((2, 1, 4, 4), np.uint8)
    step = Step(pictures, *(np.zeros(2, kind) for kind in ("float32", "float32", "bool", "bool")))
    opened = step._replace(obs=pictures + 1, first=np.array([True, False]))
    env = Normalized(Opens(opened), [ClipReward(name="ClipReward")])
    assert env.go_on_from(step) is opened


def test_statistics_and_environments_are_saved_apart_and_go_on_to_the_bit():
    env, other = world(OBS, REWARD), world(OBS, REWARD)
    stream = np.random.default_rng(0)
    env.reset(4)
    for _ in range(60):
        env.step(env.spec.actions.sample(stream, 3))
    other.load(env.save())
    other.statistics.load(env.statistics.save())
    for _ in range(60):
        action = env.spec.actions.sample(stream, 3)
        for one, same in zip(env.step(action), other.step(action), strict=True):
            np.testing.assert_array_equal(one, same)
    before = env.statistics.save()
    env.load(other.save())
    np.testing.assert_equal(env.statistics.save(), before)  # episodes that are played again are not counted twice


def test_while_statistics_are_held_what_is_seen_looks_alike():
    env = world(OBS)
    assert isinstance(env, Normalizing)
    for _ in both(env, raw(), 30):
        pass
    shown = []
    with held(env):
        for _ in range(2):
            shown.append([step.obs for step, _ in both(env, raw(), 30, seed=7)])
    np.testing.assert_array_equal(*shown)
    after = [step.obs for step, _ in both(env, raw(), 30, seed=7)]
    assert not np.array_equal(after, shown[0])  # what was seen meanwhile counts now
    with held(raw()):  # nothing to hold
        pass


def test_evaluations_and_films_show_observations_as_they_are():
    settings = kinds.typed("CartPole-v1", wrappers=(OBS,))
    plain = raw(2).reset(1).obs
    np.testing.assert_array_equal(envs.make(settings, num_envs=2, training=False).reset(1).obs, plain)
    film = envs.film(settings)
    np.testing.assert_array_equal(film.reset(1).obs, raw(1).reset(1).obs)
    film.close()


class Echo:
    """A policy whose action tells what it was shown."""

    score_name = "Q"

    def act(self, obs, mask=None):
        return np.rint(10 * obs[:, 0]).astype(np.int64)

    def scores(self, obs):
        return obs[:, :2]


class Silent:
    def act(self, obs, mask=None):
        return Echo().act(obs)


def test_a_policy_is_given_what_it_learned_from():
    env = world({"name": OBS, "clip": 1.0})
    *_, (shown, plain) = both(env, raw(), 40)
    policy = normalizing(Echo(), env.statistics.save())
    np.testing.assert_array_equal(policy.act(plain.obs), Echo().act(shown.obs))
    np.testing.assert_allclose(policy.scores(plain.obs), shown.obs[:, :2])
    assert isinstance(policy, Scoring) and policy.score_name == "Q"
    silent = normalizing(Silent(), env.statistics.save())
    assert not isinstance(silent, Scoring)
    np.testing.assert_array_equal(silent.act(plain.obs), Echo().act(shown.obs))
    alone = Echo()
    assert normalizing(alone, world(REWARD).statistics.save()) is alone


@pytest.mark.parametrize("value", [-1.0, np.nan])
def test_statistics_that_cannot_be_are_refused(value):
    env = world(OBS)
    state = {**env.statistics.save()}
    state["obs"] = {**state["obs"], "variance": np.full(4, value)}
    with pytest.raises(CheckpointError, match="obs/variance"):
        env.statistics.load(state)
    with pytest.raises(CheckpointError, match="obs/variance"):
        normalizing(Echo(), state)


def test_pictures_and_numbers_of_states_are_not_normalised():
    with pytest.raises(
        InputError, match=r"environment.wrappers: NormalizeObservation is for vectors; CarRacing-v3 shows"
    ):
        envs.describe(kinds.typed("CarRacing-v3", wrappers=(OBS,), kwargs={"continuous": False}))
    with pytest.raises(InputError, match="NormalizeObservation is for vectors, and a table needs numbers of states"):
        envs.describe(kinds.typed("Blackjack-v1", wrappers=(OBS,)), task="tabular")
