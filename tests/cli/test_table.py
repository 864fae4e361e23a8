"""What a person sees while it trains."""

import dataclasses
import io
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from rltrain.cli import run_display
from rltrain.cli.output import Output
from rltrain.cli.run_display import RunDisplay, RunFacts
from rltrain.cli.screen import ScreenView
from rltrain.cli.views import LogView, QuietView
from rltrain.run.loop import Event
from rltrain.verbs import metrics
from rltrain.verbs.history import History, HistoryRow, recall, wider

METRICS = {
    "episodes": 9.0,
    "return/mean": 1234.5,
    "return/min": 60.0,
    "return/max": 12_340.0,
    "return/last": 90.0,
    "length/mean": 500.0,
    "loss/td": 0.0213,
    "q/mean": 12.34,
    "epsilon": 0.0731,
    "replay/fill": 0.5,
    "grad_norm": 1.0,
}
BUDGET = 1_000_000


class FakeRun:
    """The events of a run, and its progress."""

    def __init__(self):
        self.steps = 0

    def progress(self):
        return {"share": self.steps / BUDGET, "elapsed_seconds": self.steps / 100, "steps_per_second": 437.0}

    def facts(self, past=()):
        return RunFacts("dqn on ALE/MsPacman-v5", "runs/pac-1", {"env_steps": BUDGET}, 4, self.progress, past)

    def event(self, kind, steps, metrics=METRICS, text=""):
        self.steps = steps
        return Event(kind, {"env_steps": steps, "episodes": steps // 500, "updates": steps // 4}, metrics, text)


@pytest.fixture
def run():
    return FakeRun()


def live(run, width=80, height=40, past=()):
    stream = io.StringIO()
    console = Console(file=stream, width=width, height=height, force_terminal=True)
    return ScreenView(RunDisplay(run.facts(past)), console, clock=lambda: 0.0), stream  # so steps alone redraw nothing


def shown(view, width=80, height=40):
    console = Console(file=io.StringIO(), width=width, height=height, record=True)
    console.print(view._display.picture(width, height))
    return console.export_text()


def test_the_table_shows_all_that_was_promised_within_80_columns(run):
    view, _ = live(run)
    for steps in range(50_000, 650_001, 50_000):
        view.show(run.event("step", steps))
    view.show(run.event("eval", 650_000, {"mean": 1500.0, "sd": 1.0, "min": 1.0, "max": 2.0}))
    view.show(run.event("save", 650_000, {}, "ckpt-000000650000"))
    view.show(run.event("step", 700_000))
    view.show(run.event("eval", 700_000, {"mean": 1400.0, "sd": 1.0, "min": 1.0, "max": 2.0}))
    text = shown(view)
    view.close()
    assert max(map(len, text.splitlines())) == 80
    for part in (
        *("700,000 of 1,000,000", "2,800,000", "70.0 %", "1:56:40", "50:00", "437", "1,400", "1,234", "60, 12,340"),
        *("0.0213", "12.34", "0.073", "50.0 %", "1,400 at 700,000", "1,500 at 650,000", "ckpt-000000650000"),
    ):
        assert part in text, part


@pytest.mark.parametrize("height", [10, 16, 24, 60])
def test_the_whole_past_fits_the_window_and_the_first_stretch_stays(run, height):
    view, _ = live(run, height=height)
    for steps in range(4_000, 400_001, 4_000):
        view.show(run.event("step", steps, {"return/mean": float(steps)}))
    text = shown(view, height=height)
    view.close()
    assert len(text.splitlines()) <= max(height, run_display.FRAME_LINES + 7)
    means = [line for line in text.splitlines() if line.startswith("│ ") and "," in line]
    assert "400,000" in text and len(means) >= 2


def test_an_evaluation_under_way_is_said(run):
    view, _ = live(run)
    view.show(run.event("step", 1000))
    view.show(run.event("busy", 1000, {}, "evaluating: 10 games"))
    assert "evaluating: 10 games" in shown(view)
    view.show(run.event("eval", 1000, {"mean": 1.0}))
    assert "evaluating" not in shown(view)
    view.close()


def test_the_last_state_stays_on_the_screen_and_warnings_too(run):
    view, stream = live(run)
    view.show(run.event("warning", 0, {}, "the disk is full"))
    view.show(run.event("step", 123_000))
    view.close()
    text = stream.getvalue()
    assert "the disk is full" in text
    assert "123,000" in text.rsplit("\x1b[?25h", 1)[0][-6000:]


def test_a_resumed_table_begins_with_the_past(run, tmp_path):
    (tmp_path / "metrics.jsonl").write_text(
        '{"env_steps":100,"episodes":1,"return/mean":null}\n{"env_steps":200,"episodes":2,"return/mean":77.5}\n'
    )
    (tmp_path / "eval.jsonl").write_text('{"env_steps":200,"episodes":2,"mean":88.5}\nbroken')
    past = recall(tmp_path, ("env_steps", "episodes"), "env_steps")
    assert [(row.position, row.score) for row in past] == [(100, None), (200, None), (200, 88.5)]
    assert math.isnan(past[0].metrics["return/mean"])
    view, _ = live(run, past=past)
    text = shown(view)
    view.close()
    assert "77.5" in text and "88.5 at 200" in text


def test_lines_are_spoken_every_ten_seconds_and_for_what_matters(run):
    stream, now = io.StringIO(), [0.0]
    view = LogView(RunDisplay(run.facts()), Output(stream), clock=lambda: now[0])
    for second in range(25):
        now[0] = float(second)
        view.show(run.event("step", 1000 + second))
    view.show(run.event("eval", 1024, {"mean": 321.0, "sd": 5.0, "min": 300.0, "max": 330.0}))
    view.show(run.event("save", 1024, {}, "ckpt-000000001024"))
    view.show(run.event("warning", 1024, {}, "no fsync"))
    view.close()
    lines = stream.getvalue().splitlines()
    assert [line.split()[0] for line in lines[1:5]] == ["1,000", "1,010", "1,020", "1,024"]
    assert "mean 1,234" in lines[1] and "epsilon 0.073" in lines[1] and "replay 50.0 %" in lines[1]
    assert lines[5:] == [
        "  evaluation  mean 321  sd 5  min 300  max 330",
        "  saved       ckpt-000000001024",
        "warning: no fsync",
    ]


def test_quiet_says_warnings_alone(run):
    stream = io.StringIO()
    quiet = QuietView(Output(stream))
    for kind in ("step", "eval", "save", "warning", "end"):
        quiet.show(run.event(kind, 5, {"mean": 1.0}, "beware"))
    quiet.close()
    assert stream.getvalue() == "warning: beware\n"


def test_metrics_of_an_unknown_algorithm_get_columns_too():
    assert list(metrics.chosen({"sweeps/residual": 0.1, "return/mean": 1.0, "length/mean": 3.0})) == [
        "return/mean",
        "sweeps/residual",
    ]


@given(st.lists(st.integers(1, 5000), max_size=300), st.integers(1, 25))
def test_history_keeps_to_its_limit_spread_over_the_whole_past(gaps, limit):
    history, position = History(limit), 0
    for gap in gaps:
        position += gap
        history.add(HistoryRow(position, {}, {}))
        assert len(history.rows) <= limit
        assert history.rows[-1].position == position
    if len(gaps) > limit:
        stride = history._stride
        assert all(
            b.position - a.position < 2 * stride + 5000 for a, b in zip(history.rows, history.rows[1:], strict=False)
        )


def test_strides_are_round():
    strides = [1]
    for _ in range(6):
        strides.append(wider(strides[-1]))
    assert strides == [1, 2, 5, 10, 20, 50, 100]


def test_a_generation_shows_its_best_its_median_and_its_spread(run):
    view, _ = live(run)
    metrics = {
        "population/best": 498.0, "population/median": 121.0, "population/sd": 77.5, "return/mean": 456.25,
        "champion/games": 150.0, "sigma": 0.0625, "champion/p": 0.8125, "champion/r": 162.5,
    }  # fmt: skip
    view.show(run.event("step", 3_000, metrics))
    text = shown(view)
    view.close()
    assert max(map(len, text.splitlines())) == 80
    (heading,) = [line for line in text.splitlines() if "median" in line and "spread" in line and ":" not in line]
    assert heading.split()[2:-1] == ["games", "mean", "best", "median", "spread", "sigma", "p", "evaluated"]
    for part in ("456.2", "498", "121", "77.5", "0.0625", "0.8125", "champion", "replayed", "150"):
        assert part in text, part
    assert "of the champion's own games" in text


def test_the_time_left_ends_with_the_budget_or_the_wall():
    progress = {"share": 0.25, "elapsed_seconds": 100.0}
    assert metrics.remaining(progress) == 300.0
    assert metrics.remaining({**progress, "wall_seconds_left": 40.0}) == 40.0
    assert metrics.remaining({**progress, "wall_seconds_left": 4000.0}) == 300.0
    nothing_yet = {"share": 0.0, "elapsed_seconds": 1.0}
    assert math.isnan(metrics.remaining(nothing_yet))
    assert math.isnan(metrics.remaining(progress, {"bound": 0.5}))  # sweeps end when proven, not with their budget
    assert metrics.remaining({**progress, "wall_seconds_left": 40.0}, {"bound": 0.5}) == 40.0
    assert metrics.remaining({**nothing_yet, "wall_seconds_left": 40.0}) == 40.0


def test_a_note_stands_in_the_table_and_in_the_lines(run):
    facts = dataclasses.replace(run.facts(), note="the model's own discount is 0.5, the config learns for 0.99")
    for height in (16, 40):
        console = Console(file=io.StringIO(), width=80, height=height, force_terminal=True)
        view = ScreenView(RunDisplay(facts), console, clock=lambda: 0.0)
        for steps in range(4_000, 400_001, 4_000):
            view.show(run.event("step", steps, {"return/mean": float(steps)}))
        text = shown(view, height=height)
        view.close()
        assert facts.note in text and len(text.splitlines()) <= height
    stream = io.StringIO()
    LogView(RunDisplay(facts), Output(stream))
    assert facts.note in stream.getvalue()
