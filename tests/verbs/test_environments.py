"""What `rltrain list environments` says: what is seen, what is done, what can learn it, and what is missing."""

from collections.abc import Iterator
from dataclasses import replace

import gymnasium
import pytest
from gymnasium import spaces

from rltrain import envs, kinds, registry
from rltrain.core import EnvSpec, Hardware
from rltrain.errors import InputError
from rltrain.experiment import config
from rltrain.rng import Streams
from rltrain.run import build
from rltrain.spaces import Discrete
from rltrain.verbs.environments import EnvironmentSummary, environments, observations


@pytest.fixture(scope="module")
def found() -> dict[str, EnvironmentSummary]:
    return {summary.id: summary for summary in environments()}


def test_each_says_what_is_seen_and_done_and_what_learns_it(found: dict[str, EnvironmentSummary]) -> None:
    cart, lake, jack = found["CartPole-v1"], found["FrozenLake-v1"], found["Blackjack-v1"]
    assert (cart.observations, cart.actions, cart.missing) == ("4 numbers", "2 actions", None)
    assert {"dqn", "reinforce", "cmaes"} <= set(cart.learned_by) and not {"basic", "qlearn"} & set(cart.learned_by)
    assert lake.observations == "one of 16 states" and {"qlearn", "viter", "dqn"} <= set(lake.learned_by)
    assert "qlearn" in jack.learned_by and "viter" not in jack.learned_by  # it can be numbered, and has no table
    pacman = found["ALE/MsPacman-v5"]
    assert (pacman.observations, pacman.kind) == ("4 x 84 x 84 image", "Atari")
    assert "dqn" in pacman.learned_by and "reinforce" not in pacman.learned_by


def test_what_it_says_can_be_learned_is_what_train_takes_and_the_rest_it_refuses(
    found: dict[str, EnvironmentSummary],
) -> None:
    """For one environment of each form, and every algorithm."""
    for name in ("CartPole-v1", "ALE/Pong-v5", "FrozenLake-v1", "Blackjack-v1"):
        for algorithm in registry.names():
            if algorithm == "basic":
                continue
            taken = True
            try:
                text = f"algorithm: {algorithm}\nenvironment: {{id: {name}, num_envs: 1, max_episode_steps: 9}}"
                experiment = config.loads(text, "test.yaml")
                spec = envs.describe(experiment.environment, task=experiment.task)
                build.seen_by(algorithm, spec)
                plugin = registry.plugin(algorithm)
                plugin.cost(experiment.algorithm, spec)
                if experiment.task == "mdp":
                    envs.known_model(experiment.environment, algorithm)
                if algorithm == "reinforce":
                    plugin.make(experiment.algorithm, envs.make(experiment.environment), Streams(0), Hardware("cpu", 1))
            except InputError:
                taken = False
            assert taken == (algorithm in found[name].learned_by), (name, algorithm)


def test_what_cannot_be_made_here_says_what_is_missing(found: dict[str, EnvironmentSummary]) -> None:
    old = found["Ant-v2"]
    assert (old.observations, old.actions, old.learned_by) == (None, None, [])
    assert old.missing is not None and "gymnasium-robotics" in old.missing and "Ant-v2" not in old.missing
    assert found["GymV21Environment-v0"].missing is not None
    for summary in found.values():  # who says that nothing is missing can be made
        if summary.missing is None and summary.kind == "Gymnasium":
            envs.describe(kinds.typed(summary.id))


def test_every_id_is_there_once(found: dict[str, EnvironmentSummary]) -> None:
    assert sorted(found) == sorted({*kinds.ids()}) == [summary.id for summary in environments()]


class Odd(gymnasium.Env[object, object]):
    """One that shows what nothing here takes, or fails."""

    observation_space = spaces.Box(-1, 1, (3,))
    action_space = spaces.Sequence(spaces.Discrete(2))  # type: ignore[assignment]

    def __init__(self, fails: bool = False) -> None:
        if fails:
            raise RuntimeError("no licence")


@pytest.fixture
def odd() -> Iterator[None]:
    gymnasium.register("OddActions-v0", entry_point=Odd)
    gymnasium.register("OddFault-v0", entry_point=Odd, kwargs={"fails": True})
    yield
    for name in ("OddActions-v0", "OddFault-v0"):
        del gymnasium.registry[name]


def test_one_that_fails_or_has_spaces_that_nothing_takes_breaks_no_list(odd: None) -> None:
    found = {summary.id: summary for summary in environments()}
    assert "no licence" in str(found["OddFault-v0"].missing)
    assert found["OddActions-v0"].missing is not None and found["CartPole-v1"].missing is None


def test_observations_in_words() -> None:
    spec = EnvSpec("x", (4,), "float32", 1, Discrete(2), 1, 1, None, None)
    assert observations(spec) == "4 numbers"
    assert observations(replace(spec, obs_shape=(1,))) == "1 number"
    assert observations(replace(spec, obs_shape=(3, 96, 96))) == "3 x 96 x 96 image"
    assert observations(replace(spec, num_states=1_200)) == "one of 1,200 states"
