"""Several runs in one picture: its lines and bands, the axes they share, and what cannot be compared."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from rltrain.errors import InputError
from rltrain.report import comparison, groups, measures, reading, spread
from rltrain.report.measures import Curve

KNOWN = {"baselines": {"random": 22.0}, "reward_threshold": 475.0}


@pytest.fixture
def record(run_folder: Any) -> Any:
    def make(
        name: str, slope: float, seed: int = 0, steps: int = 100, evaluated: bool = True, **more: Any
    ) -> reading.Record:
        rows = [
            {"env_steps": n, "episodes": n // 2, "return/mean": slope * n, "loss/td": 1 / n} for n in range(1, steps)
        ]
        scores = (
            [{"env_steps": n + seed, "mean": slope * n, "sd": 1.0} for n in range(20, steps, 20)] if evaluated else []
        )
        return reading.load(run_folder(name, rows, scores, seed=seed, baselines=KNOWN, **more))

    return make


def compared(runs: list[reading.Record], x: str | None = None, y: str | None = None, smooth: int = 1) -> Any:
    found, _ = groups.group(runs)
    across, up = measures.choose_x(runs, x), measures.choose_y(runs, y)
    curves = {run.folder: measures.curve(run, across, up, smooth) for run in runs}
    return comparison.draw(found, curves, across, up, smooth)


def legend(figure: Any) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_a_group_is_a_line_and_a_band_and_a_single_run_a_line(record: Any) -> None:
    seeds = [record(f"a{seed}", 1 + seed, seed) for seed in range(3)]
    figure = compared([*seeds, record("b", 5, algorithm={"n_step": 3})])
    (panel,) = figure.axes
    assert len(panel.collections) == 1
    assert legend(figure) == [
        "dqn on CartPole-v1 (3 seeds)", "n step 3", "band: 95 % interval of the mean over seeds (Student's t)",
    ]  # fmt: skip
    (mean,) = (line for line in panel.lines if str(line.get_label()).startswith("dqn"))
    assert mean.get_ydata() == pytest.approx([40, 80, 120, 160])
    assert mean.get_marker() == "o"
    assert panel.get_title(loc="left") == "dqn on CartPole-v1"
    assert panel.get_ylabel() == "return in evaluation"
    assert any("random policy 22" in text.get_text() for text in panel.texts)


def test_two_seeds_have_a_band_from_one_to_the_other(record: Any) -> None:
    figure = compared([record("a", 1, 0), record("b", 3, 1)])
    assert "band: from the lower to the higher of two" in legend(figure)
    (band,) = figure.axes[0].collections
    assert band.get_paths()[0].vertices[:, 1].max() == pytest.approx(3 * 80)


def test_twelve_runs_have_twelve_different_lines(record: Any) -> None:
    figure = compared([record(str(n), n, algorithm={"n_step": n + 1}) for n in range(12)])
    lines = [line for line in figure.axes[0].lines if str(line.get_label()).startswith("n step")]
    assert len({(line.get_color(), str(line.get_linestyle()), str(line._dash_pattern)) for line in lines}) == 12
    assert len(legend(figure)) == 12


def test_two_environments_have_no_baselines_in_common(record: Any) -> None:
    figure = compared([record("a", 1), record("b", 2, environment="Acrobot-v1")])
    assert not figure.axes[0].texts
    assert figure.axes[0].get_title(loc="left") == "dqn"


def test_seeds_that_share_no_place_are_drawn_apart(record: Any) -> None:
    runs = [record("a", 1, 0, evaluated=False), record("b", 1, 1, evaluated=False)]
    curves = {runs[0].folder: Curve(np.arange(5.0), np.ones(5)), runs[1].folder: Curve(np.arange(9.0, 12), np.ones(3))}
    figure = comparison.draw(groups.group(runs)[0], curves, "env_steps", "return")
    assert legend(figure) == ["dqn on CartPole-v1 (2 seeds, apart)"]


# The axes


def test_the_measure_is_what_all_runs_have(record: Any) -> None:
    evaluated, other = record("a", 1), record("b", 1, evaluated=False)
    assert measures.choose_y([evaluated], None) == "eval"
    assert measures.choose_y([evaluated, other], None) == "return"
    with pytest.raises(InputError, match="b was never evaluated"):
        measures.choose_y([evaluated, other], "eval")
    with pytest.raises(InputError, match="did you mean 'loss/td'"):
        measures.choose_y([evaluated], "loss/tdd")
    assert measures.choose_y([evaluated], "eval/sd") == "eval/sd"


def test_the_x_axis_is_what_all_runs_count(record: Any, run_folder: Any) -> None:
    steps = record("a", 1)
    other = reading.load(
        run_folder("g", [{"generations": 1, "env_steps": 9, "return/mean": 1.0}], budget={"generations": 9})
    )
    sweeps = reading.load(run_folder("s", [{"sweeps": 1, "error/max": 1.0}], budget={"sweeps": 9}))
    assert measures.choose_x([other], None) == "generations"
    assert measures.choose_x([other, steps], None) == "env_steps"
    assert measures.choose_x([steps], "episodes") == "episodes"
    with pytest.raises(InputError, match=r"g does not count it"):
        measures.choose_x([steps, other], "episodes")
    with pytest.raises(InputError, match=r"share no counter.*counts sweeps.*--x seconds"):
        measures.choose_x([steps, sweeps], None)


def test_seconds_are_those_of_the_session_that_counted(record: Any) -> None:
    run = record("a", 2)
    timings = [(n, "train", n / 10) for n in range(1, 100)] + [(n, "train", n / 5) for n in range(90, 100)]
    text = "".join(json.dumps({"env_steps": n, "table": t, "elapsed_seconds": s}) + "\n" for n, t, s in timings)
    (run.folder / "timings.jsonl").write_text(text + '{"torn')
    found = measures.curve(run, "seconds", "return")
    assert found.x.tolist() == pytest.approx([n / 10 for n in range(1, 90)] + [n / 5 for n in range(90, 100)])
    assert found.y.tolist() == [2 * n for n in range(1, 100)]


def test_smoothing_is_the_mean_of_the_last_points() -> None:
    assert measures.smoothed(np.array([1.0, 2, 3, 10]), 2).tolist() == [1, 1.5, 2.5, 6.5]
    assert measures.smoothed(np.array([1.0, 2, 3]), 9).tolist() == [1, 1.5, 2]


def test_smoothing_comes_before_thinning(run_folder: Any) -> None:
    rows = [{"env_steps": n, "return/mean": float(n % 2)} for n in range(1, 10_001)]
    found = measures.curve(reading.load(run_folder("a", rows)), "env_steps", "return", smooth=100)
    assert len(found.x) <= reading.MOST_POINTS + 1
    assert found.x[-1] == 10_000
    assert found.y[50:] == pytest.approx(np.full(len(found.y) - 50, 0.5))


def test_rows_without_the_measure_are_left_out(run_folder: Any) -> None:
    rows = [{"env_steps": n, "return/mean": None if n % 3 else float(n)} for n in range(1, 10)]
    found = measures.curve(reading.load(run_folder("a", rows)), "env_steps", "return")
    assert found.x.tolist() == found.y.tolist() == [3, 6, 9]


# The band


def test_the_band_is_students_interval() -> None:
    values = np.random.default_rng(0).normal(size=(5, 7))
    low, high = spread.interval(values)
    for place in range(7):
        column = values[:, place]
        expected = stats.t.interval(0.95, 4, column.mean(), stats.sem(column))
        assert (low[place], high[place]) == pytest.approx(expected, rel=1e-4)


def test_curves_are_brought_together_where_all_are_known() -> None:
    x, values, measured = spread.aligned(
        [Curve(np.array([0.0, 10]), np.array([0.0, 10])), Curve(np.array([4.0, 6, 20]), np.array([1.0, 1, 1]))]
    )  # type: ignore[misc]
    assert (x.tolist(), measured) == ([4, 6, 10], False)
    assert values.tolist() == [[4, 6, 10], [1, 1, 1]]
    assert spread.aligned([Curve(np.arange(3.0), np.ones(3)), Curve(np.arange(0), np.arange(0))]) is None


def test_evaluations_of_one_cadence_keep_their_pairs() -> None:
    one, other = (
        Curve(np.array([1000.0, 2003]), np.array([1.0, 2])),
        Curve(np.array([1005.0, 2001]), np.array([3.0, 8])),
    )
    x, values, measured = spread.aligned([one, other])  # type: ignore[misc]
    assert (x.tolist(), measured) == ([1002.5, 2002], True)
    assert values.tolist() == [[1, 2], [3, 8]]


def test_long_curves_meet_on_a_grid_of_bounded_size() -> None:
    curves = [Curve(np.arange(5_000.0) + shift, np.arange(5_000.0)) for shift in (0, 0.25)]
    band = spread.band([curves[0], Curve(curves[1].x[:-1], curves[1].y[:-1])])
    assert band is not None
    assert len(band.x) == spread.MOST_PLACES
    assert math.isclose(band.low[200], band.x[200] - 0.25)


def test_a_folder_without_timings_has_no_seconds(record: Any) -> None:
    run = record("a", 1)
    assert not Path(run.folder / "timings.jsonl").exists()
    with pytest.raises(InputError, match="--x seconds"):
        measures.curve(run, "seconds", "return")
