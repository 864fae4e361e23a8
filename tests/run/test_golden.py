"""Runs that earlier versions left behind: their checkpoints load to the bit, go on, and can be evaluated.

tests/golden/VERSION holds a small run of every algorithm as that version wrote it; see make.py there.
"""

import importlib.util
import json
import math
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from built import app

from rltrain import registry
from rltrain.cli.errors import exit_code_of
from rltrain.core import Blob
from rltrain.run import begin
from rltrain.run.checkpoint import Checkpoints

GOLDEN = Path(__file__).parents[1] / "golden"
VERSIONS = sorted(path.name for path in GOLDEN.iterdir() if (path / "states.json").is_file())
STATES = {version: json.loads((GOLDEN / version / "states.json").read_text()) for version in VERSIONS}
CASES = [f"{version}/{name}" for version in VERSIONS for name in STATES[version]]
spec = importlib.util.spec_from_file_location("golden_make", GOLDEN / "make.py")
assert spec is not None and spec.loader is not None
make = importlib.util.module_from_spec(spec)
spec.loader.exec_module(make)


@pytest.fixture
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy of a golden run, to go on with."""
    shutil.copytree(GOLDEN / request.param, tmp_path / "run")
    return tmp_path / "run"


def rltrain(*words: str) -> int:
    return exit_code_of(lambda: app(words))


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def lost(before: Any, after: Any, place: str = "") -> list[str]:
    """Where a state that was loaded and saved again differs from what it was; new keys are no loss."""
    if isinstance(before, Mapping):
        if not isinstance(after, Mapping):
            return [place]
        missing = [f"{place}/{key}" for key in before if key not in after]
        kept = (lost(before[key], after[key], f"{place}/{key}") for key in before if key in after)
        return missing + [where for found in kept for where in found]
    if isinstance(before, list):
        if not isinstance(after, list) or len(before) != len(after):
            return [place]
        return [
            where for i, pair in enumerate(zip(before, after, strict=True)) for where in lost(*pair, f"{place}/{i}")
        ]
    if isinstance(before, Blob):
        return [] if isinstance(after, Blob) and before.name == after.name else [place]
    if isinstance(before, np.ndarray):
        same = isinstance(after, np.ndarray) and (before.dtype, before.shape) == (after.dtype, after.shape)
        return [] if same and before.tobytes() == after.tobytes() else [place]
    same = type(before) is type(after) and (before == after or (before != before and after != after))
    return [] if same else [place]


def test_every_algorithm_has_a_golden_run() -> None:
    for version in VERSIONS:
        assert {make.CASES[name][0]["name"] for name in STATES[version]} == set(registry.names())
    assert any(list((GOLDEN / case / "chunks").glob("*.bin")) for case in CASES)


@pytest.mark.parametrize("case", CASES)
def test_a_checkpoint_of_an_earlier_version_reads_as_what_was_saved(case: str) -> None:
    version, name = case.split("/")
    assert make.digest(Checkpoints(GOLDEN / case).load().state) == STATES[version][name]


@pytest.mark.parametrize("run", CASES, indirect=True)
def test_an_earlier_run_goes_on_from_its_very_state_and_can_be_evaluated(run: Path, capsys) -> None:
    old, written = Checkpoints(run).load(), rows(run / "metrics.jsonl")
    resumed = begin.resume(run)
    now = resumed.save()
    assert set(old.state) <= set(now)
    assert [where for part in old.state if part != "sinks" for where in lost(old.state[part], now[part], part)] == []
    counter, budget = resumed.primary, resumed.budget[resumed.primary]
    resumed.close()

    assert rltrain("check", str(run)) == 0
    assert rltrain("resume", str(run), f"run.budget.{counter}={budget + budget // 2}", "--quiet") == 0
    new = rows(run / "metrics.jsonl")
    assert new[: len(written)] == written and len(new) > len(written)
    assert new[-1][counter] >= budget + budget // 2
    assert Checkpoints(run).load().step > old.step
    capsys.readouterr()
    assert rltrain("eval", "--checkpoint", str(run), "--episodes", "2", "--json") == 0
    assert math.isfinite(json.loads(capsys.readouterr().out)["mean"])
