"""`rltrain plot`: which runs are meant, what is said of them, and where the picture goes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from rltrain.cli import plot as verb
from rltrain.errors import DiskError, InputError
from rltrain.verbs import plot as plots

CONFIG = """\
algorithm:
  name: dqn
  learning_rate: {rate}
environment:
  id: CartPole-v1
run:
  seed: {seed}
  budget:
    env_steps: 400
"""
REFERENCES = {"baselines": {"random": 22.0}, "reward_threshold": 475.0}


def write(folder: Path, seed: int = 0, rate: float = 0.001, scores: Sequence[float] = (10.0, 40.0, 30.0)) -> Path:
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(CONFIG.format(rate=rate, seed=seed))
    rows = [{"env_steps": 100 * n, "episodes": n, "return/mean": 5.0 * n, "loss/td": 1.0 / n} for n in range(1, 5)]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    rows = [{"env_steps": 100 * n, "mean": s, "ci95/low": s - 1, "ci95/high": s + 2} for n, s in enumerate(scores, 1)]
    (folder / "eval.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "baselines.json").write_text(json.dumps(REFERENCES))
    return folder


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """dqn-1, dqn-2 and dqn-10 of three seeds, slow-1 of another rate, and a group of seeds."""
    for name, seed in (("dqn-1", 1), ("dqn-2", 2), ("dqn-10", 10)):
        write(tmp_path / name, seed, scores=(10.0, 40.0, 30.0 + seed))
    write(tmp_path / "slow-1", 1, 0.0001)
    for seed in (2, 10, 1):
        write(tmp_path / "group" / f"s{seed}", seed)
    return tmp_path


def names(runs_dir: Path, *given: str) -> list[str]:
    return [str(path.relative_to(runs_dir)) for path in plots.chosen(given, runs_dir)]


def test_runs_are_named_by_name_path_pattern_or_folder(runs: Path) -> None:
    assert names(runs, "dqn-2", "dqn-1") == ["dqn-2", "dqn-1"]
    assert names(runs, str(runs / "dqn-1"), "dqn-1") == ["dqn-1"]
    assert names(runs, "dqn-*") == ["dqn-1", "dqn-2", "dqn-10"]
    assert names(runs, "group") == names(runs, str(runs / "group")) == ["group/s1", "group/s2", "group/s10"]
    for given, hint in (("dqn-3", "did you mean dqn-"), ("slow-?x", "no run"), ("", "no run")):
        with pytest.raises(InputError, match=hint):
            plots.chosen([given], runs)


def test_one_run_is_drawn_anew_where_it_lies(runs: Path) -> None:
    report = plots.plot(["dqn-1"], runs_dir=runs)
    assert report.picture == str(runs / "dqn-1" / "curve.png")
    assert (runs / "dqn-1" / "curve.png").stat().st_size > 1000
    (group,) = report.groups
    assert (group.label, group.last, group.low, group.high, group.best) == ("dqn-1", 31, 30, 33, 40)


def test_seeds_are_one_row_and_their_interval_is_over_seeds(runs: Path, tmp_path: Path) -> None:
    report = plots.plot(["dqn-*", "slow-1"], tmp_path / "all.svg", runs_dir=runs)
    seeds, single = report.groups
    assert (seeds.label, seeds.seeds, single.seeds) == ("learning rate 0.001", [1, 2, 10], [1])
    assert seeds.last == pytest.approx((31 + 32 + 40) / 3)
    reach = 4.3027 * 4.932882862316247 / 3**0.5  # t(2, 0.975) sd / sqrt(3)
    assert (seeds.low, seeds.high) == pytest.approx((seeds.last - reach, seeds.last + reach), abs=1e-3)
    assert (single.low, single.high) == (29, 32)
    assert (tmp_path / "all.svg").read_text().startswith("<?xml")


def test_several_lie_beside_the_runs_and_a_metric_has_no_best(runs: Path) -> None:
    report = plots.plot(["dqn-1", "slow-1"], runs_dir=runs, y="loss/td", x="episodes", smooth=2, by="none")
    assert report.picture == str(runs / "comparison.png")
    assert [(group.label, group.last, group.best) for group in report.groups] == [
        ("dqn-1", 0.25, None),
        ("slow-1", 0.25, None),
    ]


def test_a_run_without_baselines_gets_them_where_its_environment_is_here(runs: Path) -> None:
    (runs / "dqn-1" / "baselines.json").unlink()
    plots.plot(["dqn-1"], runs_dir=runs)
    found = json.loads((runs / "dqn-1" / "baselines.json").read_text())
    assert set(found["baselines"]) == {"random", "angle"}
    (runs / "dqn-2" / "baselines.json").unlink()
    config = runs / "dqn-2" / "config.yaml"
    config.write_text(config.read_text().replace("CartPole-v1", "NotInstalledHere-v7"))
    plots.plot(["dqn-2"], runs_dir=runs)
    assert not (runs / "dqn-2" / "baselines.json").exists()


def test_the_same_run_twice_is_told(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(runs / "again", 1)
    verb.show(plots.plot(["dqn-1", "again", "dqn-2"], runs_dir=runs))
    out, err = capsys.readouterr()
    assert "again repeats" in err
    head, row, interval, picture = out.splitlines()
    assert head.split() == ["runs", "last", "eval", "interval", "best"]
    assert row.split() == ["dqn", "on", "CartPole-v1", "2", "31.5", "31", "to", "32", "40"]
    assert interval == "interval: from the lower to the higher of two"
    assert picture == f"picture: {runs / 'comparison.png'}"


def test_what_cannot_be_drawn_writes_nothing(runs: Path, tmp_path: Path) -> None:
    calls: list[tuple[dict[str, Any], str]] = [
        ({"y": "loss/tdd"}, "did you mean 'loss/td'"),
        ({"x": "env_step"}, "did you mean 'env_steps'"),
        ({"x": "seconds"}, "timings.jsonl"),
        ({"by": "learning_rat"}, "algorithm.learning_rate"),
        ({"output": tmp_path / "x.gif"}, r"\.png, \.svg or \.pdf"),
    ]
    for arguments, hint in calls:
        with pytest.raises(InputError, match=hint):
            plots.plot(["dqn-1", "slow-1"], runs_dir=runs, **arguments)
    assert not list(runs.glob("*.png"))


def test_before_the_first_game_there_is_no_score(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    new = write(runs / "new", 3)
    (new / "metrics.jsonl").write_text('{"env_steps":8,"episodes":0,"return/mean":null}\n')
    (new / "eval.jsonl").unlink()
    report = plots.plot(["new"], runs_dir=runs)
    assert report.groups[0].last is None
    verb.show(report)
    assert "-" in capsys.readouterr().out


def test_timings_that_lack_a_run_leave_no_empty_picture(runs: Path) -> None:
    for name in ("dqn-1", "slow-1"):
        (runs / name / "timings.jsonl").write_text('{"env_steps": 7, "table": "eval", "elapsed_seconds": 1.0}\n')
    with pytest.raises(InputError, match="no point of eval has a known place on --x seconds"):
        plots.plot(["dqn-1", "slow-1"], runs_dir=runs, x="seconds")


def test_a_place_that_cannot_be_written_is_said_in_a_line_and_o_helps(runs: Path, tmp_path_factory: Any) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "c.png"
    for given, place in ((["dqn-1"], runs / "dqn-1/curve.png"), (["dqn-1", "slow-1"], runs / plots.PICTURE)):
        place.mkdir()  # refuses root too
        with pytest.raises(DiskError, match=r"cannot be written: [A-Za-z ]*; -o FILE\.png puts the picture elsewhere"):
            plots.plot(given, runs_dir=runs)
        assert plots.plot(given, elsewhere, runs_dir=runs).picture == str(elsewhere)
        assert elsewhere.read_bytes().startswith(b"\x89PNG")


def test_links_in_a_folder_of_a_stranger_are_neither_followed_nor_in_the_way(runs: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine.txt"
    mine.write_text("mine")
    for name in ("curve.png", ".curve.png.part", "tmp-curve.png"):
        (runs / "dqn-1" / name).symlink_to(mine)
    (runs / plots.PICTURE).symlink_to(mine)
    assert plots.plot(["dqn-1"], runs_dir=runs).picture == str(runs / "dqn-1/curve.png")
    plots.plot(["dqn-1", "slow-1"], runs_dir=runs)
    assert mine.read_text() == "mine"
    for path in (runs / "dqn-1/curve.png", runs / plots.PICTURE):
        assert not path.is_symlink() and path.read_bytes().startswith(b"\x89PNG")
