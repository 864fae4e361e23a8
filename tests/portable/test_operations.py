"""Every operation means the same in numpy, in lists of numbers and in ONNX."""

from __future__ import annotations

import math
from typing import Any, get_args

import numpy as np
import pytest

from rltrain import computation as ops
from rltrain.computation import Input, Numbers, Value
from rltrain.portable import calls, onnx_file, replay, with_numpy, without_numpy

STREAM = np.random.default_rng(0)
NUMBERS = np.array([[-2.0, 0.0, 0.5, 3.0], [1.0, 1.0, -1.0, 0.25], [0.0, 0.0, 0.0, 0.0]], np.float32)
OTHERS = np.array([[1.0, -2.0, 0.5, 4.0], [2.0, 3.0, -1.0, 0.25], [1.0, 2.0, -3.0, 1.0]], np.float32)
MASKS = np.array([[True, False, True, True], [False, False, False, False], [False, True, False, False]])
STATES = np.array([[2], [0], [1]])
PICTURES = STREAM.integers(0, 256, (3, 2, 5, 6)).astype(np.uint8)
INPUTS = {"obs": NUMBERS, "other": OTHERS, "mask": MASKS, "state": STATES, "picture": PICTURES}

obs, other = (Numbers(Input(name, (4,), "float32")) for name in ("obs", "other"))
mask, state = Input("mask", (4,), "bool"), Input("state", (1,), "int64")
picture, able = Numbers(Input("picture", (2, 5, 6), "uint8")), ops.Possible(mask)
weight, bias = STREAM.normal(size=(4, 3)), STREAM.normal(size=3)
kernels, ends = STREAM.normal(size=(3, 2, 3, 3)), STREAM.normal(size=3)
low, high = np.array([-1.0, -np.inf, 0.0, 0.0]), np.array([0.0, 0.1, np.inf, 1.0])

EXAMPLES: dict[str, Value] = {
    "numbers": obs,
    "numbers of bytes": picture,
    "flat": ops.Flat(picture),
    "flat, channels last": ops.Flat(picture, channels_last=True),
    "columns": ops.Columns(obs, 1, 3),
    "columns of a mask": ops.Possible(ops.Columns(mask, 2, 4)),
    "joined": ops.Joined((obs, other)),
    "stacked": ops.Stacked((ops.ArgMax(obs), ops.ArgMax(other))),
    "lookup of a state": ops.Lookup(state, STREAM.normal(size=(3, 2))),
    "lookup of a whole number": ops.Lookup(ops.ArgMax(obs), np.array([7, 5, 3, 1])),
    "planes": ops.Planes(Input("picture", (2, 5, 6), "uint8"), STREAM.integers(0, 256, (256, 3)).astype(np.uint8)),
    "affine": ops.Affine(obs, 0.5, -1.0),
    "affine by columns": ops.Affine(obs, np.arange(4.0), np.arange(4.0)),
    "standardised": ops.Standardised(obs, np.arange(4.0), np.array([1.0, 2.0, 0.1, 3.0]), 2.0),
    "standardised, not cut": ops.Standardised(obs, np.arange(4.0), np.ones(4), None),
    "dense": ops.Dense(obs, weight, bias),
    "convolution": ops.Convolution(ops.Affine(picture, 1 / 255), kernels, ends, 1, (0, 0)),
    "convolution with steps and zeros around": ops.Convolution(ops.Affine(picture, 1 / 255), kernels, ends, 2, (1, 2)),
    "layer normalisation": ops.LayerNormalised(obs, np.arange(1.0, 5.0), np.arange(4.0), 1e-5),
    **{name: ops.Pointwise(obs, name) for name in ("relu", "tanh", "elu", "arctan")},  # type: ignore[arg-type]
    **{name: ops.Pairwise(obs, other, name) for name in ("sum", "product", "quotient")},  # type: ignore[arg-type]
    "bounded": ops.Bounded(obs, low, high),
    "above": ops.Above(obs, 0.0),
    "above or equal": ops.Above(obs, 0.0, or_equal=True),
    "selected": ops.Selected(ops.Above(obs, 0.0), obs, other),
    "softmax": ops.Softmax(ops.Masked(obs, able)),
    "means of histograms": ops.HistogramMeans(obs, np.array([-1.0, 2.0])),
    "possible": able,
    "masked": ops.Masked(obs, able),
    "shares": ops.Shares(ops.Softmax(obs), able),
    "shares of nothing": ops.Shares(ops.Lookup(state, np.eye(3, 4)), able),
    "the first greatest": ops.ArgMax(obs),
}


def test_every_operation_has_an_example() -> None:
    found = {type(value) for value in ops.in_order(EXAMPLES.values())}
    assert found == set(get_args(Value))


@pytest.mark.parametrize("name", EXAMPLES)
def test_onnx_means_what_numpy_does(name: str) -> None:
    value = EXAMPLES[name]
    (expected,) = calls.carried_out([value], INPUTS)
    inputs = [each for each in ops.in_order([value]) if isinstance(each, Input)]
    data = onnx_file.written(inputs, {"it": value}, {"it": expected}, "a test", "0", {})
    found = replay.of_onnx(data, {own.name: INPUTS[own.name] for own in inputs})
    assert found.outputs["it"].dtype == (np.float32 if expected.dtype.kind == "f" else np.int64)
    np.testing.assert_allclose(found.outputs["it"], expected, rtol=2e-6, atol=2e-6)


@pytest.mark.parametrize("name", [name for name in EXAMPLES if "picture" not in str(EXAMPLES[name])])
def test_lists_of_numbers_mean_what_numpy_does(name: str) -> None:
    value = EXAMPLES[name]
    (expected,) = calls.carried_out([value], INPUTS)
    for row in range(len(NUMBERS)):
        found: dict[Value, Any] = {}
        for each in ops.in_order([value]):
            if isinstance(each, Input):
                found[each] = INPUTS[each.name][row].tolist()
                continue
            call = calls.call_of(each)
            constants = [own.T if call.function == "dense" and own is each.weight else own for own in call.constants]  # type: ignore[union-attr]
            listed = [own.tolist() if isinstance(own, np.ndarray) else own for own in constants]
            found[each] = without_numpy.FUNCTIONS[call.function](*(found[below] for below in call.operands), *listed)
        np.testing.assert_allclose(found[value], expected[row], rtol=1e-12, atol=1e-12)


def test_what_needs_no_numpy_has_the_functions_that_numpy_has_but_for_pictures() -> None:
    assert set(with_numpy.FUNCTIONS) - set(without_numpy.FUNCTIONS) == {"convolution", "planes"}


def test_large_means_are_taken_away_exactly_in_float32() -> None:
    """A clock of a billion seconds that moves by one: float32 has 24 bits, so the mean takes two of its numbers."""
    seconds = np.float32(2**30) + 64 * np.arange(-3, 4, dtype=np.float32)[:, None]
    mean = np.array([2.0**30 + 13.7])
    value = ops.Standardised(Numbers(Input("obs", (1,), "float32")), mean, np.array([50.0]), None)
    (expected,) = calls.carried_out([value], {"obs": seconds})
    inputs = [each for each in ops.in_order([value]) if isinstance(each, Input)]
    data = onnx_file.written(inputs, {"it": value}, {"it": expected}, "a test", "0", {})
    found = replay.of_onnx(data, {"obs": seconds})
    assert float(np.abs(found.outputs["it"] - expected).max()) < 1e-6
    assert math.isclose(float(expected[3, 0]), -13.7 / 50, rel_tol=1e-6)
