"""What is seen of a sweep at work: a picture that fits any window, and lines of a log."""

from __future__ import annotations

import io
import math

import pytest

from rltrain.cli import output
from rltrain.cli.sweep.display import SweepDisplay, SweepFacts
from rltrain.experiment.space import OneOf, Range
from rltrain.verbs.sweep.journal import JournaledTrial, Tell
from rltrain.verbs.sweep.standing import RunAtWork, SweepMoment

SPACE = {"algorithm.learning_rate": Range(1e-5, 1e-2, log=True), "algorithm.hidden": OneOf(([64, 64], [128, 128]))}
BEST = JournaledTrial(7, {"algorithm.learning_rate": 0.0031622776, "algorithm.hidden": 1}, [Tell(212.4, (212.4,))])
RUNS = [RunAtWork(f"t{8 + n // 3:04d}/s{n % 3}", "running" if n < 4 else "waiting", 0.1 * n) for n in range(12)]


def moment(**changed):
    told = {"told": 8, "trials": 64, "doing": "batch 3 of 16", "best": BEST, "runs": RUNS, "share": 0.125}
    return SweepMoment(**{**told, "seconds": 65.0, "left": 455.0, **changed})


def display():
    return SweepDisplay(SweepFacts("dqn on CartPole-v1", "runs/lr", "tpe, 64 trials, 4 runs at a time", SPACE))


@pytest.mark.parametrize("width", [30, 48, 80, 200])
@pytest.mark.parametrize("height", [8, 40])
def test_the_picture_fits_the_window(width, height):
    shown = display()
    assert shown.picture(width, height) is None
    shown.take(moment())
    page = io.StringIO()
    output.console(output.Output(page), width=width).print(shown.picture(width, height))
    lines = page.getvalue().splitlines()
    assert max(map(len, lines)) <= min(width, 80)
    assert len(lines) <= max(height + 4, 24)
    assert "8 of 64" in page.getvalue() and "t0008/s0" in page.getvalue()
    assert width < 80 or "best t0007  212.4  learning_rate 0.0032, hidden [128, 128]" in page.getvalue()


def test_a_log_has_a_line_for_each_trial_that_is_told_and_one_a_minute():
    shown = display()
    assert shown.opening(0.0) == ["dqn on CartPole-v1 · runs/lr · tpe, 64 trials, 4 runs at a time"]
    diverged = JournaledTrial(6, BEST.point, [Tell(1.0, (None,), True)])
    assert shown.lines(moment(told=0, best=None, left=math.nan), 1.0) == []
    assert shown.lines(moment(news=[diverged, BEST]), 2.0) == [
        "  t0006  diverged  learning_rate 0.0032, hidden [128, 128]",
        "  t0007  212.4  learning_rate 0.0032, hidden [128, 128]",
    ]
    assert shown.lines(moment(), 59.0) == []
    assert shown.lines(moment(), 61.0) == [
        "   12.5 %  1:05 / 7:35 left  8 of 64 trials  batch 3 of 16  best 212.4 (t0007)"
    ]
    assert shown.lines(moment(), 62.0) == []
