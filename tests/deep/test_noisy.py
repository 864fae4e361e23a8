"""Layers whose weights vary: how much, with what gradient, and that a run with them is exact."""

import pytest
import torch

from rltrain.core import EnvSpec
from rltrain.deep.layers import NoisyLinear
from rltrain.deep.networks import NetworkShape, QNetwork, initialise
from rltrain.deep.quantiles import Quantiles
from rltrain.spaces import Discrete

SPEC = EnvSpec("Probe", (2,), "float32", 1, Discrete(3, ("a", "b", "c")), 1, 1, None, None)


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def test_a_row_by_hand() -> None:
    layer = NoisyLinear(2, 1)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[1.0, -2.0]]))
        layer.bias.fill_(0.5)
        layer.weight_sigma.copy_(torch.tensor([[0.3, 0.1]]))
        layer.bias_sigma.fill_(0.2)
    x = torch.tensor([[2.0, 4.0]])
    deviation = ((0.3 * 2) ** 2 + (0.1 * 4) ** 2 + 0.2**2) ** 0.5
    torch.testing.assert_close(layer.noisy(x, torch.tensor([[-1.5]])), torch.tensor([[2 - 8 + 0.5 - 1.5 * deviation]]))
    torch.testing.assert_close(layer(x), torch.tensor([[-5.5]]))


def test_noise_of_a_row_is_that_of_drawn_weights() -> None:
    """Ten thousand rows with noise, and the same row by ten thousand drawn layers: means and deviations agree."""
    layer, x = NoisyLinear(5, 3), drawn(5)
    with torch.no_grad():
        layer.weight_sigma.copy_(drawn(3, 5, seed=1).abs())
        layer.bias_sigma.copy_(drawn(3, seed=2).abs())
        rows = layer.noisy(x.expand(10_000, -1), drawn(10_000, 3, seed=3))
        generator, found = torch.Generator().manual_seed(4), []
        for _ in range(10_000):
            copy = NoisyLinear(5, 3)
            copy.load_state_dict(layer.state_dict())
            copy.draw(generator)
            found.append(copy(x))
    by_weights = torch.stack(found)
    deviation = by_weights.std(0)
    assert ((rows.mean(0) - by_weights.mean(0)).abs() < 5 * deviation / 100).all()
    torch.testing.assert_close(rows.std(0), deviation, rtol=0.05, atol=0)


def test_deviations_of_nothing_have_a_gradient() -> None:
    layer = NoisyLinear(2, 1)
    with torch.no_grad():
        layer.weight_sigma.zero_()
        layer.bias_sigma.zero_()
    layer.noisy(torch.ones(1, 2), torch.ones(1, 1)).sum().backward()
    assert layer.weight_sigma.grad is not None and torch.isfinite(layer.weight_sigma.grad).all()


@pytest.mark.parametrize("implicit", [None, False, True])
@pytest.mark.parametrize("dueling", [True, False])
def test_each_number_of_noise_moves_a_number_of_its_row_alone(dueling: bool, implicit: bool | None) -> None:
    spread = None if implicit is None else Quantiles(4, implicit)
    network = QNetwork(SPEC, NetworkShape((), "valid", (8,), dueling, True, spread=spread, noisy=True))
    initialise(network, torch.Generator().manual_seed(0))
    each = 4 if implicit is False else 1
    assert network.draws == 3 * each + each * dueling
    z, noise = network.hidden(drawn(2, 2)), torch.zeros(2, network.draws)
    plain = network.outputs(z)
    torch.testing.assert_close(network.outputs(z, noise=noise), plain)
    for i in range(network.draws):
        noise.zero_()
        noise[1, i] = 1
        moved = network.outputs(z, noise=noise) != plain
        assert moved[1].any() and not moved[0].any()
    torch.testing.assert_close(network.values(z), network.means(plain))  # a value has no noise


def test_a_network_that_is_drawn_is_another_and_its_deviations_stay() -> None:
    network, other = (QNetwork(SPEC, NetworkShape((), "valid", (8,), True, False, noisy=True)) for _ in range(2))
    initialise(network, torch.Generator().manual_seed(0))
    other.load_state_dict(network.state_dict())
    other.draw(torch.Generator().manual_seed(1))
    for (name, one), two in zip(network.named_parameters(), other.parameters(), strict=True):
        varies = name in ("advantage.weight", "advantage.bias", "value.weight", "value.bias")
        assert torch.equal(one, two) != varies, name
    apart = (other.advantage.weight - network.advantage.weight) / 0.017
    assert apart.std().item() == pytest.approx(1, abs=0.4)
    initialise(network, torch.Generator().manual_seed(2))
    assert (network.advantage.weight_sigma == NoisyLinear.begin).all()
