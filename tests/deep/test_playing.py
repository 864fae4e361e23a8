"""What is done beside the updates of a round: in order, whoever does it, and over when it fails."""

import threading
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor

from rltrain.deep.fast.helper import Helper
from rltrain.deep.fast.playing import Playing, playing
from rltrain.deep.fast.two_cores import AHEAD, ahead


class Counter:
    """An actor whose steps are numbers."""

    def __init__(self, fails_at: int = 99) -> None:
        self.steps, self.fails_at = 0, fails_at

    def step(self) -> Any:
        self.steps += 1
        if self.steps == self.fails_at:
            raise ValueError("the emulator broke")
        return self.steps


class Counters:
    """Players of one part."""

    def __init__(self, actor: Counter) -> None:
        self.actors = [actor]


@pytest.fixture(params=["free", "blocked", "none"])
def helper(request: pytest.FixtureRequest) -> Helper:
    """A helper, or one that comes to nothing, or none: everything falls to the thread that needs it."""
    if request.param == "none":
        return Helper("test", None)
    made = Helper("test", torch.get_num_threads)
    if request.param == "blocked":
        end, begun = threading.Event(), threading.Event()
        request.addfinalizer(end.set)
        made.submit(lambda: (begun.set(), end.wait(30)))
        assert begun.wait(10)
    return made


def test_steps_are_made_in_order_and_none_twice(helper: Helper) -> None:
    plays = Playing(helper, Counter(), 5)  # type: ignore[arg-type]  # a fake actor
    for i in range(6):
        plays.offer(5 * (i + 1) / 6)
    assert plays.played() == [1, 2, 3, 4, 5]
    nothing = Playing(helper, Counter(), 0)  # type: ignore[arg-type]  # a fake actor
    nothing.offer(0)
    assert nothing.played() == []


def test_pieces_come_in_order_a_few_beforehand(helper: Helper) -> None:
    done: list[int] = []
    offered: list[Any] = []

    def make(i: int) -> Tensor:
        done.append(i)
        return torch.tensor(i)

    def submit(work: Any) -> Any:
        offered.append(work)
        return helper.submit(work)

    for i, piece in enumerate(ahead([partial(make, i) for i in range(6)], submit)):
        assert int(piece) == i
        assert len(offered) == min(i + AHEAD, 5)  # the very first is offered to nobody
    assert sorted(done) == list(range(6))
    assert list(ahead([], submit)) == []


def test_an_environment_that_failed_is_not_stepped_again(helper: Helper) -> None:
    actor = Counter(fails_at=2)
    plays = Playing(helper, actor, 5)  # type: ignore[arg-type]  # a fake actor
    plays.offer(5)
    with pytest.raises(ValueError, match="emulator"):
        plays.played()
    assert actor.steps == 2


def test_after_an_error_nothing_of_the_round_runs_on() -> None:
    helper, begun, end = Helper("test", torch.get_num_threads), threading.Event(), threading.Event()
    helper.submit(lambda: (begun.set(), end.wait(10)))
    assert begun.wait(10)
    actor = Counter()

    def fail() -> None:
        with playing([helper], Counters(actor), 5) as plays:  # type: ignore[arg-type]  # fake players
            plays[0].offer(5)
            threading.Timer(0.05, end.set).start()
            raise ValueError("broke")

    with pytest.raises(ValueError, match="broke"):
        fail()
    helper.submit(int).wait()
    assert actor.steps == 0
