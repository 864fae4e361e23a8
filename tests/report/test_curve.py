"""The picture of a run: its kind, what is on it, and what it does with a folder that lacks something."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any

import pytest

from rltrain.errors import DiskError, InputError, MissingError
from rltrain.report import curve, reading

PNG = b"\x89PNG\r\n\x1a\n"
KNOWN = {"baselines": {"random": 22.0, "angle": 42.0}, "reward_threshold": 475.0}
GAMES = [
    {"env_steps": 50 * n, "episodes": n // 2, "return/mean": 5.0 * n if n > 3 else None, "return/last": 6.0 * n}
    for n in range(1, 31)
]
EVALUATIONS = [{"env_steps": 500 * n, "mean": 90.0 * n, "ci95/low": 80.0 * n, "ci95/high": 99.0 * n} for n in (1, 2, 3)]


def learner(step: int) -> dict[str, float]:
    return {"env_steps": step, "error/max": 5 / step, "error/low": 4 / step, "error/high": 6 / step, "q/true": 21.9,
            "q/0.1/0": 20 - 1 / step, "q/0.1/1": 21 - 1 / step}  # fmt: skip


def sweep(n: int) -> dict[str, float]:
    return {"sweeps": n, "bound": 2.0**-n, "error/max": 3.0**-n, "value/start": 1 - 2.0**-n}


def generation(n: int) -> dict[str, float]:
    return {"generations": n, "env_steps": 900 * n, "population/best": 50.0 * n, "population/median": 20.0 * n,
            "population/sd": 9.0, "return/mean": 45.0 * n}  # fmt: skip


def labels(figure: Any) -> list[str]:
    """What the legends of a picture say, wherever they stand."""
    legends = [*figure.legends, *(panel.get_legend() for panel in figure.axes if panel.get_legend())]
    return [text.get_text() for legend in legends for text in legend.get_texts()]


def written(figure: Any) -> str:
    """The words in the panels."""
    return "\n".join(text.get_text() for panel in figure.axes for text in panel.texts)


def drawn(folder: Path) -> Any:
    return curve.figure(reading.load(folder))


def test_a_learner_has_its_games_its_mean_its_evaluations_and_what_there_is_to_beat(run_folder: Any) -> None:
    figure = drawn(run_folder("a", GAMES, EVALUATIONS, baselines=KNOWN))
    (panel,) = figure.axes
    assert labels(figure) == [
        "single training games",
        "mean of the last 100 training games",
        "evaluation, 95 % interval of its games",
    ]
    (dots,) = (group for group in panel.collections if group.get_label() == "single training games")
    assert len(dots.get_offsets()) == 15  # in every second row a game ended
    for said in ("random policy 22", "angle policy 42", "counts as solved at 475"):
        assert said in written(figure)
    dashed = {line.get_ydata()[0] for line in panel.lines if len(set(line.get_ydata())) == 1}
    assert {22.0, 42.0, 475.0} <= dashed
    assert panel.get_title(loc="left") == "dqn on CartPole-v1, discount 0.9"


def test_games_that_are_played_side_by_side_are_drawn_together(run_folder: Any) -> None:
    rows = [{**row, "return/batch": 4.0 * n} for n, row in enumerate(GAMES)]
    figure = drawn(run_folder("a", rows))
    assert labels(figure) == ["mean of the games of an update", "mean of the last 100 training games"]


def test_what_is_far_from_all_that_was_learned_does_not_flatten_it(run_folder: Any) -> None:
    rows = [{"env_steps": n, "return/mean": 8 - 1 / n} for n in range(1, 30)]
    known = {"baselines": {"random": -759.0}, "reward_threshold": 8.0}
    figure = drawn(run_folder("a", rows, baselines=known))
    assert figure.axes[0].get_ylim()[0] > 6
    assert "↓ random policy -759" in written(figure)


def test_names_of_lines_that_would_touch_stand_together(run_folder: Any) -> None:
    known = {"baselines": {"random": 22.0, "angle": 23.0}, "reward_threshold": None}
    assert "random policy 22, angle policy 23" in written(drawn(run_folder("a", GAMES, baselines=known)))


def searched(step: int, played: bool) -> dict[str, Any]:
    games = {"env_steps": step, "return/mean": 5.0 + step} if played else {"q/0": 1.0, "q/1": 2.0}
    return {"simulations": 100 * step, "root/value": 2 - 1 / step, "root/exact": 2.0, "error/root": 1 / step, **games}


def test_a_search_has_the_value_of_its_root_the_truth_and_their_distance(run_folder: Any) -> None:
    played = drawn(run_folder("games", [searched(step, played=True) for step in range(1, 9)]))
    assert labels(played) == ["value of the root", "exact", "mean of the last 100 games"]
    endless = drawn(
        run_folder("one", [searched(step, played=False) for step in range(1, 9)], budget={"simulations": 9})
    )
    values, errors = endless.axes
    assert labels(endless) == ["value of the root", "exact"]
    assert len(values.lines) == 4  # with those of the root's two actions
    assert (errors.get_xscale(), errors.get_yscale()) == ("log", "log")


def test_a_learner_that_finished_no_game_says_so(run_folder: Any) -> None:
    rows = [{"env_steps": 1, "episodes": 0, "return/mean": None, "return/last": None}]
    assert "no game has ended yet" in written(drawn(run_folder("a", rows, baselines=KNOWN)))
    assert "no game has ended yet" in written(drawn(run_folder("b", rows, algorithm={"name": "basic"})))


def test_a_single_point_is_seen(run_folder: Any) -> None:
    figure = drawn(run_folder("a", [{"env_steps": 1, "return/mean": 3.0}]))
    assert [line.get_marker() for line in figure.axes[0].lines if line.get_label().startswith("mean")] == ["o"]


def test_a_population_has_best_median_spread_and_champion(run_folder: Any) -> None:
    rows = [generation(n) for n in range(1, 9)]
    run = run_folder("a", rows, algorithm={"name": "genetic"}, budget={"generations": 8}, baselines=KNOWN)
    figure = drawn(run)
    assert labels(figure) == ["median ± sd of the population", "median", "best", "the champion, played again"]
    lines = {line.get_label(): line for line in figure.axes[0].lines}
    assert lines["best"].get_ydata()[-1] == 400
    assert lines["median"].get_ydata()[-1] == 160
    assert figure.axes[0].get_xlabel() == "generations"


def test_a_table_of_values_is_held_against_the_truth(run_folder: Any) -> None:
    model = "configs/mdp/book.yaml"
    figure = drawn(run_folder("a", [learner(step) for step in range(1, 50)], environment=model))
    assert len(figure.axes) == 2
    assert labels(figure) == ["learning rate 0.1", "exact"]
    assert len(figure.axes[0].lines) == 4  # two learners, their mean, the truth
    assert figure.axes[0].get_title(loc="left").startswith("dqn on book")


def test_a_table_that_was_evaluated_has_a_panel_for_it(run_folder: Any) -> None:
    figure = drawn(run_folder("a", [learner(step) for step in range(1, 50)], EVALUATIONS, baselines=KNOWN))
    assert len(figure.axes) == 3
    assert "random policy 22" in written(figure)


def test_a_table_without_a_known_truth_is_drawn_by_its_returns(run_folder: Any) -> None:
    rows = [{"env_steps": n, "return/mean": n / 2, "error/max": None} for n in range(30)]
    assert labels(drawn(run_folder("a", rows))) == ["mean of the last 100 training games"]


def test_sweeps_have_their_error_and_their_bound(run_folder: Any) -> None:
    figure = drawn(run_folder("a", [sweep(n) for n in range(20)], budget={"sweeps": 20}))
    assert labels(figure) == ["V of the start", "error", "proven bound"]
    assert figure.axes[1].get_yscale() == "log"


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_it_is_written_whole_and_the_same_each_time(suffix: str, run_folder: Any, tmp_path: Path) -> None:
    run = run_folder("a", GAMES, EVALUATIONS, baselines=KNOWN)
    first = curve.draw(run, tmp_path / f"first.{suffix}").read_bytes()
    assert first == curve.draw(run, tmp_path / f"second.{suffix}").read_bytes()
    assert len(first) > 1000
    assert not list(tmp_path.glob(".*"))


def test_the_default_is_curve_png_in_the_run_folder(run_folder: Any) -> None:
    run = run_folder("a", GAMES)
    assert curve.draw(run) == run / "curve.png"
    assert (run / "curve.png").read_bytes().startswith(PNG)


def test_a_disk_that_refuses_leaves_the_old_picture(run_folder: Any, tmp_path: Path) -> None:
    run = run_folder("a", GAMES)
    (run / "curve.png").mkdir()  # cannot be replaced by a file
    with pytest.raises(DiskError, match=r"curve\.png: cannot be written"):
        curve.draw(run)
    with pytest.raises(InputError, match="there is no folder"):
        curve.draw(run, tmp_path / "no such folder" / "x.png")
    assert not list(run.glob(".*"))


def test_another_format_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"\.png, \.svg or \.pdf"):
        curve.draw(tmp_path / "nothing here", tmp_path / "x.jpg")


def test_nothing_to_draw_is_said(run_folder: Any) -> None:
    with pytest.raises(InputError, match="no numbers yet"):
        curve.draw(run_folder("a", []))


def test_a_config_that_no_run_wrote_is_said(run_folder: Any) -> None:
    run = run_folder("a", GAMES)
    for text in ("algorithm: dqn\n", "", "- 1\n", "a: [\n"):
        (run / "config.yaml").write_text(text)
        with pytest.raises(InputError, match="not the complete configuration"):
            curve.draw(run)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"baselines": 3, "reward_threshold": 1}', '{"baselines": {"a": "x"}}']
)
def test_baselines_that_cannot_be_read_are_left_out(text: str, run_folder: Any) -> None:
    run = run_folder("a", GAMES)
    (run / "baselines.json").write_text(text)
    assert reading.references(run) == ({}, None)
    curve.draw(run)


def test_without_matplotlib_the_command_is_named(run_folder: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingError, match=r"rltrain\[plot\]"):
        curve.draw(run_folder("a", [learner(1)]))


def test_a_torn_line_and_a_missing_column_are_nothing_to_stop_for(run_folder: Any) -> None:
    path = run_folder("a", [learner(step) for step in range(1, 9)]) / "metrics.jsonl"
    with path.open("a") as file:
        file.write('{"env_steps": 9}\n[]\n{"env_ste')
    series = reading.read(path)
    assert series["env_steps"] == [1, 2, 3, 4, 5, 6, 7, 8, 9]
    assert math.isnan(series["error/max"][-1])
    curve.draw(path.parent)


def test_a_long_run_is_thinned_and_keeps_its_ends(run_folder: Any) -> None:
    rows = [{"env_steps": step, "return/mean": 1.0} for step in range(1, 30_001)]
    path = run_folder("a", rows) / "metrics.jsonl"
    series = reading.read(path)
    assert len(series["env_steps"]) <= 2 * reading.MOST_POINTS + 1
    assert (series["env_steps"][0], series["env_steps"][-1]) == (1, 30_000)
    assert series["env_steps"] == sorted(set(series["env_steps"]))
    assert list(reading.read(path, ("env_steps",), most=None)) == ["env_steps"]
    assert len(reading.read(path, ("env_steps",), most=None)["env_steps"]) == 30_000
