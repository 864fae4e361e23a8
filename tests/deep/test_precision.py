"""The choice of arithmetic: by what was measured, never on trust."""

import math
from dataclasses import replace

import pytest
import torch

from rltrain.core import EnvSpec
from rltrain.deep.fast import precision
from rltrain.deep.networks import Conv, NetworkShape, QNetwork, initialise
from rltrain.deep.quantiles import Quantiles
from rltrain.spaces import Discrete

IMAGE = EnvSpec("Probe", (2, 12, 12), "uint8", 2, Discrete(3, ("a", "b", "c")), 1, 1, None, None)
VECTOR = EnvSpec("Probe", (2,), "float32", 1, Discrete(2, ("a", "b")), 1, 1, None, None)
SHAPE = NetworkShape([Conv(4, 4, 2)], "valid", (8,), False, False)
COLOURS = ((0, 0), (9, 0), (0, 9), (9, 9))
CPU = torch.device("cpu")


def choose(spec: EnvSpec, shape: NetworkShape = SHAPE) -> precision.Choice:
    full, half = QNetwork(spec, shape), QNetwork(spec, shape, torch.bfloat16)
    initialise(full, torch.Generator().manual_seed(0))
    return precision.choose(spec, full, half, CPU, 8)


@pytest.mark.parametrize(
    ("float32", "bfloat16", "apart", "name"),
    [
        (0.020, 0.010, 0.004, "bfloat16"),
        (0.020, 0.019, 0.004, "float32"),  # hardly faster
        (0.020, 0.200, 0.004, "float32"),
        (0.020, 0.010, 0.200, "float32"),  # wrong
        (0.020, 0.010, math.nan, "float32"),
    ],
)
def test_bfloat16_must_be_fast_and_right(float32: float, bfloat16: float, apart: float, name: str) -> None:
    choice = precision.judge(float32, bfloat16, apart)
    assert choice.name == name
    assert "20.0 in float32" in choice.why


def test_a_processor_without_the_instructions_is_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    monkeypatch.setattr(precision, "_train_once", lambda *_: pytest.fail("tried"))
    assert choose(IMAGE) == ("float32", "the processor has no instructions for bfloat16")
    assert choose(VECTOR).name == "float32"


def test_both_are_tried_where_they_can_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True)
    tried: list[torch.dtype] = []
    monkeypatch.setattr(precision, "_train_once", lambda network, _: tried.append(network.dtype))
    monkeypatch.setattr(precision, "_seconds", lambda *_: 1.0 if tried[-1] == torch.float32 else 0.5)
    choice = choose(IMAGE)
    assert choice.name == "bfloat16"
    assert choice.why.startswith("500.0 ms a pass in bfloat16, 1000.0 in float32, values")


@pytest.mark.parametrize(
    ("spec", "shape"),
    [
        (IMAGE, SHAPE._replace(noisy=True, dueling=True)),
        (IMAGE, SHAPE._replace(spread=Quantiles(3, implicit=True))),
        (replace(IMAGE, obs_high=3, planes=COLOURS), SHAPE),
        (replace(IMAGE, obs_high=3, planes=COLOURS), SHAPE._replace(convolutions=[Conv(4, 4, 4)])),
    ],
)
def test_every_kind_of_network_can_be_tried(
    spec: EnvSpec, shape: NetworkShape, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True)
    assert "ms a pass in bfloat16" in choose(spec, shape).why
