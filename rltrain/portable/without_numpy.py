"""The operations of `computation` on one observation, as lists of numbers. A policy.py takes them from here.

So each function stands alone: it knows `math`, and nothing else of this file. Pictures have none: they take numpy.
"""

import math
from collections.abc import Callable
from typing import Any


def numbers(x: Any) -> Any:
    return [float(value) for value in x]


def flat(x: Any, channels_last: bool) -> Any:
    return x


def columns(x: Any, start: int, stop: int) -> Any:
    return x[start:stop]


def joined(*each: Any) -> Any:
    return [value for own in each for value in own]


def stacked(*each: Any) -> Any:
    return list(each)


def lookup(index: Any, table: Any) -> Any:
    return table[int(index[0] if isinstance(index, list) else index)]


def affine(x: Any, scale: Any, offset: Any) -> Any:
    scales = scale if isinstance(scale, list) else [scale] * len(x)
    offsets = offset if isinstance(offset, list) else [offset] * len(x)
    return [value * own + more for value, own, more in zip(x, scales, offsets, strict=True)]


def standardised(x: Any, mean: Any, deviation: Any, clip: Any) -> Any:
    z = [(value - middle) / width for value, middle, width in zip(x, mean, deviation, strict=True)]
    return z if clip is None else [min(max(value, -clip), clip) for value in z]


def dense(x: Any, weight: Any, bias: Any) -> Any:
    return [
        sum(value * own for value, own in zip(x, row, strict=True)) + b for row, b in zip(weight, bias, strict=True)
    ]


def layer_normalised(x: Any, weight: Any, bias: Any, epsilon: float) -> Any:
    mean = sum(x) / len(x)
    deviation = math.sqrt(sum((value - mean) ** 2 for value in x) / len(x) + epsilon)
    return [(value - mean) / deviation * own + b for value, own, b in zip(x, weight, bias, strict=True)]


def relu(x: Any) -> Any:
    return [max(value, 0.0) for value in x]


def tanh(x: Any) -> Any:
    return [math.tanh(value) for value in x]


def elu(x: Any) -> Any:
    return [value if value > 0 else math.expm1(value) for value in x]


def arctan(x: Any) -> Any:
    return [math.atan(value) for value in x]


def summed(x: Any, y: Any) -> Any:
    return [a + b for a, b in zip(x, y, strict=True)]


def product(x: Any, y: Any) -> Any:
    return [a * b for a, b in zip(x, y, strict=True)]


def quotient(x: Any, y: Any) -> Any:
    return [a / b if b else math.nan for a, b in zip(x, y, strict=True)]


def bounded(x: Any, low: Any, high: Any) -> Any:
    return [min(max(value, least), most) for value, least, most in zip(x, low, high, strict=True)]


def above(x: Any, threshold: float, or_equal: bool) -> Any:
    return [float(value > threshold or (or_equal and value == threshold)) for value in x]


def selected(condition: Any, x: Any, y: Any) -> Any:
    return [a if own > 0 else b for own, a, b in zip(condition, x, y, strict=True)]


def softmax(x: Any) -> Any:
    weight = [math.exp(value - max(x)) for value in x]
    return [own / sum(weight) for own in weight]


def histogram_means(x: Any, centres: Any) -> Any:
    found = []
    for start in range(0, len(x), len(centres)):
        bins = x[start : start + len(centres)]
        weight = [math.exp(value - max(bins)) for value in bins]
        found.append(sum(own * centre for own, centre in zip(weight, centres, strict=True)) / sum(weight))
    return found


def possible(mask: Any) -> Any:
    return [1.0 if able or not any(mask) else 0.0 for able in mask]


def masked(x: Any, able: Any) -> Any:
    return [value if own > 0 else -math.inf for value, own in zip(x, able, strict=True)]


def shares(x: Any, able: Any) -> Any:
    left = [value * own for value, own in zip(x, able, strict=True)]
    left = left if any(left) else able
    return [own / sum(left) for own in left]


def argmax(x: Any) -> Any:
    return max(range(len(x)), key=lambda place: x[place])


# Whose names a policy.py may need; pictures have no function here.
FUNCTIONS: dict[str, Callable[..., Any]] = {
    function.__name__: function
    for function in (
        numbers,
        flat,
        columns,
        joined,
        stacked,
        lookup,
        affine,
        standardised,
        dense,
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
