"""A run of every algorithm comes to its bytes again from its own folder: `rltrain rerun`, by discovery."""

from pathlib import Path

import pytest
from out_of_tree import PLUGINS
from small_runs import BUDGETS, PARTS, counters_of, run_to, text_of

from rltrain.verbs import rerun


@pytest.mark.parametrize("case", PLUGINS)
def test_a_run_made_again_has_the_same_bytes(case: str, tmp_path: Path) -> None:
    counter = counters_of(case)[0]
    every = f"run.evaluate={{every: {{{counter}: {max(1, BUDGETS[counter] // 2)}}}, episodes: 2}}"
    run_to(tmp_path / "first", text_of(*PARTS[case]), {counter: BUDGETS[counter]}, every)
    old = rerun.prepare("first", tmp_path)
    new = old.begin(tmp_path, "again", "a test")
    list(old.advance(new))
    new.close()
    report = rerun.compared(old, tmp_path / "again")
    assert report.equal and not report.partial and report.arrays and report.files["metrics.jsonl"] == "equal"
