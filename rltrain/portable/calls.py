"""A computation as calls of functions, which `with_numpy` and `without_numpy` have by the same names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from rltrain.computation import (
    Above,
    Affine,
    Bounded,
    Columns,
    Convolution,
    Dense,
    Flat,
    HistogramMeans,
    Input,
    LayerNormalised,
    Lookup,
    Pairwise,
    Planes,
    Pointwise,
    Standardised,
    Value,
    in_order,
    operands,
)
from rltrain.core import Array
from rltrain.portable.with_numpy import FUNCTIONS

PAIRWISE = {"sum": "summed", "product": "product", "quotient": "quotient"}


class Call(NamedTuple):
    """A function's name and what comes after the operands: arrays, numbers, pairs of numbers, truth values, None."""

    function: str
    operands: tuple[Value, ...]
    constants: tuple[Any, ...] = ()


def call_of(value: Value) -> Call:
    """An operation, which is no `Input`, as a call."""
    below = operands(value)
    match value:
        case Pointwise():
            return Call(value.function, below)
        case Pairwise():
            return Call(PAIRWISE[value.rule], below)
        case Flat():
            return Call("flat", below, (value.channels_last,))
        case Columns():
            return Call("columns", below, (value.start, value.stop))
        case Lookup():
            return Call("lookup", below, (value.table,))
        case Planes():
            return Call("planes", below, (value.table,))
        case Affine():
            return Call("affine", below, (value.scale, value.offset))
        case Standardised():
            return Call("standardised", below, (value.mean, value.deviation, value.clip))
        case Dense():
            return Call("dense", below, (value.weight, value.bias))
        case Convolution():
            return Call("convolution", below, (value.weight, value.bias, value.stride, value.padding))
        case LayerNormalised():
            return Call("layer_normalised", below, (value.weight, value.bias, value.epsilon))
        case Bounded():
            return Call("bounded", below, (value.low, value.high))
        case Above():
            return Call("above", below, (value.threshold, value.or_equal))
        case HistogramMeans():
            return Call("histogram_means", below, (value.centres,))
    return Call(type(value).__name__.lower(), below)


def carried_out(wanted: Sequence[Value], inputs: Mapping[str, Array]) -> list[Array]:
    """What values come to in numpy, in float64: of inputs [N, ...] by their names."""
    found: dict[Value, Array] = {}
    for value in in_order(wanted):
        if isinstance(value, Input):
            found[value] = inputs[value.name]
            continue
        call = call_of(value)
        constants = [each.astype(np.float64) if _is_real(each) else each for each in call.constants]
        found[value] = FUNCTIONS[call.function](*(found[below] for below in call.operands), *constants)
    return [found[value] for value in wanted]


def needs_numpy(inputs: Sequence[Input], wanted: Sequence[Value], most: int) -> bool:
    """Whether they see pictures, or have more than `most` weights: slow in lists of numbers."""
    weights = sum(value.weight.size for value in in_order(wanted) if isinstance(value, Dense | Convolution))
    return weights > most or any(len(own.shape) != 1 or own.name not in ("obs", "mask") for own in inputs)


def _is_real(constant: Any) -> bool:
    return isinstance(constant, np.ndarray) and constant.dtype.kind == "f"
