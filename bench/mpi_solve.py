"""How a solve scales over ranks of `mpirun`, with its control: as many threads in one process, and one of one.

    python bench/mpi_solve.py [--states 1000000] [--rounds 3] [--save]

A garnet with 4 actions and 8 successors, in a folder, is solved by value iteration at .9 to 1e-6, so that every way
makes the same sweeps. The ways take turns, and each answer must have the bits of the first. `solve_seconds` are the
solver's own, of all sweeps without reading the model; `process_seconds` are processor time of all processes from start
to end, reading and checking the model included, which each rank does.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from rltrain.run.machine import facts

RESULT = Path(__file__).parent / "results" / "large_models" / "mpi_solve.json"
MPIRUN = str(Path(sys.executable).parent / "mpirun")
WAYS = {"1 rank x 1 thread": (1, 1), "1 rank x 2 threads": (1, 2), "2 ranks x 1 thread": (2, 1)}


def rltrain(*words: str, ranks: int = 1) -> tuple[str, float]:
    """What the command prints, and the processor seconds of all its processes."""
    launcher = [MPIRUN, "-n", str(ranks)] if ranks > 1 else []
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [*launcher, sys.executable, "-m", "rltrain", *words], check=True, capture_output=True, text=True
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return done.stdout, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def solved(model: Path, ranks: int, threads: int) -> dict[str, float | str]:
    """One solve: its seconds, and the digest of its values and policy."""
    answer = model.with_name("answer.npz")
    words = ("--method", "vi", "--limit", "1", "--threads", str(threads), "--save", str(answer), "--overwrite")
    said, spent = rltrain("mdp", "solve", str(model), *words, ranks=ranks)
    found = re.search(r"([\d,]+) sweeps, ([\d.]+) s", said)
    assert found is not None, said
    digest = hashlib.sha256()
    with np.load(answer) as arrays:
        for name in sorted(arrays.files):
            digest.update(arrays[name].tobytes())
    return {"sweeps": float(found[1]), "solve": float(found[2]), "spent": spent, "digest": digest.hexdigest()}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--states", type=int, default=1_000_000)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--save", action="store_true")
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "model.mdpd"
        rltrain("mdp", "generate", "garnet", str(model), "--states", str(given.states), "--discount", "0.9")
        load = os.getloadavg()[0]
        rounds = [{way: solved(model, *WAYS[way]) for way in WAYS} for _ in range(given.rounds)]
    assert len({one[way]["digest"] for one in rounds for way in WAYS}) == 1, "the bits differ"
    base = next(iter(WAYS))
    table = {}
    for way in WAYS:
        walls, spent = ([float(one[way][key]) for one in rounds] for key in ("solve", "spent"))
        ratios = [float(one[base]["solve"]) / float(one[way]["solve"]) for one in rounds]
        table[way] = {
            "solve_seconds": statistics.median(walls),
            "process_seconds": round(statistics.median(spent), 1),
            "times_as_fast": round(statistics.median(ratios), 2),
            "of_each_round": [round(ratio, 2) for ratio in ratios],
        }
        print(f"{way:20} {table[way]}")
    if given.save:
        RESULT.parent.mkdir(exist_ok=True)
        result = {
            "command": f"python bench/mpi_solve.py --states {given.states} --rounds {given.rounds} --save",
            "machine": facts(2, "cpu"),
            "load_at_the_start": round(load, 1),
            "states": given.states,
            "sweeps": rounds[0][base]["sweeps"],
            "bits": "equal on all",
            "ways": table,
        }
        RESULT.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
