"""The picture of a sweep, looked at through what matplotlib was told to draw."""

from pathlib import Path

import numpy as np
import pytest
from in_process import command
from swept import ROWS, swept

from rltrain.errors import CheckpointError, InputError
from rltrain.report import sweeps
from rltrain.verbs.sweep import plot, study


def figure_of(home: Path):
    found = study.read(home)
    halving = found.settings.halving
    return sweeps.draw(plot.points_of(found), "a sweep", [] if halving is None else plot.rung_names(halving))


def drawn(panel) -> list[tuple[float, float]]:
    return [tuple(point) for dots in panel.collections for point in dots.get_offsets().tolist()]


def legend(figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_each_setting_has_a_panel_with_all_scores_and_logarithms_where_the_space_has_them(tmp_path):
    figure = figure_of(swept(tmp_path))
    rate, hidden, below = figure.axes
    assert (rate.get_xlabel(), rate.get_xscale(), hidden.get_xlabel()) == ("learning_rate", "log", "hidden")
    assert {(0.001, 100.0), (0.01, 120.5), (0.02, 120.5)} <= set(drawn(rate))
    assert [tick.get_text() for tick in hidden.get_xticklabels()] == ["[64]", "[128, 128]"]
    assert rate.get_ylim() == hidden.get_ylim() == below.get_ylim()
    assert legend(figure) == ["best so far", "the best, t0001: 120.5", "diverged (1)"]


def test_the_best_so_far_never_falls(tmp_path):
    rows = [(n, "finished", "", 1, score, 1, "", "", 0.01, "[64]") for n, score in enumerate((5.0, 3.0, 8.0, 1.0))]
    below = figure_of(swept(tmp_path, rows=rows)).axes[-1]
    assert below.lines[0].get_ydata().tolist() == [5.0, 5.0, 8.0, 8.0, 8.0]


def test_with_halving_colours_are_rungs_and_the_line_is_of_those_that_came_as_far_as_the_best(tmp_path):
    rows = [
        (0, "paused", 0, 1000, 300.0, 1, "", "", 0.001, "[64]"),
        (1, "finished", 1, 3000, 100.0, 1, "", "", 0.001, "[64]"),
        (2, "finished", 1, 3000, 90.0, 1, "", "", 0.001, "[64]"),
    ]
    halving = ", halving: {counter: env_steps, from: 1000, to: 3000}"
    figure = figure_of(swept(tmp_path, rows=rows, settings=halving))
    assert figure.axes[-1].lines[0].get_ydata().tolist() == [100.0, 100.0, 100.0]
    assert [text for text in legend(figure) if "scored" in text] == [
        "scored after 1,000 steps",
        "scored after 3,000 steps",
    ]
    colours = figure.axes[0].collections[0].get_facecolors()
    assert np.array_equal(colours[1], colours[2]) and not np.array_equal(colours[0], colours[1])


@pytest.mark.parametrize("rows", [None, [(*ROWS[4],)], [(*ROWS[2],)]])
def test_a_sweep_without_scores_has_a_picture_that_says_so(tmp_path, rows):
    (panel,) = figure_of(swept(tmp_path, rows=rows)).axes
    assert panel.texts[0].get_text() == "no trial has a score yet"


def test_the_verb_writes_into_the_sweeps_folder_or_where_it_is_told(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    rltrain = command(capsys)
    swept(Path("runs"))
    assert rltrain("sweep", "plot", "lr") == (0, "5 trials; picture: runs/lr/sweep.png\n", "")
    assert Path("runs/lr/sweep.png").read_bytes().startswith(b"\x89PNG")
    assert rltrain("sweep", "plot", "lr", "-o", "x.svg")[0] == 0
    first = Path("x.svg").read_bytes()
    assert rltrain("sweep", "plot", "lr", "-o", "x.svg")[0] == 0 and Path("x.svg").read_bytes() == first
    assert rltrain("sweep", "plot", "lr", "-o", "x.gif")[0] == InputError.exit_code
    swept(Path("runs"), "bad", rows=[(*ROWS[0][:8], "x", "[64]")])
    code, _, err = rltrain("sweep", "plot", "bad")
    assert (code, err.count("\n")) == (CheckpointError.exit_code, 1) and "trials.csv: algorithm.learning_rate" in err
