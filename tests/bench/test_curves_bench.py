"""What bench/curves.py and bench/ppo_details.py make of runs, and that each of their runs can be made."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rltrain.experiment import catalog, config

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench"))

import curves
import ppo_details


def run(seed: int, mean: float, evaluations: list[float]) -> dict[str, Any]:
    steps = [100 * (i + 1) for i in range(len(evaluations))]
    return {
        "seed": seed,
        "fresh": {"mean": mean},
        "eval": {"env_steps": steps, "mean": evaluations},
        "wall_seconds": 10.0 * seed,
        "other_cpu": 0.1,
        "steps": steps[-1],
    }


def test_a_summary_is_over_seeds() -> None:
    found = curves.summary([run(1, 10, [0, 10]), run(2, 20, [10, 20, 30]), run(3, 30, [30])])
    assert found["mean"] == 20
    assert found["half_width"] == pytest.approx(4.3027 * 10 / np.sqrt(3), rel=1e-3)  # Student's t, two degrees
    assert found["worst"] == 10
    assert found["average"] == pytest.approx((5 + 20 + 30) / 3, abs=0.01)
    assert found["seconds"] == {"median": 20, "low": 10, "high": 30}
    line = curves.table({"x": {"summary": found}}).split("\n")[-1]
    assert line == "| `x` | 3 | 20 ± 24.84 | 10 | 200 | 20 (10 to 30) |"


def test_two_seeds_have_no_interval() -> None:
    found = curves.summary([run(1, 10, [0]), run(2, 20, [10])])
    assert found["half_width"] is None
    assert "±" not in curves.table({"x": {"summary": found}})


@pytest.mark.parametrize("detail", ppo_details.VARIANTS)
def test_every_detail_can_be_changed(detail: str) -> None:
    for task, overrides in ppo_details.VARIANTS[detail].items():
        named, fixed = ppo_details.TASKS[task]
        plain = config.load(catalog.find(Path(named)), fixed)
        changed = config.load(catalog.find(Path(named)), (*fixed, *overrides))
        assert (plain.to_yaml() == changed.to_yaml()) == (detail == "as it is")
