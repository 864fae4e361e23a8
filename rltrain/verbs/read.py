"""The numbers of many runs as columns of one length, for numpy, pandas and polars."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import numpy as np

from rltrain.core import Array
from rltrain.errors import InputError
from rltrain.report import reading
from rltrain.run import folder, unverified
from rltrain.spelling import described, shown

FILES = {"training": "metrics.jsonl", "evaluations": "eval.jsonl", "timings": "timings.jsonl"}
Table = Literal["training", "evaluations", "timings"]
Where = str | os.PathLike[str]


def read(runs: Where | Iterable[Where], table: Table = "training", runs_dir: Path = Path("runs")) -> dict[str, Array]:
    """A table of all these runs as columns [n], one entry a row of each run in turn.

    `runs` are folders, names of runs in `runs_dir`, or patterns of folders; one that holds the runs of several seeds
    stands for them. The columns `run`, `algorithm` and `environment` are texts, `seed` and the counters int64, metrics
    float64. A metric that a run lacks is NaN, a counter -1. InputError for what is no run.
    """
    given = list(runs) if isinstance(runs, Iterable) and not isinstance(runs, str | os.PathLike) else [runs]
    if wrong := [each for each in given if not isinstance(each, str | os.PathLike)]:
        raise InputError(f"runs: expected folders or patterns of folders, got {described(wrong[0])}")
    if table not in FILES:
        raise InputError(f"table: {described(table)} is unknown; one of {', '.join(FILES)}")
    tables = []
    for place in dict.fromkeys(path for each in given for path in folders_of(os.fspath(each), runs_dir)):
        config = unverified.config(place)
        numbers = reading.read(place / FILES[table], most=None)
        numbers.pop("table", None)  # of timings: a text
        length = len(next(iter(numbers.values()), []))
        same = {"run": str(place), "algorithm": config.algorithm or "", "environment": config.environment or ""}
        columns = {name: np.full(length, text) for name, text in same.items()}
        columns["seed"] = np.full(length, config.seed, np.int64)
        counters = reading.counters_of(place / FILES[table])
        numbers = {name: values for name, values in numbers.items() if name not in columns}
        columns |= {name: reading.column(values, name in counters) for name, values in numbers.items()}
        tables.append((length, columns))
    names = dict.fromkeys(name for _, columns in tables for name in columns)
    kinds = {name: next(columns[name].dtype for _, columns in tables if name in columns) for name in names}
    return {
        name: np.concatenate(
            [columns[name] if name in columns else _missing(length, kinds[name]) for length, columns in tables]
        )
        for name in names
    }


def folders_of(given: str, runs_dir: Path) -> list[Path]:
    """The run folders that a path, a name or a pattern means, s2 before s10. InputError if there is none."""
    places = (
        [Path(path) for path in sorted(glob.glob(given))]
        if any(sign in given for sign in "*?[") and not os.path.isdir(given)
        else [Path(given) if os.path.exists(given) else runs_dir / given]
    )
    found = []
    for place in places:
        inside = [marker.parent for marker in place.glob(f"*/{folder.MARKER}")] if os.path.isdir(place) else []
        own = os.path.isfile(place / folder.MARKER)
        found += [place] if own else sorted(inside, key=lambda member: (len(member.name), member.name))
    if not found:
        raise InputError(f"{shown(given)}: no run there; a run is a folder with a {folder.MARKER}")
    return found


def _missing(length: int, kind: np.dtype[Any]) -> Array:
    return np.full(length, -1 if kind.kind == "i" else np.nan, kind)
