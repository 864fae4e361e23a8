"""The operations of `computation` on arrays whose first axis counts observations. A policy.py takes them from here.

So each function stands alone: it knows numpy, FLOAT and nothing else of this file.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

FLOAT: Any = np.float64


def numbers(x: Any) -> Any:
    return np.asarray(x).astype(FLOAT)


def flat(x: Any, channels_last: bool) -> Any:
    return (x.transpose(0, 2, 3, 1) if channels_last else x).reshape(len(x), -1)


def columns(x: Any, start: int, stop: int) -> Any:
    return x[:, start:stop]


def joined(*each: Any) -> Any:
    return np.concatenate(each, axis=1)


def stacked(*each: Any) -> Any:
    return np.stack(each, axis=1)


def lookup(index: Any, table: Any) -> Any:
    return np.asarray(table)[np.asarray(index).reshape(-1).astype(np.int64)]


def planes(x: Any, table: Any) -> Any:
    seen = np.asarray(table, np.float32)[np.asarray(x).astype(np.int64)].transpose(0, 1, 4, 2, 3)
    return seen.reshape(len(seen), -1, *seen.shape[3:])


def affine(x: Any, scale: Any, offset: Any) -> Any:
    return x * scale + offset


def standardised(x: Any, mean: Any, deviation: Any, clip: Any) -> Any:
    z = (x - mean) / deviation
    return z if clip is None else np.clip(z, -clip, clip)


def dense(x: Any, weight: Any, bias: Any) -> Any:
    return x @ weight + bias


def convolution(x: Any, weight: Any, bias: Any, stride: int, padding: Any) -> Any:
    (height, width), kernel = padding, weight.shape[2]
    x = np.pad(x, ((0, 0), (0, 0), (height, height), (width, width)))
    windows = np.lib.stride_tricks.sliding_window_view(x, (kernel, kernel), axis=(2, 3))[:, :, ::stride, ::stride]
    n, channels, rows, cols = windows.shape[:4]  # windows [N, C, rows, cols, k, k]
    squares = windows.transpose(0, 2, 3, 1, 4, 5).reshape(n * rows * cols, channels * kernel * kernel)
    sums = squares @ weight.reshape(len(weight), -1).T + bias
    return sums.reshape(n, rows, cols, len(weight)).transpose(0, 3, 1, 2)


def layer_normalised(x: Any, weight: Any, bias: Any, epsilon: float) -> Any:
    apart = x - x.mean(axis=1, keepdims=True)
    return apart / np.sqrt((apart * apart).mean(axis=1, keepdims=True) + FLOAT(epsilon)) * weight + bias


def relu(x: Any) -> Any:
    return np.maximum(x, FLOAT(0))


def tanh(x: Any) -> Any:
    return np.tanh(x)


def elu(x: Any) -> Any:
    return np.where(x > 0, x, np.expm1(np.minimum(x, FLOAT(0))))


def arctan(x: Any) -> Any:
    return np.arctan(x)


def summed(x: Any, y: Any) -> Any:
    return x + y


def product(x: Any, y: Any) -> Any:
    return x * y


def quotient(x: Any, y: Any) -> Any:
    with np.errstate(divide="ignore", invalid="ignore"):
        return x / y


def bounded(x: Any, low: Any, high: Any) -> Any:
    return np.minimum(np.maximum(x, low), high)


def above(x: Any, threshold: float, or_equal: bool) -> Any:
    return (x >= threshold if or_equal else x > threshold).astype(FLOAT)


def selected(condition: Any, x: Any, y: Any) -> Any:
    return np.where(condition > 0, x, y)


def softmax(x: Any) -> Any:
    weight = np.exp(x - x.max(axis=1, keepdims=True))
    return weight / weight.sum(axis=1, keepdims=True)


def histogram_means(x: Any, centres: Any) -> Any:
    bins = x.reshape(len(x), -1, len(centres))
    weight = np.exp(bins - bins.max(axis=2, keepdims=True))
    return weight @ centres / weight.sum(axis=2)


def possible(mask: Any) -> Any:
    able = np.asarray(mask) > 0
    return (able | ~able.any(axis=1, keepdims=True)).astype(FLOAT)


def masked(x: Any, able: Any) -> Any:
    return np.where(able > 0, x, FLOAT(-np.inf))


def shares(x: Any, able: Any) -> Any:
    left = x * able
    left = np.where(left.any(axis=1, keepdims=True), left, able)
    return left / left.sum(axis=1, keepdims=True)


def argmax(x: Any) -> Any:
    return x.argmax(axis=1)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    function.__name__: function
    for function in (
        numbers,
        flat,
        columns,
        joined,
        stacked,
        lookup,
        planes,
        affine,
        standardised,
        dense,
        convolution,
        layer_normalised,
        relu,
        tanh,
        elu,
        arctan,
        summed,
        product,
        quotient,
        bounded,
        above,
        selected,
        softmax,
        histogram_means,
        possible,
        masked,
        shares,
        argmax,
    )
}
