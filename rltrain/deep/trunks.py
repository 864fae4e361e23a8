"""What looks at an observation before the hidden layers of a network: obs [M, *obs] -> features [M, F].

    picture   convolutions, each with a ReLU (Mnih et al. 2015); which ones, if a config does not say, by its size
    vector    as it is
    parts     a trunk of its own for each picture, a layer of 64 units for all the numbers; their features side by side
              (as in Stable-Baselines3's CombinedExtractor)

`prepare` makes of observations what `forward` takes, so that networks of one shape can share it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from rltrain.core import EnvSpec
from rltrain.deep.fast import tiling
from rltrain.deep.layers import ColourTileConv, Flatten, PixelConv, PixelTileConv, TileConv
from rltrain.deep.settings import BY_SIZE, convolutions_for
from rltrain.errors import InputError
from rltrain.spaces import Part

NUMBERS_UNITS = 64  # of the layer that sees the numbers beside pictures

Sides = tuple[int, int, int]  # channels, height, width


class Conv(NamedTuple):
    """One convolution: how many channels out, the side of its square kernel, its stride."""

    channels: int
    kernel: int
    stride: int


class Looking(NamedTuple):
    """How pictures are looked at."""

    convolutions: Sequence[Conv] | None  # None: `convolutions_for` their size
    padding: str  # "valid", or "same": zeros around, for an output side of at least input side / stride


def trunk_of(spec: EnvSpec, looking: Looking, dtype: torch.dtype) -> PictureTrunk | VectorTrunk | PartsTrunk:
    """The trunk of observations of this spec. InputError if a convolution does not fit."""
    if spec.is_image:
        trunk = PictureTrunk(_sides(spec.obs_shape), spec.obs_dtype == "uint8", looking, dtype, spec.planes)
        trunk.see_as_one(spec.obs_high)
        return trunk
    return PartsTrunk(spec.parts, looking, dtype) if spec.has_image else VectorTrunk(spec.obs_shape[0], dtype)


def features_of(spec: EnvSpec, looking: Looking) -> int:
    """The number of features, without building anything. InputError if a convolution does not fit."""
    if spec.is_image:
        return math.prod(_each_side(_sides(spec.obs_shape), looking)[-1])
    if not spec.has_image:
        return spec.obs_shape[0]
    pictures = [math.prod(_each_side(_sides(part.shape), looking)[-1]) for part in spec.parts if part.is_image]
    return sum(pictures) + NUMBERS_UNITS * any(not part.is_image for part in spec.parts)


def chosen_convolutions(spec: EnvSpec, convolutions: Sequence[Sequence[int]] | None) -> dict[str, str]:
    """What a person is told of convolutions that no config names, where they are not the usual ones."""
    pictures = {part.name: part.shape for part in spec.parts if part.is_image}
    if spec.is_image:
        pictures = {"the image": spec.obs_shape}
    suited = {name: convolutions_for(_sides(shape)) for name, shape in pictures.items()}
    if convolutions is not None or all(one is BY_SIZE[0] for one in suited.values()):
        return {}
    told = [
        f"{[list(conv) for conv in one.convolutions]} for {name}, {' x '.join(map(str, pictures[name][1:]))}: {one.why}"
        for name, one in suited.items()
    ]
    return {"convolutions": "; ".join(told)}


class PictureTrunk(nn.Sequential):
    """Convolutions of pictures [M, C, H, W]: of bytes, as multiples of what is seen as 1, or of floats as they are.

    With `planes`, P bytes of each value, they are of [M, C P, H, W]: for each channel the planes of its values.
    """

    table: Tensor  # of the planes, `tiling.table_of`; on the network's device

    def __init__(
        self,
        picture: Sides,
        of_bytes: bool,
        looking: Looking,
        dtype: torch.dtype,
        planes: Sequence[Sequence[int]] = (),
    ) -> None:
        self.planes = np.array(planes, np.uint8) if planes else None
        if self.planes is not None:
            picture = (picture[0] * self.planes.shape[1], *picture[1:])
        sides = _each_side(picture, looking)
        layers: list[nn.Module] = []
        for i, conv in enumerate(_convolutions(picture, looking)):
            channels, *image = sides[i]
            pad = [_padding(looking, side, conv) for side in image]
            tiles = conv.kernel == conv.stride and not any(pad)
            plain, of_pixels = (TileConv, PixelTileConv) if tiles else (nn.Conv2d, PixelConv)
            kind = of_pixels if of_bytes and not i else plain
            if self.planes is not None and kind is PixelTileConv:
                layers.append(ColourTileConv(self.planes, channels // self.planes.shape[1], conv.channels, conv.kernel))
            else:
                layers.append(kind(channels, conv.channels, conv.kernel, conv.stride, (pad[0], pad[1])))
            layers.append(nn.ReLU(inplace=True))
        super().__init__(*layers, Flatten())
        if self.planes is not None:
            self.register_buffer("table", tiling.table_of(self.planes), persistent=False)
        self.to(dtype)
        self.features, self.dtype, self._of_bytes, self.pixel_scale = math.prod(sides[-1]), dtype, of_bytes, 1.0

    def see_as_one(self, high: int) -> None:
        """From now on this value of a byte is seen as 1."""
        if self._of_bytes:
            self.pixel_scale = 1 / high
            for layer in self:
                if isinstance(layer, PixelConv | PixelTileConv):
                    layer.scale = self.pixel_scale

    def prepare(self, obs: Tensor) -> Tensor:
        """In the network's dtype and memory layout. Bytes stay as they are for a `PixelConv`."""
        first = self[0]
        if isinstance(first, ColourTileConv) and not obs.is_cuda:
            return tiling.pixel_tiles(obs, first.kernel_size[0])
        if self.planes is not None:
            obs = tiling.in_planes(obs, self.table)
        if isinstance(first, PixelTileConv):
            return tiling.pixel_tiles(obs, first.kernel_size[0]).to(self.dtype)
        if not self._of_bytes:
            return obs.contiguous(memory_format=torch.channels_last).to(self.dtype)
        values = tiling.channels_last(obs).to(self.dtype)
        return values if isinstance(first, PixelConv) else values.mul_(self.pixel_scale)


class VectorTrunk(nn.Sequential):
    """Vectors [M, n] as they are."""

    def __init__(self, features: int, dtype: torch.dtype) -> None:
        super().__init__(Flatten())
        self.features, self.dtype = features, dtype

    def see_as_one(self, high: int) -> None:
        """A vector has no bytes."""

    def prepare(self, obs: Tensor) -> Tensor:
        return obs.to(self.dtype)


class PartsTrunk(nn.Module):
    """Named parts of observations [M, width], among them pictures."""

    def __init__(self, parts: Sequence[Part], looking: Looking, dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype = dtype
        self._pictures = [part for part in parts if part.is_image]
        self._numbers = [part for part in parts if not part.is_image]
        self.pictures = nn.ModuleList()
        for part in self._pictures:
            trunk = PictureTrunk(_sides(part.shape), part.dtype == "uint8", looking, dtype)
            trunk.see_as_one(part.high)
            self.pictures.append(trunk)
        width = sum(part.shape[0] for part in self._numbers)
        self.numbers = nn.Linear(width, NUMBERS_UNITS).to(dtype) if self._numbers else None
        self.features = sum(trunk.features for trunk in self._trunks) + (NUMBERS_UNITS if self._numbers else 0)

    @property
    def _trunks(self) -> list[PictureTrunk]:
        return [trunk for trunk in self.pictures if isinstance(trunk, PictureTrunk)]

    def see_as_one(self, high: int) -> None:
        """Each picture has a greatest value of its own."""

    def prepare(self, obs: Tensor) -> Tensor:
        """As they are: bytes of them all."""
        return obs

    def forward(self, obs: Tensor) -> Tensor:
        found = [
            trunk(trunk.prepare(part_of(obs, part))) for part, trunk in zip(self._pictures, self._trunks, strict=True)
        ]
        if self.numbers is not None:
            numbers = torch.cat([part_of(obs, part) for part in self._numbers], dim=1)
            found.append(self.numbers(numbers.to(self.dtype)).relu())
        return torch.cat(found, dim=1)


def part_of(obs: Tensor, part: Part) -> Tensor:
    """A named part [M, *shape] of observations [M, width], copied; on any device."""
    columns = obs[:, part.start : part.stop].clone(memory_format=torch.contiguous_format)
    return columns.view(torch.uint8 if part.dtype == "uint8" else torch.float32).view(len(obs), *part.shape)


def with_pictures(obs: Tensor, parts: Sequence[Part], change: Callable[[Tensor], Tensor]) -> Tensor:
    """Observations [M, width] in which each picture [M, C, H, W] is what `change` gives of it."""
    obs = obs.clone()
    for part in parts:
        if part.is_image:
            changed = change(part_of(obs, part)).contiguous().view(len(obs), -1)
            obs[:, part.start : part.stop] = changed.view(obs.dtype)
    return obs


def _sides(shape: tuple[int, ...]) -> Sides:
    channels, height, width = shape
    return channels, height, width


def _convolutions(picture: Sides, looking: Looking) -> Sequence[Conv]:
    if looking.convolutions is not None:
        return looking.convolutions
    return [Conv(*conv) for conv in convolutions_for(picture).convolutions]


def _each_side(picture: Sides, looking: Looking) -> list[Sides]:
    """Channels, height and width of the picture and of what each convolution gives. InputError if one does not fit."""
    found = [picture]
    for i, conv in enumerate(_convolutions(picture, looking)):
        _, *sides = found[-1]
        padded = [side + 2 * _padding(looking, side, conv) for side in sides]
        if min(padded) < conv.kernel:
            raise InputError(
                f"algorithm.convolutions: the window of layer {i + 1} is {conv.kernel} x {conv.kernel}, what it would "
                f"look at {sides[0]} x {sides[1]}; use smaller windows or strides, `padding: same`, or larger images"
            )
        height, width = ((side - conv.kernel) // conv.stride + 1 for side in padded)
        found.append((conv.channels, height, width))
    return found


def _padding(looking: Looking, side: int, conv: Conv) -> int:
    """Zeros on each side: with `same`, the fewest for an output of at least side / stride values."""
    if looking.padding == "valid":
        return 0
    out = -(-side // conv.stride)
    missing = max(0, (out - 1) * conv.stride + conv.kernel - side)
    return -(-missing // 2)
