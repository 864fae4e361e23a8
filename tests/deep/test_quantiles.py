"""Values as quantiles of their distribution, against numbers worked out by hand and against what is least."""

import pytest
import torch

from rltrain.algos._dqn_rule import loss, td_target
from rltrain.algos.dqn import DqnConfig
from rltrain.core import EnvSpec
from rltrain.deep.learner import Samples
from rltrain.deep.networks import NetworkShape, QNetwork, initialise
from rltrain.deep.quantiles import Quantiles, quantile_huber, waves
from rltrain.deep.transitions import Transitions
from rltrain.spaces import Discrete

SPEC = EnvSpec("Probe", (2,), "float32", 1, Discrete(2, ("a", "b")), 1, 1, None, None)
OBS, NEXT = torch.tensor([[1.0, 0.0], [0.5, -2.0]]), torch.tensor([[0.3, 1.0], [-1.0, 2.0]])
REWARD, DISCOUNT = torch.tensor([1.0, -2.0]), torch.tensor([0.9, 0.0])


def network(spread: Quantiles, seed: int = 0, dueling: bool = True) -> QNetwork:
    made = QNetwork(SPEC, NetworkShape((), "valid", (8,), dueling, True, spread))
    initialise(made, torch.Generator().manual_seed(seed))
    return made


def drawn(mask: torch.Tensor | None = None) -> Transitions:
    return Transitions(
        lambda: OBS, torch.tensor([0, 1]), REWARD, DISCOUNT, lambda: NEXT, torch.ones(2), None, mask, torch.zeros(2, 0)
    )


def test_levels_are_the_middles_of_equal_parts() -> None:
    torch.testing.assert_close(Quantiles(4).levels(), torch.tensor([0.125, 0.375, 0.625, 0.875]))


def test_the_loss_by_hand() -> None:
    """Quantiles of 0 and 2 of levels 1/4 and 3/4, targets 1 and 5; delta 2."""
    found = quantile_huber(torch.tensor([[0.0, 2.0]]), torch.tensor([[1.0, 5.0]]), torch.tensor([0.25, 0.75]), 2.0)
    # errors 1, 5 of the first: Huber 1/2 and 2 (5 - 1) = 8, both below the target; -1, 3 of the second: 1/2 and 4
    first = 0.25 * (0.5 + 8) / 2 / 2
    second = (0.25 * 0.5 + 0.75 * 4) / 2 / 2
    torch.testing.assert_close(found, torch.tensor([first + second]))
    own = quantile_huber(torch.tensor([[0.0, 2.0]]), torch.tensor([[1.0, 5.0]]), torch.tensor([[0.25, 0.75]]), 2.0)
    torch.testing.assert_close(own, found)  # levels of each row


@pytest.mark.parametrize("level", [0.1, 0.5, 0.9])
def test_the_loss_is_least_at_the_quantile_of_its_targets(level: float) -> None:
    targets = torch.randn(1, 400, generator=torch.Generator().manual_seed(0)).exp()  # skewed
    at = torch.linspace(0, 8, 4001)[:, None]
    losses = quantile_huber(at, targets.expand(len(at), -1), torch.tensor([level]), 1e-3)
    assert at[losses.argmin()].item() == pytest.approx(targets.quantile(level).item(), abs=0.02)


def test_what_a_network_is_told_of_a_level() -> None:
    told = waves(torch.tensor([[0.0, 0.5]]))
    assert told.shape == (1, 2, 64)
    assert (told[0, 0] == 1).all()  # cosines of nothing
    torch.testing.assert_close(told[0, 1, :5], torch.tensor([1.0, 0.0, -1.0, 0.0, 1.0]), atol=1e-6, rtol=0)


@pytest.mark.parametrize("dueling", [True, False])
@pytest.mark.parametrize("implicit", [True, False])
def test_a_value_is_the_mean_of_its_quantiles(implicit: bool, dueling: bool) -> None:
    made = network(Quantiles(5, implicit), dueling=dueling)
    outputs = made.outputs(made.hidden(OBS))
    assert outputs.shape == (2, 2, 5)
    torch.testing.assert_close(made(OBS), outputs.mean(2))


def test_an_implicit_quantile_is_that_of_the_level_it_is_told() -> None:
    made = network(Quantiles(3, implicit=True))
    z, levels = made.hidden(OBS), torch.tensor([[0.2, 0.9], [0.7, 0.2]])
    together = made.outputs(z, levels)
    assert together.shape == (2, 2, 2)
    for row in range(2):
        for i in range(2):
            alone = made.outputs(z[row : row + 1], levels[row : row + 1, i : i + 1])
            torch.testing.assert_close(together[row, :, i], alone[0, :, 0])
    assert not torch.allclose(together[0, :, 0], together[0, :, 1])


@pytest.mark.parametrize("double", [False, True])
@pytest.mark.parametrize("kind", ["quantile", "iqn"])
def test_targets_are_the_quantiles_of_what_was_chosen_rewarded_and_discounted(kind: str, double: bool) -> None:
    config = DqnConfig(loss=kind, n_quantiles=3, double=double)
    target, actor = (network(Quantiles(3, kind == "iqn"), seed) for seed in (1, 2))
    with torch.no_grad():
        found = td_target(config, target, actor, drawn())
        outputs = target.outputs(target.hidden(NEXT))
        best = (actor if double else target)(NEXT).argmax(1)
    by_hand = torch.stack([REWARD[i] + DISCOUNT[i] * outputs[i, best[i]] for i in range(2)])
    torch.testing.assert_close(found, by_hand)


def test_munchausen_targets_have_a_mean_and_lie_around_it_as_the_quantiles_do() -> None:
    """Their mean is the target of a network that gives out the means."""
    settings = {"munchausen": True, "munchausen_tau": 0.5, "munchausen_clip": 10.0}
    target = network(Quantiles(3), 1)
    mask = torch.tensor([[True, False], [True, True]])
    with torch.no_grad():
        found = td_target(DqnConfig(loss="quantile", n_quantiles=3, **settings), target, target, drawn(mask))
        outputs, q = target.outputs(target.hidden(NEXT)), target(NEXT)
        plain = QNetwork(SPEC, NetworkShape((), "valid", (8,), True, True))
        plain.load_state_dict(
            {
                name: p.reshape(-1, 3, *p.shape[1:]).mean(1) if name.startswith(("value", "advantage")) else p
                for name, p in target.named_parameters()
            }
        )
        torch.testing.assert_close(plain(NEXT), q)
        torch.testing.assert_close(found.mean(1), td_target(DqnConfig(**settings), plain, plain, drawn(mask)))
    # the first row can only do its first action; nothing follows on the second
    torch.testing.assert_close(found[0] - found[0].mean(), 0.9 * (outputs[0, 0] - q[0, 0]))
    assert (found[1] == found[1, 0]).all()


@pytest.mark.parametrize("kind", ["quantile", "iqn"])
def test_the_loss_of_a_batch_is_of_its_actions_levels_and_weights(kind: str) -> None:
    config = DqnConfig(loss=kind, n_quantiles=3, huber_delta=0.7)
    made = network(Quantiles(3, kind == "iqn"))
    levels = torch.tensor([[0.1, 0.2, 0.9], [0.5, 0.3, 0.8]]) if kind == "iqn" else None
    target, weight, action = torch.tensor([[1.0, 2.0], [0.0, -3.0]]), torch.tensor([1.0, 0.5]), torch.tensor([1, 0])
    outputs = made.outputs(made.hidden(OBS), levels)
    found = loss(config, made, outputs, Samples(OBS, action, target, weight, levels))
    own = torch.stack([outputs[0, 1], outputs[1, 0]])
    each = quantile_huber(own, target, made.levels if levels is None else levels, 0.7)
    torch.testing.assert_close(found.loss, (each[0] + 0.5 * each[1]) / 2)
    torch.testing.assert_close(found.td_error, target.mean(1) - own.detach().mean(1))
    torch.testing.assert_close(found.value, own.detach().mean())


def test_what_cannot_be_combined_is_refused() -> None:
    for settings in ({"loss": "c51", "munchausen": True}, {"loss": "iqn", "target_epsilon": 0.1}):
        with pytest.raises(ValueError, match=r"munchausen moves values|target_epsilon is for values"):
            DqnConfig(**settings)
