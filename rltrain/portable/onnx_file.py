"""A computation as an ONNX model, built node by node: standard operators of opset 17, numbers in float32.

Float32 is what every runtime has; float64 most have not. Normalisation by large means stays exact all the same: a mean
is subtracted as two numbers of float32, whose sum has 48 bits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from rltrain.computation import (
    Above,
    Affine,
    ArgMax,
    Bounded,
    Columns,
    Convolution,
    Dense,
    Flat,
    HistogramMeans,
    Input,
    Joined,
    LayerNormalised,
    Lookup,
    Masked,
    Numbers,
    Pairwise,
    Planes,
    Pointwise,
    Possible,
    Selected,
    Shares,
    Softmax,
    Stacked,
    Standardised,
    Value,
    in_order,
)
from rltrain.core import Array
from rltrain.errors import MissingError

INSTALL = 'pip install "rltrain[onnx]"'
OPSET, IR_VERSION = 17, 8  # those of 2022: LayerNormalization is as old
POINTWISE = {"relu": "Relu", "tanh": "Tanh", "elu": "Elu", "arctan": "Atan"}
PAIRWISE = {"sum": "Add", "product": "Mul", "quotient": "Div"}


def onnx_module() -> Any:
    """The module `onnx`. MissingError where it is not installed."""
    try:
        import onnx
    except ImportError as error:
        raise MissingError(f"a .onnx file needs the package onnx: {INSTALL}") from error
    return onnx


def written(
    inputs: Sequence[Input],
    outputs: Mapping[str, Value],
    results: Mapping[str, Array],
    title: str,
    version: str,
    about: Mapping[str, str],
) -> bytes:
    """The model's file. `results` are what the outputs come to somewhere, [N, ...]: shapes and dtypes. MissingError."""
    onnx = onnx_module()
    return _Graph(onnx).model(inputs, outputs, results, title, version, about)


class _Graph:
    """Nodes and constants, as they are found to be needed."""

    def __init__(self, onnx: Any) -> None:
        self._onnx = onnx
        self._nodes: list[Any] = []
        self._constants: list[Any] = []

    def model(
        self,
        inputs: Sequence[Input],
        outputs: Mapping[str, Value],
        results: Mapping[str, Array],
        title: str,
        version: str,
        about: Mapping[str, str],
    ) -> bytes:
        onnx, helper = self._onnx, self._onnx.helper
        names: dict[Value, str] = {}
        for value in in_order(outputs.values()):
            names[value] = self._of(value, names)
        seen = [self._described(own.name, np.dtype(own.dtype), own.shape) for own in inputs]
        for name, value in outputs.items():
            self._nodes.append(helper.make_node("Identity", [names[value]], [name]))
        given = [
            self._described(name, np.dtype(np.float32) if own.dtype.kind == "f" else own.dtype, own.shape[1:])
            for name, own in results.items()
        ]
        graph = helper.make_graph(self._nodes, "policy", seen, given, self._constants, doc_string=title)
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
            producer_name="rltrain",
            producer_version=version,
            doc_string=title,
        )
        helper.set_model_props(model, dict(about))
        onnx.checker.check_model(model, full_check=True)
        found: bytes = model.SerializeToString(deterministic=True)
        return found

    def _described(self, name: str, dtype: Any, shape: Sequence[int]) -> Any:
        helper = self._onnx.helper
        return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(dtype), ["N", *shape])

    def _node(self, kind: str, *inputs: str, **settings: Any) -> str:
        """One more node. Returns what its output is called."""
        name = f"{kind.lower()}_{len(self._nodes)}"
        self._nodes.append(self._onnx.helper.make_node(kind, list(inputs), [name], name=name, **settings))
        return name

    def _constant(self, value: Any, dtype: Any = np.float32) -> str:
        name = f"constant_{len(self._constants)}"
        array = np.ascontiguousarray(np.asarray(value), dtype)
        self._constants.append(self._onnx.numpy_helper.from_array(array.reshape(np.shape(value)), name))
        return name

    def _as(self, x: str, dtype: Any) -> str:
        return self._node("Cast", x, to=self._onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))

    def _of(self, value: Value, names: Mapping[Value, str]) -> str:
        """The nodes of one operation. Returns what its output is called."""
        match value:
            case Input():
                return value.name
            case Numbers():
                return self._as(names[value.x], np.float32)
            case Flat():
                x = (
                    self._node("Transpose", names[value.x], perm=[0, 2, 3, 1])
                    if value.channels_last
                    else names[value.x]
                )
                return self._node("Flatten", x, axis=1)
            case Columns():
                ends = (self._constant([own], np.int64) for own in (value.start, value.stop, 1))
                return self._node("Slice", names[value.x], *ends)
            case Joined():
                return self._node("Concat", *(names[own] for own in value.each), axis=1)
            case Stacked():
                one = self._constant([1], np.int64)
                return self._node("Concat", *(self._node("Unsqueeze", names[own], one) for own in value.each), axis=1)
            case Lookup():
                index = self._as(self._node("Reshape", names[value.index], self._constant([-1], np.int64)), np.int64)
                dtype = np.float32 if value.table.dtype.kind == "f" else value.table.dtype
                return self._node("Gather", self._constant(value.table, dtype), index, axis=0)
            case Planes():
                table = self._constant(value.table.astype(np.float32))
                x = self._node("Gather", table, self._as(names[value.x], np.int64), axis=0)  # [N, C, H, W, P]
                x = self._node("Transpose", x, perm=[0, 1, 4, 2, 3])
                # [N, C, P, H, W] -> [N, C P, H, W]: 0 keeps an axis, and the picture's sides are the last two
                sides = self._node("Shape", names[value.x], start=2, end=4)
                shape = self._node("Concat", self._constant([0, -1], np.int64), sides, axis=0)
                return self._node("Reshape", x, shape)
            case Affine():
                x = self._node("Mul", names[value.x], self._constant(value.scale))
                return self._node("Add", x, self._constant(value.offset)) if np.any(value.offset) else x
            case Standardised():
                return self._standardised(names[value.x], value)
            case Dense():
                return self._node("Gemm", names[value.x], self._constant(value.weight), self._constant(value.bias))
            case Convolution():
                x, layer = names[value.x], (self._constant(value.weight), self._constant(value.bias))
                strides, pads, side = [value.stride] * 2, [*value.padding] * 2, list(value.weight.shape[2:])
                return self._node("Conv", x, *layer, kernel_shape=side, strides=strides, pads=pads)
            case LayerNormalised():
                layer = self._constant(value.weight), self._constant(value.bias)
                return self._node("LayerNormalization", names[value.x], *layer, axis=-1, epsilon=value.epsilon)
            case Pointwise():
                return self._node(POINTWISE[value.function], names[value.x])
            case Pairwise():
                return self._node(PAIRWISE[value.rule], names[value.x], names[value.y])
            case Bounded():
                x = self._node("Max", names[value.x], self._constant(value.low))
                return self._node("Min", x, self._constant(value.high))
            case Above():
                rule = "GreaterOrEqual" if value.or_equal else "Greater"
                return self._as(self._node(rule, names[value.x], self._constant(value.threshold)), np.float32)
            case Selected():
                return self._node("Where", self._as(names[value.condition], np.bool_), names[value.x], names[value.y])
            case Softmax():
                return self._node("Softmax", names[value.x], axis=1)
            case HistogramMeans():
                shape = self._constant([0, -1, len(value.centres)], np.int64)
                bins = self._node("Softmax", self._node("Reshape", names[value.x], shape), axis=2)
                return self._node("MatMul", bins, self._constant(value.centres))
            case Possible():
                able = self._as(names[value.mask], np.float32)
                nothing = self._node("Sub", self._constant(1.0), self._node("ReduceMax", able, axes=[1], keepdims=1))
                return self._node("Max", able, nothing)
            case Masked():
                able = self._as(names[value.able], np.bool_)
                return self._node("Where", able, names[value.x], self._constant(-np.inf))
            case Shares():
                return self._shares(names[value.x], names[value.able])
            case ArgMax():
                return self._node("ArgMax", names[value.x], axis=1, keepdims=0)

    def _standardised(self, x: str, value: Standardised) -> str:
        large = value.mean.astype(np.float32)
        z = self._node("Sub", self._node("Sub", x, self._constant(large)), self._constant(value.mean - large))
        z = self._node("Mul", z, self._constant(1 / value.deviation))
        if value.clip is None:
            return z
        return self._node("Clip", z, self._constant(-value.clip), self._constant(value.clip))

    def _shares(self, x: str, able: str) -> str:
        columns = self._constant([1], np.int64)
        left = self._node("Mul", x, able)
        some = self._as(self._node("ReduceSum", left, columns, keepdims=1), np.bool_)
        left = self._node("Where", some, left, able)
        return self._node("Div", left, self._node("ReduceSum", left, columns, keepdims=1))
