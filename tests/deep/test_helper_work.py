"""A round's jobs: in order, whoever does them, and over when it fails."""

import threading
from functools import partial

import pytest
import torch
from torch import Tensor

from rltrain.deep.fast.helper import Helper
from rltrain.deep.fast.helper_work import AHEAD, HelperWork


class Round:
    """Six updates in groups of two, five plays; remembers what was done."""

    def __init__(self, helper: Helper, fails_at: int = 99) -> None:
        self.done: list[str] = []
        self.steps = 0
        self.fails_at = fails_at
        self.work = HelperWork(helper, self.play, 5)
        inputs = [partial(self.make, "input", i) for i in range(6)]
        self.work.plan(inputs, [partial(self.make, "target", i) for i in range(3)], 2)

    def play(self) -> int:
        self.steps += 1
        if self.steps == self.fails_at:
            raise ValueError("the emulator broke")
        return self.steps

    def make(self, kind: str, i: int) -> Tensor:
        self.done.append(f"{kind} {i}")
        return torch.tensor(i)


@pytest.fixture(params=["free", "blocked"])
def helper(request: pytest.FixtureRequest) -> Helper:
    """A helper, or one that comes to nothing, so that everything falls to the thread that needs it."""
    made = Helper("test", torch.get_num_threads)
    if request.param == "blocked":
        end, begun = threading.Event(), threading.Event()
        request.addfinalizer(end.set)
        made.submit(lambda: (begun.set(), end.wait(30)))
        assert begun.wait(10)
    return made


def test_every_update_gets_its_input_and_the_target_of_its_group(helper: Helper) -> None:
    round_ = Round(helper)
    for i in range(6):
        x, target = round_.work.begin(i)
        assert (int(x), int(target)) == (i, i // 2)
        assert round_.work.submit(lambda: 7).result() == 7
    assert round_.work.played() == [1, 2, 3, 4, 5]
    assert sorted(round_.done) == sorted([f"input {i}" for i in range(6)] + [f"target {i}" for i in range(3)])


def test_results_are_let_go_when_they_are_used(helper: Helper) -> None:
    work = Round(helper).work
    for i in range(6):
        work.begin(i)
        assert sum(job is not None for job in work._inputs) <= AHEAD
    assert work._inputs == [None] * 6
    assert work._targets == [None] * 3


def test_an_environment_that_failed_is_not_stepped_again(helper: Helper) -> None:
    round_ = Round(helper, fails_at=2)
    for i in range(6):
        round_.work.begin(i)
    with pytest.raises(ValueError, match="emulator"):
        round_.work.played()
    assert round_.steps == 2
