"""Our side of bench/mdp.py, each call a process of its own: make a model, find its yardstick, solve it.

`solve` times rltrain.mdp.solvers.solve alone, its kernels compiled and warm; `build_seconds` is what reading and
checking the model's file took before, and the kernels. `yardstick` solves to 1e-9 and proves the answer anew, without
our kernels: one backup of the values V in extended precision, in plain numpy, and

    max |V - V*|  <=  max |TV - V| / (1 - discount x greatest row sum)

Prints one JSON line.

    python bench/ours_mdp.py make --name garnet-10000 --model MODEL.npz
    python bench/ours_mdp.py yardstick --model MODEL.npz --discount 0.99 --out VALUES.npy
    python bench/ours_mdp.py solve --model MODEL.npz --discount 0.99 --threads 1
"""

from __future__ import annotations

import argparse
import gc
import json
import platform
import signal
import time
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

PIECE = 1 << 16  # states of which the backup in extended precision is made together
REPEAT_SECONDS, REPEATS = 0.5, 10  # as in peers/mdp_side.py
EXTENDED = 2.0**-63  # a rounding of numpy's longdouble on x86; elsewhere it may be 2^-52 or 2^-112


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="rltrain's solver on one model")
    parser.add_argument("verb", choices=("make", "yardstick", "solve"))
    parser.add_argument("--model", type=Path, required=True, help=".npz; `make` writes it")
    parser.add_argument("--name", help="of the model to make: garnet-STATES or grid-SIDE")
    parser.add_argument("--discount", type=float, default=0.99, help="below 1 [0.99]")
    parser.add_argument("--method", default="auto", help="[auto]")
    parser.add_argument("--epsilon", type=float, default=1e-6, help="[1e-6]")
    parser.add_argument("--threads", type=int, default=0, help="0: all [0]")
    parser.add_argument("--timeout", type=float, default=60, help="seconds for the solve alone [60]")
    parser.add_argument("--out", type=Path, help="file of the values, .npy")
    return parser.parse_args()


def problem(name: str) -> Any:
    """The model of a name: garnet-STATES with 4 actions and 8 successors, grid-SIDE with slip 0.2."""
    from rltrain.mdp import problems

    family, _, size = name.partition("-")
    return problems.garnet(int(size), 4, 8) if family == "garnet" else problems.grid(int(size), 0.2)


def make(given: argparse.Namespace) -> dict[str, Any]:
    from rltrain.mdp import files

    model = problem(given.name)
    files.write(model, given.model)
    return {"states": model.num_states, "pairs": model.num_pairs, "successors": model.num_next}


def warm(model: Any, given: argparse.Namespace) -> None:
    """Compile, or load from the cache, what the solve may call: small models of both families, and nothing else."""
    from rltrain.mdp import thresholds
    from rltrain.mdp.solvers.solve import solve

    if model.num_states <= thresholds.PLAIN_STATES:
        return
    for name in ("garnet-2000", "grid-40"):
        solve(problem(name), given.discount, given.method, given.epsilon, threads=given.threads or None)


def run(given: argparse.Namespace) -> dict[str, Any]:
    from rltrain.mdp import files
    from rltrain.mdp.solvers.solve import solve

    start = time.perf_counter()
    model = files.read(given.model).model
    warm(model, given)
    built = time.perf_counter() - start
    print(json.dumps({"build_seconds": round(built, 4)}), flush=True)
    taken: list[float] = []
    while not taken or (sum(taken) < REPEAT_SECONDS and len(taken) < REPEATS):
        gc.collect()
        signal.setitimer(signal.ITIMER_REAL, given.timeout)
        start = time.perf_counter()
        found = solve(model, given.discount, given.method, given.epsilon, threads=given.threads or None)
        taken.append(time.perf_counter() - start)
        signal.setitimer(signal.ITIMER_REAL, 0)
    save(given, found.value)
    packages = ("rltrain", "numpy", "numba", "scipy")
    return {
        "seconds": median(taken),
        "solves": len(taken),
        "build_seconds": round(built, 4),
        "sweeps": found.sweeps,
        "method": found.method,
        "bound": found.bound,
        "converged": found.converged,
        "versions": {"python": platform.python_version(), **{name: version(name) for name in packages}},
    }


def yardstick(given: argparse.Namespace) -> dict[str, Any]:
    from rltrain.mdp import files
    from rltrain.mdp.solvers.solve import solve

    signal.setitimer(signal.ITIMER_REAL, given.timeout)
    model = files.read(given.model).model
    found = solve(model, given.discount, "auto", 1e-9)
    value, bound = proven(model, given.discount, found.value)
    save(given, value)
    return {"bound": bound, "method": found.method, "own_bound": found.bound, "seconds": found.seconds}


def proven(model: Any, discount: float, value: Any) -> tuple[Any, float]:
    """V [S] and the greatest distance to V*, by a backup that shares nothing with the solver."""
    if np.finfo(np.longdouble).eps > 2 * EXTENDED:
        raise SystemExit("the yardstick needs a longdouble of 64 bits or more, as on x86")
    value = value.astype(np.longdouble)
    acting = np.flatnonzero(np.diff(model.first_pair))
    worst, row_sum, most = np.longdouble(0), np.longdouble(0), int(np.diff(model.first_next).max())
    for first in range(0, len(acting), PIECE):
        states = acting[first : first + PIECE]
        pairs = slice(model.first_pair[states[0]], model.first_pair[states[-1] + 1])
        heads = model.first_next[pairs]
        follows = slice(heads[0], model.first_next[pairs.stop])
        prob = model.prob[follows].astype(np.longdouble)
        expected = np.add.reduceat(prob * value[model.next[follows]], heads - heads[0])
        q = model.reward[pairs] + np.longdouble(discount) * expected
        best = np.maximum.reduceat(q, model.first_pair[states] - pairs.start)
        worst = max(worst, np.abs(best - value[states]).max())
        row_sum = max(row_sum, np.add.reduceat(prob, heads - heads[0]).max())
    size = np.abs(value).max() + np.abs(model.reward).max(initial=0)
    rounding = 2 * (most + 3) * EXTENDED * size
    return value.astype(float), float((worst + rounding) / (1 - discount * row_sum))


def save(given: argparse.Namespace, value: Any) -> None:
    if given.out:
        np.save(given.out, np.asarray(value, dtype=float), allow_pickle=False)


def main() -> None:
    given = arguments()
    print(json.dumps({"make": make, "yardstick": yardstick, "solve": run}[given.verb](given)), flush=True)


if __name__ == "__main__":
    main()
