"""REINFORCE: the chapter's worked examples, its gradient, advantages by hand, and what it counts."""

import math

import numpy as np
import pytest
import torch

from rltrain.algos import reinforce
from rltrain.algos.reinforce import Algorithm, Config
from rltrain.core import Array, EnvSpec, Hardware, Step
from rltrain.errors import DivergedError, InputError
from rltrain.experiment import config
from rltrain.policies import mlp
from rltrain.rng import Streams
from rltrain.run import build
from rltrain.run.evaluation import evaluate


def one_game(rewards: list[float]) -> tuple[Array, Array]:
    reward = np.array(rewards)[:, None]
    last = np.zeros_like(reward, dtype=bool)
    last[-1] = True
    return reward, last


# The chapter's examples


def test_discounted_rewards_of_the_chapter() -> None:
    assert reinforce.returns_to_go(*one_game([10, 0, -50]), 0.8)[:, 0].tolist() == [-22, -40, -50]


def test_normalised_scores_of_the_chapter() -> None:
    games = [[10.0, 0, -50], [10.0, 20]]
    scores = np.concatenate([reinforce.returns_to_go(*one_game(game), 0.8)[:, 0] for game in games])
    expected = [-0.28435071, -0.86597718, -1.18910299, 1.26665318, 1.0727777]
    np.testing.assert_allclose(reinforce.normalized(scores), expected, atol=5e-9)


def test_one_batched_pass_is_the_mean_of_the_chapters_gradients() -> None:
    """The chapter: the gradient of each step's cross-entropy, times its score; then the mean over all steps."""
    stream = np.random.default_rng(0)
    settings = Config.model_validate({"hidden": (4,), "activation": "elu", "output": "sigmoid", "initializer": "he"})
    weights = mlp.initial([4, 4, 1], stream, variance=2.0)
    obs = stream.normal(size=(50, 4))
    action = stream.integers(0, 2, 50)
    score = stream.normal(size=50)
    ours, _ = reinforce.policy_gradient(weights, obs, action, score, settings.activation, 0.0, 2)

    layers = [torch.nn.Linear(4, 4, dtype=torch.float64), torch.nn.ELU(), torch.nn.Linear(4, 1, dtype=torch.float64)]
    network = torch.nn.Sequential(*layers)
    with torch.no_grad():
        for part, own in zip(network.parameters(), weights, strict=True):
            part.copy_(torch.from_numpy(own.T))
    total = [torch.zeros_like(part) for part in network.parameters()]
    for t in range(50):
        y = torch.tensor([1.0 - action[t]], dtype=torch.float64)  # the target chance of action 0
        loss = torch.nn.functional.binary_cross_entropy_with_logits(network(torch.from_numpy(obs[t])), y)
        for sum_, part in zip(total, torch.autograd.grad(loss, list(network.parameters())), strict=True):
            sum_ += score[t] * part
    for own, sum_ in zip(ours, total, strict=True):
        np.testing.assert_allclose(own, (sum_ / 50).numpy().T, atol=1e-6 * float(np.abs(own).max()))


# The gradient and the scores in general


def loss(weights: mlp.Weights, obs: Array, action: Array, score: Array, ent_coef: float) -> float:
    num_actions = max(2, weights[-1].shape[0])
    log_p = reinforce.log_policy(reinforce.logits(weights, obs, "tanh", num_actions))
    entropy = -(np.exp(log_p) * log_p).sum(axis=1)
    return float(-np.mean(score * log_p[np.arange(len(obs)), action]) - ent_coef * entropy.mean())


@pytest.mark.parametrize("outputs", [1, 3])
def test_the_gradient_is_the_slope_of_the_loss(outputs: int) -> None:
    stream = np.random.default_rng(1)
    weights = mlp.initial([2, 5, outputs], stream)
    obs, score = stream.normal(size=(9, 2)), stream.normal(size=9)
    action = stream.integers(0, max(2, outputs), 9)
    gradient, entropy = reinforce.policy_gradient(weights, obs, action, score, "tanh", 0.3, max(2, outputs))
    assert 0 < entropy <= math.log(max(2, outputs))
    for part, slope in zip(weights, gradient, strict=True):
        for at in np.ndindex(part.shape):
            before, h = part[at], 1e-6
            ends = []
            for value in (before + h, before - h):
                part[at] = value
                ends.append(loss(weights, obs, action, score, 0.3))
            part[at] = before
            assert slope[at] == pytest.approx((ends[0] - ends[1]) / (2 * h), rel=1e-4, abs=1e-8)


def test_advantages_by_hand() -> None:
    """Two games in a lane: the first ends by itself, the second is cut by the clock after one step."""
    reward = np.array([[1.0], [2.0], [3.0]])
    last = np.array([[False], [True], [True]])
    discount = np.array([[1.0], [0.0], [1.0]])
    value = np.array([[0.5], [1.5], [2.0], [10.0]])
    # delta: 1 + .9*1.5 - .5 = 1.85;  2 + 0 - 1.5 = .5;  3 + .9*10 - 2 = 10
    found = reinforce.advantages(reward, discount, last, value, 0.9, 0.5)
    assert found[:, 0] == pytest.approx([1.85 + 0.45 * 0.5, 0.5, 10.0])


def test_lambda_1_is_the_return_minus_the_baseline() -> None:
    stream = np.random.default_rng(0)
    reward, last = stream.normal(size=(6, 2)), np.zeros((6, 2), bool)
    last[-1] = True
    discount = np.where(last, 0.0, 1.0)
    value = stream.normal(size=(7, 2))
    found = reinforce.advantages(reward, discount, last, value, 0.9, 1.0)
    np.testing.assert_allclose(found, reinforce.returns_to_go(reward, last, 0.9) - value[:-1])


def test_actions_come_with_their_probabilities() -> None:
    weight = np.repeat([[1.0, 0.0, 3.0]], 40_000, axis=0)
    drawn = reinforce.draw(weight, np.random.default_rng(0))
    share = np.bincount(drawn, minlength=3) / len(drawn)
    assert share[1] == 0
    assert share[0] == pytest.approx(0.25, abs=0.01)


# Whole games


class Countdown:
    """Lane k's games take k + 1 steps and pay the step's number; what is seen is the lane and the step."""

    def __init__(self, lanes: int) -> None:
        self.spec = EnvSpec("Countdown", (2,), "float32", 1, 2, ("0", "1"), lanes, 1, 100, None)
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
    algorithm = Algorithm(Config(games_per_update=5), Countdown(3), Streams(0), Hardware("cpu", 1))
    batch = algorithm._play()
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

    algorithm = Algorithm(Config(games_per_update=30), Bandit(3), Streams(0), Hardware("cpu", 1))
    for _ in range(30):
        algorithm.step()
    obs = algorithm.env.reset(0).obs
    assert (algorithm.policy().act(obs) == 1).all()
    assert algorithm.policy().scores(obs)[:, 1].min() > 0.8  # type: ignore[attr-defined]


def test_a_baseline_makes_the_scores_smaller() -> None:
    settings = {"baseline": "value", "normalize_scores": False, "games_per_update": 30, "value_epochs": 50}
    algorithm = Algorithm(Config.model_validate(settings), Countdown(3), Streams(0), Hardware("cpu", 1))
    batch = algorithm._play()
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
        ({"num_actions": 3}, "sigmoid is for two actions"),
    ],
)
def test_what_does_not_fit_is_refused(changes: dict[str, object], rule: str) -> None:
    spec = EnvSpec(**{**vars(Countdown(1).spec), **changes})  # type: ignore[arg-type]
    with pytest.raises(InputError, match=rule):
        reinforce.check(Config(output="sigmoid"), spec)


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
    algorithm = Algorithm(Config.model_validate(settings), Countdown(3), Streams(0), Hardware("cpu", 1))
    algorithm.value[-1][...] = np.inf
    with np.errstate(invalid="ignore"), pytest.raises(DivergedError, match="value_learning_rate"):
        algorithm._fit_value(np.zeros((4, 2)), np.zeros(4))
