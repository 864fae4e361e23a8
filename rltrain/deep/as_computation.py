"""What networks of torch compute, as a `computation.Computation`.

A dueling head is one layer: the mean of the advantages is subtracted from its weights, once.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from torch import Tensor, nn

from rltrain.computation import (
    Affine,
    ArgMax,
    Computation,
    Convolution,
    Dense,
    Flat,
    HistogramMeans,
    Joined,
    LayerNormalised,
    Masked,
    Numbers,
    Planes,
    Pointwise,
    Possible,
    Seen,
    Value,
)
from rltrain.core import Array, EnvSpec
from rltrain.deep.histogram import Bins
from rltrain.deep.networks import QNetwork
from rltrain.deep.quantiles import Quantiles, waves
from rltrain.deep.trunks import PartsTrunk, PictureTrunk, VectorTrunk


def of_values(network: QNetwork, spec: EnvSpec, seen: Seen) -> Computation:
    """The greedy policy of a Q-network: see `greedy.Greedy`."""
    x = seen_by_trunk(network.trunk, spec, seen)
    layers = [*([] if network.wide is None else [network.wide]), *network.rest]
    weight, bias = _head(network)
    if network.level is not None:  # the mean over levels of what they make of units is one factor for each unit
        weight = weight * network.level(waves(network.levels)).relu().mean(0).detach().cpu().numpy()[:, None]
    elif isinstance(network.spread, Quantiles):  # their mean is a layer's too
        weight, bias = (
            part.reshape(*part.shape[:-1], -1, network.spread.number).mean(axis=-1) for part in (weight, bias)
        )
    x = Dense(through(layers, x), weight, bias)
    if isinstance(network.spread, Bins):
        x = HistogramMeans(x, network.spread.centres().numpy())
    z = x if seen.mask is None else Masked(x, Possible(seen.mask))
    return Computation(ArgMax(z), z, (z,))


def seen_by_trunk(trunk: PictureTrunk | VectorTrunk | PartsTrunk, spec: EnvSpec, seen: Seen) -> Value:
    """The features [N, F] of a trunk."""
    if isinstance(trunk, VectorTrunk):
        return Numbers(seen.array)
    if isinstance(trunk, PictureTrunk):
        return _pictures(trunk, seen.array, spec.obs_dtype)
    parts = [part for part in spec.parts if part.is_image]
    found: list[Value] = []
    for part, own in zip(parts, trunk.pictures, strict=True):
        assert isinstance(own, PictureTrunk)
        found.append(_pictures(own, seen.parts[part.name], part.dtype))
    if trunk.numbers is not None:
        numbers = [Numbers(seen.parts[part.name]) for part in spec.parts if not part.is_image]
        side_by_side = numbers[0] if len(numbers) == 1 else Joined(tuple(numbers))
        found.append(Pointwise(Dense(side_by_side, *_layer(trunk.numbers)), "relu"))
    return found[0] if len(found) == 1 else Joined(tuple(found))


def through(layers: Iterable[nn.Module], x: Value) -> Value:
    """What layers make of x [N, F]."""
    for layer in layers:
        if isinstance(layer, nn.Linear):
            x = Dense(x, *_layer(layer))
        elif isinstance(layer, nn.LayerNorm):
            x = LayerNormalised(x, _numbers(layer.weight), _numbers(layer.bias), layer.eps)
        elif isinstance(layer, nn.ReLU):
            x = Pointwise(x, "relu")
        else:
            raise TypeError(f"no operation for a layer {layer}")
    return x


def linear(layer: nn.Linear, x: Value) -> Value:
    """What a layer makes of x [N, F]."""
    return Dense(x, *_layer(layer))


def _pictures(trunk: PictureTrunk, pictures: Value, dtype: str) -> Value:
    x: Value = Numbers(pictures) if trunk.planes is None else Planes(pictures, trunk.planes)
    if dtype == "uint8":
        x = Affine(x, trunk.pixel_scale)
    for layer in trunk:
        if isinstance(layer, nn.Conv2d):
            pad, bias = layer.padding, layer.bias
            assert isinstance(pad, tuple) and len(pad) == 2 and bias is not None
            x = Convolution(x, _numbers(layer.weight), _numbers(bias), int(layer.stride[0]), pad)
        elif isinstance(layer, nn.ReLU):
            x = Pointwise(x, "relu")
    return Flat(x, channels_last=True)


def _head(network: QNetwork) -> tuple[Array, Array]:
    """Weight [H, A * B] and bias [A * B] of the layer that gives the values, or their quantiles or bins."""
    weight, bias = _layer(network.advantage)
    each = 1 if network.spread is None or network.level is not None else network.spread.number
    if network.value is None:
        return weight, bias
    own, base = (part.astype(np.float64) for part in _layer(network.value))  # [V, B], [B]
    advantage = weight.astype(np.float64).reshape(len(weight), -1, each)  # [H - V, A, B]
    ends = bias.astype(np.float64).reshape(-1, each)  # [A, B]
    actions = len(ends)
    centred = (advantage - advantage.mean(axis=1, keepdims=True)).reshape(len(weight), -1)
    level = np.repeat(own[:, None], actions, axis=1).reshape(len(own), -1)
    both = np.concatenate([level, centred]).astype(np.float32)
    return both, (base + ends - ends.mean(axis=0)).reshape(-1).astype(np.float32)


def _layer(layer: nn.Linear) -> tuple[Array, Array]:
    """Weight [in, out] and bias [out]."""
    return np.ascontiguousarray(_numbers(layer.weight).T), _numbers(layer.bias)


def _numbers(values: Tensor) -> Array:
    found: Array = values.detach().float().cpu().contiguous().numpy().copy()
    return found
