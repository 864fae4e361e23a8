"""What saving costs: the share of a run's time that goes into checkpoints, at the default cadence.

    python bench/saving.py                       the short configs, where a save weighs most
    python bench/saving.py configs/x.yaml,run.budget.env_steps=9000 ...
    python bench/saving.py --peer DIR            beside another checkout, in turn, for the same configs

The save at the end is the one that no run goes without; the others are those that the cadence chose.
Medians over `--rounds`. The time of a run is that of training it, without start-up, the picture and the baselines.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

SHORT = [
    "configs/basic_cartpole.yaml",
    "configs/qlearn_book.yaml",
    "configs/reinforce_cartpole.yaml",
    "configs/dqn_cartpole.yaml,run.budget.env_steps=20000",
]
CODE = """
import json, os, sys, tempfile, time
from pathlib import Path
from rltrain.experiment import config
from rltrain.run.checkpoint import Checkpoints
from rltrain.run.loop import Run
from rltrain.run import begin

file, *overrides = sys.argv[1].split(",")
spent, syncs = [], [0]  # seconds of each save

def timed(function):
    def wrapper(*arguments, **options):
        began = time.perf_counter()
        try:
            return function(*arguments, **options)
        finally:
            spent.append(time.perf_counter() - began)
    return wrapper

def counted(descriptor, fsync=os.fsync):
    syncs[0] += 1
    fsync(descriptor)

os.fsync = counted
Run._save_once = timed(Run._save_once)
with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR", ".")) as folder:
    run = begin.create(config.load(file, overrides), Path(folder), "x", "")
    began = time.perf_counter()
    saves = sum(event.kind == "save" for event in run.advance())
    seconds = time.perf_counter() - began
    run.close()
found = {"seconds": seconds, "saving": sum(spent), "last": spent[-1], "saves": saves, "syncs": syncs[0]}
print(json.dumps(found))
"""


def measure(case: str, checkout: Path) -> dict[str, float]:
    """One run of a config with the code of a checkout, in a process of its own."""
    environment = os.environ | {"PYTHONPATH": str(checkout), "BENCH_DIR": tempfile.gettempdir()}
    done = subprocess.run(
        [sys.executable, "-c", CODE, case], env=environment, cwd=checkout, stdout=subprocess.PIPE, text=True, check=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", default=SHORT)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peer", type=Path, help="another checkout of rltrain")
    arguments = parser.parse_args()
    checkouts = [Path(__file__).resolve().parent.parent, *([arguments.peer.resolve()] if arguments.peer else [])]
    for case in arguments.cases:
        found: dict[Path, list[dict[str, float]]] = {checkout: [] for checkout in checkouts}
        for _ in range(arguments.rounds):
            for checkout in checkouts:
                found[checkout].append(measure(case, checkout))
        for checkout, runs in found.items():
            share = statistics.median(run["saving"] / run["seconds"] for run in runs)
            total, saving, end = (statistics.median(run[key] for run in runs) for key in ("seconds", "saving", "last"))
            last = runs[-1]
            name = "here" if checkout == checkouts[0] else "peer"
            print(
                f"{name} {case}: {100 * share:.1f} % of {total:.2f} s ({1000 * saving:.0f} ms, "
                f"{1000 * end:.0f} of them the last), {last['saves']:.0f} saves, {last['syncs']:.0f} syncs",
                flush=True,
            )


if __name__ == "__main__":
    main()
