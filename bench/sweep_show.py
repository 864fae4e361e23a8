"""How long `rltrain sweep show` takes: a process from its start to its end, on a sweep that is written here.

    python bench/sweep_show.py [--trials 10000] [--repeat 5] [--save]

The trials have five settings and three seeds, and scores that depend on two of the settings. What is measured is a
whole process: the interpreter, the imports, the file, the importances and the table.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rltrain.experiment import config
from rltrain.run.folder import SWEEP_MARKER
from rltrain.run.machine import facts
from rltrain.verbs.sweep.study import BASE, COLUMNS, SWEEP, TRIALS
from rltrain.yaml_subset import flow

RESULT = Path(__file__).parent / "results" / "sweep_show.json"
SPACE = """space:
  algorithm.learning_rate: {from: 1e-5, to: 1e-2, log: true}
  algorithm.gamma: {from: 0.9, to: 0.999}
  algorithm.n_step: {from: 1, to: 8}
  algorithm.hidden: [[64, 64], [128, 128], [256, 256]]
  algorithm.double: [true, false]
"""


def written(runs_dir: Path, trials: int) -> None:
    """A sweep `bench` whose trials have all ended."""
    home = runs_dir / "bench"
    home.mkdir(parents=True)
    (home / BASE).write_text(config.load("dqn_cartpole").to_yaml())
    (home / SWEEP).write_text(f"sweep: {{config: {BASE}, trials: {trials}, seeds: 3}}\n{SPACE}")
    (home / SWEEP_MARKER).write_text(json.dumps({"format": 1}))
    draw = random.Random(0)
    keys = [line.split(":")[0].strip() for line in SPACE.splitlines()[1:]]
    with (home / TRIALS).open("w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow([*COLUMNS, *keys])
        for number in range(trials):
            rate, steps = 10 ** draw.uniform(-5, -2), draw.randint(1, 8)
            score = 500 - 100 * abs(math.log10(rate) + 3) - 10 * abs(steps - 3) + draw.gauss(0, 20)
            tried = [rate, draw.uniform(0.9, 0.999), steps, draw.choice([[64, 64], [128, 128], [256, 256]])]
            cells = [*map(flow, tried), flow(draw.random() < 0.5)]
            table.writerow([number, "finished", "", 120_000, score, 3, score - 20, score + 20, *cells])


def main() -> None:
    """Print the median and all times."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--save", action="store_true", help="write bench/results/sweep_show.json")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        written(Path(place), asked.trials)
        command = [sys.executable, "-m", "rltrain", "sweep", "show", "bench", "--runs-dir", place]
        print(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        times, before = [], os.times().children_user
        for _ in range(asked.repeat):
            begun = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            times.append(time.perf_counter() - begun)
        busy = (os.times().children_user - before) / asked.repeat
    print(f"{asked.trials:,} trials: median {statistics.median(times):.2f} s of {', '.join(f'{t:.2f}' for t in times)}")
    print(f"of which the processor worked {busy:.2f} s")
    if asked.save:
        measured = {"trials": asked.trials, "seconds": times, "processor_seconds": busy, "load": os.getloadavg()[0]}
        report = {
            "command": f"python bench/sweep_show.py --trials {asked.trials}",
            **measured,
            "machine": facts(1, "cpu"),
        }
        RESULT.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
