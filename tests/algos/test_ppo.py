"""PPO: its loss and gradient against differences and by hand, what it learns from, and when it stops."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
import pytest

from rltrain import envs, kinds
from rltrain.algos import ppo
from rltrain.algos._ppo_config import PpoConfig
from rltrain.algos.ppo import PPO, PolicyBatch, Update
from rltrain.core import Array, Hardware
from rltrain.policies.actor_critic import Slope
from rltrain.policies.distributions import log_policy
from rltrain.rng import Streams

DISCRETE, CHOICES, NUMBERS = "CartPole-v1", "Choices-v0", "Pendulum-v1"


class Choices(gymnasium.Env[Any, Any]):
    """Two choices at once; five steps, the last of which is cut by a limit or ends the task."""

    observation_space = gymnasium.spaces.Box(-1, 1, (3,), np.float32)
    action_space = gymnasium.spaces.MultiDiscrete([3, 2])

    def __init__(self, cut: bool = True) -> None:
        self.cut, self.time = cut, 0

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.time = 0
        return self._seen(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.time += 1
        over = self.time == 5
        return self._seen(), 1.0, over and not self.cut, over and self.cut, {}

    def _seen(self) -> Any:
        return self.np_random.random(3, dtype=np.float32)


@pytest.fixture(autouse=True)
def choices() -> None:
    gymnasium.register(CHOICES, Choices)


def made(id: str, num_envs: int = 4, seed: int = 0, kwargs: dict[str, Any] | None = None, **settings: Any) -> PPO:
    env = envs.make(kinds.typed(id, kwargs=kwargs or {}), num_envs=num_envs)
    return PPO(PpoConfig(**settings), env, Streams(seed), Hardware("cpu", 1))


def batch_of(algorithm: PPO, rows: int, stream: np.random.Generator) -> tuple[PolicyBatch, Array, Array]:
    """Rows that were played by another policy, and what the network gives now: out [rows, K], value [rows]."""
    outputs, free = algorithm.distribution.outputs, algorithm.network.free
    before = stream.normal(size=(rows, outputs))
    drawn = algorithm.distribution.draw(before, free, None, stream)
    value, score = stream.normal(size=(2, rows))
    batch = PolicyBatch(
        before,
        drawn,
        algorithm.distribution.log_prob(before, free, drawn, None),
        None,
        value,
        score,
        stream.normal(size=rows),
    )
    return batch, before + 0.2 * stream.normal(size=before.shape), value + 0.3 * stream.normal(size=rows)


def objective(algorithm: PPO, batch: PolicyBatch, clip_range: float, out: Array, value: Array) -> float:
    """What is to become less, as the paper writes it."""
    config, free = algorithm.config, algorithm.network.free
    ratio = np.exp(algorithm.distribution.log_prob(out, free, batch.drawn, None) - batch.log_prob)
    score = batch.score
    if config.normalize_advantage:
        score = (score - score.mean()) / (score.std(ddof=1) + 1e-8)
    clipped = np.clip(ratio, 1 - clip_range, 1 + clip_range)
    if config.clip_range_vf is not None:
        value = batch.value + np.clip(value - batch.value, -config.clip_range_vf, config.clip_range_vf)
    return float(
        -np.minimum(ratio * score, clipped * score).mean()
        + config.vf_coef * ((value - batch.target) ** 2).mean()
        - config.ent_coef * entropy_of(algorithm, out)
    )


def entropy_of(algorithm: PPO, out: Array) -> float:
    space = algorithm.spec.actions
    if space.form == "continuous":
        (log_std,) = algorithm.network.free
        return float((log_std + 0.5 * np.log(2 * np.pi * np.e)).sum())
    parts = [slice(None)] if space.form == "discrete" else space.columns  # type: ignore[union-attr]
    log_p = [log_policy(out[:, own]) for own in parts]
    return float(sum(-(np.exp(each) * each).sum(axis=1).mean() for each in log_p))


def slope(algorithm: PPO, batch: PolicyBatch, clip_range: float, out: Array, value: Array) -> Slope:
    found = algorithm._loss(batch, clip_range, {}, out, value)
    assert found is not None
    return found


def difference(function: Callable[[], float], numbers: Array, size: float = 1e-6) -> Array:
    """The gradient of a function in these numbers, which it reads, by central differences."""
    found = np.zeros_like(numbers)
    for at in np.ndindex(numbers.shape):
        here = numbers[at]
        ends = []
        for there in (here + size, here - size):
            numbers[at] = there
            ends.append(function())
        numbers[at] = here
        found[at] = (ends[0] - ends[1]) / (2 * size)
    return found


@pytest.mark.parametrize("id", [DISCRETE, CHOICES, NUMBERS])
@pytest.mark.parametrize("clip_range_vf", [None, 0.2])
@pytest.mark.parametrize("normalize", [True, False])
def test_the_gradient_is_that_of_the_objective(id: str, clip_range_vf: float | None, normalize: bool) -> None:
    algorithm = made(id, ent_coef=0.3, vf_coef=0.7, clip_range_vf=clip_range_vf, normalize_advantage=normalize)
    algorithm.network.free = [part.astype(np.float64) for part in algorithm.network.free]  # for the differences
    batch, out, value = batch_of(algorithm, 40, np.random.default_rng(1))
    update: Update = {}
    algorithm._loss(batch, 0.1, update, out, value)
    assert 0.1 < update["clipped"] < 0.9, "some ratios are beyond the range, some within"

    def loss() -> float:
        return objective(algorithm, batch, 0.1, out, value)

    found = slope(algorithm, batch, 0.1, out, value)
    np.testing.assert_allclose(found.out, difference(loss, out), atol=1e-8)
    np.testing.assert_allclose(found.value, difference(loss, value), atol=1e-8)
    for part, own in zip(found.free, algorithm.network.free, strict=True):
        np.testing.assert_allclose(part, difference(loss, own), atol=1e-8)


def test_a_batch_computed_by_hand() -> None:
    """Two actions that were as likely; the first is now likelier by e, beyond the range, and so is the second."""
    algorithm = made(DISCRETE, normalize_advantage=False, vf_coef=0.5, ent_coef=0.0)
    half = np.log(0.5)
    batch = PolicyBatch(
        out=np.zeros((2, 2)),
        drawn=np.array([0, 0]),
        log_prob=np.array([half, half]),
        mask=None,
        value=np.array([0.0, 0.0]),
        score=np.array([2.0, -1.0]),
        target=np.array([1.0, 3.0]),
    )
    out, value = np.array([[1.0, 0.0], [1.0, 0.0]]), np.array([0.5, 1.0])
    likely = 1 / (1 + np.exp(-1.0))  # 0.731: the ratios are 1.462
    update: Update = {}
    found = algorithm._loss(batch, 0.2, update, out, value)
    assert found is not None
    # The first gains nothing beyond 1.2: min(1.462 x 2, 1.2 x 2). The second loses: min(-1.462, -1.2).
    assert update["loss/policy"] == pytest.approx(-(2.4 - 2 * likely) / 2)
    assert update["loss/value"] == pytest.approx((0.25 + 4) / 2)
    assert update["clipped"] == 1
    # d(-r A)/dz_0 / M = -(2 p)(1 - p)(-1) / 2 of the second alone.
    slope_out = 2 * likely * (1 - likely) / 2
    np.testing.assert_allclose(found.out, [[0, 0], [slope_out, -slope_out]], atol=1e-12)
    np.testing.assert_allclose(found.value, 0.5 * 2 / 2 * np.array([-0.5, -2.0]))


def test_with_one_epoch_of_one_batch_it_is_a2c() -> None:
    """The gradient is that of -mean(A log pi) + vf_coef error², whatever the clip range (Huang et al. 2022)."""
    algorithm = made(DISCRETE, n_steps=16, n_epochs=1, batch_size=64, normalize_advantage=False, clip_range=0.01)
    assert algorithm._collect()
    batch = algorithm._batch()
    found = slope(algorithm, batch, 0.01, batch.out, batch.value)
    plain = algorithm.distribution.slopes(batch.out, [], batch.drawn, batch.score, None, 0.0)
    np.testing.assert_allclose(found.out, plain.out, atol=1e-15)
    np.testing.assert_allclose(found.value, 2 * 0.5 / len(batch.value) * (batch.value - batch.target))


@pytest.mark.parametrize("cut", [True, False])
@pytest.mark.parametrize("bootstrap", [True, False])
def test_where_a_time_limit_cuts_the_value_takes_over(cut: bool, bootstrap: bool) -> None:
    algorithm = made(CHOICES, 1, kwargs={"cut": cut}, n_steps=5, gae_lambda=1.0, gamma=0.5)
    algorithm.config = algorithm.config.model_copy(update={"bootstrap_time_limits": bootstrap})
    assert algorithm._collect()
    rollout = algorithm._rollout
    assert rollout.stops[:, 0].tolist() == [False] * 4 + [True]
    after = rollout.value[5, 0] if cut and bootstrap else 0.0  # what the last state of the episode is worth
    expected = [sum(0.5**k for k in range(5 - t)) + 0.5 ** (5 - t) * after for t in range(5)]
    np.testing.assert_allclose(algorithm._batch().target, expected, rtol=1e-12)
    assert (rollout.value[5, 0] != 0) and algorithm.env_steps == 5


def test_every_step_that_was_played_is_learned_from_once_an_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    """The steps that only open an episode are none of them; all updates of an epoch are of one size, but for one."""
    algorithm = made(CHOICES, 2, n_steps=13, n_epochs=3, batch_size=8)
    learned: list[Array] = []
    learn = algorithm.network.learn
    monkeypatch.setattr(
        algorithm.network, "learn", lambda x, rows, *more: learned.append(rows) or learn(x, rows, *more)
    )
    algorithm.step()
    played = np.flatnonzero(algorithm._rollout.played)
    assert len(played) == algorithm.env_steps == 22  # of 26: each of the two opened two episodes
    assert [len(rows) for rows in learned] == [8, 7, 7] * 3 and algorithm.updates == 9
    for epoch in range(3):
        own = np.concatenate(learned[3 * epoch : 3 * epoch + 3])
        assert sorted(own) == played.tolist() and own.tolist() != played.tolist()


def test_a_rollout_is_done_with_once_the_policy_is_too_far() -> None:
    near = made(DISCRETE, n_steps=32, n_epochs=10, batch_size=32, learning_rate=0.05)
    far = made(DISCRETE, n_steps=32, n_epochs=10, batch_size=32, learning_rate=0.05, target_kl=0.01)
    near.step()
    metrics = far.step()
    assert near.updates == 40 and 1 <= far.updates < 40
    assert metrics["kl"] > 0


def test_learning_rate_and_clip_range_fall_in_straight_lines() -> None:
    algorithm = made(
        DISCRETE,
        learning_rate=0.1,
        learning_rate_final=0.0,
        clip_range=0.3,
        clip_range_final=0.1,
        learning_rate_steps=1_000,
    )
    for steps, expected in ((0, (0.1, 0.3)), (500, (0.05, 0.2)), (2_000, (0.0, 0.1))):
        algorithm.env_steps = steps
        assert algorithm._scheduled() == pytest.approx(expected)


def test_squashed_numbers_stay_within_their_bounds_and_are_no_sums_at_them() -> None:
    algorithm = made(NUMBERS, squash=True, log_std_init=1.0, n_steps=64)
    taken = []
    step = algorithm.env.step
    algorithm.env.step = lambda action: taken.append(action) or step(action)  # type: ignore[method-assign]
    assert algorithm._collect()
    actions = np.concatenate(taken)
    assert np.abs(actions).max() < 2 and (np.abs(actions) > 1.9).any()
    np.testing.assert_allclose(actions, 2 * np.tanh(algorithm._rollout.drawn.reshape(-1, 1)), rtol=1e-6)


def test_a_gradient_that_is_no_number_ends_the_run() -> None:
    algorithm = made(DISCRETE, n_steps=8)
    algorithm._collect()
    algorithm._rollout.reward[0, 0] = np.inf
    with pytest.raises(ppo.DivergedError, match=r"lower algorithm.learning_rate"), np.errstate(all="ignore"):
        algorithm._learn()
