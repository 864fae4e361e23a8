"""Values as histograms, against numbers worked out by hand."""

import math
from functools import partial
from itertools import pairwise

import pytest
import torch

from rltrain.algos._dqn_rule import td_target
from rltrain.algos.dqn import DqnConfig, loss
from rltrain.core import EnvSpec
from rltrain.deep.fast.serial import update
from rltrain.deep.histogram import Bins, first_logits, histogram, projected
from rltrain.deep.learner import Learner, Samples
from rltrain.deep.networks import NetworkShape, QNetwork, initialise
from rltrain.deep.transitions import Transitions
from rltrain.spaces import Discrete

SPEC = EnvSpec("Probe", (2,), "float32", 1, Discrete(2, ("a", "b")), 1, 1, None, None)
BINS = Bins(-2.0, 2.0, 4, 0.5)


def normal(x: float) -> float:
    """The distribution function of the standard normal."""
    return (1 + math.erf(x / math.sqrt(2))) / 2


def test_bins_have_equal_widths() -> None:
    assert BINS.width == 1
    torch.testing.assert_close(BINS.edges(), torch.tensor([-2.0, -1.0, 0.0, 1.0, 2.0]))
    torch.testing.assert_close(BINS.centres(), torch.tensor([-1.5, -0.5, 0.5, 1.5]))


def test_a_bin_has_the_gaussians_share_of_it() -> None:
    shares = histogram(torch.tensor([0.25, -3.0]), BINS.edges(), 0.5)
    # around 0.25, in standard deviations: edges at -4.5, -2.5, -0.5, 1.5, 3.5
    whole = normal(3.5) - normal(-4.5)
    cuts = [normal(edge) for edge in (-4.5, -2.5, -0.5, 1.5, 3.5)]
    by_hand = [(b - a) / whole for a, b in pairwise(cuts)]
    torch.testing.assert_close(shares[0], torch.tensor(by_hand))
    # below all bins counts as -2, half of whose Gaussian is cut away
    ends = [normal(2 * k) - 0.5 for k in range(5)]
    torch.testing.assert_close(shares[1], torch.tensor([(b - a) / ends[4] for a, b in pairwise(ends)]))


def test_its_mean_is_the_value_where_the_ends_are_far() -> None:
    bins = Bins(-30.0, 300.0, 110, 0.75)
    value = torch.tensor([-20.0, 0.0, 0.4, 7.0, 160.0, 290.0])
    mean = histogram(value, bins.edges(), bins.sigma * bins.width) @ bins.centres()
    torch.testing.assert_close(mean, value, rtol=0, atol=5e-3)


@pytest.mark.parametrize("dueling", [False, True])
def test_values_of_a_new_network_are_near_zero(dueling: bool) -> None:
    bins = Bins(-12.0, 291.0, 101, 0.75)
    assert first_logits(bins).exp().sum().item() == pytest.approx(1, abs=1e-5)
    network = QNetwork(SPEC, NetworkShape((), "valid", (64,), dueling, False, bins))
    initialise(network, torch.Generator().manual_seed(0))
    values = network(torch.randn(20, 2, generator=torch.Generator().manual_seed(1)))
    assert values.shape == (20, 2)
    assert values.abs().max() < 1  # the middle of the bins is at 139.5


def test_an_update_moves_logits_by_the_difference_of_histograms() -> None:
    made = Learner(
        SPEC,
        NetworkShape((), "valid", (), False, False, BINS),
        partial(loss, DqnConfig(loss="hl_gauss")),
        torch.Generator().manual_seed(0),
        device=torch.device("cpu"),
        optimizer="adam",
        optimizer_eps=1e-8,
        max_grad_norm=None,
    )
    with torch.no_grad():
        made.master.advantage.weight.zero_()
        made.master.advantage.bias.copy_(torch.tensor([0.0, 0.0, 0.0, 0.0, 1.0, 2.0, 3.0, 4.0]))
    x, target, weight = torch.tensor([[1.0, 0.0], [0.0, 1.0]]), torch.tensor([0.25, -1.0]), torch.tensor([1.0, 0.5])
    torch.testing.assert_close(made.master.values(x)[0, 0].item(), 0.0)
    shares = torch.stack([torch.full((4,), 0.25), torch.tensor([1.0, 2.0, 3.0, 4.0]).softmax(0)])
    wanted = histogram(target, BINS.edges(), 0.5)
    seen = update(made, Samples(x, torch.tensor([0, 1]), target, weight), 0.0)
    each = -(wanted * shares.log()).sum(1)
    assert seen.loss.item() == pytest.approx(((each[0] + 0.5 * each[1]) / 2).item())
    value = shares @ BINS.centres()
    torch.testing.assert_close(seen.td_error, target - value)
    assert seen.value.item() == pytest.approx(value.mean().item())
    # of cross-entropy at logits: shares minus those wanted
    by_hand = torch.cat([shares[0] - wanted[0], 0.5 * (shares[1] - wanted[1])]) / 2
    torch.testing.assert_close(made.master.advantage.bias.grad, by_hand)


def test_atoms_are_the_centres_of_bins() -> None:
    torch.testing.assert_close(Bins.around(-10, 10, 5, 0.75).centres(), torch.tensor([-10.0, -5.0, 0.0, 5.0, 10.0]))


def test_a_share_goes_to_the_two_nearest_atoms() -> None:
    """Bellemare et al. 2017, algorithm 1."""
    centres = torch.tensor([-1.0, 0.0, 1.0, 2.0])
    shares = torch.tensor([[0.1, 0.2, 0.3, 0.4], [0.1, 0.2, 0.3, 0.4]])
    values = torch.tensor([[-1.0, 0.25, 1.5, 2.0], [-7.0, -0.5, 9.0, 2.5]])
    by_hand = torch.tensor([[0.1, 0.15, 0.05 + 0.15, 0.15 + 0.4], [0.1 + 0.1, 0.1, 0.0, 0.3 + 0.4]])
    torch.testing.assert_close(projected(shares, values, centres), by_hand)


def test_c51_learns_what_the_next_histogram_comes_to() -> None:
    config = DqnConfig(loss="c51", num_bins=4, v_min=-1.5, v_max=1.5)
    bins = Bins.around(-1.5, 1.5, 4, 0.75)
    made = QNetwork(SPEC, NetworkShape((), "valid", (), False, False, bins))
    with torch.no_grad():
        made.advantage.weight.zero_()
        made.advantage.bias.copy_(torch.tensor([0.0, 0.0, 0.0, 0.0, 1.0, 2.0, 3.0, 4.0]))
    x, action, weight = torch.zeros(2, 2), torch.tensor([0, 1]), torch.tensor([1.0, 0.5])
    reward, discount = torch.tensor([0.5, -1.0]), torch.tensor([0.5, 0.0])
    drawn = Transitions(lambda: x, action, reward, discount, lambda: x, weight)
    with torch.no_grad():
        target = td_target(config, made, made, drawn)
    best = torch.tensor([1.0, 2.0, 3.0, 4.0]).softmax(0)  # of the second action, whose mean is the larger
    # 0.5 + 0.5 x (-1.5, -0.5, 0.5, 1.5) is -0.25, 0.25, 0.75, 1.25; a task that ended is worth its reward, -1
    first = torch.tensor([0, 0.75 * best[0] + 0.25 * best[1], 0, 0]) + torch.tensor(
        [0, 0, 0.25 * best[0] + 0.75 * best[1] + 0.75 * best[2] + 0.25 * best[3], 0.25 * best[2] + 0.75 * best[3]]
    )
    torch.testing.assert_close(target, torch.stack([first, torch.tensor([0.5, 0.5, 0.0, 0.0])]))
    outputs = made.outputs(made.hidden(x))
    found = loss(config, made, outputs, Samples(x, action, target, weight))
    own = torch.stack([torch.full((4,), 0.25), best])
    each = -(target * own.log()).sum(1)
    torch.testing.assert_close(found.loss, (each[0] + 0.5 * each[1]) / 2)
    entropy = torch.tensor([-(first[1:] * first[1:].log()).sum(), math.log(2)])
    torch.testing.assert_close(found.td_error, each - entropy)
    torch.testing.assert_close(found.value, (own @ bins.centres()).mean())
