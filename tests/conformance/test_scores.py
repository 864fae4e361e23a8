"""What a policy says of its actions fits what it does: every algorithm that says something, found by discovery."""

from pathlib import Path

import numpy as np
import pytest
from out_of_tree import PLUGINS

from rltrain.core import Hardware, Scoring
from rltrain.experiment import config
from rltrain.rng import Streams
from rltrain.run import build

BOOK = Path(__file__).parents[2] / "configs" / "mdp" / "book.yaml"
WORLDS = {"env": ["CartPole-v1"], "tabular": [str(BOOK), "FrozenLake-v1", "Blackjack-v1"], "mdp": [str(BOOK)]}
CASES = [(name, world) for name in PLUGINS for world in WORLDS[PLUGINS[name].task]]
KNOWN = {"dqn", "qiter", "qlearn", "td", "viter"}  # they must say something


@pytest.mark.parametrize(("name", "world"), CASES)
def test_scores_fit_the_actions_and_survive_the_disk(name: str, world: str) -> None:
    experiment = config.loads(f"algorithm: {name}\nenvironment: {world}", "test.yaml")
    env = build.world(experiment)
    algorithm = build.algorithm(experiment, experiment.algorithm, env, Streams(0), Hardware("cpu", 1))
    for _ in range(3):
        algorithm.step()
    policy = algorithm.policy()
    if not isinstance(policy, Scoring):
        assert name not in KNOWN
        return
    assert policy.score_name in ("Q", "probability")
    obs = observations(env.spec)
    scores = policy.scores(obs)
    assert scores.shape == (len(obs), env.spec.num_actions)
    able = np.isfinite(scores).any(axis=1)  # an end of a model has no actions
    assert able.any()
    if policy.score_name == "Q":
        assert (np.nanargmax(scores[able], axis=1) == policy.act(obs)[able]).all()
    else:
        assert np.nansum(scores[able], axis=1) == pytest.approx(1)
        assert (scores[able][np.arange(able.sum()), policy.act(obs)[able]] > 0).all()
    before = policy.scores(obs)
    for _ in range(3):
        algorithm.step()
    np.testing.assert_array_equal(policy.scores(obs), before)  # it is frozen

    load = PLUGINS[name].load_policy
    if load is not None:
        loaded = load(experiment.algorithm, env.spec, algorithm.save(), Hardware("cpu", 1))
        assert isinstance(loaded, Scoring)
        np.testing.assert_allclose(loaded.scores(obs), algorithm.policy().scores(obs))  # type: ignore[attr-defined]


def observations(spec):  # type: ignore[no-untyped-def]
    """Every state of a table, or a few numbers."""
    if spec.num_states is not None:
        return np.arange(spec.num_states)[:, None]
    return np.random.default_rng(0).normal(size=(5, *spec.obs_shape)).astype(spec.obs_dtype)
