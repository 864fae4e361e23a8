"""The picture of a run: drawn from what the folder holds, whatever it lacks."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

import pytest

from rltrain.errors import InputError, MissingError
from rltrain.report import curve

CONFIG = "algorithm: {{name: {name}, gamma: 0.9}}\nenvironment: {{id: {world}}}\nrun: {{budget: {{{counter}: 100}}}}\n"
PNG = b"\x89PNG\r\n\x1a\n"


def folder(path: Path, rows: list[dict[str, float]], counter: str = "env_steps", **more: str) -> Path:
    values = {"name": "qlearn", "world": "configs/mdp/book.yaml", **more}
    (path / "config.yaml").write_text(CONFIG.format(counter=counter, **values))
    (path / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def learner(step: int) -> dict[str, float]:
    return {"env_steps": step, "error/max": 5 / step, "error/low": 4 / step, "error/high": 6 / step, "q/true": 21.9,
            "q/0.1/0": 20 - 1 / step, "q/0.1/1": 21 - 1 / step}  # fmt: skip


@pytest.mark.parametrize(
    ("rows", "counter", "name"),
    [
        ([learner(step) for step in range(1, 50)], "env_steps", "qlearn"),
        (
            [{"sweeps": n, "bound": 2.0**-n, "error/max": 3.0**-n, "value/start": 1 - 2.0**-n} for n in range(20)],
            "sweeps",
            "viter",
        ),
        ([{"env_steps": n, "return/mean": math.nan if n < 3 else n / 2} for n in range(30)], "env_steps", "dqn"),
        ([{"env_steps": 1}], "env_steps", "dqn"),
    ],
)
def test_each_kind_of_run_is_drawn(rows: list[dict[str, float]], counter: str, name: str, tmp_path: Path) -> None:
    drawn = curve.draw(folder(tmp_path, rows, counter, name=name))
    assert drawn == tmp_path / "curve.png"
    assert drawn.read_bytes().startswith(PNG)
    assert not list(tmp_path.glob(".*"))


def test_evaluations_are_drawn_too(tmp_path: Path) -> None:
    rows = [{"env_steps": n, "return/mean": n / 2} for n in range(30)]
    without = curve.draw(folder(tmp_path, rows, name="dqn")).read_bytes()
    evaluation = {"env_steps": 10, "mean": 5.0, "ci95/low": 4.0, "ci95/high": 6.5}
    (tmp_path / "eval.jsonl").write_text(json.dumps(evaluation) + "\n")
    assert curve.draw(tmp_path).read_bytes() != without


def test_a_torn_line_and_a_missing_column_are_nothing_to_stop_for(tmp_path: Path) -> None:
    path = folder(tmp_path, [learner(step) for step in range(1, 9)])
    with (path / "metrics.jsonl").open("a") as file:
        file.write('{"env_steps": 9}\n[]\n{"env_ste')
    series = curve.read(path / "metrics.jsonl")
    assert series["env_steps"] == [1, 2, 3, 4, 5, 6, 7, 8, 9]
    assert math.isnan(series["error/max"][-1])
    curve.draw(path)


def test_a_long_run_is_thinned_and_keeps_its_ends(tmp_path: Path) -> None:
    rows = [{"env_steps": step, "return/mean": 1.0} for step in range(1, 30_001)]
    series = curve.read(folder(tmp_path, rows) / "metrics.jsonl")
    assert len(series["env_steps"]) <= 2 * curve.MOST_POINTS + 1
    assert (series["env_steps"][0], series["env_steps"][-1]) == (1, 30_000)
    assert series["env_steps"] == sorted(set(series["env_steps"]))


def test_nothing_to_draw_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no numbers yet"):
        curve.draw(folder(tmp_path, []))


def test_without_matplotlib_the_command_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingError, match=r"rltrain\[plot\]"):
        curve.draw(folder(tmp_path, [learner(1)]))
