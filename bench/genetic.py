"""The genetic algorithm on CartPole-v1, from process start to solved: configs/genetic_cartpole.yaml on ten seeds.

Solved: a mean of at least 475 over 100 fresh games, which is what ends the run. The wall-clock time is that of the
whole command, start-up and checkpoints included; the processor's is beside it, since it hardly depends on what else
runs. What was learned is then held against 100 more games, which decided nothing.

    python bench/genetic.py --save    # about a minute
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
CONFIG = ROOT / "configs" / "genetic_cartpole.yaml"
RESULT = ROOT / "bench" / "results" / "genetic.json"
SOLVED = 475


def measure(seed: int, folder: Path) -> dict[str, Any]:
    """One run: its seconds, what it took, and how it plays afterwards."""
    used, begun = _processor_seconds(), time.perf_counter()
    _rltrain("train", str(CONFIG), "--seed", str(seed), "--name", str(seed), "-q", cwd=folder)
    seconds, processor = time.perf_counter() - begun, _processor_seconds() - used
    last = json.loads((folder / "runs" / str(seed) / "eval.jsonl").read_text().splitlines()[-1])
    played = json.loads(_rltrain("eval", "--checkpoint", str(seed), "--episodes", "100", "--json", cwd=folder))
    return {
        "seed": seed,
        "seconds": seconds,
        "processor_seconds": processor,
        "generations": last["generations"],
        "env_steps": last["env_steps"],
        "mean": last["mean"],
        "mean_afterwards": played["mean"],
    }


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--save", action="store_true", help=f"write {RESULT.relative_to(ROOT)}")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        rows = []
        for seed in range(options.seeds):
            rows.append(measure(seed, Path(folder)))
            print("  ".join(f"{key} {value:,.4g}" for key, value in rows[-1].items()), flush=True)
    solved = sum(row["mean"] >= SOLVED for row in rows)
    times = [row["seconds"] for row in rows]
    print(f"solved by {solved} of {len(rows)}; seconds: median {median(times):.1f}, at most {max(times):.1f}")
    if options.save:
        machine = {"cores": os.cpu_count(), "processor": platform.processor() or platform.machine()}
        command = shlex.join(["python", "bench/genetic.py", *(arguments or sys.argv[1:])])
        facts = {"command": command, "machine": machine, "load": os.getloadavg()[0]}
        RESULT.write_text(json.dumps({**facts, "runs": rows}, indent=1) + "\n")
    return 0 if solved == len(rows) else 1


def _rltrain(*words: str, cwd: Path) -> str:
    command = [sys.executable, "-m", "rltrain", *words]
    return subprocess.run(command, cwd=cwd, check=True, capture_output=True, text=True).stdout


def _processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    raise SystemExit(main())
