"""Numbers moved between images and tiles: each where a reader would look for it."""

import pytest
import torch

from rltrain.deep.fast import tiling

STREAM = torch.Generator().manual_seed(0)


def pixels(*shape: int) -> torch.Tensor:
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=STREAM)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_channels_last_changes_the_layout_alone(channels: int) -> None:
    obs = pixels(3, channels, 6, 5)
    moved = tiling.channels_last(obs)
    assert torch.equal(moved, obs)
    assert moved.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize(("k", "width"), [(4, 12), (4, 14), (4, 10), (5, 12), (1, 3)])
def test_a_tile_of_pixels_is_a_square_of_the_image(k: int, width: int, ordered: bool) -> None:
    obs = pixels(2, 3, 9, width) if ordered else pixels(2, 9, width, 3).permute(0, 3, 1, 2)
    tiles = tiling.pixel_tiles(obs, k)
    assert tiles.shape == (2, 9 // k, width // k, 3 * k * k)
    for y in range(9 // k):
        for x in range(width // k):
            square = obs[:, :, y * k : (y + 1) * k, x * k : (x + 1) * k]
            assert torch.equal(tiles[:, y, x], square.flatten(1))


def test_planes_stand_side_by_side_for_each_channel() -> None:
    obs = torch.randint(0, 7, (2, 3, 5, 4), dtype=torch.uint8, generator=STREAM)
    planes = pixels(7, 6).numpy()
    found = tiling.in_planes(obs, tiling.table_of(planes))
    assert found.shape == (2, 18, 5, 4) and found.dtype == torch.uint8
    for channel in range(3):
        for plane in range(6):
            own = torch.from_numpy(planes[:, plane])[obs[:, channel].long()]
            assert torch.equal(found[:, 6 * channel + plane], own)
    assert torch.equal(tiling.in_planes(obs.permute(0, 1, 3, 2), tiling.table_of(planes)), found.permute(0, 1, 3, 2))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("shape", [(2, 6, 9, 5), (2, 8, 7, 3)])
def test_tiles_of_numbers_and_their_way_back(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    """float64 has no compiled loop: it takes the plain way."""
    k = 3
    x = torch.randn(shape, generator=STREAM).to(dtype)
    x[0, 0, 0] = -0.0  # is not positive
    tiles = tiling.tiles(x, k)
    for i in range(shape[1] // k):
        for j in range(shape[2] // k):
            square = x[:, i * k : (i + 1) * k, j * k : (j + 1) * k]
            assert torch.equal(tiles[:, i, j], square.flatten(1))
    gradient = torch.randn(tiles.shape, generator=STREAM).to(dtype)
    source = x.clone().requires_grad_()
    (expected,) = torch.autograd.grad(tiling.tiles(source.relu(), k), source, gradient)
    assert torch.equal(tiling.untiled(gradient, x, k), expected)
