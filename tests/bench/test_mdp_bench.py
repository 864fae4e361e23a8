"""The arithmetic of bench/mdp.py, its rules for what counts, and one small run of it. Peers are not needed."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from rltrain.mdp import files, problems
from rltrain.mdp.solvers.solve import solve

BENCH = Path(__file__).resolve().parents[2] / "bench"
sys.path.insert(0, str(BENCH))  # where scripts of bench/ find each other, as when one is run


def load(path: str) -> ModuleType:
    """A script of bench/ as a module; importing it measures nothing."""
    name = f"bench_{Path(path).stem}"
    spec = importlib.util.spec_from_file_location(name, BENCH / path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


bench, ours, side = load("mdp.py"), load("ours_mdp.py"), load("peers/mdp_side.py")


@pytest.mark.parametrize(
    "script",
    ["mdp.py", "ours_mdp.py", "peers/quantecon_mdp.py", "peers/mdpsolver_mdp.py", "peers/pymdptoolbox_mdp.py"],
)
def test_help_works_without_the_peers(script: str) -> None:
    done = subprocess.run([sys.executable, BENCH / script, "--help"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"usage: {Path(script).name}")


def run(number: int, name: str, seconds: float, **more: Any) -> dict[str, Any]:
    """A run as `case` keeps it."""
    figures = {"seconds": seconds, "build_seconds": 1.0, "error": 1e-9, "peak_rss_mb": 100, "sweeps": 7}
    mine = {"method": "mpi", "bound": 1e-8, "converged": True} if name in bench.OURS else {}
    return {"round": number, "name": name, **figures, **mine, **more}


def test_ratios_are_paired_within_a_round() -> None:
    runs = [run(1, "a", 4.0), run(1, "ours-1", 2.0), run(1, "ours-all", 1.0)]
    runs += [run(2, "a", 9.0), run(2, "ours-1", 3.0), run(2, "ours-all", 3.0)]  # a machine that slows down
    found = bench.summary(runs, ["a"], 60)
    assert found["ratios"]["ours-1"] == {"median": 2.5, "low": 2.0, "high": 3.0, "count": 2}
    assert found["ratios"]["ours-all"] == {"median": 3.5, "low": 3.0, "high": 4.0, "count": 2}
    assert found["sides"]["a"]["whole_seconds"]["median"] == 7.5
    json.dumps(found)


def test_the_fastest_peer_is_right_in_every_round() -> None:
    runs = [run(1, "wrong", 1.0, failed="wrong by 6e+01"), run(1, "slow", 9.0), run(1, "fast", 3.0)]
    runs += [run(2, "slow", 9.0), run(2, "fast", 4.0)]
    assert bench.fastest(runs, ["wrong", "slow", "fast"]) == "fast"
    assert bench.fastest([*runs, run(3, "slow", 9.0)], ["wrong", "slow", "fast"]) == "slow"
    assert bench.fastest(runs, ["wrong"]) is None


def test_without_a_right_peer_the_ratio_is_a_least_one() -> None:
    runs = [run(1, "a", 0.0, failed="over 60 s"), run(1, "ours-1", 4.0), run(1, "ours-all", 2.0)]
    found = bench.summary(runs, ["a"], 60)
    assert found["at_least"] and found["fastest_peer"] is None
    assert found["ratios"]["ours-all"]["median"] == 30
    row = bench._row({"model": "grid-1000", "discount": 0.999, **found})
    assert row[2] == "none" and row[7] == ">30 (30-30)"


def test_ours_too_slow_is_said_and_gives_no_ratio() -> None:
    found = bench.summary(
        [run(1, "a", 1.0), *(run(1, name, 0.0, failed="over 60 s") for name in bench.OURS)], ["a"], 60
    )
    assert found["ratios"] == {} and found["sides"]["ours-1"] == {"failed": "over 60 s"}
    assert bench._row({"model": "m", "discount": 0.9, **found})[3] == "over 60 s"


@pytest.mark.parametrize(
    ("value", "failed"), [([1.0, 2.0], None), ([1.0, 2.1], "wrong"), ([1.0, np.nan], "wrong"), ([1.0], "wrong")]
)
def test_an_answer_counts_only_within_epsilon(tmp_path: Path, value: list[float], failed: str | None) -> None:
    np.save(tmp_path / "v.npy", np.array(value))
    judged = bench.judged({}, np.array([1.0, 2.0]), tmp_path / "v.npy", 1e-6)
    assert judged.get("failed", "right").split()[0] == (failed or "right")


def script(text: str) -> list[str]:
    return [sys.executable, "-c", text]


def test_run_side_tells_how_a_run_failed() -> None:
    alarm = "import signal, time; signal.setitimer(signal.ITIMER_REAL, 0.05); time.sleep(9)"
    assert bench.run_side(script(alarm), 0.05)["failed"] == "over 0.05 s"
    assert bench.run_side(script("bytearray(1 << 31)"), 9, memory=1 << 30)["failed"] == "MemoryError"
    assert bench.run_side(script("raise ValueError('no such thing')"), 9)["failed"] == "ValueError: no such thing"
    done = bench.run_side(script("print('{\"seconds\": 2}')"), 9)
    assert done["seconds"] == 2 and "failed" not in done and done["peak_rss_mb"] > 1


def test_a_run_that_never_gets_ready_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "BUILD_LIMIT", 0.1)
    assert bench.run_side(script("import time; time.sleep(60)"), 0.1)["failed"] == "not ready after 0.2 s"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--models", "book"], "neither garnet-STATES nor grid-SIDE"),
        (["--discounts", "1"], "between 0 and 1"),
        (["--peers", "numpy"], "unknown 'numpy'"),
        (["--save", "--rounds", "2"], "3 rounds or more"),
        (["--rounds", "0"], "at least 1"),
    ],
)
def test_arguments_that_mean_nothing_are_refused(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        bench.arguments(words)
    assert stop.value.code == 2
    assert said in capsys.readouterr().err


def test_quick_is_a_small_part_of_it() -> None:
    given = bench.arguments(["--quick"])
    assert (given.models, given.discounts, given.rounds) == (["garnet-10000", "grid-100"], [0.99], 1)
    assert bench.arguments(["--discounts", ".99,.9"]).discounts == [0.9, 0.99]


def test_peers_read_the_file_that_ours_reads(tmp_path: Path) -> None:
    model = problems.grid(3)
    files.write(model, tmp_path / "grid.npz")
    table = side.read(tmp_path / "grid.npz")
    assert (table.states, table.actions) == (9, 4)
    full = np.zeros((36, 9))
    np.add.at(full, (np.repeat(np.arange(36), np.diff(table.indptr)), table.indices), table.data)
    assert np.allclose(full.sum(1), 1) and (full[32:, 8] == 1).all()  # the goal leads to itself
    assert table.reward.tolist() == [-1.0] * 32 + [0.0] * 4
    matrix = full.reshape(9, 4, 9)
    value = np.zeros(9)
    for _ in range(500):
        value = (table.reward.reshape(9, 4) + 0.9 * matrix @ value).max(1)
    assert np.abs(value - solve(model, 0.9).value).max() < 1e-6


def test_a_terminal_state_in_the_middle_keeps_its_place(tmp_path: Path) -> None:
    arrays = {"first_pair": [0, 1, 1, 2], "first_next": [0, 1, 3], "next": [1, 0, 1], "prob": [1.0, 0.5, 0.5]}
    np.savez(
        tmp_path / "m.npz", **{key: np.array(values) for key, values in arrays.items()}, reward=np.array([3.0, 4.0])
    )
    table = side.read(tmp_path / "m.npz")
    assert table.indptr.tolist() == [0, 1, 2, 4] and table.indices.tolist() == [1, 1, 0, 1]
    assert table.data.tolist() == [1.0, 1.0, 0.5, 0.5] and table.reward.tolist() == [3.0, 0.0, 4.0]


def test_the_yardstick_notices_a_wrong_value() -> None:
    model = problems.grid(4)
    value = solve(model, 0.99, epsilon=1e-9).value
    proved, bound = ours.proven(model, 0.99, value)
    assert bound < 1e-9 and (proved == value).all()
    value[5] += 1e-3
    assert 1e-3 <= ours.proven(model, 0.99, value)[1] < 1e-3 * 2 / (1 - 0.99)


def test_a_small_run_of_all(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--models", "grid-12", "--discounts", ".9", "--peers", "none", "--rounds", "3"]
    bench.main([*words, "--save", str(tmp_path / "mdp.json")])
    report = json.loads((tmp_path / "mdp.json").read_text())
    (case,) = report["cases"]
    assert len(case["runs"]) == 6 and case["ratios"] == {} and case["yardstick_bound"] <= 1e-7
    for name in ("ours-1", "ours-all"):
        assert case["sides"][name]["error"] <= case["sides"][name]["bound"] + 1e-7 and case["sides"][name]["converged"]
        assert report["versions"][name]["numpy"] == np.__version__
    assert report["command"].startswith("python bench/mdp.py --models grid-12") and report["machine"]["cores"] >= 1
    assert "grid-12" in capsys.readouterr().out


@pytest.mark.slow
def test_a_small_run_of_what_is_compiled(capsys: pytest.CaptureFixture[str]) -> None:
    bench.main(["--models", "garnet-1500", "--discounts", ".9", "--peers", "none", "--rounds", "1"])
    assert "mpi" in capsys.readouterr().out
