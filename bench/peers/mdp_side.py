"""What the peers' scripts of bench/mdp.py share: a model read from .npz, a solve that is timed alone, one JSON line.

The file is rltrain's (its arrays are compressed sparse rows, docs in rltrain/mdp/files/npz.py), with all actions in
every state but terminal ones. The peers know none of these: there every action leads back, for nothing. Runs in
.venv-peers, where rltrain is not.
"""

from __future__ import annotations

import argparse
import gc
import json
import platform
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

REPEAT_SECONDS, REPEATS = 0.5, 10  # a solve is repeated until either is reached


@dataclass(frozen=True)
class Table:
    """Pair s * actions + a is a row."""

    states: int
    actions: int
    indptr: Any  # [P + 1] int32
    indices: Any  # [N] int32
    data: Any  # [N] float64
    reward: Any  # [P]


def read(path: Path) -> Table:
    with np.load(path, allow_pickle=False) as stored:
        first_pair, indptr = stored["first_pair"], stored["first_next"]
        indices, data, reward = stored["next"], stored["prob"], stored["reward"]
    states, counts = len(first_pair) - 1, np.diff(first_pair)
    actions = int(counts.max())
    ends = np.flatnonzero(counts == 0)
    if not np.isin(counts, (0, actions)).all():
        raise SystemExit(f"{path}: not all actions in every state")
    pair = np.repeat(first_pair[ends], actions)  # before which the rows of the terminal states go
    at = indptr[pair]
    indices = np.insert(indices, at, np.repeat(ends, actions))
    data, reward = np.insert(data, at, 1.0), np.insert(reward, pair, 0.0)
    indptr = np.concatenate(([0], np.cumsum(np.insert(np.diff(indptr), pair, 1))))
    return Table(states, actions, indptr.astype(np.int32), indices.astype(np.int32), data, reward)


def arguments(about: str, methods: Sequence[str], epsilon: float) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--model", type=Path, required=True, help=".npz, as bench/mdp.py writes it")
    parser.add_argument("--discount", type=float, required=True, help="below 1")
    parser.add_argument("--method", choices=methods, default=methods[0], help=f"[{methods[0]}]")
    parser.add_argument("--epsilon", type=float, default=epsilon, help=f"its own, in its own meaning [{epsilon:g}]")
    parser.add_argument("--timeout", type=float, default=60, help="seconds for the solve alone [60]")
    parser.add_argument("--out", type=Path, help="file of the values, .npy")
    return parser.parse_args()


def measure(
    given: argparse.Namespace,
    packages: Sequence[str],
    build: Callable[[Table], Any],
    solve: Callable[[Any], tuple[Any, int | None]],
    rebuild: bool = False,
) -> None:
    """`build` gives the model in the peer's own form, everything compiled; `solve` its values and its sweeps.

    A short solve is repeated, as ours is, and its median counts. `rebuild`: it would start from its last answer.
    """
    table = read(given.model)
    start = time.perf_counter()
    ready = build(table)
    built = time.perf_counter() - start
    print(json.dumps({"build_seconds": round(built, 4)}), flush=True)
    taken: list[float] = []
    begin = time.perf_counter()
    while not taken or (sum(taken) < REPEAT_SECONDS and time.perf_counter() - begin < 5 and len(taken) < REPEATS):
        if taken and rebuild:
            ready = build(table)
        gc.collect()
        signal.setitimer(signal.ITIMER_REAL, given.timeout)  # kills the process, in compiled code too
        start = time.perf_counter()
        value, sweeps = solve(ready)
        taken.append(time.perf_counter() - start)
        signal.setitimer(signal.ITIMER_REAL, 0)
    if given.out:
        np.save(given.out, np.asarray(value, dtype=float), allow_pickle=False)
    print(
        json.dumps(
            {
                "seconds": median(taken),
                "solves": len(taken),
                "build_seconds": round(built, 4),
                "sweeps": sweeps,
                "versions": {"python": platform.python_version(), **{name: version(name) for name in packages}},
            }
        ),
        flush=True,
    )
