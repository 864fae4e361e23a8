"""DQN: what it learns on probes whose answer is known, and the order of things in a round."""

import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
import torch

from rltrain.algos import _dqn_schedules as schedules
from rltrain.algos._dqn_machine import load_policy
from rltrain.algos.dqn import DQN, DqnConfig
from rltrain.core import Array, Env, EnvSpec, Hardware, State, Step
from rltrain.deep.fast import precision
from rltrain.deep.fast.helper import Helper, Job
from rltrain.deep.fast.two_cores import TwoCoresEngine
from rltrain.deep.losses import munchausen_target
from rltrain.deep.shifts import shifted
from rltrain.deep.transitions import Batch, Transitions
from rltrain.errors import CheckpointError, DivergedError
from rltrain.rng import Streams
from rltrain.spaces import Discrete

CPU = Hardware("cpu", 2)


class Bell:
    """A probe: one observation, reward 1 a step, an episode of `length` steps that ends as a task or is cut by a limit.

    With discount gamma its value is 1 / (1 - gamma) if the limit cuts, and less if the task ends.
    """

    def __init__(self, num_envs: int, length: int, ends: bool, image: bool = False, delay: float = 0.0) -> None:
        shape, dtype, stack = ((2, 12, 12), "uint8", 2) if image else ((2,), "float32", 1)
        self.spec = EnvSpec("Bell", shape, dtype, stack, Discrete(2, ("a", "b")), num_envs, 1, length, None)
        self.length, self.ends, self.delay = length, ends, delay
        self.at = np.zeros(num_envs, np.int64)
        self.last = np.zeros(num_envs, bool)
        self.noise = np.random.default_rng(0)

    def reset(self, seed: int) -> Step:
        self.noise = np.random.default_rng(seed)
        self.at[:] = 0
        return self._say(np.ones(len(self.at), bool), 0.0)

    def step(self, action: Array) -> Step:
        time.sleep(self.delay)
        first = self.last
        self.at = np.where(first, 0, self.at + 1)
        return self._say(first, 1.0)

    def _say(self, first: Array, reward: float) -> Step:
        self.last = self.at == self.length
        obs = np.ones((len(self.at), 2), np.float32)
        if self.spec.obs_dtype == "uint8":
            obs = self.noise.integers(0, 256, (len(self.at), *self.spec.obs_shape)).astype(np.uint8)
        discount = np.where(self.last & self.ends, 0.0, 1.0).astype(np.float32)
        rewards = np.where(first, 0.0, reward).astype(np.float32)
        return Step(obs, rewards, discount, first, self.last)

    def save(self) -> State:
        return {"at": self.at, "last": self.last, "noise": self.noise.bit_generator.state}

    def load(self, state: State) -> None:
        self.at, self.last = state["at"].copy(), state["last"].copy()
        self.noise.bit_generator.state = state["noise"]

    def close(self) -> None:
        pass


def make(env: Env, seed: int = 0, **settings: Any) -> DQN:
    return DQN(DqnConfig(**settings), env, Streams(seed), CPU)


def drawn(algorithm: DQN, batch: Batch) -> Transitions:
    return algorithm.replay.transitions(batch, algorithm.learner.working.prepare)


def targets(algorithm: DQN, batch: Batch) -> torch.Tensor:
    with torch.no_grad():
        return algorithm.td_target(drawn(algorithm, batch))


def digest(tree: Any) -> Any:
    """A state as nested lists and bytes, so that == compares it whole."""
    if isinstance(tree, Mapping):
        return {key: digest(value) for key, value in tree.items()}
    if isinstance(tree, list):
        return [digest(value) for value in tree]
    if isinstance(tree, np.ndarray):
        return (str(tree.dtype), tree.shape, tree.tobytes())
    return digest(tree.read()) if hasattr(tree, "read") else tree


# What is learned: probes whose answer is known


@pytest.mark.parametrize(
    ("ends", "n_step", "answer"),
    [
        (False, 1, 2.0),  # a time limit bootstraps: 1 / (1 - 1/2)
        pytest.param(False, 3, 2.0, marks=pytest.mark.slow),
        (True, 1, None),
    ],
)
def test_a_time_limit_bootstraps_and_an_end_does_not(ends: bool, n_step: int, answer: float | None) -> None:
    settings = {"gamma": 0.5, "learning_rate": 0.02, "target_update_interval": 100, "learning_starts": 50}
    settings |= {"train_freq": 2, "exploration_steps": 1, "n_step": n_step}
    # A task of one step is worth its one reward.
    algorithm = make(Bell(4, 1 if ends else 3, ends), hidden=(), **settings)
    for _ in range(12):
        algorithm.step()
    value = algorithm.learner.master(torch.ones(1, 2)).max().item()
    assert value == pytest.approx(1.0 if answer is None else answer, abs=0.05)


class Lottery(Bell):
    """A `Bell` of one step whose reward is 10 one time in four, else 0."""

    def _say(self, first: Array, reward: float) -> Step:
        step = super()._say(first, reward)
        won = self.noise.random(len(self.at)) < 0.25
        return step._replace(reward=np.where(first, 0.0, 10.0 * won).astype(np.float32))


@pytest.mark.parametrize(
    ("loss", "delta", "quantiles"),
    [("c51", 1.0, None), ("quantile", 0.1, [0, 0, 0, 0, 0, 0, 10, 10]), ("iqn", 0.1, [0, 0, 0, 0, 0, 0, 10, 10])],
)
def test_a_distribution_is_learned_whose_mean_is_the_value(
    loss: str, delta: float, quantiles: list[float] | None
) -> None:
    settings = {"gamma": 0.5, "learning_rate": 0.02, "learning_rate_final": 5e-4, "learning_rate_steps": 2_000}
    settings |= {"learning_starts": 50, "train_freq": 4, "exploration_steps": 1, "batch_size": 64}
    bins = {"loss": loss, "huber_delta": delta, "n_quantiles": 8, "num_bins": 11, "v_min": 0.0, "v_max": 10.0}
    algorithm = make(Lottery(4, 1, True), hidden=(16,) if loss == "iqn" else (), **settings, **bins)
    while algorithm.env_steps < 2_500:
        algorithm.step()
    network, seen = algorithm.learner.master, torch.ones(1, 2)
    outputs = network.outputs(network.hidden(seen)).detach()[0]  # [A, B]
    assert network(seen).max().item() == pytest.approx(2.5, abs=0.5)
    best = outputs[int(network(seen).argmax())]
    if quantiles is None:
        shares = best.softmax(0)
        torch.testing.assert_close(shares[[0, -1]], torch.tensor([0.75, 0.25]), atol=0.06, rtol=0)
    else:
        torch.testing.assert_close(best, torch.tensor(quantiles, dtype=torch.float32), atol=1.5, rtol=0)


def test_levels_of_quantiles_are_one_in_each_of_equal_parts() -> None:
    algorithm = make(Bell(2, 3, False), hidden=(8,), loss="iqn", n_quantiles=4, batch_size=50, learning_starts=64)
    while algorithm.updates == 0:
        algorithm.step()
    (batch,) = algorithm._draw(schedules.UpdatePlan(1, 1, 0.99, 1e-3))
    assert batch.levels.shape == (50, 4) and batch.levels.dtype == np.float32
    assert ((batch.levels * 4).astype(int) == np.arange(4)).all()
    assert len(np.unique(batch.levels)) > 150


# Targets


@pytest.mark.parametrize(("double", "value"), [(False, 5.0), (True, 1.0)])
def test_targets_come_from_the_target_network_and_double_chooses_with_the_other(double: bool, value: float) -> None:
    algorithm = make(Bell(2, 10**6, True), hidden=(), double=double, gamma=0.5, n_step=2, learning_starts=10**6)
    algorithm.step()
    for network, bias in ((algorithm.target, (1.0, 5.0)), (algorithm.actor, (9.0, 0.0))):
        network.advantage.weight.data.zero_()
        network.advantage.bias.data[:] = torch.tensor(bias)
    (batch,) = algorithm.replay.draw(1, 8)
    # Two rewards of 1 and a bootstrap: 1 + 0.5 + 0.25 * value.
    torch.testing.assert_close(targets(algorithm, batch), torch.full((8,), 1.5 + 0.25 * value))


@pytest.mark.parametrize("overlap", [False, True])
def test_every_update_gets_the_targets_of_its_own_batch(overlap: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    algorithm = make(
        Bell(4, 7, True, image=True), convolutions=((4, 4, 2),), batch_size=8, learning_starts=256, overlap=overlap
    )
    algorithm.step()
    replay = algorithm.replay
    replay._reward[:] = np.arange(len(replay._reward))  # every row has a target of its own
    batches: list[Batch] = []
    given: list[torch.Tensor] = []
    draw, learn = replay.draw, algorithm.engine.learn
    monkeypatch.setattr(replay, "draw", lambda *sizes: batches.extend(draw(*sizes)) or batches[-sizes[0] :])

    def record(samples: Any, learning_rate: float) -> Any:
        return learn((given.append(each.target.clone()) or each for each in samples), learning_rate)

    monkeypatch.setattr(algorithm.engine, "learn", record)
    while not batches:
        algorithm._round()
    assert len(batches) == len(given)
    for batch, target in zip(batches, given, strict=True):
        torch.testing.assert_close(target, targets(algorithm, batch), rtol=1e-3, atol=1e-2)


# The order of things


def test_epsilon_is_one_before_learning_then_falls_in_a_straight_line() -> None:
    config = DqnConfig(
        learning_starts=100, exploration_steps=1000, exploration_initial_eps=0.9, exploration_final_eps=0.1
    )
    assert [schedules.epsilon(config, n) for n in (0, 99)] == [1.0, 1.0]
    assert [schedules.epsilon(config, n) for n in (500, 1000, 9999)] == pytest.approx([0.5, 0.1, 0.1])


def test_a_horizon_grows_by_equal_ratios_and_n_shrinks_so() -> None:
    config = DqnConfig(gamma=0.96, gamma_final=0.99, n_step=12, n_step_final=3, horizon_steps=1000)
    assert [schedules.gamma(config, n) for n in (0, 500, 1000, 5000)] == pytest.approx([0.96, 0.98, 0.99, 0.99])
    assert [schedules.n_step(config, n) for n in (0, 500, 1000, 5000)] == [12, 6, 3, 3]
    constant = DqnConfig(gamma=0.9, n_step=4)
    assert (schedules.gamma(constant, 700), schedules.n_step(constant, 700)) == (0.9, 4)


def test_a_horizon_begins_again_with_the_network() -> None:
    config = DqnConfig(
        gamma=0.96, gamma_final=0.99, n_step=12, n_step_final=3, horizon_steps=200, reset_every=300, reset_until=700
    )
    steps = (0, 299, 300, 599, 600, 900, 9999)
    assert [schedules.resets(config, n) for n in steps] == [0, 0, 1, 1, 2, 2, 2]
    assert [schedules.n_step(config, n) for n in (0, 100, 299, 300, 400, 700, 900)] == [12, 6, 3, 12, 6, 6, 3]
    assert [schedules.gamma(config, n) for n in (299, 300, 400)] == pytest.approx([0.99, 0.96, 0.98])
    assert schedules.resets(DqnConfig(), 9999) == 0


@pytest.mark.parametrize("overlap", [False, True])
def test_a_reset_comes_once_at_its_step(overlap: bool) -> None:
    settings = {"learning_starts": 8, "train_freq": 4, "batch_size": 4, "hidden": (8,), "overlap": overlap}
    plain = make(Bell(2, 10**6, True), **settings)
    reset = make(Bell(2, 10**6, True), **settings, reset_every=48, reset_until=50)
    for _ in range(200):
        before = [p.detach().clone() for p in reset.learner.master.parameters()]
        plain._round()
        reset._round()
        same = all(map(torch.equal, plain.learner.master.parameters(), reset.learner.master.parameters()))
        assert same == (reset.env_steps < 48)
        if reset.env_steps >= 48:
            break
    bound = reset.learner.master.wide.weight.shape[1] ** -0.5
    moved = [(p - q).abs().max() for p, q in zip(reset.learner.master.parameters(), before, strict=True)]
    assert min(moved) > 0 and reset.learner.master.wide.weight.abs().max() <= bound
    for mine, target in zip(reset.learner.master.parameters(), reset.target.parameters(), strict=True):
        assert torch.equal(mine, target)


def test_updates_grow_rarer_along_a_line() -> None:
    config = DqnConfig(train_freq=4, train_freq_final=8, train_freq_steps=800)
    # 1/4 falls to 1/8: 3/16 a step on the way, so 150 in 800 steps, then one every 8.
    assert [schedules.updates(config, n) for n in (0, 400, 800, 880)] == [0, 87, 150, 160]
    assert [schedules.updates(DqnConfig(train_freq=4, gradient_steps=2), n) for n in (3, 4, 11)] == [0, 2, 4]


def test_the_learning_rate_falls_in_a_straight_line() -> None:
    config = DqnConfig(learning_rate=1e-3, learning_rate_final=1e-4, learning_rate_steps=900)
    assert [schedules.learning_rate(config, n) for n in (0, 300, 900, 9999)] == pytest.approx([1e-3, 7e-4, 1e-4, 1e-4])


@pytest.mark.parametrize("overlap", [False, True])
def test_batches_are_drawn_with_the_schedules_of_their_round(overlap: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = {"gamma": 0.5, "gamma_final": 0.75, "n_step": 4, "n_step_final": 1, "horizon_steps": 512}
    settings |= {"convolutions": ((4, 4, 2),), "learning_starts": 200, "train_freq": 64, "overlap": overlap}
    algorithm = make(Bell(4, 10**6, True, image=True), batch_size=4, **settings)
    draws, draw = [], algorithm.replay.draw
    monkeypatch.setattr(algorithm.replay, "draw", lambda *given: draws.append((given, draw(*given))) or draws[-1][1])
    for _ in range(4):
        algorithm.step()
    first, last = draws[0], draws[-1]
    assert first[0][2] > last[0][2] == 1
    assert last[0][3] == 0.75
    for (_, _, n, gamma), batches in draws:  # a reward of 1 a step
        np.testing.assert_allclose(batches[0].reward, sum(gamma**k for k in range(n)), rtol=1e-6)
        np.testing.assert_allclose(batches[0].discount, gamma**n, rtol=1e-6)


def test_what_is_learned_from_and_bootstrapped_from_is_shifted() -> None:
    settings = {"convolutions": ((4, 3, 2),), "hidden": (8,), "learning_starts": 0, "batch_size": 4, "gamma": 0.5}
    settings |= {"train_freq": 64}
    algorithm = make(Bell(2, 10**6, True, image=True), random_shift=2, overlap=False, **settings)
    algorithm.step()
    batch = algorithm.replay.draw(1, 32)[0]
    assert batch.shift.any() and batch.next_shift.any()
    seen, seen_next = algorithm.replay.observations(batch.row), algorithm.replay.observations(batch.next_row)
    assert torch.equal(drawn(algorithm, batch).obs(), algorithm.learner.working.prepare(shifted(seen, batch.shift)))
    with torch.inference_mode():
        value = algorithm.target(shifted(seen_next, batch.next_shift)).max(1).values
    torch.testing.assert_close(targets(algorithm, batch), 1 + 0.5 * value)


def test_munchausen_targets_look_at_both_ends_of_a_transition() -> None:
    settings = {"convolutions": ((4, 3, 2),), "hidden": (8,), "learning_starts": 0, "batch_size": 4, "gamma": 0.5}
    settings |= {"train_freq": 64}
    rule = {"munchausen": True, "munchausen_alpha": 0.7, "munchausen_tau": 0.2, "munchausen_clip": 0.1}
    algorithm = make(Bell(2, 10**6, True, image=True), random_shift=2, overlap=False, **settings, **rule)
    algorithm.step()
    batch = algorithm.replay.draw(1, 32)[0]
    seen = shifted(algorithm.replay.observations(batch.row), batch.shift)
    seen_next = shifted(algorithm.replay.observations(batch.next_row), batch.next_shift)
    with torch.inference_mode():
        q_now, q_next = algorithm.target(seen), algorithm.target(seen_next)
    numbers = [torch.from_numpy(column) for column in (batch.reward, batch.discount)]
    action, settings = torch.from_numpy(batch.action), {"alpha": 0.7, "tau": 0.2, "clip": 0.1}
    expected = munchausen_target(*numbers, q_next, q_now, action, **settings)
    torch.testing.assert_close(targets(algorithm, batch), expected)


@pytest.mark.parametrize("other", [{"double": True}, {"target_epsilon": 0.1}, {"value_transform": "sqrt"}])
def test_munchausen_targets_are_alone(other: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"munchausen .* {next(iter(other))}"):
        DqnConfig(munchausen=True, **other)


def test_one_environment_goes_on_exploring() -> None:
    algorithm = make(
        Bell(3, 5, True), learning_starts=0, exploration_steps=1, exploration_final_eps=0.0, exploration_one_env_eps=0.5
    )
    algorithm.env_steps = 10
    algorithm.actor.advantage.bias.data[:] = torch.tensor([100.0, 0.0])  # action 0 is the greedy one
    played = []
    algorithm._store = played.append  # type: ignore[method-assign]
    while len(played) < 400:
        algorithm._round()
    chosen = np.array([step.action for step in played])
    share = (chosen == 1).mean(axis=0)
    assert share[:2].tolist() == [0.0, 0.0]
    assert share[2] == pytest.approx(0.25, abs=0.1)  # half of the random actions are greedy too


@pytest.mark.parametrize("image", [False, True])
def test_updates_keep_pace_with_steps(image: bool) -> None:
    env = Bell(4, 10**6, True, image=image)
    algorithm = make(env, convolutions=((4, 4, 2),), learning_starts=200, train_freq=4, gradient_steps=2, batch_size=4)
    for _ in range(4):
        algorithm.step()
    lag = algorithm.collect_steps * 4 if algorithm.overlap else 0  # a round learns what the rounds before are due
    assert algorithm.updates == 2 * ((algorithm.env_steps - lag) // 4 - 200 // 4)


def test_the_step_that_resets_an_environment_is_not_counted() -> None:
    algorithm = make(Bell(2, 3, True), learning_starts=10**6)
    algorithm.step()
    assert algorithm.env_steps == 256 * 3 // 4  # of every four vector steps one opens an episode
    assert algorithm.counters["episodes"] == 64


def test_the_target_is_copied_when_its_interval_is_crossed() -> None:
    algorithm = make(Bell(4, 10**6, True), hidden=(), learning_starts=0, target_update_interval=512, batch_size=4)
    same = []
    for _ in range(4):  # 256 steps each
        algorithm.step()
        same.append(torch.equal(algorithm.target.advantage.bias, algorithm.learner.master.advantage.bias))
    assert same == [False, True, False, True]


def test_rewards_are_clipped_then_scaled() -> None:
    algorithm = make(Bell(1, 5, True), reward_clip=0.5, reward_scale=4.0, learning_starts=10**6)
    algorithm.step()
    assert set(algorithm.replay._reward[: algorithm.replay.steps].tolist()) == {0.0, 2.0}
    assert algorithm.step()["return/mean"] == 5.0  # the score is raw


def test_an_automatic_scale_makes_the_first_rewards_ones_and_then_stays() -> None:
    settings = {"n_step": 2, "gamma": 0.5, "learning_starts": 400, "batch_size": 4, "reward_scale": "auto"}
    algorithm = make(Bell(1, 5, True), **settings)
    algorithm.step()
    algorithm.replay._reward[: algorithm.replay.steps] *= 20.0
    algorithm.step()
    assert algorithm.rewards.auto is not None and 1 / 20 < algorithm.rewards.auto < 1
    algorithm.replay._reward[:] = 7.0
    before, algorithm._learned_until = algorithm.rewards.auto, algorithm.env_steps - 100
    batch = algorithm._draw(algorithm._plan(algorithm.env_steps))[0]
    whole = batch.discount == 0.25  # two rewards and a bootstrap
    assert whole.any()
    np.testing.assert_allclose(batch.reward[whole], before * 7.0 * 1.5, rtol=1e-6)
    assert algorithm.rewards.auto == before
    other = make(Bell(1, 5, True), **settings)
    other.load(algorithm.save())
    assert other.rewards.auto == before


def test_a_loss_that_is_no_number_stops_the_run() -> None:
    algorithm = make(Bell(2, 5, True), reward_scale=1e38, loss="mse", learning_starts=0)
    with pytest.raises(DivergedError, match=r"learning_rate"):
        for _ in range(20):
            algorithm.step()


# The same, whatever the clock does; the same, after a save


SETTINGS: dict[str, Any] = {
    "convolutions": ((4, 4, 2),),
    "hidden": (16,),
    "learning_starts": 300,
    "batch_size": 8,
    "buffer_size": 1000,
    "prioritized": True,
    "double": True,
    "dueling": True,
    "n_step": 3,
    "target_update_interval": 300,
}


class OneThread(Helper):
    """Does every job at once (`eager`), or leaves all to the thread that needs it."""

    def __init__(self, eager: bool) -> None:
        super().__init__("none", None)
        self.eager = eager

    def submit(self, work: Callable[[], Any], urgent: bool = False) -> Job[Any]:
        job = Job(work)
        if self.eager:
            job.run()
        return job


def test_the_result_does_not_depend_on_who_does_what() -> None:
    states = []
    for helper in (None, OneThread(eager=True), OneThread(eager=False)):
        algorithm = make(Bell(4, 7, True, image=True), **SETTINGS)
        if helper is not None:
            algorithm.engine = TwoCoresEngine(algorithm.learner, [helper])
        for _ in range(4):
            algorithm.step()
        states.append(digest(algorithm.save()))
    assert states[0] == states[1] == states[2]


@pytest.mark.parametrize("where", ["play", "update"])
def test_an_error_in_a_round_reaches_the_caller_and_nothing_runs_on(
    where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    env = Bell(4, 7, True, image=True)
    algorithm = make(env, **SETTINGS)
    for _ in range(2):
        algorithm.step()
    calls, failing = 0, {"play": (env, "step"), "update": (algorithm.engine, "_update")}[where]

    def fail(*_: Any) -> Any:
        nonlocal calls
        calls += 1
        raise ValueError("broke")

    monkeypatch.setattr(*failing, fail)
    with pytest.raises(ValueError, match="broke"):
        algorithm.step()
    seen = algorithm.env_steps
    time.sleep(0.05)
    assert (calls, algorithm.env_steps) == (1, seen)


def test_an_automatic_scale_waits_for_the_first_reward(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = {"learning_starts": 100, "batch_size": 4, "reward_scale": "auto"}
    algorithm, other = (make(Bell(1, 5, True), **settings) for _ in range(2))
    step = algorithm.env.step
    monkeypatch.setattr(algorithm.env, "step", lambda a: step(a)._replace(reward=np.zeros(1, np.float32)))
    algorithm.step()
    assert algorithm.updates > 0
    assert algorithm.rewards.auto is None
    other.load(algorithm.save())
    assert other.rewards.auto is None
    for _ in range(3):
        metrics = other.step()
    assert other.rewards.auto == metrics["reward/scale"] == 1.0


def test_gamma_one_cannot_move() -> None:
    with pytest.raises(ValueError, match="below 1"):
        DqnConfig(gamma=1.0, gamma_final=0.9)


@pytest.mark.parametrize("arithmetic", [pytest.param("float32", marks=pytest.mark.slow), "bfloat16"])
def test_the_result_does_not_depend_on_which_thread_is_faster(arithmetic: str) -> None:
    states = []
    for delay in (0.0, 0.002):
        algorithm = make(Bell(4, 7, True, image=True, delay=delay), precision=arithmetic, **SETTINGS)
        assert algorithm.overlap
        for _ in range(4):
            algorithm.step()
        states.append(digest(algorithm.save()))
    assert algorithm.updates > 80
    assert states[0] == states[1]


@pytest.mark.parametrize(
    ("image", "optimizer"),
    [
        (True, "adam"),
        (False, "rmsprop"),
        pytest.param(True, "rmsprop", marks=pytest.mark.slow),
        pytest.param(False, "adam", marks=pytest.mark.slow),
    ],
)
def test_a_loaded_state_goes_on_as_the_original_does(image: bool, optimizer: str) -> None:
    def fresh(seed: int) -> tuple[DQN, Streams]:
        rng = Streams(seed)
        return DQN(DqnConfig(optimizer=optimizer, **SETTINGS), Bell(4, 7, True, image=image), rng, CPU), rng

    (ours, our_rng), (other, other_rng) = fresh(1), fresh(2)
    for _ in range(2):
        ours.step()
    other.load(ours.save())
    other_rng.load(our_rng.save())
    for _ in range(2):
        assert ours.step() == other.step()
    assert digest(ours.save()) == digest(other.save())


def test_a_run_that_chose_bfloat16_goes_on_in_float32_where_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def fresh() -> DQN:
        return make(Bell(4, 7, True, image=True), precision="auto", **SETTINGS)

    monkeypatch.setattr(precision, "choose", lambda *_: precision.Choice("bfloat16", "a test"))
    ours = fresh()
    assert ours.chosen == {"precision": "bfloat16: a test"}
    ours.step()
    for supported, name in ((True, "bfloat16"), (False, "float32")):
        monkeypatch.setattr(precision, "choose", lambda *_: precision.Choice("float32", "a test"))
        monkeypatch.setattr(precision, "has_bfloat16", lambda _, supported=supported: supported)
        other = fresh()
        other.load(ours.save())
        assert other.precision == name
        assert other.chosen["precision"].startswith(f"{name}: ")
        assert other.save()["precision"] == name
        other.step()
    for a, b in zip(ours.learner.master.parameters(), other.learner.master.parameters(), strict=True):
        assert a.dtype == b.dtype == torch.float32


def test_a_checkpoint_with_its_features_in_another_order_is_refused() -> None:
    settings = {"convolutions": ((4, 3, 2),), "hidden": (8,)}
    algorithm = make(Bell(2, 5, True, image=True), **settings)
    state = {key: value for key, value in algorithm.save().items() if key != "features"}
    for load in (algorithm.load, lambda old: load_policy(algorithm.config, algorithm.spec, old, CPU)):
        with pytest.raises(CheckpointError, match="earlier version"):
            load(state)
    vectors = make(Bell(2, 5, True))
    vectors.load({key: value for key, value in vectors.save().items() if key != "features"})


def test_the_policy_of_a_saved_state_acts_as_the_algorithm_does() -> None:
    algorithm = make(Bell(4, 7, True, image=True), **SETTINGS)
    for _ in range(3):
        algorithm.step()
    obs = np.random.default_rng(0).integers(0, 256, (32, 2, 12, 12)).astype(np.uint8)
    loaded = load_policy(algorithm.config, algorithm.spec, algorithm.save(), CPU)
    np.testing.assert_array_equal(loaded.act(obs), algorithm.policy().act(obs))
