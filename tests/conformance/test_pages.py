"""Runs of every algorithm have a page, alone and together, are compared, and are told apart. Found by discovery."""

from pathlib import Path

import pytest
from out_of_tree import PLUGINS
from small_runs import BUDGETS, PARTS, counters_of, run_to, text_of

from rltrain.errors import InputError
from rltrain.verbs.compare import compare
from rltrain.verbs.diff import diff
from rltrain.verbs.report import write_report


@pytest.mark.slow
@pytest.mark.parametrize("case", PLUGINS)
def test_runs_of_every_algorithm_are_shown_compared_and_told_apart(case: str, tmp_path: Path) -> None:
    counter = counters_of(case)[0]
    every = f"run.evaluate={{every: {{{counter}: {max(1, BUDGETS[counter] // 2)}}}, episodes: 2}}"
    for seed in (1, 2, 3):
        run_to(tmp_path / f"s{seed}", text_of(*PARTS[case]), {counter: BUDGETS[counter]}, every, f"run.seed={seed}")
    alone = write_report("s1", runs_dir=tmp_path)
    assert alone.verdict and alone.title in Path(alone.page).read_text()
    together = write_report("s*", runs_dir=tmp_path, film=False)
    assert "3 runs: s1, s2, s3" in Path(together.page).read_text()
    assert [setting.key for setting in diff("s1", "s2", tmp_path).settings] == ["run.seed"]
    with pytest.raises(InputError, match="one side"):
        compare(["s*"], runs_dir=tmp_path)
    sides = compare(["s1", "s[23]"], runs_dir=tmp_path)
    assert [len(side.runs) for side in sides.sides] == [2, 1] and sides.verdict  # patterns go first
