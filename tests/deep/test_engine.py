"""The engines: two cores and a GPU give the numbers of the serial one, which is the specification."""

import threading
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch

from rltrain.algos.dqn import DQN, DqnConfig
from rltrain.core import EnvSpec, Hardware, Step
from rltrain.deep.engine import engine
from rltrain.deep.fast import cuda
from rltrain.deep.fast.cuda import CudaEngine, Recorded
from rltrain.deep.fast.helper import Helper
from rltrain.deep.fast.serial import SerialEngine
from rltrain.deep.fast.two_cores import TwoCoresEngine
from rltrain.deep.shifts import shifted, shifted_at_once
from rltrain.rng import Streams, derive
from rltrain.spaces import Discrete, laid_out
from rltrain.steps import Parted, joined

ON_GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
DEVICES = ["cpu", pytest.param("cuda", marks=ON_GPU)]
IMAGES = {"convolutions": ((4, 4, 2),), "hidden": (16,), "dueling": True, "layer_norm": True}


class Noise:
    """Random observations, rewards and ends: whatever is learned from them, both ways must learn the same."""

    def __init__(self, image: bool | str, num_envs: int = 4) -> None:
        shape, dtype, stack = ((4, 12, 12), "uint8", 4) if image is True else ((3,), "float32", 1)
        if image == "floats":
            shape = (3, 12, 12)
        self.spec = EnvSpec("Noise", shape, dtype, stack, Discrete(3, ("a", "b", "c")), num_envs, 1, 100, None)
        if image == "parts":
            named = [("a", (3, 12, 12), "uint8", 255), ("b", (2,), "float32", 255), ("c", (1, 7, 5), "uint8", 3)]
            parts, width, dtype = laid_out(named)
            self.spec = replace(self.spec, obs_shape=(width,), obs_dtype=dtype, parts=parts)
        if image == "masked":
            self.spec = replace(self.spec, masked=True)
        self.last = np.zeros(num_envs, bool)

    def reset(self, seed: int) -> Step:
        self.rng = np.random.default_rng(seed)
        return self._say(np.ones(len(self.last), bool))

    def step(self, action: Any) -> Step:
        return self._say(self.last)

    def _say(self, first: Any) -> Step:
        n = len(self.last)
        self.last = ~first & (self.rng.random(n) < 0.1)
        obs = self.rng.integers(0, 256, (n, *self.spec.obs_shape))
        obs = obs.astype(np.uint8) if self.spec.obs_dtype == "uint8" else (obs / 255).astype(np.float32)
        if self.spec.parts:
            obs[:, :8] = self.rng.normal(size=(n, 2)).astype(np.float32).view(np.uint8)
        reward = np.where(first, 0, self.rng.normal(size=n)).astype(np.float32)
        mask = self.rng.random((n, 3)) < 0.5 if self.spec.masked else None  # at times of no action
        return Step(obs, reward, np.where(self.last, 0, 1).astype(np.float32), first, self.last, mask)

    def save(self) -> Any:
        return {"last": self.last, "rng": self.rng.bit_generator.state}

    def load(self, state: Any) -> None:
        self.last = state["last"].copy()
        self.rng = np.random.default_rng()
        self.rng.bit_generator.state = state["rng"]

    def close(self) -> None:
        pass


class Halves(Noise):
    """The same in two parts."""

    def __init__(self, image: bool) -> None:
        super().__init__(image)
        self.parts = [Noise(image, 2), Noise(image, 2)]

    def reset(self, seed: int) -> Step:
        return joined([part.reset(seed + i) for i, part in enumerate(self.parts)])


def make(image: bool | str, device: str = "cpu", **settings: Any) -> DQN:
    basis = {"learning_starts": 256, "batch_size": 16, "train_freq": 32, "n_step": 3, "buffer_size": 2000}
    shape = IMAGES if image not in (False, "masked") else {"hidden": (16,)}
    config = DqnConfig(**{**basis, **shape, **settings})
    return DQN(config, Noise(image), Streams(0), Hardware(device, 2))


def weights(algorithm: DQN) -> dict[str, Any]:
    return {name: p.detach().cpu() for name, p in algorithm.learner.master.named_parameters()}


SETTINGS: list[dict[str, Any]] = [
    {"double": True, "target_epsilon": 0.1, "n_step_final": 1, "horizon_steps": 600},
    {"prioritized": True, "learning_rate_final": 1e-5, "learning_rate_steps": 900, "reward_scale": "auto"},
    {"random_shift": 2, "optimizer": "rmsprop", "max_grad_norm": None, "value_transform": "sqrt"},
    {"max_grad_norm": 0.01, "loss": "mse", "overlap": False},
    {"munchausen": True, "munchausen_tau": 0.1, "random_shift": 2, "prioritized": True},
    {"loss": "hl_gauss", "double": True, "prioritized": True},
    {"reset_every": 600, "layer_norm": True, "horizon_steps": 300, "n_step_final": 1},
]

SPREADS = [
    {"loss": "c51", "double": True, "prioritized": True, "dueling": True},
    {"loss": "quantile", "munchausen": True, "n_quantiles": 5},
    {"loss": "iqn", "n_quantiles": 3, "dueling": True, "prioritized": True},
    {"loss": "c51", "noisy": True, "double": True, "dueling": True},
]
# Each setting with pictures, each form of observation with one setting; what is learned from another form by another
# setting takes the same ways.
CASES = [pytest.param(True, settings) for settings in SETTINGS + SPREADS]
CASES += [pytest.param(image, SETTINGS[4]) for image in (False, "floats", "parts", "masked")]
CASES += [pytest.param(False, each, marks=pytest.mark.slow) for each in SETTINGS + SPREADS if each != SETTINGS[4]]
CASES += [pytest.param(image, SETTINGS[0], marks=pytest.mark.slow) for image in ("floats", "parts", "masked")]


@pytest.mark.parametrize("fast", ["two cores", "fixed places", pytest.param("cuda", marks=ON_GPU)])
@pytest.mark.parametrize(("image", "settings"), CASES)
def test_every_engine_learns_and_plays_what_the_serial_one_does(
    image: bool | str, settings: dict[str, Any], fast: str
) -> None:
    """They add in another order. "Fixed places" is the GPU's way, called on a processor."""
    plain, other = make(image, **settings), make(image, "cuda" if fast == "cuda" else "cpu", **settings)
    plain.engine = SerialEngine(plain.learner)
    if fast == "two cores":
        other.engine = TwoCoresEngine(other.learner, [Helper("test", partial(torch.set_num_threads, 1))])
    elif fast == "fixed places":
        other.engine = CudaEngine(other.learner, [Helper("test", None)], torch.device("cpu"))
    for _ in range(4):
        one, two = plain.step(), other.step()
    assert plain.updates == other.updates > 10
    assert plain.env_steps == other.env_steps
    close = {"rtol": 1e-2, "atol": 1e-3} if fast == "cuda" else {"rtol": 1e-5, "atol": 1e-6}
    for name in ("loss/td", "loss/grad_norm", "q/mean"):
        assert one[name] == pytest.approx(two[name], rel=close["rtol"], abs=10 * close["atol"])
    for name, parameter in weights(plain).items():
        torch.testing.assert_close(weights(other)[name], parameter, **close)
    np.testing.assert_array_equal(plain.replay._frames, other.replay._frames.cpu())
    np.testing.assert_array_equal(plain.replay._action, other.replay._action)


def test_small_networks_of_vectors_are_learned_by_the_serial_engine_to_the_bit_of_two_cores() -> None:
    """Without convolutions nothing is added in another order."""
    serial, two = make(False, double=True), make(False, double=True)
    assert isinstance(serial.engine, SerialEngine)
    two.engine = TwoCoresEngine(two.learner, [Helper("none", None)])
    for _ in range(4):
        assert str(serial.step()) == str(two.step())  # what is not known yet is NaN
    for name, parameter in weights(serial).items():
        assert torch.equal(weights(two)[name], parameter)


@pytest.mark.parametrize(
    ("image", "beside", "kind"),
    [
        (True, True, TwoCoresEngine),
        (True, False, TwoCoresEngine),
        ("floats", False, TwoCoresEngine),
        ("parts", False, TwoCoresEngine),
        (False, True, TwoCoresEngine),
        (False, False, SerialEngine),
    ],
)
def test_the_door_leads_to_the_fastest_engine(image: bool | str, beside: bool, kind: type) -> None:
    learner = make(image).learner
    assert isinstance(engine(learner, torch.device("cpu"), beside=beside, threads=2), kind)
    before = threading.active_count()
    engine(learner, torch.device("cpu"), beside=beside, threads=1)
    assert threading.active_count() == before


def test_images_are_shifted_alike_one_by_one_and_all_at_once() -> None:
    rng = np.random.default_rng(0)
    obs = torch.from_numpy(rng.integers(0, 256, (9, 2, 7, 5), dtype=np.uint8))
    shift = rng.integers(-3, 4, (9, 2))
    assert torch.equal(shifted_at_once(obs, torch.from_numpy(shift)), shifted(obs, shift))


def test_on_a_processor_work_is_only_called() -> None:
    calls: list[int] = []
    work = Recorded(lambda: calls.append(1), torch.device("cpu"))
    for _ in range(cuda.PLAIN_CALLS + 3):
        work()
    assert len(calls) == cuda.PLAIN_CALLS + 3 and not work.ready


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("overlap", [True, False])
def test_parts_are_played_each_by_its_own(overlap: bool, device: str) -> None:
    """The memory holds what each of them said, in its place."""
    config = DqnConfig(learning_starts=200, batch_size=16, train_freq=32, overlap=overlap, **IMAGES)
    assert isinstance(Halves(True), Parted) and not isinstance(Noise(True), Parted)
    algorithm = DQN(config, Halves(True), Streams(0), Hardware(device, 2))
    for _ in range(3):
        algorithm.step()
    assert algorithm.updates > 0 and len(algorithm.players.actors) == 2
    replay = algorithm.replay
    for i in range(2):
        alone = Noise(True, 2)
        now = alone.reset(derive(0, "train") + i)
        for t in range(replay.steps):
            rows = slice(4 * t + 2 * i, 4 * t + 2 * i + 2)
            np.testing.assert_array_equal(replay._frames[rows].cpu().reshape(2, 12, 12), now.obs[:, -1])
            now = alone.step(None)
            np.testing.assert_allclose(replay._reward[rows], now.reward)


def test_one_thread_gives_the_numbers_of_two() -> None:
    """With `run.threads: 1` no second thread is started, and the order of a round stays."""
    config = DqnConfig(learning_starts=200, batch_size=16, train_freq=32, overlap=True, prioritized=True, **IMAGES)
    before = threading.active_count()
    one = DQN(config, Noise(True), Streams(0), Hardware("cpu", 1))
    assert threading.active_count() == before
    two = DQN(config, Noise(True), Streams(0), Hardware("cpu", 2))
    for algorithm in (one, two):
        for _ in range(3):
            algorithm.step()
    assert one.updates == two.updates > 0
    for name, parameter in weights(one).items():
        assert torch.equal(weights(two)[name], parameter)


# On a GPU


@ON_GPU
@pytest.mark.parametrize("convolutions", [((4, 4, 2),), ((4, 3, 3), (4, 2, 2))])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_recording_gives_what_plain_calls_give(
    precision: str, convolutions: tuple[tuple[int, int, int], ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"precision": precision, "convolutions": convolutions, "prioritized": True}
    one = make(True, "cuda", **settings)
    for _ in range(4):
        one.step()
    assert isinstance(one.engine, CudaEngine) and one.engine.updates is not None and one.engine.updates.ready
    monkeypatch.setattr(cuda, "PLAIN_CALLS", 10**9)
    other = make(True, "cuda", **settings)
    for _ in range(4):
        other.step()
    assert isinstance(other.engine, CudaEngine) and other.engine.updates is not None and not other.engine.updates.ready
    for name, parameter in weights(one).items():
        torch.testing.assert_close(weights(other)[name], parameter, rtol=0, atol=0)


@ON_GPU
@pytest.mark.parametrize("optimizer", ["adam", "rmsprop"])
def test_a_run_goes_on_where_it_was_saved(optimizer: str) -> None:
    whole, first = (make(True, "cuda", optimizer=optimizer, prioritized=True) for _ in range(2))
    for _ in range(3):
        whole.step()
        first.step()
    then = make(True, "cuda", optimizer=optimizer, prioritized=True)
    then.load(first.save())
    then._explore.bit_generator.state = first._explore.bit_generator.state
    then.replay._rng.bit_generator.state = first.replay._rng.bit_generator.state
    for _ in range(3):
        whole.step()
        then.step()
    for name, parameter in weights(whole).items():
        torch.testing.assert_close(weights(then)[name], parameter, rtol=0, atol=0)
