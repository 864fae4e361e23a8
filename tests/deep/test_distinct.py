"""Tiles that are computed with once: what comes out is what a convolution of the planes gives, and so do gradients."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from rltrain.deep.fast import distinct, tiling
from rltrain.deep.fast.split_update import weight_gradients
from rltrain.deep.layers import ColourTileConv
from rltrain.envs.atari.colours import planes

DRAWN = np.random.default_rng(0)


def pictures(colours: int, m: int = 3, side: int = 21) -> torch.Tensor:
    """Mostly one colour, as games are; `colours` of 128: few, or nearly as many tiles as places."""
    drawn = DRAWN.integers(0, colours, (m, 2, side, side))
    return torch.from_numpy(np.where(DRAWN.random(drawn.shape) < 0.8, 7, drawn).astype(np.uint8))


@pytest.mark.parametrize("k", [3, 4])  # bytes, or words of eight
@pytest.mark.parametrize("colours", [1, 9, 128])
def test_each_tile_is_there_once_and_is_that_of_its_place(k: int, colours: int) -> None:
    tiles = tiling.pixel_tiles(pictures(colours), k)
    found = distinct.distinct(tiles, 2)
    flat = tiles.view(-1, 2, k * k)
    assert torch.equal(found.tiles[found.number.long()], flat)
    assert len(torch.unique(flat.flatten(0, 1), dim=0)) == len(found.tiles)
    assert torch.equal(found.tiles[0], flat[0, 0])  # in the order in which they are met


def test_tiles_that_fall_together_by_their_hash_are_told_apart() -> None:
    words = np.arange(500, dtype=np.uint64)[:, None] % 90
    number, first = np.empty(500, np.int32), np.empty(500, np.int32)
    assert distinct._number(words, np.full(128, -1, np.int32), number, first) == 90  # 90 of 128 slots: many collide
    np.testing.assert_array_equal(words[first[number], 0], words[:, 0])


@pytest.mark.parametrize("how", ["rgb", "palette"])
@pytest.mark.parametrize("k", [3, 4])
@pytest.mark.parametrize("colours", [9, 128])
def test_it_is_a_convolution_of_planes(colours: int, k: int, how: str) -> None:
    seen, obs = planes(how), pictures(colours)
    layer = ColourTileConv(seen, 2, 5, k).to(memory_format=torch.channels_last)  # as networks have it
    tiles = tiling.pixel_tiles(obs, k)
    assert tiles.dtype == torch.uint8
    sums = layer(tiles)
    plain = functional.conv2d(tiling.in_planes(obs, tiling.table_of(seen)) / 255, layer.weight, layer.bias, k)
    torch.testing.assert_close(sums, plain, rtol=1e-5, atol=1e-5)
    gradient = torch.randn(sums.shape)
    wanted = torch.autograd.grad(plain, [layer.weight, layer.bias], gradient)
    by_graph = torch.autograd.grad(sums, [layer.weight, layer.bias], gradient)
    for found in (by_graph, weight_gradients(layer, gradient, tiles)):
        for one, other in zip(found, wanted, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


def test_tiles_of_planes_are_taken_too() -> None:
    """As a GPU gets them."""
    seen, obs = planes("rgb"), pictures(9)
    layer = ColourTileConv(seen, 2, 5, 4)
    dense = tiling.pixel_tiles(tiling.in_planes(obs, tiling.table_of(seen)), 4).float()
    sums = layer(dense)
    torch.testing.assert_close(sums, layer(tiling.pixel_tiles(obs, 4)), rtol=1e-5, atol=1e-5)
    gradient = torch.randn(sums.shape)
    for one, other in zip(
        weight_gradients(layer, gradient, dense),
        weight_gradients(layer, gradient, tiling.pixel_tiles(obs, 4)),
        strict=True,
    ):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


def test_half_precision_is_near() -> None:
    seen, obs = planes("palette"), pictures(9)
    layer, half = ColourTileConv(seen, 2, 5, 4), ColourTileConv(seen, 2, 5, 4).bfloat16()
    half.load_state_dict(layer.state_dict())
    tiles = tiling.pixel_tiles(obs, 4)
    assert half(tiles).dtype == torch.bfloat16
    torch.testing.assert_close(half(tiles).float(), layer(tiles), rtol=0.05, atol=0.02)


def test_what_a_picture_gives_does_not_hang_on_those_beside_it() -> None:
    seen, obs = planes("rgb"), pictures(128, m=16)
    layer = ColourTileConv(seen, 2, 5, 4)
    together = layer(tiling.pixel_tiles(obs, 4))
    for i in range(16):
        assert torch.equal(layer(tiling.pixel_tiles(obs[i : i + 1], 4))[0], together[i])


def test_a_number_that_is_no_colour_is_nothing() -> None:
    obs = torch.full((1, 2, 4, 4), 255, dtype=torch.uint8)
    assert not tiling.in_planes(obs, tiling.table_of(planes("rgb"))).any()
