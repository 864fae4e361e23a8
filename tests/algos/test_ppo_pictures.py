"""PPO's network for pictures: its step against automatic differentiation, and its arithmetic."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from rltrain.algos._ppo_config import PpoConfig
from rltrain.algos._ppo_pictures import PictureActorCritic, of
from rltrain.core import EnvSpec, Hardware
from rltrain.deep.fast import precision
from rltrain.policies.actor_critic import Slope
from rltrain.policies.distributions import Categorical
from rltrain.saved import Saved
from rltrain.spaces import Discrete

SPEC = EnvSpec("Probe", (2, 12, 12), "uint8", 2, Discrete(3, ("a", "b", "c")), 1, 1, None, None)
OBS = np.random.default_rng(1).integers(0, 256, (32, 2, 12, 12), dtype=np.uint8)


def made(seed: int = 0, **settings: Any) -> PictureActorCritic:
    config = PpoConfig(convolutions=((4, 4, 2), (8, 3, 1)), hidden=(16,), max_grad_norm=None, **settings)
    return of(config, SPEC, Categorical(3), np.random.default_rng(seed), Hardware("cpu", 1))


def slope_of(rows: int) -> Slope:
    stream = np.random.default_rng(2)
    return Slope(stream.normal(size=(rows, 3)), stream.normal(size=rows), [])


def test_the_step_follows_the_gradient_of_the_loss() -> None:
    algorithm, rows = made(), np.arange(5, 25)
    slope = slope_of(len(rows))
    given = algorithm.network(torch.from_numpy(OBS[rows]))
    loss = (given[:, :3] * torch.from_numpy(slope.out)).sum() + (given[:, 3] * torch.from_numpy(slope.value)).sum()
    parameters = list(algorithm.network.parameters())
    gradients = torch.autograd.grad(loss, parameters)
    before = [parameter.detach().clone() for parameter in parameters]
    norm = algorithm.learn(algorithm.inputs(OBS), rows, lambda out, value: slope, 1e-3)
    assert norm == pytest.approx(float(torch.cat([part.ravel() for part in gradients]).norm()), rel=1e-4)
    for parameter, was, gradient in zip(parameters, before, gradients, strict=True):  # Adam's first step
        wanted = was - 1e-3 * gradient / (gradient.abs() + 1e-5)
        torch.testing.assert_close(parameter.detach(), wanted, rtol=1e-3, atol=1e-6)


def test_no_step_is_taken_that_the_loss_refuses() -> None:
    algorithm = made()
    before = algorithm.save()["weights"]
    assert algorithm.learn(algorithm.inputs(OBS), np.arange(8), lambda out, value: None, 1e-3) is None
    for name, values in algorithm.save()["weights"].items():
        np.testing.assert_array_equal(values, before[name])


def test_in_bfloat16_the_weights_stay_float32_and_what_acts_follows_them() -> None:
    full, half = made(), made(precision="bfloat16")
    for _ in range(3):
        for algorithm in (full, half):
            norm = algorithm.learn(algorithm.inputs(OBS), np.arange(32), lambda out, value: slope_of(32), 1e-3)
            assert norm is not None
            assert norm > 0
    for own, lower in zip(half.network.parameters(), half.working.parameters(), strict=True):
        assert own.dtype == torch.float32
        torch.testing.assert_close(own.to(lower.dtype), lower)
    out, value = half.see(OBS)
    wanted_out, wanted_value = full.see(OBS)
    assert not np.array_equal(value, wanted_value)
    np.testing.assert_allclose(out, wanted_out, atol=0.05 * float(np.abs(wanted_out).max()))
    np.testing.assert_allclose(value, wanted_value, atol=0.05 * float(np.abs(wanted_value).max()))


def test_a_run_goes_on_in_the_arithmetic_in_which_it_began() -> None:
    first, other = made(precision="bfloat16"), made(seed=1)
    first.learn(first.inputs(OBS), np.arange(32), lambda out, value: slope_of(32), 1e-3)
    other.load(Saved.of(first.save()))
    assert other.chosen == {"precision": "bfloat16: as the run began"}
    for algorithm in (first, other):
        algorithm.learn(algorithm.inputs(OBS), np.arange(32), lambda out, value: slope_of(32), 1e-3)
    for one, same in zip(first.see(OBS), other.see(OBS), strict=True):
        np.testing.assert_array_equal(one, same)


def test_what_is_left_to_the_machine_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[int] = []

    def choose(spec: EnvSpec, full: Any, half: Any, device: Any, batch_size: int) -> precision.Choice:
        tried.append(batch_size)
        return precision.Choice("bfloat16", "faster")

    monkeypatch.setattr(precision, "choose", choose)
    algorithm = made(precision="auto", batch_size=48)
    assert tried == [48]
    assert algorithm.chosen == {"precision": "bfloat16: faster"}
    assert algorithm.working.dtype == torch.bfloat16
    monkeypatch.setattr(precision, "has_bfloat16", lambda device: False)
    monkeypatch.setattr(precision, "choose", lambda *_: precision.Choice("float32", "not there"))
    elsewhere = made(precision="auto")
    elsewhere.load(Saved.of(algorithm.save()))
    assert elsewhere.working is elsewhere.network
    assert "no instructions" in elsewhere.chosen["precision"]
