"""Networks in numpy against torch, and against differences."""

import itertools

import numpy as np
import pytest
import torch

from rltrain.policies import mlp
from rltrain.policies.adam import Adam

ACTIVATIONS = ("tanh", "elu", "relu")
MODULES = {"tanh": torch.nn.Tanh, "elu": torch.nn.ELU, "relu": torch.nn.ReLU}


def network(activation: str, sizes: tuple[int, ...]) -> tuple[mlp.Weights, torch.nn.Sequential]:
    """Our weights, and the same network in torch."""
    weights = mlp.initial(sizes, np.random.default_rng(0))
    layers: list[torch.nn.Module] = []
    for inputs, outputs in itertools.pairwise(sizes):
        layers += [torch.nn.Linear(inputs, outputs, dtype=torch.float64), MODULES[activation]()]
    module = torch.nn.Sequential(*layers[:-1])
    linear = [layer for layer in module if isinstance(layer, torch.nn.Linear)]
    with torch.no_grad():
        for number, layer in enumerate(linear):
            layer.weight.copy_(torch.from_numpy(weights[2 * number].T))
            layer.bias.copy_(torch.from_numpy(weights[2 * number + 1]))
    return weights, module


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("sizes", [(3, 2), (3, 5, 2), (4, 8, 6, 1)])
def test_outputs_and_gradients_are_those_of_torch(activation: mlp.Activation, sizes: tuple[int, ...]) -> None:
    weights, module = network(activation, sizes)
    stream = np.random.default_rng(1)
    x, d_out = stream.normal(size=(7, sizes[0])), stream.normal(size=(7, sizes[-1]))
    out, kept = mlp.forward_kept(weights, x, activation)
    assert np.array_equal(out, mlp.forward(weights, x, activation))
    theirs = module(torch.from_numpy(x))
    np.testing.assert_allclose(out, theirs.detach().numpy(), rtol=1e-12, atol=1e-12)
    theirs.backward(torch.from_numpy(d_out))
    slopes = [part.grad.numpy() for part in module.parameters()]
    for ours, their in zip(mlp.gradient(weights, kept, d_out, activation), slopes, strict=True):
        np.testing.assert_allclose(ours, their.T if their.ndim == 2 else their, rtol=1e-11, atol=1e-11)


def test_first_weights_have_the_stated_variance_and_no_outliers() -> None:
    weights = mlp.initial([400, 500, 3], np.random.default_rng(0), variance=2.0, output_gain=0.1)
    assert weights[0].var() == pytest.approx(2 / 400, rel=0.02)
    assert np.abs(weights[0]).max() <= 2 * np.sqrt(2 / 400) / mlp.TRUNCATED_SD
    assert weights[2].std() == pytest.approx(0.1 * np.sqrt(2 / 500), rel=0.1)
    assert not weights[1].any() and not weights[3].any()


def test_a_long_gradient_is_cut_to_length_and_a_short_one_is_not() -> None:
    parts = [np.array([3.0]), np.array([[4.0]])]
    assert mlp.clipped(parts, None) == (parts, 5.0)
    assert mlp.clipped(parts, 5.0) == (parts, 5.0)
    cut, norm = mlp.clipped(parts, 1.0)
    assert norm == 5.0
    assert [float(part.item()) for part in cut] == pytest.approx([0.6, 0.8])


def test_adam_is_torchs_and_goes_on_after_a_load() -> None:
    stream = np.random.default_rng(0)
    start = [stream.normal(size=(3, 2)), stream.normal(size=2)]
    ours = [part.copy() for part in start]
    theirs = [torch.tensor(part, requires_grad=True) for part in start]
    adam, their_adam = Adam(ours), torch.optim.Adam(theirs, lr=0.1)
    for step in range(20):
        if step == 10:
            saved, adam = adam.save(), Adam(ours)
            adam.load(saved)
        slopes = [stream.normal(size=part.shape) for part in start]
        adam.step(slopes, 0.1)
        for part, slope in zip(theirs, slopes, strict=True):
            part.grad = torch.from_numpy(slope)
        their_adam.step()
    for our, their in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(our, their.detach().numpy(), rtol=1e-10)
