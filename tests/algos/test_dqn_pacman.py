"""How fast the config that people start with learns: five minutes of Ms. Pac-Man on two cores, seed 0."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

STEPS = 75_000
# Mean raw score of the last 100 training games at that point. Seven runs of this network, of four settings and three
# seeds, had 461 to 1,019 between 75,000 and 150,000 steps; random play has 271.
LOWEST, HIGHEST = 380.0, 1_200.0


@pytest.mark.slow
def test_five_minutes_of_ms_pacman_are_worth_what_they_were(tmp_path: Path) -> None:
    options = ["--seed", "0", "-n", str(STEPS), "--runs-dir", str(tmp_path), "--name", "run", "--quiet"]
    command = [sys.executable, "-m", "rltrain", "train", "configs/dqn_pacman.yaml", *options]
    subprocess.run([*command, "run.evaluate.every=null"], cwd=ROOT, check=True)
    last = json.loads((tmp_path / "run" / "metrics.jsonl").read_text().splitlines()[-1])
    assert last["episodes"] >= 100
    assert LOWEST <= last["return/mean"] <= HIGHEST
