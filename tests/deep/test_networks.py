"""Shapes, parameter counts, and arithmetic of the networks."""

from dataclasses import replace
from typing import Any

import numpy as np
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
from rltrain.deep.trunks import PartsTrunk
from rltrain.errors import InputError
from rltrain.spaces import Discrete, laid_out

ATARI = EnvSpec("ALE/MsPacman-v5", (4, 84, 84), "uint8", 4, Discrete(9, ("x",) * 9), 1, 4, None, None)
BOOK = EnvSpec("ALE/MsPacman-v5", (1, 88, 80), "uint8", 1, Discrete(9, ("x",) * 9), 1, 3, None, None)
NATURE = ((32, 8, 4), (64, 4, 2), (64, 3, 1))
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
        (
            {"convolutions": NATURE},
            32,
            "algorithm.convolutions: the window of layer 3 is 3 x 3, what it would look at 2 x 2",
        ),
        (
            {"convolutions": NATURE},
            24,
            "algorithm.convolutions: the window of layer 3 is 3 x 3, what it would look at 1 x 1",
        ),
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


@pytest.mark.parametrize(
    ("sides", "convolutions"),
    [
        ((36, 100), NATURE),
        ((84, 84), NATURE),
        ((35, 84), ((32, 3, 2), (64, 3, 2))),
        ((16, 16), ((32, 3, 2), (64, 3, 2))),
        ((10, 10), ((16, 3, 1),)),
        ((7, 7), ((16, 2, 1), (32, 2, 1), (64, 2, 1))),
        ((4, 4), ((16, 2, 1), (32, 2, 1), (64, 2, 1))),
        ((2, 84), ()),
    ],
)
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_convolutions_that_no_config_names_suit_the_images_size(
    sides: tuple[int, int], convolutions: tuple[tuple[int, int, int], ...], dtype: str
) -> None:
    spec = replace(ATARI, obs_shape=(3, *sides), obs_dtype=dtype)
    chosen = QNetwork(spec, network_shape(DqnConfig(), spec))
    named = QNetwork(spec, network_shape(DqnConfig(convolutions=convolutions), spec))
    assert [p.shape for p in chosen.parameters()] == [p.shape for p in named.parameters()]
    assert chosen(torch.zeros((2, *spec.obs_shape), dtype=getattr(torch, dtype))).shape == (2, 9)


@pytest.mark.parametrize("high", [255, 7])
@pytest.mark.parametrize("convolutions", [((4, 3, 2), (4, 2, 1)), ((4, 3, 3), (4, 2, 2)), ()])
@pytest.mark.parametrize("channels", [1, 3, 4, 7])
def test_floats_from_0_to_1_are_seen_as_bytes_of_that_share_are(
    channels: int, convolutions: tuple[tuple[int, int, int], ...], high: int
) -> None:
    of_bytes = replace(ATARI, obs_shape=(channels, 13, 11), frame_stack=1, obs_high=high)
    of_floats = replace(of_bytes, obs_dtype="float32", obs_high=255)
    shape = network_shape(DqnConfig(convolutions=convolutions, hidden=(8,)), of_bytes)
    networks = [QNetwork(spec, shape) for spec in (of_bytes, of_floats)]
    for network in networks:
        initialise(network, torch.Generator().manual_seed(5))
    tiling_order = [network.convolutions()[0] for network in networks] if convolutions else []
    if tiling_order and isinstance(tiling_order[0], PixelTileConv):  # its weights lie as the tiles of bytes do
        tiling_order[1].weight.data.copy_(tiling_order[0].weight.data)
    pixels = torch.randint(0, high + 1, (5, channels, 13, 11), dtype=torch.uint8)
    before = pixels / high
    floats = before.clone()
    torch.testing.assert_close(networks[1](floats), networks[0](pixels))
    assert torch.equal(floats, before)  # nothing is scaled in place


def parts_spec() -> EnvSpec:
    named = [("eye", (3, 10, 10), "uint8", 7), ("speed", (2,), "float32", 255), ("map", (1, 5, 5), "float32", 255)]
    parts, width, dtype = laid_out([*named, ("arm", (3,), "float32", 255)])
    return replace(ATARI, obs_shape=(width,), obs_dtype=dtype, frame_stack=1, parts=parts)


def packed(spec: EnvSpec, values: dict[str, torch.Tensor]) -> torch.Tensor:
    obs = np.zeros((len(values["eye"]), spec.obs_shape[0]), np.uint8)
    for part in spec.parts:
        obs[:, part.start : part.stop] = values[part.name].numpy().reshape(len(obs), -1).view(np.uint8)
    return torch.from_numpy(obs)


def seen(rows: int) -> dict[str, torch.Tensor]:
    values = {"speed": torch.randn(rows, 2), "map": torch.rand(rows, 1, 5, 5), "arm": torch.randn(rows, 3)}
    return {"eye": torch.randint(0, 8, (rows, 3, 10, 10), dtype=torch.uint8), **values}


@pytest.mark.parametrize("rows", [1, 6])
def test_named_parts_go_each_through_a_trunk_of_its_own_and_are_joined(rows: int) -> None:
    spec = parts_spec()
    network = QNetwork(spec, network_shape(DqnConfig(), spec))
    trunk = network.trunk
    assert isinstance(trunk, PartsTrunk) and network.wide is not None
    assert network.wide.in_features == trunk.features == 16 * 8 * 8 + 64 * 2 * 2 + 64
    values = seen(rows)
    features = trunk(network.prepare(packed(spec, values)))
    alone = [
        QNetwork(one, network_shape(DqnConfig(), one))
        for one in (
            replace(ATARI, obs_shape=(3, 10, 10), obs_high=7),
            replace(ATARI, obs_shape=(1, 5, 5), obs_dtype="float32"),
        )
    ]
    expected = []
    order = [part.name for part in spec.parts if part.is_image]
    for name, own in zip(("eye", "map"), alone, strict=True):
        own.trunk.load_state_dict(trunk.pictures[order.index(name)].state_dict())
    by_name = {name: own.trunk(own.prepare(values[name])) for name, own in zip(("eye", "map"), alone, strict=True)}
    expected = [by_name[name] for name in order]
    numbers = torch.cat([values["speed"], values["arm"]], dim=1)
    assert trunk.numbers is not None
    torch.testing.assert_close(features, torch.cat([*expected, trunk.numbers(numbers).relu()], dim=1))


def test_every_part_moves_the_values_and_gets_a_gradient() -> None:
    spec = parts_spec()
    network = QNetwork(spec, network_shape(DqnConfig(), spec))
    values = seen(4)
    before = network(packed(spec, values))
    for name, other in seen(4).items():
        assert not torch.equal(before, network(packed(spec, {**values, name: other})))
    network(packed(spec, values)).square().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in network.parameters())


def test_a_reset_keeps_of_the_convolutions_of_parts_and_nothing_of_the_numbers_layer() -> None:
    spec = parts_spec()
    network = QNetwork(spec, network_shape(DqnConfig(hidden=(8,)), spec))
    for parameter in network.parameters():
        parameter.data.fill_(10.0)
    fresh = QNetwork(spec, network_shape(DqnConfig(hidden=(8,)), spec))
    initialise(fresh, torch.Generator().manual_seed(1))
    begin_anew(network, torch.Generator().manual_seed(1), keep=0.25)
    for name, parameter in fresh.named_parameters():
        expected = 0.25 * 10.0 + 0.75 * parameter if name.startswith("trunk.pictures") else parameter
        torch.testing.assert_close(dict(network.named_parameters())[name], expected)
