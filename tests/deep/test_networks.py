"""Shapes, parameter counts, and arithmetic of the networks."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch.nn import functional

from rltrain.algos._dqn_config import DqnConfig
from rltrain.algos._dqn_machine import network_shape
from rltrain.algos._pqn_config import PqnConfig
from rltrain.core import EnvSpec
from rltrain.deep.fast import split_update
from rltrain.deep.layers import PixelTileConv, TileConv
from rltrain.deep.networks import Conv, NetworkShape, QNetwork, begin_anew, initialise, parameter_count
from rltrain.errors import InputError
from rltrain.spaces import Discrete

ATARI = EnvSpec("ALE/MsPacman-v5", (4, 84, 84), "uint8", 4, Discrete(9, ("x",) * 9), 1, 4, None, None)
BOOK = EnvSpec("ALE/MsPacman-v5", (1, 88, 80), "uint8", 1, Discrete(9, ("x",) * 9), 1, 3, None, None)
VECTOR = EnvSpec("CartPole-v1", (4,), "float32", 1, Discrete(2, ("left", "right")), 1, 1, 500, 475.0)


def test_the_nature_network_has_its_weights() -> None:
    # 32*(4*64) + 32, 64*(32*16) + 64, 64*(64*9) + 64, 512*3136 + 512, 9*512 + 9
    expected = 8224 + 32832 + 36928 + 1606144 + 4617
    assert parameter_count(QNetwork(ATARI, network_shape(DqnConfig(), ATARI))) == expected


def test_the_books_network_ends_in_64_maps_of_11_by_10() -> None:
    network = QNetwork(BOOK, network_shape(DqnConfig(padding="same"), BOOK))
    assert network.wide is not None
    assert network.wide.in_features == 64 * 11 * 10
    assert network(torch.zeros((2, 1, 88, 80), dtype=torch.uint8)).shape == (2, 9)


def test_no_hidden_layers_is_a_linear_function() -> None:
    network = QNetwork(VECTOR, network_shape(DqnConfig(hidden=()), VECTOR))
    assert parameter_count(network) == 4 * 2 + 2
    x, y = torch.randn(1, 4), torch.randn(1, 4)
    zero = network(torch.zeros(1, 4))
    torch.testing.assert_close(network(x + y) - zero, network(x) - zero + network(y) - zero)


def test_dueling_advantages_are_centred() -> None:
    network = QNetwork(VECTOR, network_shape(DqnConfig(dueling=True, hidden=(8,)), VECTOR))
    x = torch.randn(5, 4)
    assert network.value is not None
    value = network.value(network.rest(network.hidden(x))[:, :4])
    torch.testing.assert_close(network(x).mean(1, keepdim=True), value)


@pytest.mark.parametrize("high", [255, 1, 7])
@pytest.mark.parametrize("convolutions", [((2, 84, 84),), ((2, 84, 1),), ()])  # windows that tile; others; none
def test_pixels_count_as_numbers_from_0_to_1(convolutions: tuple[tuple[int, int, int], ...], high: int) -> None:
    spec = replace(ATARI, obs_high=high)
    network = QNetwork(spec, network_shape(DqnConfig(convolutions=convolutions, hidden=()), spec))
    unit = 2.0**-10  # whose sums have no rounding, in whichever order threads add them
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.fill_(unit)
    pixels = torch.full((1, 4, 84, 84), high, dtype=torch.uint8)
    summed = unit * 4 * 84 * 84 + unit
    expected = unit * 2 * summed + unit if convolutions else summed
    torch.testing.assert_close(network(pixels), torch.full((1, 9), expected), rtol=1e-6, atol=0)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_prepared_pixels_are_the_same_pixels(channels: int) -> None:
    spec = EnvSpec("Probe", (channels, 12, 10), "uint8", 1, Discrete(9, ("x",) * 9), 1, 4, None, None)
    network = QNetwork(spec, network_shape(DqnConfig(convolutions=((2, 4, 2),), hidden=()), spec))
    obs = torch.randint(0, 256, (7, channels, 12, 10), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    prepared = network.prepare(obs)
    assert torch.equal(prepared, obs.float())
    assert prepared.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_windows_that_tile_are_the_convolution(channels: int) -> None:
    """Values and gradients are those of torch's own; rows and columns that no window reaches get none."""
    spec = EnvSpec("Probe", (channels, 17, 13), "uint8", 1, Discrete(9, ("x",) * 9), 1, 4, None, None)
    network = QNetwork(spec, network_shape(DqnConfig(convolutions=((5, 3, 3), (7, 2, 2)), hidden=()), spec))
    first, second = network.convolutions()
    assert isinstance(first, PixelTileConv) and type(second) is TileConv
    obs = torch.randint(0, 256, (6, channels, 17, 13), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    plain = functional.conv2d(obs / 255, first.weight, first.bias, 3).relu()
    plain = functional.conv2d(plain, second.weight, second.bias, 2).relu().permute(0, 2, 3, 1).flatten(1)
    ours = network.trunk(network.prepare(obs))
    torch.testing.assert_close(ours, plain)
    direction = torch.randn(plain.shape, generator=torch.Generator().manual_seed(1))
    weights = list(network.trunk.parameters())
    for a, b in zip(
        torch.autograd.grad(ours, weights, direction), torch.autograd.grad(plain, weights, direction), strict=True
    ):
        torch.testing.assert_close(a, b)
    tape = split_update.forward(network.convolutions(), network.prepare(obs))
    torch.testing.assert_close(network.flatten(tape.outputs[-1]), plain)
    gradient = split_update.sums_gradient(second, torch.ones_like(tape.outputs[1]), tape.outputs[0])
    x = tape.outputs[0].clone().requires_grad_()
    expected = torch.autograd.grad(functional.conv2d(x, second.weight, second.bias, 2).sum(), x)[0]
    torch.testing.assert_close(gradient, expected * (x > 0))


@pytest.mark.parametrize("layer_norm", [False, True])
def test_bfloat16_gives_nearly_the_same_values(layer_norm: bool) -> None:
    shape = network_shape(DqnConfig(layer_norm=layer_norm), ATARI)
    full, half = QNetwork(ATARI, shape), QNetwork(ATARI, shape, torch.bfloat16)
    for network in (full, half):
        initialise(network, torch.Generator().manual_seed(3))
    obs = torch.randint(0, 256, (4, 4, 84, 84), dtype=torch.uint8, generator=torch.Generator().manual_seed(4))
    torch.testing.assert_close(full(obs), half(obs), atol=0.01, rtol=0.05)


def test_a_network_that_begins_anew_keeps_a_share_of_its_convolutions() -> None:
    shape = NetworkShape([Conv(4, 4, 4), Conv(4, 3, 2)], "valid", (8,), True, True)
    network, fresh = QNetwork(ATARI, shape), QNetwork(ATARI, shape)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.fill_(10.0)
    begin_anew(network, torch.Generator().manual_seed(3), keep=0.25)
    initialise(fresh, torch.Generator().manual_seed(3))
    for name, parameter in fresh.named_parameters():
        expected = 0.25 * 10.0 + 0.75 * parameter if name.startswith("trunk") else parameter
        torch.testing.assert_close(dict(network.named_parameters())[name], expected)


def test_initial_weights_come_from_the_stream_alone() -> None:
    shape = network_shape(DqnConfig(hidden=(8,)), VECTOR)
    networks = [QNetwork(VECTOR, shape) for _ in range(2)]
    for network in networks:
        torch.rand(3)  # the global generator moves; it must not matter
        initialise(network, torch.Generator().manual_seed(3))
    for a, b in zip(networks[0].parameters(), networks[1].parameters(), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize(
    ("settings", "sides", "names"),
    [
        ({}, 32, "algorithm.convolutions: the window of layer 3 is 3 x 3, what it would look at 2 x 2"),
        ({}, 24, "algorithm.convolutions: the window of layer 3 is 3 x 3, what it would look at 1 x 1"),
        ({"convolutions": ((4, 9, 1),)}, 8, "algorithm.convolutions: the window of layer 1"),
        ({"hidden": (1,), "dueling": True}, 84, "algorithm.hidden: dueling"),
    ],
)
def test_a_network_that_cannot_be_built_is_refused(settings: dict[str, Any], sides: int, names: str) -> None:
    spec = replace(ATARI, obs_shape=(4, sides, sides))
    with pytest.raises(InputError, match=names):
        network_shape(DqnConfig(**settings), spec)


@pytest.mark.parametrize(
    "settings", [{"hidden": (0,)}, {"convolutions": ((32, 8, 0),)}, {"convolutions": ((-1, 8, 4),)}]
)
def test_widths_and_strides_are_positive(settings: dict[str, Any]) -> None:
    for config in (DqnConfig, PqnConfig):
        with pytest.raises(ValidationError):
            config(**settings)
