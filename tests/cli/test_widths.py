"""In a window of any width from 30 columns on, tables keep to it, and no heading and no number is cut."""

from __future__ import annotations

import io
import math

import pytest
from rich.console import Console

from rltrain.cli import columns, frame, listing
from rltrain.cli.columns import Column, fitting
from rltrain.cli.mdp.answer import Answer, AnswerTable, FactLines
from rltrain.cli.mdp.answer import show as show_answer
from rltrain.cli.run_display import RunDisplay, RunFacts
from rltrain.cli.screen import ScreenView
from rltrain.cli.seeds.display import SeedsDisplay, SeedsFacts
from rltrain.run.loop import Event
from rltrain.verbs import metrics
from rltrain.verbs.seeds import progress
from rltrain.verbs.seeds.measure import measure_of
from rltrain.verbs.seeds.train import SeedsMoment

WIDTHS = (30, 31, 40, 55, 60, 79, 80, 120, 200)
GAMES = {"return/mean": 1234.5, "return/min": -12_060.0, "return/max": 112_340.0, "return/last": 9.0}
GAMES |= {"length/mean": 500.0}
METRICS = {  # as each kind of algorithm gives them, with numbers that are long
    "dqn": GAMES
    | {"loss/td": 1.2e-05, "loss/grad_norm": 12.1, "q/mean": -112.3, "epsilon": 0.93, "replay/fill": 0.033},
    "reinforce": GAMES | {"return/batch": 63.625, "entropy": 0.6147, "loss/grad_norm": 0.0788, "loss/value": math.nan},
    "genetic": {"population/best": 1103.8, "population/median": 9.6, "population/sd": 21.04, "return/mean": 116.54}
    | {"champion/games": 50.0, "sigma": 0.1},
    "qlearn": {"return/mean": 0.55, "error/max": 0.1537, "error/low": 0.1537, "policy/right": 1.0, "regret": 12.5}
    | {"epsilon": 0.05, "learning_rate": 0.1, "q/true": 0.542, "q/0.1/0": 0.5711},
    "viter": {"value/start": 21.899, "error/max": 1.1e-12, "bound": 1.3e-11, "policy/right": 1.0, "change/max": 2e-13},
    "basic": GAMES | {"return/sd": 12.63},
    "nothing yet": dict.fromkeys(GAMES, math.nan),
}
UNITS = {"genetic": "generations", "viter": "sweeps"}


def checked(text: str, width: int) -> list[str]:
    lines = text.splitlines()
    assert max(map(len, lines)) <= width, text
    assert "…" not in text, text
    return lines


def console(width: int, height: int = 40) -> Console:
    return Console(file=io.StringIO(), width=width, height=height, record=True, force_terminal=True)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("kind", METRICS)
def test_the_live_table(kind: str, width: int) -> None:
    unit = UNITS.get(kind, "env_steps")
    facts = RunFacts(
        f"{kind} on ALE/MsPacman-v5",
        "runs/a-long-name-of-a-run-17",
        {unit: 10_000_000},
        4,
        lambda: {"share": 0.99, "elapsed_seconds": 123_456.0, "steps_per_second": 1_234_567.0},
    )
    window = console(width)
    display = RunDisplay(facts)
    view = ScreenView(display, window, clock=lambda: 0.0)
    counters = {unit: 9_999_999, "env_steps": 9_999_999, "episodes": 123_456}
    view.show(Event("step", counters, METRICS[kind]))
    view.show(Event("eval", counters, {"mean": 123_456.7, "sd": 1.0, "min": 1.0, "max": 2.0}))
    view.show(Event("save", counters, {}, "ckpt-000009999999"))
    view.show(Event("busy", counters, {}, "evaluating: 100 games"))
    shown = console(width)
    shown.print(display.picture(width, 40))
    view.close()
    lines = checked(shown.export_text(), width)
    assert {len(line) for line in lines} == {min(width, 80)}, "the frame is whole"
    text = "\n".join(lines)
    assert "9,999,999" in lines[2], "how far it is"
    assert any("evaluating" in line for line in lines)
    assert all(part in text for part in ("ckpt-000009999999", "123,457", "1 d 10:17", "99.0 %"))
    first = next(iter(metrics.chosen(METRICS[kind]).values()), None)
    if first is not None:
        assert first[0] in lines[1].split()
    if kind == "dqn":
        headings = lines[1].strip("│ ").split()
        assert headings == {30: NARROW, 31: NARROW, 40: [*NARROW[:2], "min", "evaluated"]}.get(width, headings)
        assert width < 80 or headings == ["steps", "games", "mean", "min", "max", "loss", "Q", "epsilon", "evaluated"]


NARROW = ["steps", "mean", "evaluated"]
SEEDS = [
    progress.SeedRow(seed, state, progress.SeedProgress({"env_steps": steps}, metrics, seconds, last, best))
    for seed, state, steps, metrics, seconds, last, best in (
        (0, "finished", 10_000_000, METRICS["dqn"], 123_456.0, 123_456.7, 223_456.7),
        (1, "running", 5_000_000, METRICS["dqn"], 99.0, 12_345.6, 12_345.6),
        (2, "diverged", 100, {}, 1.0, None, None),
        (123_456, "waiting", 0, {}, math.nan, None, None),
    )
]


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("evaluated", [True, False])
@pytest.mark.parametrize("note", ["", "stopping: each run saves"])
def test_the_table_of_several_seeds(width: int, evaluated: bool, note: str) -> None:
    facts = SeedsFacts(
        "dqn on ALE/MsPacman-v5", "runs/long-name", "seeds 0 to 4, 2 at a time", {"env_steps": 10_000_000}, evaluated, 2
    )
    moment = SeedsMoment(SEEDS, 123_456.0, measure_of(SEEDS), note)
    window = console(width)
    display = SeedsDisplay(facts)
    view = ScreenView(display, window, clock=lambda: 0.0)
    view.show(moment)
    shown = console(width)
    shown.print(display.picture(width, 40))
    view.close()
    lines = checked(shown.export_text(), width)
    assert lines[1].strip("│ ").split()[:2] == ["seed", "state"]
    assert "done" in lines[1]
    assert ("evaluated" in lines[1]) == (evaluated and width >= 40)
    assert "100.0 %" in lines[2] and "finished" in lines[2]
    if not note:
        assert any("-637,999 to 773,801" in line for line in lines)


def run(name: str) -> dict[str, object]:
    return {
        "name": name,
        "algorithm": "dqn",
        "environment": "ALE/MsPacmanNoFrameskip-v5",
        "state": "interrupted",
        "counters": {"env_steps": 99},
        "budget": {"env_steps": 100},
        "score": 123_456.7,
        "scored": "training",
        "best": 123_456.7,
        "age_seconds": 86_400.0 * 365,
        "faults": [],
    }


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", ["pac", "pac-" * 20])
def test_the_list_of_runs(
    width: int, name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    listing.show({"runs": [run(name), run("b")]}, "runs")  # type: ignore[arg-type]
    lines = checked(
        capsys.readouterr().out.replace("  ~ never evaluated: the mean of the last training games", ""), width
    )
    if name == "pac":
        assert lines[1].split()[0] == "name" and "~123,457" in lines[2]
    assert ("environment" in lines[1]) == (width >= (120 if name == "pac" else 200))
    assert "~123,457" in "".join(lines), "a long name is folded before numbers are left out"


def test_where_nobody_looks_at_a_window_nothing_is_left_out(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    listing.show({"runs": [run("pac-" * 20)]}, "runs")  # type: ignore[arg-type]
    text = capsys.readouterr().out
    assert "pac-" * 20 in text and "ALE/MsPacmanNoFrameskip-v5" in text and "…" not in text


@pytest.mark.parametrize("width", WIDTHS)
def test_the_tables_of_known_models(
    width: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    table = AnswerTable([["state", "V", "policy", "Q(a0)"], ["s0", "21.89925005", "left", "20.80428755"]], ("policy",))
    facts = FactLines([("proven", "every number above is within 5.1e-09 of the truth " * 3)])
    show_answer(Answer({}, parts=iter([table, facts])), as_json=False)
    lines = checked(capsys.readouterr().out, width)
    assert lines[0].split()[:2] == ["state", "V"] and "21.89925005" in lines[1]


def test_columns_go_in_the_order_of_their_need() -> None:
    made = [Column("a", ["1234"], 0), Column("b", ["12"], 2), Column("c", ["1"], 3), Column("d", ["123"], 1)]
    fits = {width: "".join(column.heading for column in fitting(made, width)) for width in range(1, 15)}
    assert fits == dict.fromkeys(range(1, 8), "a") | {8: "ad", 9: "ad", 10: "ad"} | {11: "abd", 12: "abd"} | {
        13: "abcd",
        14: "abcd",
    }


@pytest.mark.parametrize("width", range(1, 60))
def test_a_line_loses_whole_words(width: int) -> None:
    from rich.text import Text

    text = frame.one_line(Text("last 123,456.7 at 9,999,999 steps"), width).plain
    assert len(text) <= width
    if width >= 4:
        assert text.split() == ["last", "123,456.7", "at", "9,999,999", "steps"][: len(text.split())]


def test_names_are_broken_at_words_and_dots_where_a_table_is_too_wide() -> None:
    from rich.text import Text

    for text, width, lines in (
        ("algorithm.learning_rate", 16, ["algorithm.", "learning_rate"]),
        ("forked from runs/rf/s0 at ckpt-0002", 12, ["forked from", "runs/rf/s0", "at ckpt-0002"]),
        ("value_learning_rate", 10, ["value_", "learning_", "rate"]),
        ("abcdefgh", 3, ["abc", "def", "gh"]),
        ("short", 9, ["short"]),
    ):
        assert columns.folded(Text(text), width).plain.split("\n") == lines
    made = [Column("", ["algorithm.learning_rate"], words=True), Column("a", ["1"], words=True), Column("b", ["1,234"])]
    assert columns.shares(made, 60, 2) == [23, 1, 5] and columns.shares(made, 26, 2) == [16, 1, 5]
    assert columns.shares(made, 5, 2) == [8, 1, 5]  # it cannot fit: a number is never cut


def test_names_stand_above_their_texts_in_a_narrow_window() -> None:
    rows = [("mean score", "1,234 (95 % interval 1,200 to 1,300)")]
    assert list(columns.named(rows, 12, 80)) == ["mean score    1,234 (95 % interval 1,200 to 1,300)"]
    assert list(columns.named(rows, 12, 30)) == ["mean score", "  1,234 (95 % interval 1,200", "  to 1,300)"]
