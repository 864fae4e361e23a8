"""The layers of a Q-network that torch has not: convolutions of pixels, and those whose windows tile their input."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from rltrain.core import Array
from rltrain.deep.fast import distinct, tiling

TINY = 1e-12  # keeps the square root's slope finite
BLOCK = 16  # a product has whole blocks of rows and columns: what is over is computed another way, to other bits


class Flatten(nn.Module):
    """[M, C, H, W] -> [M, H W C], in the order of memory: nothing is copied. Vectors stay as they are."""

    def forward(self, x: Tensor) -> Tensor:
        return x if x.dim() == 2 else x.permute(0, 2, 3, 1).flatten(1)

    def back(self, gradient: Tensor, like: Tensor) -> Tensor:
        """The gradient at the input, which has the shape of `like`, from that at the output."""
        m, c, h, w = like.shape
        return gradient.view(m, h, w, c).permute(0, 3, 1, 2)


class NoisyLinear(nn.Linear):
    """A layer whose every weight has a deviation of its own, which is learned: what a network is unsure of it varies.

        y = x mu + noise sqrt(x^2 sigma^2)

    The sum of independent Gaussian weights times x is itself Gaussian, so a row needs a draw for each output, not for
    each weight. Source: Fortunato et al. 2018, "Noisy Networks for Exploration" (independent noise); the sum: Kingma et
    al. 2015, "Variational Dropout and the Local Reparameterization Trick".
    """

    begin = 0.017  # every deviation of a new network (Fortunato et al. 2018, section 3.2)

    def __init__(self, features: int, out: int) -> None:
        super().__init__(features, out)
        self.weight_sigma = nn.Parameter(torch.full((out, features), self.begin))
        self.bias_sigma = nn.Parameter(torch.full((out,), self.begin))

    def noisy(self, x: Tensor, noise: Tensor) -> Tensor:
        """x [..., in], noise [..., out], standard normal. Without noise: the layer itself."""
        variance = functional.linear(x.square(), self.weight_sigma.square(), self.bias_sigma.square())
        found: Tensor = self(x) + noise * (variance + TINY).sqrt()
        return found

    def draw(self, generator: torch.Generator) -> None:
        """Draw the weights, and be without noise for as long as they stay: one noise for all rows."""
        with torch.no_grad():
            for mean, deviation in ((self.weight, self.weight_sigma), (self.bias, self.bias_sigma)):
                mean += deviation * torch.randn(mean.shape, generator=generator).to(mean)

    def as_new(self) -> None:
        """Deviations as at the start."""
        for deviation in (self.weight_sigma, self.bias_sigma):
            nn.init.constant_(deviation, self.begin)


class PixelConv(nn.Conv2d):
    """A convolution of pixels times `scale`. It scales its weights, a thousand times fewer numbers than the pixels."""

    scale = 1 / 255

    def forward(self, input: Tensor) -> Tensor:
        return functional.conv2d(input, self.weight * self.scale, self.bias, self.stride, self.padding)


class TileConv(nn.Conv2d):
    """A convolution whose windows tile its input: kernel = stride, no padding. It is the product of two matrices.

    That is as fast as a library's convolution forwards and two to three times as fast backwards.
    """

    @property
    def matrix(self) -> Tensor:
        """The weights [out, k k C], in the order of a tile."""
        return self.weight.permute(0, 2, 3, 1).reshape(self.out_channels, -1)

    def weights(self, matrix: Tensor) -> Tensor:
        """The inverse of `matrix`, for its gradient."""
        return matrix.view(self.out_channels, *self.kernel_size, -1).permute(0, 3, 1, 2)

    def tiles(self, x: Tensor) -> Tensor:
        """[M, C, H, W] -> [M, h, w, k k C]. Rows and columns that no tile reaches are left out."""
        return tiling.tiles(x.permute(0, 2, 3, 1), self.kernel_size[0])

    def of_tiles(self, tiles: Tensor) -> Tensor:
        """[M, h, w, k k C] -> [M, out, h, w]."""
        sums = torch.addmm(self._bias, tiles.flatten(0, 2), self.matrix.t())
        return sums.view(*tiles.shape[:3], self.out_channels).permute(0, 3, 1, 2)

    def gradients(self, rows: Tensor, tiles: Tensor) -> tuple[Tensor, Tensor]:
        """Of the weight and the bias: rows [M h w, out], the gradient at the sums; tiles [M, h, w, k k C]."""
        return self.weights(rows.t() @ tiles.flatten(0, 2)), rows.sum(0)

    def forward(self, input: Tensor) -> Tensor:
        return self.of_tiles(self.tiles(input))

    @property
    def _bias(self) -> Tensor:
        assert self.bias is not None
        return self.bias


class PixelTileConv(TileConv):
    """A `TileConv` of pixels times `scale`, as `PixelConv`. Its input is what `tiling.pixel_tiles` gives."""

    scale = 1 / 255

    @property
    def matrix(self) -> Tensor:
        return self.weight.reshape(self.out_channels, -1) * self.scale

    def weights(self, matrix: Tensor) -> Tensor:
        return matrix.view_as(self.weight) * self.scale

    def tiles(self, x: Tensor) -> Tensor:
        return x


class ColourTileConv(PixelTileConv):
    """A `PixelTileConv` of the planes [V, P] of pixels that are numbers of colours.

    On a processor its input is tiles of those numbers [M, h, w, C k k] uint8, and each is multiplied once, wherever it
    stands: with many planes as fast as a `PixelTileConv` with one. Else it is tiles of planes.
    """

    def __init__(self, planes: Array, channels: int, out: int, kernel: int) -> None:
        """`channels`: C, of numbers."""
        super().__init__(channels * planes.shape[1], out, kernel, kernel)
        self._table, self._channels = tiling.table_of(planes), channels

    def of_tiles(self, tiles: Tensor) -> Tensor:
        if tiles.dtype != torch.uint8:
            return super().of_tiles(tiles)
        found = distinct.distinct(tiles, self._channels)
        weight = self._by_channel
        weight = functional.pad(weight, (0, -weight.shape[1] % BLOCK))
        parts = (self._seen(found.tiles) @ weight).float()[:, : self._channels * self.out_channels]
        parts = parts.unflatten(1, (self._channels, -1))
        sums = distinct.placed(parts, found.number, self._bias).to(self.weight.dtype)
        return sums.view(*tiles.shape[:3], self.out_channels).permute(0, 3, 1, 2)

    def gradients(self, rows: Tensor, tiles: Tensor) -> tuple[Tensor, Tensor]:
        if tiles.dtype != torch.uint8:
            return super().gradients(rows, tiles)
        found = distinct.distinct(tiles, self._channels)
        seen = self._seen(found.tiles).float()
        sums = distinct.by_tile(rows, found.number, len(seen)).flatten(1)  # [D, C out]
        by_channel = seen.t() @ sums  # [P k k, C out]
        weight = by_channel.view(-1, self._channels, self.out_channels).permute(2, 1, 0).reshape(self.weight.shape)
        return weight * self.scale, rows.sum(0)

    def _seen(self, tiles: Tensor) -> Tensor:
        """Tiles [D, k k] of numbers -> those of their planes, [D, P k k]."""
        planes = tiling.in_planes(tiles[:, None, None], self._table)
        return functional.pad(planes.flatten(1), (0, 0, 0, -len(planes) % BLOCK)).to(self.weight.dtype)

    @property
    def _by_channel(self) -> Tensor:
        """The weights [P k k, C out]."""
        weight = self.weight.reshape(self.out_channels, self._channels, -1) * self.scale
        return weight.permute(2, 1, 0).flatten(1)
