"""The layers of a Q-network that torch has not: convolutions of pixels, and those whose windows tile their input."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from rltrain.deep.fast import tiling


class Flatten(nn.Module):
    """[M, C, H, W] -> [M, H W C], in the order of memory: nothing is copied. Vectors stay as they are."""

    def forward(self, x: Tensor) -> Tensor:
        return x if x.dim() == 2 else x.permute(0, 2, 3, 1).flatten(1)

    def back(self, gradient: Tensor, like: Tensor) -> Tensor:
        """The gradient at the input, which has the shape of `like`, from that at the output."""
        m, c, h, w = like.shape
        return gradient.view(m, h, w, c).permute(0, 3, 1, 2)


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
