"""REINFORCE: what it counts, learns and refuses."""

import numpy as np
import pytest

from rltrain.algos import reinforce
from rltrain.algos.reinforce import Reinforce, ReinforceConfig
from rltrain.core import Array, EnvSpec, Hardware, Step
from rltrain.errors import DivergedError, InputError
from rltrain.experiment import config
from rltrain.rng import Streams
from rltrain.run import build
from rltrain.run.evaluation import evaluate
from rltrain.spaces import Discrete


class Countdown:
    """Lane k's games take k + 1 steps and pay the step's number; what is seen is the lane and the step."""

    def __init__(self, lanes: int) -> None:
        self.spec = EnvSpec("Countdown", (2,), "float32", 1, Discrete(2, ("0", "1")), lanes, 1, 100, None)
        self._t = np.zeros(lanes, np.int64)

    def _step(self, reward: Array, first: Array, last: Array) -> Step:
        obs = np.stack([np.arange(len(self._t)), self._t], axis=1).astype(np.float32)
        return Step(obs, reward.astype(np.float32), np.where(last, 0, 1).astype(np.float32), first, last)

    def reset(self, seed: int) -> Step:
        self._t[:] = 0
        self._last = np.zeros(len(self._t), bool)
        return self._step(np.zeros(len(self._t)), ~self._last, self._last)

    def step(self, action: Array) -> Step:
        first = self._last
        self._t = np.where(first, 0, self._t + 1)
        self._last = self._t > np.arange(len(self._t))
        return self._step(self._t, first, self._last)

    def save(self) -> dict[str, int]:
        return {}

    def load(self, state: object) -> None: ...
    def close(self) -> None: ...


def test_every_lane_plays_its_share_of_whole_games_and_nothing_else_counts() -> None:
    algorithm = Reinforce(ReinforceConfig(games_per_update=5), Countdown(3), Streams(0), Hardware("cpu", 1))
    batch = algorithm.play(games=5, seed=0)
    assert batch.played.sum(axis=0).tolist() == [2 * 1, 2 * 2, 1 * 3]  # 5 games: 2, 2 and 1, of 1, 2 and 3 steps
    assert batch.reward[batch.played].min() >= 1  # a step that opens a game pays nothing and is not among them
    metrics = algorithm.step()
    assert dict(algorithm.counters) == {"env_steps": 9, "episodes": 5, "updates": 1}
    assert metrics["return/batch"] == pytest.approx((1 + 1 + 3 + 3 + 6) / 5)
    assert metrics["return/mean"] == metrics["return/batch"]
    assert metrics["length/mean"] == pytest.approx(9 / 5)
    assert sorted(algorithm.episodes.returns) == [1, 1, 3, 3, 6]


def test_it_learns_which_of_two_actions_pays() -> None:
    class Bandit(Countdown):
        def step(self, action: Array) -> Step:
            return super().step(action)._replace(reward=(action == 1).astype(np.float32))

    algorithm = Reinforce(ReinforceConfig(games_per_update=30), Bandit(3), Streams(0), Hardware("cpu", 1))
    for _ in range(30):
        algorithm.step()
    obs = algorithm.env.reset(0).obs
    assert (algorithm.policy().act(obs) == 1).all()
    assert algorithm.policy().scores(obs)[:, 1].min() > 0.8  # type: ignore[attr-defined]


def test_a_baseline_makes_the_scores_smaller() -> None:
    settings = {"baseline": "value", "normalize_scores": False, "games_per_update": 30, "value_epochs": 50}
    algorithm = Reinforce(ReinforceConfig.model_validate(settings), Countdown(3), Streams(0), Hardware("cpu", 1))
    batch = algorithm.play(games=30, seed=0)
    before = np.abs(algorithm._scores(batch)[0][batch.played]).mean()
    losses = [algorithm.step()["loss/value"] for _ in range(20)]
    after = np.abs(algorithm._scores(batch)[0][batch.played]).mean()
    assert losses[-1] < 0.1 * losses[0]
    assert after < 0.3 * before


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"obs_dtype": "uint8"}, "learns from vectors"),
        ({"max_episode_steps": None}, "set one"),
        ({"actions": Discrete(3)}, "sigmoid is for two actions"),
    ],
)
def test_what_does_not_fit_is_refused(changes: dict[str, object], rule: str) -> None:
    spec = EnvSpec(**{**vars(Countdown(1).spec), **changes})  # type: ignore[arg-type]
    with pytest.raises(InputError, match=rule):
        reinforce.check(ReinforceConfig(output="sigmoid"), spec)


def test_the_sampling_policy_draws_and_the_greedy_one_does_not() -> None:
    obs = np.zeros((200, 4), np.float32)
    for act, kinds in (("greedy", 1), ("sample", 2)):
        text = f"algorithm: {{name: reinforce, act: {act}}}\nenvironment: CartPole-v1"
        policy = build.build(config.loads(text, "t")).algorithm.policy()
        assert len(set(policy.act(obs).tolist())) == kinds


def test_it_learns_cartpole_in_a_hundred_thousand_steps() -> None:
    """Its greedy policy then scores 450 in games of other seeds; random play scores 22, the hard-coded rule 42."""
    experiment = config.load("configs/reinforce_cartpole.yaml")
    algorithm = build.build(experiment).algorithm
    while algorithm.counters["env_steps"] < 100_000:
        algorithm.step()
    found = evaluate(algorithm.policy(), experiment.environment, None, 100, seed=1)
    assert found is not None and found.mean >= 450


def test_a_layer_without_units_is_refused() -> None:
    with pytest.raises(InputError, match=r"algorithm.hidden"):
        config.loads("algorithm: {name: reinforce, hidden: [0]}\nenvironment: CartPole-v1", "t.yaml")


def test_a_baseline_that_diverges_is_told_from_a_policy_that_does() -> None:
    settings = {"baseline": "value", "games_per_update": 6, "value_learning_rate": 10, "value_epochs": 1000}
    algorithm = Reinforce(ReinforceConfig.model_validate(settings), Countdown(3), Streams(0), Hardware("cpu", 1))
    algorithm.value[-1][...] = np.inf
    with np.errstate(invalid="ignore"), pytest.raises(DivergedError, match="value_learning_rate"):
        algorithm._fit_value(np.zeros((4, 2)), np.zeros(4))
