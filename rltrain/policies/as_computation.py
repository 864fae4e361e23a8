"""What policies in numpy compute, as a `computation.Computation`: networks, their distributions, and families."""

from __future__ import annotations

import numpy as np

from rltrain.computation import (
    Affine,
    ArgMax,
    Bounded,
    Columns,
    Computation,
    Dense,
    Flat,
    Joined,
    Masked,
    Numbers,
    Pointwise,
    Possible,
    Seen,
    Softmax,
    Stacked,
    Standardised,
    Value,
    is_packed,
)
from rltrain.core import Array, EnvSpec
from rltrain.policies.distributions import middle_and_half
from rltrain.policies.mlp import Activation, Weights
from rltrain.policies.normalizing import Normalization
from rltrain.spaces import Continuous, Discrete, MultiDiscrete

DRAWN = {
    "discrete": "an action is drawn, each with its probability",
    "multi_discrete": "each choice is drawn, with the probabilities of its own among `probabilities`, side by side",
}


def normalised(seen: Seen, normalization: Normalization) -> Seen:
    """What a policy sees behind a normalisation."""
    deviation = np.sqrt(normalization.variance + normalization.epsilon)
    x = Standardised(Numbers(seen.array), normalization.mean, deviation, normalization.clip)
    return Seen(x, mask=seen.mask)


def read(spec: EnvSpec, seen: Seen) -> Value:
    """The numbers [N, in] that a network for vectors reads: see `inputs`."""
    if not is_packed(spec):
        numbers = Numbers(seen.array)
        x = numbers if len(spec.obs_shape) == 1 else Flat(numbers)
        return Affine(x, 1 / spec.obs_high) if spec.obs_dtype == "uint8" else x
    each = []
    for part in spec.parts:
        x = Flat(Numbers(seen.parts[part.name]))
        each.append(Affine(x, 1 / part.high) if part.dtype == "uint8" else x)
    return Joined(tuple(each))


def network(weights: Weights, x: Value, activation: Activation) -> Value:
    """Outputs [N, out] of layers W_1 [in, out], b_1 [out], W_2, ... at x [N, in]."""
    for layer in range(0, len(weights), 2):
        if layer:
            x = Pointwise(x, activation)
        x = Dense(x, weights[layer], weights[layer + 1])
    return x


def of_two(weights: Weights, place: int) -> Weights:
    """The weights of one output as those of two, of which this one is always 0."""
    *below, weight, bias = weights
    columns = [np.zeros_like(weight), weight] if place == 0 else [weight, np.zeros_like(weight)]
    ends = [np.zeros_like(bias), bias] if place == 0 else [bias, np.zeros_like(bias)]
    return [*below, np.concatenate(columns, axis=1), np.concatenate(ends)]


def greatest(values: Value, seen: Seen, scored: bool = True) -> Computation:
    """The first greatest of values [N, A], of those that are possible; they are its scores, if so."""
    z = values if seen.mask is None else Masked(values, Possible(seen.mask))
    return Computation(ArgMax(z), z if scored else None, (z,))


def each_greatest(values: Value, space: MultiDiscrete, seen: Seen) -> tuple[Value, tuple[Value, ...]]:
    """Of each choice the first greatest of its own columns of values [N, sum of sizes]: actions [N, K], and those."""
    ranked: list[Value] = []
    for own in space.columns:
        z: Value = Columns(values, own.start, own.stop)
        ranked.append(z if seen.mask is None else Masked(z, Possible(Columns(seen.mask, own.start, own.stop))))
    return Stacked(tuple(ArgMax(z) for z in ranked)), tuple(ranked)


def of_distribution(
    space: Discrete | MultiDiscrete | Continuous,
    weights: Weights,
    free: list[Array],
    x: Value,
    seen: Seen,
    activation: Activation,
    draws: bool,
    squash: bool = False,
) -> Computation:
    """A network and a distribution of `distributions`: its likeliest action, and its probabilities."""
    if isinstance(space, Discrete) and space.n == 2 and weights[-1].size == 1:
        weights = of_two(weights, place=1)
    return of_outputs(space, network(weights, x, activation), free, seen, draws, squash)


def of_outputs(
    space: Discrete | MultiDiscrete | Continuous,
    out: Value,
    free: list[Array],
    seen: Seen,
    draws: bool,
    squash: bool = False,
) -> Computation:
    """A distribution of `distributions` by outputs [N, out] of a network, one for each action."""
    drawn = DRAWN.get(space.form, "") if draws else ""
    match space:
        case Discrete():
            z = out if seen.mask is None else Masked(out, Possible(seen.mask))
            return Computation(ArgMax(z), Softmax(z), (z,), drawn)
        case MultiDiscrete():
            action, ranked = each_greatest(out, space, seen)
            parameters = {"probabilities": Joined(tuple(Softmax(z) for z in ranked))} if draws else {}
            return Computation(action, None, ranked, drawn, parameters)
        case Continuous():
            (middle, half), low, high = middle_and_half(space), np.array(space.low), np.array(space.high)
            z = Pointwise(out, "tanh") if squash else out
            action = Bounded(Affine(z, half, middle), low, high)
            if not draws:
                return Computation(action)
            deviation = np.exp(free[0])
            what = "tanh(z)" if squash else "z"
            text = (
                f"z = mean + deviation * N(0, 1), action = {middle.tolist()} + {half.tolist()} * {what}, cut to the"
                f" bounds; deviation = {deviation.tolist()}"
            )
            return Computation(action, drawn=text, parameters={"mean": out})
