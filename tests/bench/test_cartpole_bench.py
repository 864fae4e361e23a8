"""What bench/cartpole.py makes of its runs, and how it listens to one."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

BENCH = Path(__file__).resolve().parents[2] / "bench"
sys.path.insert(0, str(BENCH))


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bench_cartpole", BENCH / "cartpole.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


cartpole = load()


def run(side: str, seed: int, seconds: float | None) -> dict[str, Any]:
    return {"side": side, "seed": seed, "seconds": seconds, "said": "", "other_cpu": 0.0}


def test_ratios_are_within_a_seed_and_against_the_fastest_peer() -> None:
    runs = [
        run("reinforce", 0, 1.0), run("sb3-a2c", 0, 6.0), run("sb3-ppo", 0, 9.0),
        run("reinforce", 1, 2.0), run("sb3-a2c", 1, 4.0), run("sb3-ppo", 1, 9.0),
        run("reinforce", 2, 1.0), run("sb3-a2c", 2, None), run("sb3-ppo", 2, 9.0),
    ]  # fmt: skip
    found = cartpole.summary(runs, ["reinforce", "sb3-a2c", "sb3-ppo"])
    assert found["sides"]["sb3-a2c"] == {"solved": 2, "of": 3, "seconds": cartpole.spread([6.0, 4.0])}
    assert found["ratios"]["reinforce"]["fastest_peer"] == "sb3-a2c"
    assert found["ratios"]["reinforce"]["median"] == pytest.approx(4.0)  # of 6 and 2; the third has no pair
    assert found["ratios"]["reinforce"]["count"] == 2


def test_a_side_that_never_solves_has_no_time() -> None:
    found = cartpole.summary([run("sb3-ppo", 0, None)], ["sb3-ppo"])
    assert found["sides"]["sb3-ppo"] == {"solved": 0, "of": 1, "seconds": None}
    assert found["ratios"] == {}


def test_the_verdict_is_the_line_and_not_the_end_of_the_process(tmp_path: Path) -> None:
    text = "import time; print('solved: now', flush=True); time.sleep(1)"
    done = cartpole.run_side([sys.executable, "-c", text], 60, tmp_path)
    assert done["said"] == "solved: now"
    assert done["seconds"] < 1
    assert cartpole.run_side([sys.executable, "-c", "print('unsolved')"], 60, tmp_path)["seconds"] is None


def test_a_side_that_fails_stops_the_measurement(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="failed with 3"):
        cartpole.run_side([sys.executable, "-c", "raise SystemExit(3)"], 60, tmp_path)


def test_a_silent_side_is_ended_and_counts_as_unsolved(tmp_path: Path) -> None:
    done = cartpole.run_side([sys.executable, "-c", "import time; time.sleep(60)"], 0.5, tmp_path)
    assert done["seconds"] is None


def test_a_side_that_warns_at_length_is_heard_to_its_end(tmp_path: Path) -> None:
    text = "import sys; sys.stderr.write('x' * 1_000_000); print('solved: yes')"
    assert cartpole.run_side([sys.executable, "-c", text], 60, tmp_path)["said"] == "solved: yes"
