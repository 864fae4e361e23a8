"""The benchmarks' own arithmetic and doors. Speed itself is measured by hand, on a quiet machine."""

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

from rltrain.errors import InputError
from rltrain.experiment import config

BENCH = Path(__file__).resolve().parents[2] / "bench"
sys.path.insert(0, str(BENCH))  # where scripts of bench/ find each other, as when one is run


def load(name: str) -> ModuleType:
    """A script of bench/ as a module; importing it measures nothing."""
    spec = importlib.util.spec_from_file_location(f"bench_{name}", BENCH / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


throughput = load("dqn_throughput")
curve = load("learning_curve")
points = load("pacman_points")
evaluation = load("evaluation")
chapter = load("chapter_methods")


@pytest.mark.parametrize(
    "script",
    [
        "dqn_throughput.py",
        "ours_dqn.py",
        "learning_curve.py",
        "pacman_hour.py",
        "pacman_points.py",
        "evaluation.py",
        "chapter_methods.py",
        "peers/sb3_dqn.py",
        "cartpole.py",
        "average.py",
        "ppo_equal.py",
        "qlearn.py",
        "uct.py",
        "reliability.py",
        "ppo.py",
        "peers/sb3_policy.py",
        "peers/cleanrl_ppo.py",
    ],
)
def test_help_works_without_the_peers(script: str) -> None:
    done = subprocess.run([sys.executable, BENCH / script, "--help"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"usage: {Path(script).name}")


@pytest.mark.parametrize(
    ("reward", "parts"),
    [
        (10.0, {"pellet": 1}),
        (60.0, {"power pill": 1, "pellet": 1}),
        (210.0, {"first ghost": 1, "pellet": 1}),
        (1600.0, {"fourth ghost": 1}),
        (110.0, {"fruit": 1, "pellet": 1}),
        (0.0, {}),
        (5.0, {"unknown": 5}),
    ],
)
def test_a_reward_of_pacman_is_taken_apart(reward: float, parts: dict[str, int]) -> None:
    assert points.parts(reward) == parts


def test_a_point_of_a_curve_is_the_newest_checkpoint_that_was_there_by_then(tmp_path: Path) -> None:
    def saved(steps: int) -> None:
        (tmp_path / f"run/checkpoints/ckpt-{steps:012}").mkdir(parents=True)
        (tmp_path / f"run/checkpoints/ckpt-{steps:012}/MANIFEST.json").touch()

    clock = chapter.Clock(tmp_path / "run")
    for steps, seconds in ((100, 5.0), (900, 7.0), (1_000, 12.0)):
        saved(steps)
        clock.look(seconds)
        clock.look(seconds + 1.0)  # nothing new: it was there before
    again = chapter.Clock(tmp_path / "run")  # an interrupted command goes on
    assert again.latest == 12.0
    assert again.newest_by(4.9) is None
    assert [again.newest_by(at).name[-4:] for at in (5.0, 11.9, 12.0)] == ["0100", "0900", "1000"]


def test_a_curve_is_the_mean_of_seeds_where_all_of_them_are_known() -> None:
    def run(seed: int, points: dict[float, float]) -> dict[str, Any]:
        rows = [{"minutes": minutes, "mean": mean} for minutes, mean in points.items()]
        return {"environment": "Pendulum-v1", "method": "ppo", "seed": seed, "points": rows}

    runs = [run(1, {0.1: -900.0, 0.2: -600.0}), run(2, {0.2: -400.0}), run(3, {0.2: -200.0})]
    (row,) = chapter.summary(runs)
    assert (row["minutes"], row["seeds"], row["mean"]) == (0.2, 3, -400.0)
    assert row["ci95"] == [-896.8, 96.8], "4.303 times 200 divided by the root of 3"


def test_the_speed_of_an_evaluation_is_compared_pair_by_pair() -> None:
    def measured(first: float, again: float) -> dict[str, dict[str, float]]:
        return {name: {"seconds": s, "processor_seconds": s} for name, s in (("first", first), ("again", again))}

    sides = {
        "ours": [measured(10.0, 5.0), measured(20.0, 10.0)],
        "before": [measured(30.0, 30.0), measured(40.0, 40.0)],
    }
    found = evaluation.summary(sides)
    assert found["ratio_of_seconds"]["first"] == {"median": 2.5, "low": 2.0, "high": 3.0, "count": 2}
    assert found["ratio_of_processor_seconds"]["again"]["median"] == 5.0
    assert found["ours"]["again"]["seconds"]["median"] == 7.5
    assert "ratio_of_seconds" not in evaluation.summary({"ours": sides["ours"]})


def test_paired_ratio_is_the_median_of_the_rounds_not_the_ratio_of_medians() -> None:
    ours, peer = [200.0, 150.0, 90.0], [100.0, 50.0, 45.0]  # a machine that slows down: 2, 3, 2 in the rounds
    assert throughput.paired_ratio(ours, peer) == (2.0, 2.0, 3.0, 3)
    assert throughput.spread(ours).median / throughput.spread(peer).median == 3.0


def test_median_of_an_even_number_of_rounds_lies_between_the_middle_two() -> None:
    assert throughput.paired_ratio([1.0, 2.0, 3.0, 8.0], [1.0, 1.0, 1.0, 1.0]) == (2.5, 1.0, 8.0, 4)


def test_unpaired_runs_are_refused() -> None:
    with pytest.raises(ValueError, match="unpaired: 2 runs of ours, 1 of the peer"):
        throughput.paired_ratio([1.0, 2.0], [1.0])


def test_summary_pairs_by_round_and_names_the_fastest_peer() -> None:
    speeds = {"sb3-1": [50.0, 40.0, 60.0], "sb3-8": [80.0, 100.0, 50.0], "ours-float32": [160.0, 250.0, 150.0]}
    runs = [{"name": name, "steps_per_second": values[i]} for i in range(3) for name, values in speeds.items()]
    figures = throughput.summary(runs, ["sb3-1", "sb3-8"], ["ours-float32"])
    assert figures["fastest_peer"] == "sb3-8"
    assert figures["sides"]["sb3-8"] == {"median": 80.0, "low": 50.0, "high": 100.0, "count": 3}
    assert figures["ratios"]["ours-float32"]["sb3-8"] == {"median": 2.5, "low": 2.0, "high": 3.0, "count": 3}
    assert figures["ratios"]["ours-float32"]["sb3-1"]["median"] == 3.2
    json.dumps(figures)


def test_sides_take_turns_at_equal_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throughput, "widest_instructions", lambda: "avx2")
    assert "ours-bfloat16" not in throughput.commands(throughput.arguments([]))
    monkeypatch.setattr(throughput, "widest_instructions", lambda: "avx512_bf16 avx2")
    sides = throughput.commands(throughput.arguments(["--steps", "320", "--warm", "80"]))
    assert list(sides) == ["sb3-8", "ours-float32", "sb3-subproc-8", "ours-bfloat16"]
    for command in sides.values():
        assert command[command.index("--steps") + 1] == "320" and command[command.index("--warm") + 1] == "80"
        assert command[command.index("--envs") + 1] == "8"
    assert "--subproc" in sides["sb3-subproc-8"] and "--subproc" not in sides["sb3-8"]


def test_a_trial_of_few_rounds_is_not_saved(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        throughput.arguments(["--rounds", "2", "--save"])
    assert stop.value.code == 2
    assert "5 rounds or more" in capsys.readouterr().err


def side(updates: int) -> list[str]:
    """A side that reports at once."""
    line = json.dumps({"steps_per_second": 100.0, "steps": 400, "updates": updates, "seconds": 4.0})
    return [sys.executable, "-c", f"print('noise'); print({line!r})"]


def test_run_side_reads_the_last_line_and_adds_the_load() -> None:
    figures = throughput.run_side(side(updates=100))
    assert figures["steps_per_second"] == 100.0
    assert figures["other_cpu"] >= 0 and figures["stolen"] >= 0


def test_unequal_work_is_refused() -> None:
    with pytest.raises(SystemExit, match="unequal work, nothing to compare: 50 updates in 400 agent steps"):
        throughput.run_side(side(updates=50))


def test_a_failing_side_stops_the_comparison_with_its_own_words() -> None:
    with pytest.raises(SystemExit, match=r"(?s)failed with 3: .*no such game"):
        throughput.run_side([sys.executable, "-c", "import sys; print('no such game', file=sys.stderr); sys.exit(3)"])


def write_run(folder: Path) -> Path:
    folder.mkdir()
    rows = [
        {"env_steps": 100, "episodes": 0, "return/mean": None},
        {"env_steps": 200, "episodes": 3, "return/mean": 250.0},
    ]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows) + '{"env_st')
    (folder / "eval.jsonl").write_text(json.dumps({"env_steps": 150, "episodes": 2, "mean": 300.0}) + "\n")
    timings = [{"env_steps": 0, "elapsed_seconds": 0.0}, {"env_steps": 200, "elapsed_seconds": 10.0}]
    (folder / "timings.jsonl").write_text("".join(json.dumps(row) + "\n" for row in timings))
    (folder / "run.json").write_text('{"versions": {"rltrain": "0.1.0"}}')
    return folder


def test_learning_curve_of_a_run_that_still_writes(tmp_path: Path) -> None:
    read = curve.read_run(write_run(tmp_path / "dqn-1"))
    assert read["name"] == "dqn-1" and read["run"]["versions"]["rltrain"] == "0.1.0"
    assert read["train"] == {"env_steps": [100, 200], "seconds": [5.0, 10.0], "episodes": [0, 3], "mean": [None, 250.0]}
    assert read["eval"]["seconds"] == [7.5] and read["eval"]["mean"] == [300.0]
    assert curve.points(read["train"]["seconds"], read["train"]["mean"], 60.0) == ([10.0 / 60.0], [250.0])


def test_minutes_of_a_killed_and_resumed_run_count_only_what_was_kept(tmp_path: Path) -> None:
    rows = ['{"env_steps":0,"elapsed_seconds":0}', '{"env_steps":200,"elapsed_seconds":20}', '{"env_st{"env_steps":1}']
    rows += ['{"env_steps":100,"elapsed_seconds":12}', '{"env_steps":200,"elapsed_seconds":24}']
    (tmp_path / "timings.jsonl").write_text("\n".join(rows) + "\n")
    timings = curve.read_rows(tmp_path / "timings.jsonl", torn=True)
    assert curve.seconds_at(timings, [50, 100, 150, 200]) == [6.0, 12.0, 18.0, 24.0]
    with pytest.raises(InputError, match=r"timings\.jsonl:3: not a JSON object"):
        curve.read_rows(tmp_path / "timings.jsonl")


def test_a_long_run_keeps_its_ends_and_500_rows() -> None:
    kept = [row["env_steps"] for row in curve.thin([{"env_steps": i} for i in range(10_000)])]
    assert len(kept) == len(set(kept)) == 500
    assert (kept[0], kept[-1]) == (0, 9_999)
    assert max(np.diff(kept)) - min(np.diff(kept)) <= 1


def test_learning_curve_of_no_run_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        curve.main([str(tmp_path / "nothing"), "--out", str(tmp_path / "out")])
    assert stop.value.code == 2
    assert "no run folder" in capsys.readouterr().err


def test_minutes_to_a_score_and_the_mean_over_seeds(tmp_path: Path) -> None:
    hour = load("pacman_hour")
    steps = [{"env_steps": 100 * i, "episodes": 20 * i, "return/mean": 300.0 * i if i else None} for i in range(9)]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in steps))
    times = [{"env_steps": 100 * i, "elapsed_seconds": 60.0 * i} for i in range(9)]
    (tmp_path / "timings.jsonl").write_text("".join(json.dumps(row) + "\n" for row in times))
    assert hour.minutes_to(tmp_path, 2311) == 8.0
    assert hour.minutes_to(tmp_path, 500) == 5.0  # a mean of fewer than 100 games says nothing yet
    assert hour.minutes_to(tmp_path, 5000) is None
    seeds = [{"nature": {"mean": mean}} for mean in (1000.0, 2000.0, 3000.0)]
    found = hour.over_seeds(seeds, "nature")
    assert (found["mean"], found["sd"]) == (2000.0, 1000.0)
    # Student's t of 2 degrees of freedom: 4.303 * 1000 / 3 ** 0.5
    assert found["ci95"] == pytest.approx([2000 - 2484.1, 2000 + 2484.1], abs=0.2)
    assert hour.over_seeds(seeds[:1], "nature") == {"mean": 1000.0, "sd": None, "ci95": None}


def test_what_an_hour_asks_for_must_be_what_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hour = load("pacman_hour")
    file, folder = tmp_path / "x.yaml", tmp_path / "x-60m-seed0"
    file.write_text("algorithm: {name: dqn, gamma: 0.9}\nenvironment: ALE/MsPacman-v5\n")
    folder.mkdir()
    (folder / "config.yaml").write_text(config.load(file, ["run.seed=5", "run.max_wall=60s"]).to_yaml())
    given = hour.arguments(["--config", str(file), "--runs-dir", str(tmp_path), "--seeds", "0"])
    assert given.name == "x-60m"
    hour.check_settings(given, folder)
    other = hour.arguments(["--config", str(file), "--set", "algorithm.gamma=0.95", "--name", "x-60m"])
    with pytest.raises(SystemExit, match=r"algorithm.gamma is 0.9 there, 0.95 here"):
        hour.check_settings(other, folder)
    with pytest.raises(SystemExit):
        hour.arguments(["--set", "algorithm.gamma=0.95"])

    # The time left is that of the newest checkpoint; what was trained after it is gone.
    manifest = {"manifest": {"meta": {"counters": {"env_steps": 9, "updates": 1}, "elapsed_seconds": 3000.0}}}
    (folder / "checkpoints" / "ckpt-9").mkdir(parents=True)
    (folder / "checkpoints" / "ckpt-9" / "MANIFEST.json").write_text(json.dumps(manifest))
    asked: list[Any] = []
    monkeypatch.setattr(hour, "rltrain", lambda *words: asked.append(words) or 0)
    hour.train(given, 0)
    assert asked == [("resume", folder, "-n", str(hour.NO_BUDGET), "--max-wall", "600s", "--quiet")]


def test_seeds_of_other_settings_are_not_averaged(tmp_path: Path) -> None:
    hour = load("pacman_hour")
    path = tmp_path / "result.json"
    fixed = hour.fixed_of(hour.arguments(["--minutes", "20"]))
    assert hour.earlier(path, fixed) == {}
    path.write_text(json.dumps({**fixed, "seeds": [{"seed": 3}]}))
    assert hour.earlier(path, fixed) == {3: {"seed": 3}}
    older = fixed["config"].replace("  loss: huber\n", "")  # written before there was such a setting
    path.write_text(json.dumps({**fixed, "config": older, "seeds": [{"seed": 3}]}))
    assert hour.earlier(path, fixed) == {3: {"seed": 3}}
    for words, name in (
        (["--minutes", "21"], "limit"),
        (["--minutes", "20", "--episodes", "9"], "episodes"),
        (["--minutes", "20", "--name", "x", "--set", "algorithm.gamma=0.5"], "config"),
    ):
        with pytest.raises(SystemExit, match=f"another {name}"):
            hour.earlier(path, hour.fixed_of(hour.arguments(words)))


def test_a_seed_that_the_result_has_is_not_measured_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hour = load("pacman_hour")
    row = {"env_steps": 9, "seconds": 60.0, "nature": {"mean": 1.0}, "sticky": {"mean": 2.0}}
    measured: list[int] = []
    monkeypatch.setattr(hour, "RESULTS", tmp_path)
    monkeypatch.setattr(hour, "measure", lambda _, seed: measured.append(seed) or {"seed": seed, **row})
    for seeds in (["2"], ["0", "2"]):
        monkeypatch.setattr(sys, "argv", ["pacman_hour.py", "--save", "--name", "x", "--seeds", *seeds])
        hour.main()
    assert measured == [2, 0]
    assert [row["seed"] for row in json.loads((tmp_path / "x.json").read_text())["seeds"]] == [0, 2]


def test_the_average_reward_benchmark_compares_the_same_chains(capsys: pytest.CaptureFixture[str]) -> None:
    slow = load("average")
    for name in slow.MODELS:
        found = slow.measure(name, 30, 1)
        assert found["apart"] <= found["bound"] + 1e-9 <= 2e-6 and found["ratio"] > 0
    slow.main(["--rounds", "1", "--sizes", "12"])
    assert capsys.readouterr().out.count("full / ours") == 2


def test_the_sampled_benchmark_steps_every_side(monkeypatch: pytest.MonkeyPatch) -> None:
    tabular = load("qlearn")
    monkeypatch.setattr(tabular, "SAMPLED_STEPS", 200)
    figures = tabular.measure_sampled(tabular.arguments(["--sampled", "--rounds", "1"]))[tabular.SAMPLED]
    assert figures[tabular.PLAIN]["ratio"] == figures[tabular.SEEDED]["seeded_ratio"] == 1.0
    assert figures["ours"]["ratio"] > 0
