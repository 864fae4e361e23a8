"""The score over the parameters that were tried."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rltrain.errors import InputError
from rltrain.report import curve, reading, trials

ROWS = [{"policies": n, "env_steps": 10 * n, "return/mean": 30.0, "population/best": 40.0} for n in (1, 2)]


def search(run_folder: Any, points: str, **metrics: float) -> Path:
    rows = [{**row, **metrics} for row in ROWS]
    folder: Path = run_folder("a", rows, algorithm={"name": "search"}, budget={"policies": 2})
    (folder / "points.csv").write_text(points)
    return folder


def grid(width: int, height: int) -> str:
    rows = [f"{x},{y},{x * y},5" for x in range(width) for y in range(height)]
    return "\n".join(["p,r,score,games", *rows]) + "\n"


def said(figure: Any) -> list[str]:
    return [text.get_text() for legend in figure.legends for text in legend.get_texts()]


def test_a_grid_of_two_parameters_is_a_map(run_folder: Any) -> None:
    figure = curve.figure(reading.load(search(run_folder, grid(4, 3))))
    panel = figure.axes[0]
    (image,) = panel.collections
    assert image.get_array().reshape(3, 4)[2, 3] == 6  # r down the rows, p along them
    assert (panel.get_xlabel(), panel.get_ylabel()) == ("p", "r")
    assert said(figure) == ["the best: 6 at p 3, r 2"]
    assert figure.axes[1].get_ylabel() == "mean return"


def test_what_there_is_to_beat_is_on_the_scale_of_the_colours(run_folder: Any) -> None:
    run = search(run_folder, grid(4, 3))
    (run / "baselines.json").write_text('{"baselines": {"random": 1.5, "angle": 99.0}, "reward_threshold": null}')
    figure = curve.figure(reading.load(run))
    assert said(figure) == ["the best: 6 at p 3, r 2", "random policy 1.5", "angle policy 99"]
    assert {line.get_ydata()[0] for line in figure.axes[1].lines} == {1.5}


def test_scattered_points_are_dots_and_the_best_lies_on_top(run_folder: Any) -> None:
    figure = curve.figure(reading.load(search(run_folder, "p,r,score,games\n.1,.2,5,1\n.3,.9,8,1\n.5,.4,6,1\n")))
    (dots,) = figure.axes[0].collections
    assert dots.get_array().tolist() == [5, 6, 8]
    assert said(figure) == ["the best: 8 at p 0.3, r 0.9"]


def test_who_proved_itself_is_marked_and_not_who_was_lucky(run_folder: Any) -> None:
    run = search(run_folder, grid(4, 3), **{"champion/p": 2.0, "champion/r": 2.0})
    assert said(curve.figure(reading.load(run))) == ["the best, played again: 30 at p 2, r 2"]


@pytest.mark.parametrize(("parameters", "panels"), [(1, 2), (3, 4), (12, 13), (13, 1), (0, 1)])
def test_more_parameters_have_a_panel_each_as_far_as_they_fit(parameters: int, panels: int, run_folder: Any) -> None:
    names = [f"w{number}" for number in range(parameters)]
    stream = np.random.default_rng(0)
    rows = [",".join(map(str, [*stream.normal(size=parameters), value, 5])) for value in (1.0, 3.0, 2.0)]
    figure = curve.figure(reading.load(search(run_folder, "\n".join([",".join([*names, "score", "games"]), *rows]))))
    assert len(figure.axes) == panels
    (best,) = (line for line in figure.axes[-1].lines if line.get_label() == "best so far")
    assert best.get_ydata().tolist() == [1, 3, 3]


def test_nothing_tried_yet_is_said(run_folder: Any) -> None:
    figure = curve.figure(reading.load(search(run_folder, "p,r,score,games\n")))
    assert figure.axes[0].texts[0].get_text() == "nothing has been tried yet"


def test_a_torn_row_is_left_out_and_a_file_without_scores_refused(run_folder: Any) -> None:
    run = search(run_folder, "p,r,score,games\n1,2,3,4\n1,2\n1,x,3,4\n1,2,nan,4\n")
    names, points, score = trials.read(run / "points.csv")
    assert (names, points.tolist(), score.tolist()) == (["p", "r"], [[1, 2]], [3])
    (run / "points.csv").write_text("p,r\n1,2\n")
    with pytest.raises(InputError, match="no column `score`"):
        curve.draw(run)


def test_a_grid_with_a_hole_or_a_place_tried_twice_is_no_grid() -> None:
    x, y = np.array([0, 0, 1, 1.0]), np.array([0, 1, 0, 1.0])
    assert trials.grid_of(x, y, np.arange(4.0)) is not None
    assert trials.grid_of(x[:3], y[:3], np.arange(3.0)) is None
    assert trials.grid_of(x[[0, 1, 2, 2]], y[[0, 1, 2, 2]], np.arange(4.0)) is None


def test_a_parameter_that_was_guarded_from_spreadsheets_has_its_own_name(run_folder: Any) -> None:
    names, points, score = trials.read(search(run_folder, "'=p,''-q,score\n1,2,3\n") / "points.csv")
    assert names == ["=p", "'-q"] and points.tolist() == [[1, 2]] and score.tolist() == [3]
