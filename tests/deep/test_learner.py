"""Single updates against numbers worked out by hand, and two threads against one."""

from collections.abc import Iterator
from functools import partial

import pytest
import torch

from rltrain.algos.dqn import DqnConfig, loss
from rltrain.core import EnvSpec
from rltrain.deep.fast.helper import Helper, Job
from rltrain.deep.fast.serial import update
from rltrain.deep.fast.split_update import SplitUpdate
from rltrain.deep.histogram import Bins
from rltrain.deep.learner import Learner, Samples
from rltrain.deep.networks import Conv, NetworkShape
from rltrain.deep.optimiser import Optimiser, clip_scale
from rltrain.spaces import Discrete

VECTOR = EnvSpec("Probe", (2,), "float32", 1, Discrete(2, ("a", "b")), 1, 1, None, None)
IMAGE = EnvSpec("Probe", (2, 12, 12), "uint8", 2, Discrete(3, ("a", "b", "c")), 1, 1, None, None)


def learner(
    spec: EnvSpec,
    shape: NetworkShape,
    dtype: torch.dtype = torch.float32,
    *,
    optimizer: str = "adam",
    eps: float = 1e-8,
    max_grad_norm: float | None = None,
    device: str = "cpu",
) -> Learner:
    return Learner(
        spec,
        shape,
        partial(loss, DqnConfig()),
        torch.Generator().manual_seed(0),
        device=torch.device(device),
        dtype=dtype,
        optimizer=optimizer,
        optimizer_eps=eps,
        max_grad_norm=max_grad_norm,
    )


def linear() -> Learner:
    made = learner(VECTOR, NetworkShape((), "valid", (), False, False))
    with torch.no_grad():
        made.master.advantage.weight.copy_(torch.tensor([[0.5, -1.0], [2.0, 0.0]]))
        made.master.advantage.bias.copy_(torch.tensor([0.1, -0.2]))
    return made


def test_the_gradient_of_a_linear_q_function() -> None:
    made = linear()
    x = torch.tensor([[1.0, 2.0], [3.0, -1.0]])
    samples = Samples(x, torch.tensor([0, 1]), torch.tensor([-1.0, 2.0]), torch.tensor([1.0, 0.5]))
    # q(x0, a0) = 0.5 - 2 + 0.1 = -1.4, target -1, error 0.4;  q(x1, a1) = 6 - 0.2 = 5.8, target 2, error -3.8
    seen = update(made, samples, 0.0)
    torch.testing.assert_close(seen.td_error, torch.tensor([0.4, -3.8]))
    assert seen.loss.item() == pytest.approx((0.5 * 0.4**2 + 0.5 * (3.8 - 0.5)) / 2)
    assert seen.value.item() == pytest.approx((-1.4 + 5.8) / 2)
    # d loss / d q = -0.4 / 2 for the first row; 0.5 * 1 / 2 for the second, beyond 1 and of half weight.
    weight, bias = torch.tensor([[-0.2, -0.4], [0.75, -0.25]]), torch.tensor([-0.2, 0.25])
    torch.testing.assert_close(made.master.advantage.weight.grad, weight)
    torch.testing.assert_close(made.master.advantage.bias.grad, bias)
    assert seen.norm.item() == pytest.approx((weight.square().sum() + bias.square().sum()).sqrt().item())


def test_the_first_adam_step_is_the_learning_rate() -> None:
    made = linear()
    before = made.master.advantage.bias.detach().clone()
    x = torch.tensor([[1.0, 2.0], [3.0, -1.0]])
    update(made, Samples(x, torch.tensor([0, 1]), torch.tensor([-1.0, 2.0]), torch.ones(2)), 0.1)
    torch.testing.assert_close(made.master.advantage.bias.detach(), before + torch.tensor([0.1, -0.1]))


@pytest.mark.parametrize("optimiser", ["adam", "rmsprop"])
def test_a_learner_that_restarts_is_a_new_one(optimiser: str) -> None:
    """With no share of the convolutions kept: the weights and the steps after it."""
    shape = NetworkShape((Conv(4, 4, 4),), "valid", (8,), True, True)
    old, new = (learner(IMAGE, shape, optimizer=optimiser) for _ in range(2))
    obs = torch.randint(0, 256, (6, 2, 12, 12), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))

    def learn(made: Learner) -> None:
        update(made, Samples(made.working.prepare(obs), torch.arange(6) % 3, torch.ones(6), torch.ones(6)), 1e-2)

    for _ in range(3):
        learn(old)
    old.restart(torch.Generator().manual_seed(0), 0.0)
    for _ in range(2):
        for one, other in zip(old.master.parameters(), new.master.parameters(), strict=True):
            torch.testing.assert_close(one, other, rtol=0, atol=0)
        learn(old)
        learn(new)


def test_a_long_gradient_is_cut_to_its_length() -> None:
    parameter = torch.nn.Parameter(torch.zeros(2))
    optimiser = Optimiser("rmsprop", [parameter], eps=1.0)
    norm = optimiser.take([torch.tensor([3.0, 4.0])])
    assert norm.item() == 5.0
    assert [clip_scale(norm, limit) for limit in (None, 10.0, 5.0, 2.5)] == [1.0, 1.0, 1.0, 0.5]
    optimiser.step(0.0, scale=0.5)
    torch.testing.assert_close(parameter.grad, torch.tensor([1.5, 2.0]))


@pytest.fixture
def one_torch_thread() -> Iterator[None]:
    """As an algorithm sets it: more of them add in another order, and not in the helper."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("one_torch_thread")
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("layer_norm", [False, True])
@pytest.mark.parametrize("hidden", [(16,), (16, 8)])
@pytest.mark.parametrize("convolutions", [[Conv(4, 4, 2), Conv(4, 3, 1)], [Conv(4, 3, 3), Conv(6, 3, 3)]])
@pytest.mark.parametrize("bins", [None, Bins(-3.0, 3.0, 7, 0.75)])
def test_the_parts_of_an_update_on_one_thread_or_two_are_what_autograd_gives(
    convolutions: list[Conv], hidden: tuple[int, ...], layer_norm: bool, dtype: torch.dtype, bins: Bins | None
) -> None:
    shape = NetworkShape(convolutions, "valid", hidden, True, layer_norm, bins)
    plain, one, two = made = [learner(IMAGE, shape, dtype, eps=1e-2, max_grad_norm=0.01) for _ in range(3)]
    stream = torch.Generator().manual_seed(1)
    helper = Helper("test", partial(torch.set_num_threads, 1))
    on_one, on_two = SplitUpdate(one, Job), SplitUpdate(two, helper.submit)
    for _ in range(5):
        obs = torch.randint(0, 256, (8, 2, 12, 12), dtype=torch.uint8, generator=stream)
        target = torch.randn(8, generator=stream)
        action = torch.randint(0, 3, (8,), generator=stream)
        samples = [Samples(each.working.prepare(obs), action, target, torch.ones(8)) for each in made]
        expected = update(plain, samples[0], 1e-3)
        assert expected.norm > 0.01  # clipping is at work
        norms = [on_one(samples[1], 1e-3).norm, on_two(samples[2], 1e-3).norm]
        torch.testing.assert_close(norms[0], expected.norm)
        assert norms[0] == norms[1]
    on_one.wait()
    on_two.wait()
    for each in (one, two):
        for a, b in zip(plain.master.parameters(), each.master.parameters(), strict=True):
            torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-7)
        for a, b in zip(plain.working.parameters(), each.working.parameters(), strict=True):
            torch.testing.assert_close(a, b, rtol=1e-2, atol=1e-5)
    for a, b in zip(one.master.parameters(), two.master.parameters(), strict=True):
        assert torch.equal(a, b)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("convolutions", [[Conv(4, 4, 2), Conv(4, 3, 1)], [Conv(4, 4, 4), Conv(6, 3, 3)]])
def test_an_update_on_a_gpu_is_that_of_the_processor(convolutions: list[Conv]) -> None:
    shape = NetworkShape(convolutions, "valid", (16,), True, True)
    here, there = learner(IMAGE, shape), learner(IMAGE, shape, device="cuda")
    stream = torch.Generator().manual_seed(1)
    for _ in range(3):
        obs = torch.randint(0, 256, (8, 2, 12, 12), dtype=torch.uint8, generator=stream)
        others = torch.randint(0, 3, (8,), generator=stream), torch.randn(8, generator=stream), torch.ones(8)
        seen = update(here, Samples(here.working.prepare(obs), *others), 1e-3)
        x = there.working.prepare(obs.cuda())
        seen_there = update(there, Samples(x, *(each.cuda() for each in others)), 1e-3)
        torch.testing.assert_close(seen_there.td_error.cpu(), seen.td_error, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(seen_there.norm.cpu(), seen.norm, rtol=1e-4, atol=1e-5)
