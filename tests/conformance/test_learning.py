"""The shipped configs learn what they say. Fixed seeds; the bounds are the stated ones."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def rltrain(*words: str, cwd: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "rltrain", *words], cwd=cwd, capture_output=True, text=True, check=True
    )
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_dqn_solves_cartpole(seed: int, tmp_path: Path) -> None:
    rltrain(
        "train", str(ROOT / "configs" / "dqn_cartpole.yaml"), "--seed", str(seed), "--name", "x", "-q", cwd=tmp_path
    )
    result = json.loads(rltrain("eval", "--checkpoint", "x", "--episodes", "100", "--json", cwd=tmp_path))
    assert result["mean"] >= 475


@pytest.mark.slow
def test_dqn_is_on_its_way_on_cartpole(tmp_path: Path) -> None:
    """A fifth of the config's budget: far above random play, whose mean is 22."""
    config = str(ROOT / "configs" / "dqn_cartpole.yaml")
    rltrain("train", config, "-n", "12000", "run.evaluate.every=null", "--seed", "1", "--name", "x", "-q", cwd=tmp_path)
    result = json.loads(rltrain("eval", "--checkpoint", "x", "--episodes", "50", "--json", cwd=tmp_path))
    assert result["mean"] > 3 * result["baselines"]["random"]
