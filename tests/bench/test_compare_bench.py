"""Statistics over runs equal those of rliable, as bench/compare_rliable.py measured them on the same scores."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench"))

import compare_rliable

KEPT = json.loads(compare_rliable.RESULT.read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", KEPT["cases"])
def test_the_numbers_are_those_of_rliable(name: str) -> None:
    case: dict[str, Any] = KEPT["cases"][name]
    apart = compare_rliable.apart(case, compare_rliable.ours(case), case["rliable"])
    assert [(key, value) for key, value in apart.items() if not value <= compare_rliable.limit(key)] == []
    assert apart == pytest.approx(KEPT["differences"][name], abs=1e-9), "what was kept was measured with this code"


def test_the_verdict_is_wrong_in_no_more_than_one_of_twenty() -> None:
    rates = [rate for name in compare_rliable.NULLS for rate in KEPT["verdicts"][name].values()]
    assert len(rates) == 9 and max(rates) <= 0.05
    assert compare_rliable.verdicts(tries=5).keys() == KEPT["verdicts"].keys() - {"tries"}


def test_the_cases_are_those_that_were_measured() -> None:
    assert {
        name: {**case, "rliable": KEPT["cases"][name]["rliable"]} for name, case in compare_rliable.cases().items()
    } == KEPT["cases"]
